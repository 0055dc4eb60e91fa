"""Any ASGI application: ``application = TracekitMiddleware(application)``."""

from __future__ import annotations

from tracekit import _log, _server
from tracekit._record import current

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping
    from typing import Any

    from tracekit._span import Span

    Scope = MutableMapping[str, Any]
    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class TracekitMiddleware:
    """Traces the requests of an ASGI application."""

    def __init__(self, app: Application) -> None:
        self.app = app

    def route(self, scope: Scope) -> str:
        """A request's route, when the application has returned; without one spans are named by the method alone."""
        return ""

    def start(self, scope: Scope) -> Span | None:
        return _server.from_scope(scope)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        span = self.start(scope) if scope["type"] == "http" else None
        if span is None:
            await self.app(scope, receive, send)
            return
        status = 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        error: BaseException | None = None
        token = current.set(span)
        try:
            await self.app(scope, receive, sending)
        except BaseException as raised:
            error = raised
            raise
        finally:
            current.reset(token)
            if span.is_recording:
                try:
                    _server.set_route(span, scope.get("method") or "GET", self.route(scope))
                except Exception as broken:
                    _log.once("route", f"a request's route is not known: {broken!r}")
                _server.finish(span, status, error)
