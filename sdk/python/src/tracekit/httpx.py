"""`httpx` with tracing: a span for each request, and the trace sent on.

::

    response = tracekit.httpx.get("http://node-service:3001/api/data")
    async with tracekit.httpx.AsyncClient() as client:
        response = await client.get("http://node-service:3001/api/data")

The raw `httpx.get` does neither. Everything else of httpx is here too, as it is there.
"""

from __future__ import annotations

from contextlib import contextmanager

import httpx as _httpx

from tracekit import _http

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


class TracedTransport(_httpx.BaseTransport):
    """Traces the requests of a transport: each hop of a redirect is a request, with a span of its own."""

    def __init__(self, transport: _httpx.BaseTransport) -> None:
        self._transport = transport

    def handle_request(self, request: _httpx.Request) -> _httpx.Response:
        span = _http.start_request(request.method, str(request.url), request.headers)
        try:
            response = self._transport.handle_request(request)
        except BaseException as error:
            _http.fail_request(span, error)
            raise
        _http.end_request(span, response.status_code)
        return response

    def close(self) -> None:
        self._transport.close()


class TracedAsyncTransport(_httpx.AsyncBaseTransport):
    """TracedTransport for an AsyncClient."""

    def __init__(self, transport: _httpx.AsyncBaseTransport) -> None:
        self._transport = transport

    async def handle_async_request(self, request: _httpx.Request) -> _httpx.Response:
        span = _http.start_request(request.method, str(request.url), request.headers)
        try:
            response = await self._transport.handle_async_request(request)
        except BaseException as error:
            _http.fail_request(span, error)
            raise
        _http.end_request(span, response.status_code)
        return response

    async def aclose(self) -> None:
        await self._transport.aclose()


class Client(_httpx.Client):
    """`httpx.Client` with tracing."""

    def _transport_for_url(self, url: _httpx.URL) -> _httpx.BaseTransport:
        return TracedTransport(super()._transport_for_url(url))


class AsyncClient(_httpx.AsyncClient):
    """`httpx.AsyncClient` with tracing."""

    def _transport_for_url(self, url: _httpx.URL) -> _httpx.AsyncBaseTransport:
        return TracedAsyncTransport(super()._transport_for_url(url))


# Of the functions below, the arguments that are the client's.
_CLIENTS = ("cert", "cookies", "proxies", "proxy", "timeout", "trust_env", "verify")


def request(method: str, url: _httpx.URL | str, **kwargs: Any) -> _httpx.Response:
    with Client(**{name: kwargs.pop(name) for name in _CLIENTS if name in kwargs}) as client:
        return client.request(method, url, **kwargs)


def get(url: _httpx.URL | str, **kwargs: Any) -> _httpx.Response:
    return request("GET", url, **kwargs)


def options(url: _httpx.URL | str, **kwargs: Any) -> _httpx.Response:
    return request("OPTIONS", url, **kwargs)


def head(url: _httpx.URL | str, **kwargs: Any) -> _httpx.Response:
    return request("HEAD", url, **kwargs)


def post(url: _httpx.URL | str, **kwargs: Any) -> _httpx.Response:
    return request("POST", url, **kwargs)


def put(url: _httpx.URL | str, **kwargs: Any) -> _httpx.Response:
    return request("PUT", url, **kwargs)


def patch(url: _httpx.URL | str, **kwargs: Any) -> _httpx.Response:
    return request("PATCH", url, **kwargs)


def delete(url: _httpx.URL | str, **kwargs: Any) -> _httpx.Response:
    return request("DELETE", url, **kwargs)


@contextmanager
def stream(method: str, url: _httpx.URL | str, **kwargs: Any) -> Iterator[_httpx.Response]:
    options = {name: kwargs.pop(name) for name in _CLIENTS if name in kwargs}
    with Client(**options) as client, client.stream(method, url, **kwargs) as response:
        yield response


def __getattr__(name: str) -> Any:
    return getattr(_httpx, name)
