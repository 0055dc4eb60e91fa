"""The server span of a request, whichever framework serves it.

A request gets one span, a child of the caller that its headers name, called `GET /users/{id}` after method and route: never
after the path, that would be a name per user.
"""

from __future__ import annotations

from tracekit import _client, _http, _record, _span
from tracekit._propagation import extract
from tracekit._record import Within
from tracekit._redact import redact_query
from tracekit._url import split_host

__all__ = ["Within", "finish", "from_environ", "from_scope", "set_route"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from tracekit._span import Span

_record.bind(redact_query=redact_query)
_usual_environ, _usual_scope = _record.from_environ, _record.from_scope


def from_environ(environ: Mapping[str, Any], path: str | None = None) -> Span | None:
    """Starts the span of a WSGI request. None: it has none, being a browser's question whether it may ask (CORS).

    `path` is for those who have decoded it.
    """
    span = _usual_environ(environ, path)
    return _from_environ(environ, path) if span is NotImplemented else span


def from_scope(scope: Mapping[str, Any]) -> Span | None:
    """Starts the span of an ASGI request. None: it has none, being a browser's question whether it may ask (CORS)."""
    span = _usual_scope(scope)
    return _from_scope(scope) if span is NotImplemented else span


def _from_environ(environ: Mapping[str, Any], path: str | None) -> Span | None:
    method = environ.get("REQUEST_METHOD") or "GET"
    if method == "OPTIONS" and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ:
        return None
    get = environ.get
    traceparent, tracestate, baggage = get("HTTP_TRACEPARENT"), get("HTTP_TRACESTATE"), get("HTTP_BAGGAGE")
    parent = None
    if traceparent is not None or baggage is not None:
        # A server joins several headers of a name by commas.
        parent = extract(
            [] if traceparent is None else [traceparent],
            [] if tracestate is None else [tracestate],
            [] if baggage is None else [baggage],
        )
    client = _client.get_client()
    span = client.start(_http.method_name(method), _span.SERVER, parent)
    if span.is_recording:
        agent, peer, query = get("HTTP_USER_AGENT"), get("REMOTE_ADDR"), get("QUERY_STRING")
        protocol = get("SERVER_PROTOCOL") or ""
        authority = get("HTTP_HOST") or get("SERVER_NAME") or ""
        span.set_tags(_head(method, get("wsgi.url_scheme") or "http", authority, agent or "", protocol[5:]))
        span.set_tag("url.path", _text(get("SCRIPT_NAME", "") + get("PATH_INFO", "")) if path is None else path)
        if query:
            span.set_tag("url.query", redact_query(query))
        if peer:
            span.set_tag("client.address", peer)
    return span


def _text(path: str) -> str:
    """WSGI's strings are bytes as Latin-1 has them."""
    if path.isascii():
        return path
    try:
        return path.encode("latin-1").decode("utf-8", "replace")
    except UnicodeEncodeError:
        return path


_WANTED = frozenset((b"host", b"user-agent", b"traceparent", b"tracestate", b"baggage", b"access-control-request-method"))


def _from_scope(scope: Mapping[str, Any]) -> Span | None:
    method = scope.get("method") or "GET"
    traceparents: list[str] = []
    tracestates: list[str] = []
    baggage: list[str] = []
    host = agent = b""
    for name, value in scope["headers"]:
        if name not in _WANTED:
            continue
        if name == b"host":
            host = value
        elif name == b"user-agent":
            agent = value
        elif name == b"traceparent":
            traceparents.append(value.decode("latin-1"))
        elif name == b"tracestate":
            tracestates.append(value.decode("latin-1"))
        elif name == b"baggage":
            baggage.append(value.decode("latin-1"))
        elif method == "OPTIONS":
            return None
    parent = extract(traceparents, tracestates, baggage) if traceparents or baggage else None
    client = _client.get_client()
    span = client.start(_http.method_name(method), _span.SERVER, parent)
    if span.is_recording:
        scheme, query, peer = scope.get("scheme") or "http", scope.get("query_string"), scope.get("client")
        protocol = scope.get("http_version") or ""
        span.set_tags(_head(method, scheme, host.decode("latin-1"), agent.decode("latin-1"), protocol))
        span.set_tag("url.path", scope["path"])
        if query:
            span.set_tag("url.query", redact_query(query.decode("latin-1")))
        if peer:
            span.set_tag("client.address", peer[0])
    return span


# What the requests of one client have in common. Cleared when there are many; long ones are not kept.
_HEADS_MAX = 1024
_HEAD_TEXT_MAX = 1024
_heads: dict[tuple[str, str, str, str, str], dict[str, str | int]] = {}


def _head(method: str, scheme: str, authority: str, agent: str, protocol: str) -> dict[str, str | int]:
    key = (method, scheme, authority, agent, protocol)
    head = _heads.get(key)
    if head is None:
        known = method in _http.METHODS
        host, port = split_host(authority)
        values: dict[str, str | int] = {
            "http.request.method": method if known else "_OTHER",
            "http.request.method_original": "" if known else method,
            "url.scheme": scheme,
            "server.address": host,
            "server.port": port if host and port is not None and port >= 0 else "",
            "user_agent.original": agent,
            "network.protocol.version": protocol,
        }
        head = {name: value for name, value in values.items() if value != ""}
        if sum(map(len, key)) <= _HEAD_TEXT_MAX:
            if len(_heads) >= _HEADS_MAX:
                _heads.clear()
            _heads[key] = head
    return head


def set_route(span: Span, method: str, route: str) -> None:
    if route and span.is_recording:
        span.set_name(f"{method if method in _http.METHODS else 'HTTP'} {route}")
        span.set_tag("http.route", route)


def finish(span: Span, status: int, error: BaseException | None = None) -> None:
    """Ends the span with its response's status, 0 when there was none, and with what the application raised."""
    if isinstance(error, Exception):  # and not a client that went away, or a program that ends
        span.capture_exception(error)
        status = status or 500  # as every server answers
    if status and span.is_recording:
        span.set_tag("http.response.status_code", status)
        if status >= 500:
            _http.fail_status(span, status)
    span.end()
