"""Django: in ``settings.py``, early in the list::

MIDDLEWARE = [
    "tracekit.integrations.django.TracekitMiddleware",
    ...
]
"""

from __future__ import annotations

from inspect import iscoroutinefunction

from tracekit import _log, _server
from tracekit._record import current

try:
    from asgiref.sync import markcoroutinefunction
except ImportError:  # asgiref before 3.6, of Django before 4.2

    def markcoroutinefunction(middleware: Any) -> Any:
        import asyncio.coroutines

        middleware._is_coroutine = asyncio.coroutines._is_coroutine  # type: ignore[attr-defined]
        return middleware


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from tracekit._span import Span


class TracekitMiddleware:
    """Traces requests, each by one span named ``GET /users/<int:id>``; under WSGI and ASGI."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[Any], Any]) -> None:
        self._get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)
            self._serve: Callable[[Any, Span], Any] = self._serve_asynchronously
        else:
            self._serve = self._serve_synchronously

    def __call__(self, request: Any) -> Any:
        scope = getattr(request, "scope", None)
        span = _server.from_environ(request.META, request.path) if scope is None else _server.from_scope(scope)
        if span is None:
            return self._get_response(request)
        return self._serve(request, span)

    def _serve_synchronously(self, request: Any, span: Span) -> Any:
        token = current.set(span)
        try:
            response = self._get_response(request)
        except BaseException as error:
            _end(request, span, 0, error)
            raise
        finally:
            current.reset(token)
        return _answered(request, span, response)

    async def _serve_asynchronously(self, request: Any, span: Span) -> Any:
        token = current.set(span)
        try:
            response = await self._get_response(request)
        except BaseException as error:
            _end(request, span, 0, error)
            raise
        finally:
            current.reset(token)
        return _answered(request, span, response)

    def process_exception(self, request: Any, exception: Exception) -> None:
        """Django answers what a view raises: nobody else sees the exception. Whether it is a failure, the answer says:
        a 404 is raised too."""
        request._tracekit_error = exception


def _answered(request: Any, span: Span, response: Any) -> Any:
    if getattr(response, "streaming", False) and span.is_recording:
        # It is made while it is sent; Django closes it then, whatever happened. A file is left to the server (sendfile).
        if not getattr(response, "is_async", False) and getattr(response, "file_to_stream", None) is None:
            response.streaming_content = _server.Within(response.streaming_content, span, _nothing)
        close = response.close

        def closed() -> None:
            try:
                close()
            finally:
                _end(request, span, response.status_code, None)

        response.close = closed
    else:
        _end(request, span, response.status_code, None)
    return response


def _nothing() -> None:
    """The span ends when the response is closed."""


def _end(request: Any, span: Span, status: int, error: BaseException | None) -> None:
    if span.is_recording:
        try:
            match = getattr(request, "resolver_match", None)
            if match is not None and match.route is not None:
                # Regular expressions are anchored, and nested ones in the middle too.
                route = "/" + match.route.replace("^", "").replace("$", "").lstrip("/")
                _server.set_route(span, request.method or "GET", route)
        except Exception as broken:
            _log.once("route", f"a request's route is not known: {broken!r}")
        if error is None and status >= 500:
            error = getattr(request, "_tracekit_error", None)
        _server.finish(span, status, error)
