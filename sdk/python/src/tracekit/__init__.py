"""TraceKit: shows what happened to one request as it crossed every service it touched.

::

    import tracekit

    tracekit.init(service_name="orders")          # the key: TRACEKIT_API_KEY

    tracekit.set_tag("order.id", order_id)        # on the request that is being served
    with tracekit.start_span("charge card"):
        tracekit.requests.post("http://payments:8080/charge", json=order)

Middleware for Django, FastAPI, Starlette, Flask, WSGI and ASGI is in :mod:`tracekit.integrations`. Nothing here raises for
what the environment says, for a server that is away, or for a value that cannot be recorded.
"""

from __future__ import annotations

from tracekit import _client, _log
from tracekit._client import get_client
from tracekit._otlp import text_of as _text_of
from tracekit._propagation import inject as _inject
from tracekit._propagation import parse_baggage as _parse_baggage
from tracekit._propagation import with_baggage as _with_baggage
from tracekit._record import current, start_span
from tracekit._span import INTERNAL as _INTERNAL
from tracekit._span import Span
from tracekit._version import VERSION as __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, MutableMapping
    from typing import Any, Callable, TypeVar

    import tracekit.httpx as httpx
    import tracekit.requests as requests
    from tracekit._targets import Target

    F = TypeVar("F", bound=Callable[..., Any])

__all__ = [
    "Span",
    "__version__",
    "capture_exception",
    "capture_message",
    "current_span",
    "flush",
    "get_baggage",
    "get_current_span",
    "init",
    "inject_headers",
    "set_baggage",
    "set_tag",
    "set_tags",
    "shutdown",
    "start_span",
    "start_transaction",
    "stats",
    "trace",
]

FLUSH_TIMEOUT = 5.0
SHUTDOWN_TIMEOUT = 10.0


def init(
    *,
    api_key: str | None = None,
    service_name: str | None = None,
    endpoint: str | None = None,
    environment: str | None = None,
    release: str | None = None,
    sample_rate: float | None = None,
    trace_propagation_targets: Iterable[Target] | None = None,
    debug: bool | None = None,
    enabled: bool | None = None,
) -> None:
    """Starts tracing. Without a call the environment alone sets the SDK up at its first use.

    :param api_key: lets the service send to its project (``TRACEKIT_API_KEY``: leave it out of the code). Without one
        a line on stderr says so, nothing is recorded, and the headers of requests are handed on as they came.
    :param service_name: the service's own, unique name (``TRACEKIT_SERVICE_NAME``, ``OTEL_SERVICE_NAME``).
    :param endpoint: the server's base URL (``TRACEKIT_ENDPOINT``; ``http://localhost:4318``).
    :param environment: where the service runs, such as ``production`` (``TRACEKIT_ENVIRONMENT``).
    :param release: the version of the service (``TRACEKIT_RELEASE``).
    :param sample_rate: the share of new traces that is recorded, 0 to 1 (``TRACEKIT_SAMPLE_RATE``; 1). Requests that
        come with a trace follow its decision.
    :param trace_propagation_targets: which requests of the traced clients carry the trace: strings, found in the URL's
        scheme, host, port and path, or compiled regular expressions, searched there. None: all. Empty: none.
    :param debug: says the set-up and the result of the first export (``TRACEKIT_DEBUG``).
    :param enabled: False turns everything off (``OTEL_SDK_DISABLED``).
    """
    _client.set_up(
        {
            "api_key": api_key,
            "service_name": service_name,
            "endpoint": endpoint,
            "environment": environment,
            "release": release,
            "sample_rate": sample_rate,
            "trace_propagation_targets": trace_propagation_targets,
            "debug": debug,
            "enabled": enabled,
        }
    )


def current_span() -> Span | None:
    """The span that is being worked on; None outside of any."""
    return current.get()


get_current_span = current_span


def set_tag(key: str, value: object) -> None:
    """Tags the request: the current span and the server span that it belongs to, so that a search finds all tags of a
    request on one span. Outside of a request it does nothing."""
    span = current.get()
    if span is None:
        _log.debug(f"set_tag({key!r}) outside of a request or span: ignored")
        return
    span.set_tag(key, value)
    if span.entry is not span:
        span.entry.set_tag(key, value)


def set_tags(tags: Mapping[str, object]) -> None:
    for key, value in tags.items():
        set_tag(key, value)


def start_transaction(name: str, tags: Mapping[str, object] | None = None) -> Span:
    """Starts a span at the top of a new trace."""
    span = get_client().start(_text_of(name), _INTERNAL, None)
    return span.set_tags(tags) if tags else span


def trace(function: F | str | None = None) -> Any:
    """Decorates a function, plain or async, with a span: ``@tracekit.trace``, ``@tracekit.trace("a name")``."""
    from tracekit._decorator import traced

    if callable(function):
        return traced(function, None)
    return lambda decorated: traced(decorated, function)


def capture_exception(error: BaseException | None = None) -> None:
    """Records an exception (None: the one that is being handled) on the current span; outside of any, on one of its own."""
    if error is None:
        from sys import exc_info

        error = exc_info()[1]
        if error is None:
            return
    span = current.get()
    if span is not None:
        span.capture_exception(error)
    else:
        _client.start("exception").capture_exception(error).end()


def capture_message(message: str, level: str = "info") -> None:
    """Records a message on the current span; outside of any, on one of its own."""
    attributes = {"message": message, "level": level}
    span = current.get()
    if span is not None:
        span.add_event("message", attributes)
    else:
        _client.start("message").add_event("message", attributes).end()


def inject_headers(headers: MutableMapping[str, str] | None = None) -> MutableMapping[str, str]:
    """Writes the current span's ``traceparent``, ``tracestate`` and ``baggage`` into headers, of a message or of a client
    that is not wrapped here."""
    headers = {} if headers is None else headers
    span = current.get()
    if span is not None:
        _inject(span, headers)
    return headers


def get_baggage() -> dict[str, str]:
    """What came with the request as W3C baggage, and what was set since."""
    span = current.get()
    return _parse_baggage(span.entry.baggage) if span is not None else {}


def set_baggage(key: str, value: str | None) -> None:
    """Hands a value on to every service that this request reaches; with None it is taken away. Others may read it."""
    span = current.get()
    if span is not None:
        span.entry.baggage = _with_baggage(span.entry.baggage, str(key), None if value is None else str(value))


def flush(timeout: float = FLUSH_TIMEOUT) -> bool:
    """Sends what is queued; False when that took longer than the seconds given."""
    exporter = get_client().exporter
    return exporter is None or exporter.flush(timeout)


def shutdown(timeout: float = SHUTDOWN_TIMEOUT) -> bool:
    """Sends what is queued, for the last time. Spans that end later are dropped. Done at exit and on SIGTERM anyway."""
    return _client.shut_down(timeout)


def stats() -> dict[str, int]:
    """How many spans were ``sent``, ``dropped`` and are ``queued``."""
    exporter = get_client().exporter
    return exporter.stats() if exporter else {"sent": 0, "dropped": 0, "queued": 0}


def __getattr__(name: str) -> Any:
    """The traced clients, when they are used: `tracekit.requests` imports requests, `tracekit.httpx` httpx."""
    if name in ("requests", "httpx", "integrations"):
        from importlib import import_module

        return import_module(f"tracekit.{name}")
    raise AttributeError(f"module 'tracekit' has no attribute {name!r}")
