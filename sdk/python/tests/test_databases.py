"""sqlite3, psycopg, SQLAlchemy: a span for each call, and none of its values."""

import asyncio
import socketserver
import sqlite3
import struct
import threading

import pytest
from support import CLIENT

import tracekit
from tracekit._sql import sanitize


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("SELECT * FROM t1 WHERE a = 'it''s' AND b=12", "SELECT * FROM t1 WHERE a = ? AND b=?"),
        ("SELECT 1.5, .5, 1e-9, 0xff, -3, c2 FROM t", "SELECT ?, ?, ?, ?, -?, c2 FROM t"),
        ('SELECT "id 5", `x 7` FROM "a""1"', 'SELECT "id 5", `x 7` FROM "a""1"'),
        ("SELECT E'it\\'s', x'ff', $1, $2", "SELECT E?, x?, $1, $2"),
        ("SELECT $$a 'b'$$, $tag$ $$ $tag$", "SELECT ?, ?"),
        ("SELECT 'open", "SELECT ?"),
        ("-- it's a comment\nSELECT /* 'x' */ 1", "-- it's a comment\nSELECT /* 'x' */ ?"),
        ("INSERT INTO t VALUES (1,'a'),(2,'b')", "INSERT INTO t VALUES (?,?),(?,?)"),
        ("", ""),
        ("SELECT 'é☃', naïve1", "SELECT ?, naïve1"),
    ],
)
def test_literals_are_not_shown(query, shown):
    assert sanitize(query) == shown


def test_a_backslash_escapes_where_it_does():
    assert sanitize(r"WHERE a = '\' AND b = 'secret'") == "WHERE a = ? AND b = ?"
    assert sanitize(r"WHERE a = 'it\'s' AND b = 'secret'", backslash=True) == "WHERE a = ? AND b = ?"
    assert sanitize("WHERE a = 'secret\\", backslash=True) == "WHERE a = ?"
    assert sanitize("WHERE a = E'secret\\") == "WHERE a = E?"


def test_of_a_long_query_the_beginning_is_read_and_its_literals_are_not_shown():
    for backslash in (False, True):
        assert sanitize("SELECT '" + "it''s secret" * 1_000_000 + "'", backslash) == "SELECT ?"


def test_sqlite3(recorded):
    from tracekit.integrations import sqlite3 as traced

    connection = traced.connect(":memory:")
    with tracekit.start_span("request"):
        connection.executescript("CREATE TABLE users (id INTEGER, name TEXT)")
        connection.execute("INSERT INTO users VALUES (7, 'secret')")
        connection.executemany("INSERT INTO users VALUES (?, ?)", [(8, "x"), (9, "y")])
        rows = connection.cursor().execute("SELECT name FROM users WHERE id = ?", (7,)).fetchall()
        connection.commit()
        connection.rollback()
        with pytest.raises(sqlite3.OperationalError):
            connection.execute("SELECT nonsense")
        with connection:
            connection.execute("DELETE FROM users")
    assert rows == [("secret",)]
    request = recorded.named("request")
    spans = [span for span in recorded.spans if span.kind == CLIENT]
    assert all((span.parent, span.attributes["db.system.name"]) == (request.id, "sqlite") for span in spans)
    assert [(span.name, span.attributes.get("db.query.text")) for span in spans][:6] == [
        ("db.executescript", "CREATE TABLE users (id INTEGER, name TEXT)"),
        ("db.execute", "INSERT INTO users VALUES (?, ?)"),
        ("db.executemany", "INSERT INTO users VALUES (?, ?)"),
        ("db.execute", "SELECT name FROM users WHERE id = ?"),
        ("db.commit", None),
        ("db.rollback", None),
    ]
    assert (spans[6].failed, spans[6].attributes["error.type"]) == (True, "sqlite3.OperationalError")
    connection.close()


