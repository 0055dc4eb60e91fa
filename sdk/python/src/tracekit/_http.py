"""What HTTP spans have in common: names, attributes and outcomes of the semantic conventions, v1.44."""

from __future__ import annotations

from tracekit import _client, _span
from tracekit._propagation import inject
from tracekit._redact import redact_url
from tracekit._targets import is_target
from tracekit._url import parse_url

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from tracekit._span import Span

METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE", "QUERY"))


def method_name(method: str) -> str:
    """Of a span: what a client can invent is kept out of names."""
    return method if method in METHODS else "HTTP"


def set_method(span: Span, method: str) -> None:
    if method in METHODS:
        span.set_tag("http.request.method", method)
    else:
        span.set_tag("http.request.method", "_OTHER")
        span.set_tag("http.request.method_original", method)


def fail_status(span: Span, status: int) -> None:
    """Marks the span as failed by its response, unless an exception has told more already."""
    if span.is_recording and not span.failed:
        span.set_tag("error.type", str(status))
        span.set_error()


def start_request(method: str, url: str, headers: MutableMapping[str, str]) -> Span:
    """The span of an outgoing request, and the headers that carry it on: they are taken away when `url` is no target,
    since a redirect copies them."""
    span = _client.start(method_name(method), _span.CLIENT)
    if span.is_recording:
        set_method(span, method)
        span.set_tag("url.full", redact_url(url))
        parsed = parse_url(url)
        if parsed is not None:
            span.set_tag("server.address", parsed.host)
            span.set_tag("server.port", parsed.port or parsed.default_port)
    if is_target(url, _client.get_client().targets):
        inject(span, headers)
    else:
        for name in ("traceparent", "tracestate", "baggage"):
            headers.pop(name, None)
    return span


def end_request(span: Span, status: int) -> None:
    span.set_tag("http.response.status_code", status)
    if status >= 400:
        fail_status(span, status)
    span.end()


def fail_request(span: Span, error: BaseException) -> None:
    span.capture_exception(error)
    span.end()
