"""The span of a request, out of what WSGI and ASGI say of it."""

import asyncio
import itertools

import pytest

import tracekit
from tracekit import _server
from tracekit.integrations import asgi
from tracekit.integrations.wsgi import TracekitMiddleware

CALLER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
ENVIRON = {
    "REQUEST_METHOD": "GET",
    "SCRIPT_NAME": "",
    "PATH_INFO": "/users/7",
    "QUERY_STRING": "",
    "SERVER_NAME": "localhost",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "HTTP_HOST": "localhost:8000",
    "HTTP_USER_AGENT": "test",
    "HTTP_TRACEPARENT": CALLER,
    "REMOTE_ADDR": "127.0.0.1",
    "wsgi.url_scheme": "https",
}
SCOPE = {
    "method": "GET",
    "path": "/users/7",
    "query_string": b"",
    "scheme": "https",
    "http_version": "1.1",
    "client": ("127.0.0.1", 5000),
}
HEADERS = {"host": b"localhost:8000", "user-agent": b"test", "traceparent": CALLER.encode()}

LONG_STATE = ",".join(f"key{n}={'v' * 200}" for n in range(8))
AUTHORITIES = ["h", "h:", "h:80", "h:x", "h:123456", "h:1:2", "[::1]", "[::1]:8", "[::1]x", "[::1", "[", ":80", "ü.example"]
ODD = {
    "REQUEST_METHOD": ("", "POST", "get", "BREW", "ÖFFNE"),
    "SCRIPT_NAME": ("/app", "/ä", None),
    "PATH_INFO": ("", "/Ã¼", "/€", "/a\0b"),
    "QUERY_STRING": (None, "a=1", "a=1&Sig=secret&b", "plain", "x=Ã¼"),
    "SERVER_NAME": ("", "other"),
    "SERVER_PROTOCOL": ("", "HTTP", "HTTP/2", None),
    "HTTP_HOST": (*AUTHORITIES, "", None),
    "HTTP_USER_AGENT": ("", None, "M\xfcnchen", "x" * 40_000, "a\0b"),
    "HTTP_TRACEPARENT": (None, "", CALLER.upper(), CALLER + "," + CALLER, " " + CALLER + "\t", "01" + CALLER[2:] + "-x"),
    "HTTP_TRACESTATE": ("a=1", "a=1,a=2,,b=3 ,", "A=1", LONG_STATE, ",".join(f"k{n}=v" for n in range(33)), ""),
    "HTTP_BAGGAGE": ("a=1", ""),
    "REMOTE_ADDR": ("", None, "::1"),
    "wsgi.url_scheme": ("", "http", None),
    "HTTP_ACCESS_CONTROL_REQUEST_METHOD": ("GET",),
}


def described(start, recorded):
    """What a span says that comes of the request alone."""
    span = start()
    if span is None:
        return None
    identity = span.trace_id if span.parent_id else b"", span.parent_id, span.flags, span.tracestate, span.baggage, span.kind
    span.end()
    sent = recorded.only
    recorded.forget()
    return identity, sent.name, sent.flags, sent.attributes


def environs():
    yield ENVIRON, None
    for name, values in ODD.items():
        for value, path in itertools.product(values, ("/decoded", "/dé", None)):
            environ = {**ENVIRON, name: value}
            if value is None:
                del environ[name]
            yield environ, path
            yield {**environ, "REQUEST_METHOD": "OPTIONS"}, path


def test_every_request_of_wsgi_is_recorded_as_it_is_described_in_python(recorded):
    for environ, path in environs():
        expect = described(lambda: _server._from_environ(environ, path), recorded)  # noqa: B023
        assert described(lambda: _server.from_environ(environ, path), recorded) == expect, environ  # noqa: B023