def test_sqlalchemy(recorded):
    from sqlalchemy import create_engine, exc, text

    from tracekit.integrations.sqlalchemy import trace

    engine = trace(trace(create_engine("sqlite://")))
    with tracekit.start_span("request"), engine.begin() as connection:
        connection.execute(text("CREATE TABLE users (id INTEGER)"))
        connection.execute(text("INSERT INTO users VALUES (:id)"), [{"id": 1}, {"id": 2}])
        assert connection.execute(text("SELECT id FROM users WHERE id = :id"), {"id": 2}).scalar() == 2
        with pytest.raises(exc.OperationalError):
            connection.execute(text("SELECT nonsense FROM nowhere WHERE x = 'secret'"))
    spans = [span for span in recorded.spans if span.kind == CLIENT]
    assert [(span.name, span.attributes["db.query.text"]) for span in spans] == [
        ("db.execute", "CREATE TABLE users (id INTEGER)"),
        ("db.executemany", "INSERT INTO users VALUES (?)"),
        ("db.execute", "SELECT id FROM users WHERE id = ?"),
        ("db.execute", "SELECT nonsense FROM nowhere WHERE x = ?"),
    ]
    assert {span.attributes["db.system.name"] for span in spans} == {"sqlite"}
    assert [span.failed for span in spans] == [False, False, False, True]
    engine.dispose()


class Postgres(socketserver.ThreadingTCPServer):
    """As much of PostgreSQL's protocol as a client needs that gets no rows. `SELECT 1/0` fails."""

    daemon_threads = True
    allow_reuse_address = True

    class Handler(socketserver.StreamRequestHandler):
        def say(self, kind, body=b""):
            self.wfile.write(kind + struct.pack("!I", len(body) + 4) + body)

        def handle(self):
            length = struct.unpack("!I", self.rfile.read(4))[0]
            self.rfile.read(length - 4)
            self.say(b"R", struct.pack("!I", 0))
            for name, value in ((b"client_encoding", b"UTF8"), (b"server_version", b"15.0")):
                self.say(b"S", name + b"\0" + value + b"\0")
            self.say(b"K", bytes(8))
            self.say(b"Z", b"I")
            fails = False
            while True:
                head = self.rfile.read(5)
                if len(head) < 5 or head[:1] == b"X":
                    return
                body = self.rfile.read(struct.unpack("!I", head[1:])[0] - 4)
                kind = head[:1]
                if kind in b"QP" and b"1/0" in body:
                    fails = True
                    self.say(b"E", b"SERROR\0C22012\0Mdivision by zero\0\0")
                answers = {b"Q": b"C", b"P": b"1", b"B": b"2", b"D": b"n", b"E": b"C", b"C": b"3"}
                if not fails and kind in answers:
                    self.say(answers[kind], b"SELECT 0\0" if answers[kind] == b"C" else b"")
                if kind in b"QS":
                    fails = False
                    self.say(b"Z", b"I")


@pytest.fixture
def postgres():
    with Postgres(("127.0.0.1", 0), Postgres.Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"host=127.0.0.1 port={server.server_address[1]} user=x dbname=users sslmode=disable gssencmode=disable"
        server.shutdown()


def test_psycopg(postgres, recorded):
    import psycopg
    from psycopg import sql

    from tracekit.integrations import psycopg as traced

    async def asynchronously():
        connection = await traced.connect_async(postgres, autocommit=True)
        await connection.execute("SELECT name FROM users WHERE id = %s", (7,))
        cursor = connection.cursor()
        await cursor.executemany("INSERT INTO users VALUES (%s)", [(1,), (2,)])
        await connection.close()

    with tracekit.start_span("request"):
        with traced.connect(postgres, autocommit=True) as connection:
            connection.execute("SELECT name FROM users WHERE name = 'secret'")
            connection.execute(sql.SQL("SELECT {} WHERE a = {}").format(sql.Identifier("name"), "secret"))
            connection.cursor().executemany("INSERT INTO users VALUES (%s)", [(1,), (2,)])
            with pytest.raises(psycopg.errors.DivisionByZero):
                connection.execute(b"SELECT 1/0")
        asyncio.run(asynchronously())
    spans = [span for span in recorded.spans if span.kind == CLIENT]
    assert [(span.name, span.attributes["db.query.text"]) for span in spans] == [
        ("db.execute", "SELECT name FROM users WHERE name = ?"),
        ("db.execute", 'SELECT "name" WHERE a = ?'),
        ("db.executemany", "INSERT INTO users VALUES (%s)"),
        ("db.execute", "SELECT ?/?"),
        ("db.execute", "SELECT name FROM users WHERE id = %s"),
        ("db.executemany", "INSERT INTO users VALUES (%s)"),
    ]
    first = spans[0].attributes
    assert (first["db.system.name"], first["db.namespace"], first["server.address"]) == ("postgresql", "users", "127.0.0.1")
    assert [span.failed for span in spans] == [False, False, False, True, False, False]
    assert spans[3].attributes["error.type"] == "psycopg.errors.DivisionByZero"
