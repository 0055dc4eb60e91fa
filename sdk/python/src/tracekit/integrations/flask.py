"""Flask::

from tracekit.integrations import flask as tracekit_flask

app = Flask(__name__)
tracekit_flask.init_flask_app(app)
"""

from __future__ import annotations

import flask
from flask.signals import got_request_exception

from tracekit._record import current
from tracekit._span import SERVER
from tracekit.integrations.wsgi import TracekitMiddleware

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def _serving() -> Any:
    """The server span that the middleware made, None outside of one."""
    span = current.get()
    span = None if span is None else span.entry
    return span if span is not None and span.kind == SERVER else None


def _route(environ: dict[str, Any]) -> str:
    """Werkzeug keeps the request there until its response has started."""
    rule = getattr(environ.get("werkzeug.request"), "url_rule", None)
    return rule.rule if rule is not None else ""


def _failed(sender: Any, exception: BaseException, **_: Any) -> None:
    """Flask answers 500 to what a view raises: nobody else sees the exception."""
    span = _serving()
    if span is not None:
        span.capture_exception(exception)


def init_flask_app(app: flask.Flask) -> flask.Flask:
    """Traces the requests of a Flask application, each by one span named ``GET /users/<int:id>``. Calling it again does
    nothing."""
    if not isinstance(app.wsgi_app, TracekitMiddleware):
        app.wsgi_app = TracekitMiddleware(app.wsgi_app, _route)  # type: ignore[method-assign]
        got_request_exception.connect(_failed, app)
    return app


class Tracekit:
    """The same in the form of Flask's extensions: ``Tracekit(app)``, or ``Tracekit()`` and ``init_app`` later."""

    def __init__(self, app: flask.Flask | None = None) -> None:
        if app is not None:
            init_flask_app(app)

    def init_app(self, app: flask.Flask) -> None:
        init_flask_app(app)
