"""Server spans: one for each request, in every framework, served for real."""

import http.client
import json
import sys
import threading
import wsgiref.util

import apps
import pytest
from support import CLIENT, INTERNAL, SERVER, until

import tracekit

CALLER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture(scope="module", params=apps.FRAMEWORKS)
def service(request):
    with apps.serve(request.param) as url:
        yield request.param, url.partition("//")[2]


@pytest.fixture
def ask(service, recorded):
    """Asks for a path; gives the status, the body, and the spans once the server span has ended."""

    def ask(path, method="GET", headers=(), spans=1):
        connection = http.client.HTTPConnection(service[1], timeout=60)
        connection.request(method, path, headers={"user-agent": "test", **dict(headers)})
        response = connection.getresponse()
        body = response.read()
        connection.close()
        if spans:
            until(lambda: any(span.kind == SERVER for span in recorded.spans), "no server span")
        return response.status, body

    return ask


def server_span(recorded):
    (span,) = (span for span in recorded.spans if span.kind == SERVER)
    return span


def test_a_request_is_one_span_named_by_its_route_below_its_caller(ask, service, recorded):
    status, body = ask("/users/7?page=2&sig=secret", headers={"traceparent": CALLER, "tracestate": "foo=1"})
    span, child = server_span(recorded), recorded.named("load user")
    assert status == 200
    route = apps.USERS[service[0]]
    assert (span.name, span.attributes["http.route"]) == (f"GET {route}", route)
    assert (span.trace_id, span.parent) == (CALLER[3:35], CALLER[36:52])
    assert (span.flags, span.tracestate) == (0x301, "foo=1")
    host, _, port = service[1].partition(":")
    assert span.attributes == {
        "http.request.method": "GET",
        "http.route": route,
        "http.response.status_code": 200,
        "url.scheme": "http",
        "url.path": "/users/7",
        "url.query": "page=2&sig=REDACTED",
        "server.address": host,
        "server.port": int(port),
        "client.address": "127.0.0.1",
        "user_agent.original": "test",
        "network.protocol.version": "1.1",
        "user.id": 7,
    }
    assert not span.failed
    assert (child.parent, child.kind, child.attributes) == (span.id, INTERNAL, {"user.id": 7})
    assert json.loads(body) == {"traceparent": f"00-{child.trace_id}-{child.id}-01", "tracestate": "foo=1"}
    assert len(recorded.spans) == 2


def test_without_a_caller_a_trace_begins(ask, recorded):
    ask("/users/7")
    span = server_span(recorded)
    assert (span.parent, span.flags, span.tracestate) == ("", 0x103, "ot=th:0")


def test_a_caller_that_does_not_sample_is_followed(ask, recorded):
    _, body = ask("/users/7", headers={"traceparent": CALLER[:-1] + "0"}, spans=0)
    assert json.loads(body)["traceparent"][:36] == CALLER[:36]
    assert recorded.spans == []


def test_an_exception_is_recorded_and_answered_as_without_us(ask, recorded):
    status, _ = ask("/fails")
    span = server_span(recorded)
    assert status == 500
    assert (span.failed, span.message, span.attributes["error.type"]) == (True, "no", "apps.Failure")
    assert (span.name, span.attributes["http.response.status_code"]) == ("GET /fails", 500)
    (event,) = span.events
    assert 'raise Failure("no")' in event.attributes["exception.stacktrace"]


def test_what_the_caller_did_wrong_is_no_failure(ask, recorded):
    assert ask("/missing")[0] == 404
    span = server_span(recorded)
    assert (span.failed, span.events, span.attributes["http.response.status_code"]) == (False, [], 404)


def test_a_path_without_a_route_is_not_in_the_name(ask, service, recorded):
    ask("/nowhere/at/all")
    if service[0] not in ("wsgi", "asgi"):  # their routes are the test's own
        assert server_span(recorded).name == "GET"


def test_an_answer_of_500_is_a_failure(ask, recorded):
    assert ask("/status/503")[0] == 503
    span = server_span(recorded)
    assert (span.failed, span.attributes["error.type"], span.events) == (True, "503", [])


def test_an_unknown_method_is_kept_out_of_the_name(ask, recorded):
    ask("/users/7", method="BREW")
    span = server_span(recorded)
    assert span.name.partition(" ")[0] == "HTTP"
    assert span.attributes["http.request.method"] == "_OTHER"
    assert span.attributes["http.request.method_original"] == "BREW"


def test_a_stream_is_within_the_span_until_its_end(ask, recorded):
    _, body = ask("/stream")
    assert body == b"0\n1\n2\n"
    span = server_span(recorded)
    assert [recorded.named(f"part {i}").parent for i in range(3)] == [span.id] * 3
    assert all(span.start <= part.start <= part.end <= span.end for part in recorded.spans)


