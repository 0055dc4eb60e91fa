"""The Python code blocks of the users' document run as they are written there: extracted, not copied."""

import http.server
import os
import re
import threading
from pathlib import Path

import pytest
from support import CLIENT, ROOT, SERVER, run

SHARED = Path(os.environ.get("TRACEKIT_SHARED") or ROOT.parent / "shared")
DOCUMENTS = sorted(SHARED.glob("seed/*.txt"))

# Each block is what stands between two of the document's lines.
BLOCKS = {
    "django": (r"Python \(Django\):\n", r"\nPython \(FastAPI\):"),
    "fastapi": (r"Python \(FastAPI\):\n", r"\nIf middleware is registered"),
    "client": (r"Python \(Backend-to-Backend\)\n", r"\nKey principle:"),
    "tags": (r"(# Python — add request context\n)", r"\nTags are searchable"),
}

pytestmark = pytest.mark.skipif(
    not DOCUMENTS, reason="the document is not beside this repository; TRACEKIT_SHARED says where it is"
)


def block(name):
    begin, end = BLOCKS[name]
    match = re.search(f"{begin}(.*?){end}", DOCUMENTS[0].read_text(), re.S)
    assert match, f"the document has no block {name!r}"
    return "".join(match.groups())


def indented(name, depth):
    return block(name).replace("\n", "\n" + " " * depth)


# What the document leaves out: a service of that name, the values of the tags, and views.
COMMON = (
    f"""
import requests
resolve = requests.adapters.HTTPAdapter.send
def send(self, request, **kwargs):  # the document's host names are not this machine's
    assert request.url == "http://node-service:3001/api/data", request.url
    request.url = DOWNSTREAM + "/api/data"
    return resolve(self, request, **kwargs)
requests.adapters.HTTPAdapter.send = send

def work(order_id="order-1", tenant_id=7):
    import tracekit
    {indented("tags", 4)}
    {indented("client", 4)}
    return data
"""
    if DOCUMENTS
    else ""
)

DJANGO = """
import django
from django.conf import settings
{django}
settings.configure(SECRET_KEY="x", ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, MIDDLEWARE=MIDDLEWARE)
django.setup()
from django.http import JsonResponse
from django.urls import path
urlpatterns = [path("api/users", lambda request: JsonResponse(work()))]
from django.test import Client
assert Client().get("/api/users", headers=dict(traceparent=CALLER)).json() == {{"ok": True}}
"""

FASTAPI = """
from fastapi import FastAPI
{fastapi}
@app.get("/api/users")
def users():
    return work()
from fastapi.testclient import TestClient
assert TestClient(app).get("/api/users", headers=dict(traceparent=CALLER)).json() == {{"ok": True}}
"""

CALLER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize("framework", ["django", "fastapi"])
def test_the_documents_blocks_run_as_written(framework, sink):
    program = {"django": DJANGO, "fastapi": FASTAPI}[framework].format(**{framework: block(framework)})
    downstream = NodeService()
    try:
        run(
            f"CALLER = {CALLER!r}\nDOWNSTREAM = {downstream.url!r}\n{COMMON}\n{program}",
            TRACEKIT_API_KEY="test-key",
            TRACEKIT_ENDPOINT=sink.url,
            TRACEKIT_SERVICE_NAME="document",
        )
    finally:
        downstream.close()
    assert sink.requests[0].headers["x-api-key"] == "test-key"
    server = next(span for span in sink.spans if span.kind == SERVER)
    client = next(span for span in sink.spans if span.kind == CLIENT)
    assert (server.name, server.trace_id, server.parent) == ("GET /api/users", CALLER[3:35], CALLER[36:52])
    assert server.attributes.items() >= {"order.id": "order-1", "tenant.id": 7}.items()
    assert (client.parent, client.trace_id) == (server.id, server.trace_id)
    assert downstream.traceparents == [f"00-{client.trace_id}-{client.id}-01"]
    assert len(sink.spans) == 2


class NodeService:
    """The document's node-service."""

    def __init__(self):
        service = self
        self.traceparents = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                service.traceparents.append(self.headers["traceparent"])
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.end_headers()
                self.wfile.write(b'{"ok": true}')

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()
