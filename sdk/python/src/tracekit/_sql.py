"""Spans of databases, and what they may show of a query."""

from __future__ import annotations

import re

from tracekit import _client, _span
from tracekit._limits import STRING_BYTES_MAX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tracekit._span import Span


def _pattern(string: str) -> re.Pattern[str]:
    """Just enough of SQL to find its literals: a word is taken whole, so that an E in front of a quote stands alone, which
    is PostgreSQL's E'it\\'s'."""
    return re.compile(
        rf"""
        (?P<kept> "(?:[^"]|"")*(?:"|$) | `(?:[^`]|``)*(?:`|$) | --[^\n]* | /\*.*?(?:\*/|$) )
      | (?P<prefix>[eE])(?P<escaped>'(?:[^'\\]|\\(?:.|$)|'')*(?:'|$))
      | (?P<word> [^\W\d]\w* | \$\d+ )
      | {string}
      | \$(?P<tag>(?:[^\W\d]\w*)?)\$ .*? (?:\$(?P=tag)\$|$)
      | \.?\d(?:[eE][+-]|[\w.])*
        """,
        re.S | re.X,
    )


_SHOWN_MAX = 512
_SHOWN_TEXT_MAX = 4096  # a longer one is hardly ever asked again
_shown: dict[tuple[str, bool], str] = {}
_patterns: dict[bool, re.Pattern[str]] = {}


def sanitize(query: str, backslash: bool = False) -> str:
    """Puts ? in place of the literals of a query, as the semantic conventions ask for one without parameters.

    In some databases a backslash escapes a quote; in others it is a character like any, and to be wrong about it would show
    what is in the next string.
    """
    query = query[:STRING_BYTES_MAX]  # no more of it is sent
    key = (query, backslash)
    shown = _shown.get(key)
    if shown is None:
        pattern = _patterns.get(backslash)
        if pattern is None:
            string = r"'(?:[^'\\]|\\(?:.|$)|'')*(?:'|$)" if backslash else r"'(?:[^']|'')*(?:'|$)"
            _patterns[backslash] = pattern = _pattern(string)
        shown = pattern.sub(_replacement, query)
        if len(query) <= _SHOWN_TEXT_MAX:
            if len(_shown) >= _SHOWN_MAX:
                _shown.clear()
            _shown[key] = shown
    return shown


def _replacement(match: re.Match[str]) -> str:
    kept = match["kept"] or match["word"]
    if kept is not None:
        return kept
    return f"{match['prefix'] or ''}?"


# Names of drivers and dialects, as they are asked for in any language, to the well-known values of db.system.name.
_SYSTEMS = {
    "sqlite3": "sqlite",
    "better-sqlite3": "sqlite",
    **dict.fromkeys(("postgres", "pg", "pgx", "psycopg", "psycopg2", "asyncpg"), "postgresql"),
    "mysql2": "mysql",
    "pymysql": "mysql",
    "mssql": "microsoft.sql_server",
    "oracle": "oracle.db",
    "mongo": "mongodb",
    "ioredis": "redis",
}
_BACKSLASH = frozenset(("mysql", "mariadb"))


def start(system: str, name: str, query: str, has_parameters: bool) -> Span:
    """Starts the span of a call. The values of parameters are never shown; a query without any may hold its values."""
    span = _client.start(name, _span.CLIENT)
    if span.is_recording:
        system = _SYSTEMS.get(system, system)
        span.set_tag("db.system.name", system)
        if query:
            span.set_tag("db.query.text", query if has_parameters else sanitize(query, system in _BACKSLASH))
    return span