def test_a_preflight_has_no_span(ask, recorded):
    ask("/users/7", "OPTIONS", {"origin": "http://x", "access-control-request-method": "GET"}, spans=0)
    ask("/users/8", "OPTIONS")
    assert server_span(recorded).attributes["url.path"] == "/users/8"


def test_a_path_beyond_ascii_is_text(ask, recorded):
    ask("/nowhere/%C3%A9")
    assert server_span(recorded).attributes["url.path"] == "/nowhere/é"


def test_odd_headers_harm_nothing(ask, recorded):
    headers = {"host": "", "traceparent": "ÿ", "tracestate": "ÿ=ÿ", "baggage": "ÿ"}
    ask("/users/7", headers=headers)
    assert server_span(recorded).attributes["client.address"] == "127.0.0.1"


def test_baggage_is_handed_on(ask, recorded):
    _, body = ask("/users/7", headers={"baggage": "a=1, b=2;p"})
    assert json.loads(body)["baggage"] == "a=1,b=2;p"


def test_requests_at_the_same_time_are_spans_apart(ask, recorded):
    bodies = {}
    threads = [threading.Thread(target=lambda n=n: bodies.update({n: ask(f"/users/{n}")[1]})) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    until(lambda: sum(span.kind == SERVER for span in recorded.spans) == 8)
    servers = {span.attributes["url.path"]: span for span in recorded.spans if span.kind == SERVER}
    for child in recorded.spans:
        if child.kind == INTERNAL:
            server = servers[f"/users/{child.attributes['user.id']}"]
            assert (child.parent, child.trace_id) == (server.id, server.trace_id)


def test_nothing_is_recorded_and_all_works_without_a_key(ask, recorded):
    recorded.setup(api_key=None)
    status, body = ask("/users/7", headers={"traceparent": CALLER}, spans=0)
    assert (status, json.loads(body)) == (200, {"traceparent": CALLER})
    assert ask("/stream", spans=0)[1] == b"0\n1\n2\n"
    assert ask("/fails", spans=0)[0] == 500


# ---- what one framework alone has ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "path", "route"),
    [
        ("flask", "/below/x", "/below/<name>"),
        ("django", "/below/x", "/below/<name>"),
        ("django", "/old/2026/", "/old/(?P<year>[0-9]{4})/"),
        ("django-asgi", "/below/x", "/below/<name>"),
        ("fastapi", "/below/x", "/below/{name}"),
        ("fastapi", "/mounted/x", "/mounted/{name}"),
        ("fastapi", "/sync/7", "/sync/{number}"),
        ("starlette", "/below/x", "/below/{name}"),
    ],
)
def test_routes_that_are_put_together(recorded, name, path, route):
    with apps.serve(name) as url:
        connection = http.client.HTTPConnection(url.partition("//")[2], timeout=60)
        connection.request("GET", path)
        assert connection.getresponse().status == 200
        connection.close()
        until(lambda: any(span.kind == SERVER for span in recorded.spans))
    assert server_span(recorded).name == f"GET {route}"


def test_flasks_extension_form_and_test_client(recorded):
    import flask

    from tracekit.integrations.flask import Tracekit

    app = flask.Flask("x")
    Tracekit().init_app(app)
    Tracekit(app)
    app.get("/a/<b>")(lambda b: b)
    assert app.test_client().get("/a/c").data == b"c"
    assert recorded.only.name == "GET /a/<b>"


def test_a_websocket_and_a_lifespan_pass_through(recorded):
    from fastapi import FastAPI, WebSocket
    from fastapi.testclient import TestClient

    from tracekit.integrations.fastapi import TracekitMiddleware

    started = []
    app = FastAPI(on_startup=None)
    app.add_middleware(TracekitMiddleware)
    app.router.lifespan_context = lifespan(started)

    @app.websocket("/ws")
    async def ws(websocket: WebSocket):
        await websocket.accept()
        await websocket.send_text("hello")
        await websocket.close()

    with TestClient(app) as client, client.websocket_connect("/ws") as socket:
        assert socket.receive_text() == "hello"
    assert started == ["up", "down"]
    assert recorded.spans == []


def lifespan(started):
    import contextlib

    @contextlib.asynccontextmanager
    async def manager(app):
        started.append("up")
        yield
        started.append("down")

    return manager


def test_a_task_in_the_background_belongs_to_its_request(recorded):
    from fastapi import BackgroundTasks, FastAPI
    from fastapi.testclient import TestClient

    from tracekit.integrations.fastapi import TracekitMiddleware

    app = FastAPI()
    app.add_middleware(TracekitMiddleware)

    @app.get("/")
    def index(tasks: BackgroundTasks):
        tasks.add_task(lambda: tracekit.start_span("later").end())

    TestClient(app).get("/")
    assert recorded.named("later").parent == recorded.named("GET /").id


