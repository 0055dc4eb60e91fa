"""Any WSGI application: ``application = TracekitMiddleware(application)``."""

from __future__ import annotations

from tracekit import _log, _server
from tracekit._record import current

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from tracekit._span import Span

    Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
    Route = Callable[[dict[str, Any]], str]


class TracekitMiddleware:
    """Traces the requests of a WSGI application.

    :param route: gives a request's route, such as ``/users/<id>``, when its response starts; without, spans are named by
        the method alone.
    """

    def __init__(self, app: Application, route: Route | None = None) -> None:
        self.app = app
        self._route = route

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        span = _server.from_environ(environ)
        if span is None:
            return self.app(environ, start_response)
        request = _Request(span, environ, start_response, self._route)
        token = current.set(span)
        try:
            body = self.app(environ, request.started)
        except BaseException as error:
            request.finish(error)
            raise
        finally:
            current.reset(token)
        if type(body) in (list, tuple):  # all there
            request.finish()
            return body
        wrapper = environ.get("wsgi.file_wrapper")
        if wrapper is not None and isinstance(wrapper, type) and isinstance(body, wrapper):
            _end_with(body, request)
            return body
        return _Body(body, request.span, request.finish)


class _Request:
    __slots__ = ("environ", "route", "span", "start_response", "status")

    def __init__(self, span: Span, environ: dict[str, Any], start_response: Callable[..., Any], route: Route | None) -> None:
        self.span = span
        self.environ = environ
        self.start_response = start_response
        self.route = route
        self.status = 0

    def started(self, status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:
        """In `start_response`'s place."""
        code = status[:3]
        self.status = int(code) if code.isdigit() else 0
        if self.route is not None:
            self.name()
        return self.start_response(status, headers, *exc_info)

    def name(self) -> None:
        route, self.route = self.route, None
        if route is not None and self.span.is_recording:
            try:
                _server.set_route(self.span, self.environ.get("REQUEST_METHOD") or "GET", route(self.environ))
            except Exception as broken:
                _log.once("route", f"a request's route is not known: {broken!r}")

    def finish(self, error: BaseException | None = None) -> None:
        if self.span.is_recording:
            if self.route is not None:
                self.name()
            _server.finish(self.span, self.status, error)


def _end_with(body: Any, request: _Request) -> None:
    """A file is sent by the server itself (sendfile), if it gets it as it is; it closes it, whatever happened."""
    close = getattr(body, "close", None)

    def closed() -> None:
        try:
            if close is not None:
                close()
        finally:
            request.finish()

    try:
        body.close = closed
    except (AttributeError, TypeError):  # a server's own, in C
        request.finish()


class _Body(_server.Within):
    """A response that is made while it is sent."""

    __slots__ = ()

    def close(self) -> None:
        """The server calls it, whatever happened."""
        close = getattr(self._whole, "close", None)
        token = current.set(self._span)
        try:
            if close is not None:
                close()
        finally:
            current.reset(token)
            self._done()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._whole, name)
