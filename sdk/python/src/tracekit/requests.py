"""`requests` with tracing: a span for each request, and the trace sent on.

::

    response = tracekit.requests.get("http://node-service:3001/api/data")
    session = tracekit.requests.Session()

The raw `requests.get` does neither. Everything else of requests is here too, as it is there.
"""

from __future__ import annotations

import requests as _requests

from tracekit import _http

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from requests.adapters import BaseAdapter


class _TracedAdapter:
    """Stands in front of an adapter for one request: each hop of a redirect is a request, with a span of its own."""

    def __init__(self, adapter: BaseAdapter) -> None:
        self._adapter = adapter

    def send(self, request: _requests.PreparedRequest, **kwargs: Any) -> _requests.Response:
        span = _http.start_request((request.method or "GET").upper(), request.url or "", request.headers)
        try:
            response = self._adapter.send(request, **kwargs)
        except BaseException as error:
            _http.fail_request(span, error)
            raise
        _http.end_request(span, response.status_code)
        return response

    def __getattr__(self, name: str) -> Any:
        return getattr(self._adapter, name)


class Session(_requests.Session):
    """`requests.Session` with tracing."""

    def get_adapter(self, url: str | bytes) -> BaseAdapter:
        return _TracedAdapter(super().get_adapter(url))  # type: ignore[return-value, arg-type]


def session() -> Session:
    return Session()


def trace(session: _requests.Session) -> _requests.Session:
    """Traces the requests of a session that somebody else made."""
    plain = session.get_adapter
    if not isinstance(session, Session):
        session.get_adapter = lambda url: _TracedAdapter(plain(url))  # type: ignore[method-assign, assignment, return-value]
    return session


def request(method: str, url: str, **kwargs: Any) -> _requests.Response:
    with Session() as one:
        return one.request(method, url, **kwargs)


def get(url: str, params: Any = None, **kwargs: Any) -> _requests.Response:
    return request("GET", url, params=params, **kwargs)


def options(url: str, **kwargs: Any) -> _requests.Response:
    return request("OPTIONS", url, **kwargs)


def head(url: str, **kwargs: Any) -> _requests.Response:
    kwargs.setdefault("allow_redirects", False)
    return request("HEAD", url, **kwargs)


def post(url: str, data: Any = None, json: Any = None, **kwargs: Any) -> _requests.Response:
    return request("POST", url, data=data, json=json, **kwargs)


def put(url: str, data: Any = None, **kwargs: Any) -> _requests.Response:
    return request("PUT", url, data=data, **kwargs)


def patch(url: str, data: Any = None, **kwargs: Any) -> _requests.Response:
    return request("PATCH", url, data=data, **kwargs)


def delete(url: str, **kwargs: Any) -> _requests.Response:
    return request("DELETE", url, **kwargs)


def __getattr__(name: str) -> Any:
    return getattr(_requests, name)