# ---- beside OpenTelemetry -----------------------------------------------------------------------


@pytest.fixture
def otel():
    """A provider that keeps its spans in memory."""
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    provider.exporter = exporter
    yield provider
    provider.shutdown()


@pytest.mark.skipif(sys.version_info < (3, 10), reason="the FastAPI that traces itself needs 3.10")
def test_a_fastapi_that_traces_itself_is_not_traced_twice(recorded, otel):
    from fastapi.testclient import TestClient

    app = apps.make_fastapi(telemetry={"tracer_provider": otel})
    response = TestClient(app).get("/users/7", headers={"traceparent": CALLER})
    theirs = [span for span in otel.exporter.get_finished_spans() if span.kind.name == "SERVER"]
    assert [span.name for span in theirs] == ["GET /users/{number}"]
    ours = recorded.only
    assert (ours.name, ours.parent) == ("load user", f"{theirs[0].context.span_id:016x}")
    assert ours.trace_id == f"{theirs[0].context.trace_id:032x}" == CALLER[3:35]
    assert theirs[0].attributes["user.id"] == 7
    assert response.json()["traceparent"] == f"00-{ours.trace_id}-{ours.id}-01"


def test_a_hop_through_opentelemetry_keeps_the_trace_whole_both_ways(recorded, otel):
    from opentelemetry import trace
    from opentelemetry.baggage import get_baggage
    from opentelemetry.baggage.propagation import W3CBaggagePropagator
    from opentelemetry.propagators.composite import CompositePropagator
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    propagator = CompositePropagator([TraceContextTextMapPropagator(), W3CBaggagePropagator()])
    tracer = otel.get_tracer("hop")
    with tracekit.start_span("ours first"):
        tracekit.set_baggage("user", "7")
        headers = tracekit.inject_headers()
    context = propagator.extract(headers)
    assert get_baggage("user", context) == "7"
    with tracer.start_as_current_span("theirs", context=context) as theirs:
        onwards = {}
        propagator.inject(onwards, trace.set_span_in_context(theirs, context))
    with apps.serve("flask") as url:
        connection = http.client.HTTPConnection(url.partition("//")[2], timeout=60)
        connection.request("GET", "/users/7", headers=onwards)
        body = json.loads(connection.getresponse().read())
        connection.close()
        until(lambda: any(span.kind == SERVER for span in recorded.spans))
    first, last = recorded.named("ours first"), server_span(recorded)
    (hop,) = otel.exporter.get_finished_spans()
    assert hop.parent.span_id == int(first.id, 16)
    assert hop.parent.is_remote
    assert last.parent == f"{hop.context.span_id:016x}"
    assert first.trace_id == last.trace_id == f"{hop.context.trace_id:032x}"
    assert first.tracestate == last.tracestate == "ot=th:0"
    assert body["baggage"] == "user=7"


# ---- clients -----------------------------------------------------------------------------------


@pytest.fixture
def target():
    """A server that notes the headers that it is sent."""
    import http.server

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.received.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
            status, location = 200, None
            if self.path.startswith("/redirect"):
                status, location = 302, self.path.partition("=")[2]
            elif self.path.startswith("/status/"):
                status = int(self.path[8:])
            self.send_response(status)
            if location:
                self.send_header("location", location)
            self.send_header("content-length", "2")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(b"{}")

        do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = do_GET

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.received = []
    server.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def httpx_async(method):
    import asyncio

    async def request(*args, **kwargs):
        async with tracekit.httpx.AsyncClient() as client:
            return await getattr(client, method)(*args, **kwargs)

    return lambda *args, **kwargs: asyncio.run(request(*args, **kwargs))


def of(kind, method="get"):
    return {
        "requests": lambda: getattr(tracekit.requests, method),
        "session": lambda: getattr(tracekit.requests.Session(), method),
        "traced session": lambda: getattr(tracekit.requests.trace(tracekit.requests._requests.Session()), method),
        "httpx": lambda: getattr(tracekit.httpx, method),
        "async httpx": lambda: httpx_async(method),
    }[kind]()


KINDS = pytest.mark.parametrize("kind", ["requests", "session", "traced session", "httpx", "async httpx"])


