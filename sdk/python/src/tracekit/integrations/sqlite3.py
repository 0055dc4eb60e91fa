"""sqlite3 with tracing: ``connection = sqlite3.connect("users.db")``, of this module.

Spans are called by the call that they stand for: `db.execute`, `db.executemany`, `db.executescript`, `db.commit`,
`db.rollback`.
"""

from __future__ import annotations

import sqlite3

from tracekit import _sql

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Cursor(sqlite3.Cursor):
    """`sqlite3.Cursor` with tracing."""

    def execute(self, sql: str, *parameters: Any) -> Cursor:
        with _sql.start("sqlite", "db.execute", sql, bool(parameters and parameters[0])):
            super().execute(sql, *parameters)
        return self

    def executemany(self, sql: str, parameters: Any) -> Cursor:
        with _sql.start("sqlite", "db.executemany", sql, True):
            super().executemany(sql, parameters)
        return self

    def executescript(self, sql_script: str) -> Cursor:
        with _sql.start("sqlite", "db.executescript", sql_script, False):
            super().executescript(sql_script)
        return self


class Connection(sqlite3.Connection):
    """`sqlite3.Connection` with tracing."""

    def cursor(self, factory: Any = Cursor) -> Any:
        return super().cursor(factory)

    # sqlite3's own make cursors of sqlite3's own.
    def execute(self, sql: str, *parameters: Any) -> Cursor:
        cursor: Cursor = self.cursor()
        return cursor.execute(sql, *parameters)

    def executemany(self, sql: str, parameters: Any) -> Cursor:
        cursor: Cursor = self.cursor()
        return cursor.executemany(sql, parameters)

    def executescript(self, sql_script: str) -> Cursor:
        cursor: Cursor = self.cursor()
        return cursor.executescript(sql_script)

    def commit(self) -> None:
        with _sql.start("sqlite", "db.commit", "", False):
            super().commit()

    def rollback(self) -> None:
        with _sql.start("sqlite", "db.rollback", "", False):
            super().rollback()


def connect(*args: Any, **kwargs: Any) -> Connection:
    """`sqlite3.connect`, with tracing."""
    kwargs.setdefault("factory", Connection)
    connection: Connection = sqlite3.connect(*args, **kwargs)
    return connection
