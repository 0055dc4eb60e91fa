"""SQLAlchemy::

    from tracekit.integrations import sqlalchemy as tracekit_sqlalchemy

    engine = tracekit_sqlalchemy.trace(create_engine("postgresql+psycopg://..."))

Takes an `Engine` or an `AsyncEngine`. Spans are called `db.execute` or `db.executemany`.
"""

from __future__ import annotations

from sqlalchemy import event

from tracekit import _sql

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar

    Engine = TypeVar("Engine")


def _before(conn: Any, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool) -> None:
    name = "db.executemany" if executemany else "db.execute"
    span = _sql.start(conn.dialect.name, name, statement, bool(parameters))
    url = conn.engine.url
    span.set_tag("db.namespace", url.database).set_tag("server.address", url.host).set_tag("server.port", url.port)
    context._tracekit = span


def _after(conn: Any, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool) -> None:
    span = getattr(context, "_tracekit", None)
    if span is not None:
        span.end()


def _failed(failure: Any) -> None:
    span = getattr(failure.execution_context, "_tracekit", None)
    if span is not None:
        span.capture_exception(failure.original_exception)
        span.end()


def trace(engine: Engine) -> Engine:
    """Traces what is executed on the engine's connections. Calling it again does nothing."""
    target: Any = getattr(engine, "sync_engine", engine)
    if not event.contains(target, "before_cursor_execute", _before):
        event.listen(target, "before_cursor_execute", _before)
        event.listen(target, "after_cursor_execute", _after)
        event.listen(target, "handle_error", _failed)
    return engine