@KINDS
def test_a_traced_client_makes_a_span_and_sends_it_on(kind, target, recorded):
    with tracekit.start_span("request"):
        tracekit.set_baggage("a", "b")
        response = of(kind)(f"{target.url}/x?sig=secret")
    assert response.json() == {}
    span = next(span for span in recorded.spans if span.kind == CLIENT)
    ((_, headers),) = target.received
    assert headers["traceparent"] == f"00-{span.trace_id}-{span.id}-03"
    assert (headers["tracestate"], headers["baggage"]) == ("ot=th:0", "a=b")
    assert (span.name, span.parent) == ("GET", recorded.named("request").id)
    assert span.attributes == {
        "http.request.method": "GET",
        "url.full": f"{target.url}/x?sig=REDACTED",
        "server.address": "127.0.0.1",
        "server.port": target.server_port,
        "http.response.status_code": 200,
    }


@KINDS
@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete", "head", "options"])
def test_every_method_is_there(kind, method, target, recorded):
    assert of(kind, method)(target.url).status_code == 200
    assert recorded.only.name == method.upper()


@KINDS
def test_an_error_status_is_a_failure(kind, target, recorded):
    of(kind)(f"{target.url}/status/404")
    assert (recorded.only.failed, recorded.only.attributes["error.type"]) == (True, "404")


@KINDS
def test_a_connection_that_fails_is_recorded_and_raised(kind, recorded):
    library = tracekit.httpx if "httpx" in kind else tracekit.requests
    expected = library.ConnectError if "httpx" in kind else library.exceptions.ConnectionError
    with pytest.raises(expected):
        of(kind)("http://127.0.0.1:1/")
    assert recorded.only.failed
    assert recorded.only.attributes["error.type"].endswith(expected.__name__)


@KINDS
def test_targets_limit_what_carries_the_trace_through_redirects_too(kind, target, recorded):
    recorded.setup(trace_propagation_targets=["127.0.0.1"])
    options = {"follow_redirects": True} if "httpx" in kind else {}
    elsewhere = f"http://localhost:{target.server_port}/elsewhere"
    with tracekit.start_span("request"):
        of(kind)(f"{target.url}/redirect?to={elsewhere}", **options)
    (_, first), (path, second) = target.received
    assert "traceparent" in first
    assert path == "/elsewhere"
    assert not second.keys() & {"traceparent", "tracestate", "baggage"}
    assert [span.attributes["http.response.status_code"] for span in recorded.spans if span.kind == CLIENT] == [302, 200]


def test_an_answer_of_httpx_that_is_read_as_it_comes_is_traced(target, recorded):
    with tracekit.start_span("request"), tracekit.httpx.stream("GET", f"{target.url}/x", timeout=30) as response:
        assert response.read() == b"{}"
    span = next(span for span in recorded.spans if span.kind == CLIENT)
    ((_, headers),) = target.received
    assert headers["traceparent"] == f"00-{span.trace_id}-{span.id}-03"


def test_the_raw_clients_send_nothing_on(target, recorded):
    import httpx
    import requests

    with tracekit.start_span("request"):
        requests.get(target.url, timeout=30)
        httpx.get(target.url, timeout=30)
    assert all("traceparent" not in headers for _, headers in target.received)
    assert len(recorded.spans) == 1


def test_the_rest_of_the_libraries_is_there_too():
    import httpx
    import requests

    assert tracekit.requests.codes is requests.codes
    assert tracekit.requests.Response is requests.Response
    assert tracekit.httpx.HTTPStatusError is httpx.HTTPStatusError
    with pytest.raises(AttributeError):
        tracekit.nothing_of_the_kind  # noqa: B018
    from tracekit.requests import Session, get

    assert issubclass(Session, requests.Session)
    assert get is tracekit.requests.get


class Sealed:
    """A file wrapper that takes no attributes, as those in C do not."""

    __slots__ = ("file",)

    def __init__(self, file, size=0):
        self.file = file

    def __iter__(self):
        return iter(self.file.read, b"")


@pytest.mark.parametrize("wrapper", [wsgiref.util.FileWrapper, Sealed])
def test_a_file_is_left_to_the_server_as_it_is(recorded, tmp_path, wrapper):
    from tracekit.integrations.wsgi import TracekitMiddleware

    (tmp_path / "file").write_bytes(b"contents")
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/file", "wsgi.file_wrapper": wrapper}
    file = open(tmp_path / "file", "rb")  # noqa: SIM115

    def application(environ, start_response):
        start_response("200 OK", [])
        return environ["wsgi.file_wrapper"](file)

    body = TracekitMiddleware(application)(environ, lambda status, headers, *_: None)
    assert type(body) is wrapper
    assert len(recorded.spans) == (wrapper is Sealed)
    assert b"".join(body) == b"contents"
    if wrapper is not Sealed:
        body.close()
        assert file.closed
    file.close()
    assert recorded.only.attributes["http.response.status_code"] == 200