def test_every_request_of_asgi_is_recorded_as_it_is_described_in_python(recorded):
    def odd():
        for name in ("host", "user-agent", "traceparent", "tracestate", "baggage", "access-control-request-method", "x"):
            wsgi = ODD.get(f"HTTP_{name.upper().replace('-', '_')}", ("x",))
            values = [value.encode("latin-1", "replace") for value in wsgi if value is not None]
            for value in values:
                yield {}, [*((k, v) for k, v in HEADERS.items() if k != name), (name, value)]
                yield {"method": "OPTIONS"}, [*HEADERS.items(), (name, value)]  # twice
        yield {}, []
        for name, values in {
            "method": ("", "POST", "BREW"),
            "path": ("", "/ü", "/a\0b"),
            "query_string": (b"", b"a=1&sig=x", "ü=ü".encode(), None),
            "scheme": ("", "http"),
            "http_version": ("", "2"),
            "client": (None, ("::1", 1), ["::1", 1]),
        }.items():
            for value in values:
                yield {name: value}, HEADERS.items()

    for change, headers in odd():
        for kind in (list, tuple):
            scope = {**SCOPE, **change, "headers": [kind((name.encode(), value)) for name, value in headers]}
            expect = described(lambda: _server._from_scope(scope), recorded)  # noqa: B023
            assert described(lambda: _server.from_scope(scope), recorded) == expect, scope  # noqa: B023


@pytest.mark.parametrize("start", [_server.from_environ, lambda environ, _=None: _server._from_environ(environ, None)])
def test_an_environ_of_another_type_serves_as_well(start, recorded):
    class Environ(dict):
        pass

    start(Environ(ENVIRON), None).end()
    assert recorded.only.attributes["url.path"] == "/users/7"


def streamed(parts, recorded):
    def app(environ, start_response):
        start_response("200 OK", [])
        return parts

    return TracekitMiddleware(app)(ENVIRON, lambda *_: None)


def test_a_stream_that_fails_is_recorded_and_raises_what_it_would(recorded):
    def parts():
        yield b"one"
        raise LookupError("no more")

    body = streamed(parts(), recorded)
    assert next(body) == b"one"
    with pytest.raises(LookupError, match="no more") as raised:
        next(body)
    assert raised.traceback[-1].name == "parts"
    body.close()
    assert tracekit.current_span() is None
    assert recorded.only.failed
    assert recorded.only.attributes["error.type"] == "LookupError"


def test_a_stream_that_its_reader_leaves_has_not_failed(recorded):
    def parts():
        while True:
            with tracekit.start_span("part"):
                yield b"x"

    body = streamed(parts(), recorded)
    assert [next(body), next(body)] == [b"x", b"x"]
    body.close()
    body.close()
    (server,) = (span for span in recorded.spans if span.name == "GET")
    inside = [span for span in recorded.spans if span.name == "part"]
    assert [span.parent for span in inside] == [server.id] * 2
    assert not any(span.failed for span in recorded.spans)


def test_a_program_that_ends_within_a_stream_ends(recorded):
    def parts():
        raise SystemExit(3)
        yield

    body = streamed(parts(), recorded)
    with pytest.raises(SystemExit):
        next(body)
    body.close()
    assert not recorded.only.failed


def test_what_else_a_response_has_is_reached_through_the_span(recorded):
    class Parts:
        headers = "theirs"

        def __iter__(self):
            return iter([b"x"])

    body = streamed(Parts(), recorded)
    assert body.headers == "theirs"
    with pytest.raises(AttributeError):
        body.nothing  # noqa: B018
    assert list(body) == [b"x"]
    assert list(body) == []
    assert recorded.only.name == "GET"


@pytest.mark.parametrize("error", [ValueError("no"), RecursionError()])
def test_a_callback_that_raises_costs_the_route_alone(error, recorded, capfd):
    def route(environ):
        raise error

    def app(environ, start_response):
        start_response("200 OK", [])
        return [b"served"]

    middleware = TracekitMiddleware(app, route)
    for _ in range(2):
        assert middleware(ENVIRON, lambda *_: None) == [b"served"]
    assert [span.name for span in recorded.spans] == ["GET", "GET"]
    assert capfd.readouterr().err.count("a request's route is not known") == 1


def test_a_callback_of_asgi_that_raises_costs_the_route_alone(recorded, capfd):
    class Middleware(asgi.TracekitMiddleware):
        def route(self, scope):
            raise ValueError("no")

    sent = []

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200})

    async def send(message):
        sent.append(message)

    for _ in range(2):
        asyncio.run(Middleware(app)({**SCOPE, "type": "http", "headers": []}, None, send))
    assert [message["status"] for message in sent] == [200, 200]
    assert [span.name for span in recorded.spans] == ["GET", "GET"]
    assert capfd.readouterr().err.count("a request's route is not known") == 1
