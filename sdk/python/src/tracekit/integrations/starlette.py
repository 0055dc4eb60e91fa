"""Starlette and FastAPI: ``app.add_middleware(TracekitMiddleware)``."""

from __future__ import annotations

from tracekit import _span
from tracekit._span import Span
from tracekit.integrations import asgi

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_ROOT = "tracekit.root_path"


class TracekitMiddleware(asgi.TracekitMiddleware):
    """Traces the requests of a Starlette or FastAPI application, each by one span named ``GET /users/{id}``."""

    def start(self, scope: asgi.Scope) -> Span | None:
        # FastAPI traces itself once a global OpenTelemetry provider is set: a second span would count the request twice.
        theirs = getattr(scope.get("fastapi.telemetry"), "span", None)
        if theirs is not None and theirs.is_recording():
            return Adopted(theirs)
        scope[_ROOT] = scope.get("root_path", "")
        return super().start(scope)

    def route(self, scope: asgi.Scope) -> str:
        route = scope.get("route")
        if route is None:
            route = _route_of_endpoint(scope)
        path: str = getattr(route, "path_format", "") or getattr(route, "path", "")
        # Below a mount the path is the mount's own; what lies above it was moved to the root.
        mounted = scope.get("root_path", "")[len(scope.get(_ROOT, "")) :]
        return mounted + path if path else ""


_routes: dict[Any, Any] = {}


def _route_of_endpoint(scope: asgi.Scope) -> Any:
    """Starlette before 1.0 says the endpoint alone."""
    endpoint = scope.get("endpoint")
    if endpoint is None:
        return None
    if endpoint not in _routes:
        _routes[endpoint] = _find(scope.get("router") or scope.get("app"), endpoint)
    return _routes[endpoint]


def _find(router: Any, endpoint: Any) -> Any:
    for route in getattr(router, "routes", None) or ():
        found = route if getattr(route, "endpoint", None) is endpoint else _find(route, endpoint)
        if found is not None:
            return found
    return None


class Adopted(Span):
    """OpenTelemetry's span of a request, as the current one: tags go there, spans made here are its children."""

    __slots__ = ("_theirs",)

    def __init__(self, theirs: Any) -> None:
        context = theirs.get_span_context()
        tracestate = context.trace_state.to_header() if context.trace_state else ""
        trace_id, span_id = context.trace_id.to_bytes(16, "big"), context.span_id.to_bytes(8, "big")
        super().__init__("", _span.SERVER, None, trace_id, span_id, int(context.trace_flags) & 3, tracestate, None)
        self._theirs = theirs

    def set_tag(self, key: str, value: object) -> Span:
        if value is not None:
            self._theirs.set_attribute(key, value)
        return self

    def set_tags(self, tags: Mapping[str, object]) -> Span:
        for key, value in tags.items():
            self.set_tag(key, value)
        return self

    def add_event(self, name: str, attributes: Mapping[str, object] | None = None) -> Span:
        self._theirs.add_event(name, attributes)
        return self

    def capture_exception(self, error: BaseException) -> Span:
        self._theirs.record_exception(error)
        return self
