"""The 41 tests of the official harness of W3C Trace Context (SPEC_LEVEL 2, STRICT_LEVEL 2), as sdk/spec/w3c.json has them.

A request with the headers under test goes to a framework's server, byte for byte; the application calls back by a traced
client.
"""

import http.client
import http.server
import json
import threading

import apps
import pytest
from support import vectors

import tracekit

CASES = {case["name"]: case["requests"] for case in vectors("w3c.json")["cases"]}


def test_there_are_41_cases():
    assert len(CASES) == 41


class Callbacks(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.server.received.append(self.headers.items())
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def callbacks():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Callbacks)
    server.received = []
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module", params=["flask", "django", "fastapi"])
def service(request):
    with apps.serve(request.param) as url:
        yield url.partition("//")[2]


def post(service, headers, body):
    connection = http.client.HTTPConnection(service, timeout=60)
    connection.putrequest("POST", "/test", skip_accept_encoding=True)
    for key, value in (*headers, ("content-type", "application/json"), ("content-length", str(len(body)))):
        connection.putheader(key, value)
    connection.endheaders(body.encode())
    assert connection.getresponse().status in (200, 204)
    connection.close()


@pytest.mark.parametrize("name", CASES)
def test_w3c(name, service, callbacks, recorded):
    for request in CASES[name]:
        calls, expect = request.get("calls", 1), request["expect"]
        url = f"http://127.0.0.1:{callbacks.server_port}/"
        callbacks.received.clear()
        post(service, request["headers"], json.dumps([{"url": url, "arguments": []}] * calls))
        traces, spans = set(), set()
        assert len(callbacks.received) == calls
        for received in callbacks.received:
            sent = {key.lower(): value for key, value in received}
            assert sum(key.lower() in ("traceparent", "tracestate") for key, _ in received) == len(
                sent.keys() & {"traceparent", "tracestate"}
            )
            version, trace_id, span_id, flags = sent["traceparent"].split("-")
            assert (version, flags, sent.get("tracestate")) == ("00", expect["flags"], expect["tracestate"])
            incoming = [value for key, value in request["headers"] if key.lower() == "traceparent"]
            assert any(trace_id in value for value in incoming) == expect["sameTrace"]
            assert not any(span_id in value for value in incoming)
            traces.add(trace_id)
            spans.add(span_id)
        assert (len(traces), len(spans)) == (1, calls)
    assert tracekit.current_span() is None
