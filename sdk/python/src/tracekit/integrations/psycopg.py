"""psycopg 3 with tracing::

    from tracekit.integrations import psycopg

    connection = psycopg.connect("dbname=users")
    connection = await psycopg.connect_async("dbname=users")
    pool = ConnectionPool("dbname=users", kwargs={"cursor_factory": psycopg.Cursor})

Spans are called by the call that they stand for: `db.execute`, `db.executemany`.
"""

from __future__ import annotations

import psycopg

from tracekit import _log, _sql

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from tracekit._span import Span


def _start(cursor: Any, name: str, query: Any, has_parameters: bool) -> Span:
    text = ""
    try:
        if isinstance(query, bytes):
            text = query.decode("utf-8", "replace")
        elif isinstance(query, str):
            text = query
        else:
            text = query.as_string(cursor)  # of psycopg.sql: it may hold literals, whatever the parameters are
            has_parameters = False
    except Exception as error:
        _log.once("psycopg", f"a query's text is not known: {error!r}")
    span = _sql.start("postgresql", name, text, has_parameters)
    if span.is_recording:
        try:
            info = cursor.connection.info
            span.set_tag("db.namespace", info.dbname).set_tag("server.address", info.host).set_tag("server.port", info.port)
        except Exception:  # of a connection that is gone
            pass
    return span


class Cursor(psycopg.Cursor):
    """`psycopg.Cursor` with tracing."""

    def execute(self, query: Any, params: Any = None, **kwargs: Any) -> Cursor:
        with _start(self, "db.execute", query, params is not None):
            super().execute(query, params, **kwargs)
        return self

    def executemany(self, query: Any, params_seq: Any, **kwargs: Any) -> None:
        with _start(self, "db.executemany", query, True):
            super().executemany(query, params_seq, **kwargs)


class AsyncCursor(psycopg.AsyncCursor):
    """`psycopg.AsyncCursor` with tracing."""

    async def execute(self, query: Any, params: Any = None, **kwargs: Any) -> AsyncCursor:
        with _start(self, "db.execute", query, params is not None):
            await super().execute(query, params, **kwargs)
        return self

    async def executemany(self, query: Any, params_seq: Any, **kwargs: Any) -> None:
        with _start(self, "db.executemany", query, True):
            await super().executemany(query, params_seq, **kwargs)


def connect(conninfo: str = "", **kwargs: Any) -> Any:
    """`psycopg.connect`, with tracing."""
    kwargs.setdefault("cursor_factory", Cursor)
    return psycopg.connect(conninfo, **kwargs)


async def connect_async(conninfo: str = "", **kwargs: Any) -> Any:
    """`psycopg.AsyncConnection.connect`, with tracing."""
    kwargs.setdefault("cursor_factory", AsyncCursor)
    return await psycopg.AsyncConnection.connect(conninfo, **kwargs)
