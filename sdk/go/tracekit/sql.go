package tracekit

import (
	"context"
	"database/sql"
	"database/sql/driver"

	"github.com/Tracekit-Dev/go-sdk/internal/sqltext"
)

// WrapDB gives a database that works on db's connections and makes a span for each query:
// db.Query from the call until its rows are closed, db.Exec, db.Begin, db.Commit and
// db.Rollback. The system is OpenTelemetry's name of it: "sqlite", "postgresql", "mysql", ...
//
// The limits set on db's pool stay in force; closing the result closes db. Statements prepared
// on the result are prepared anew for each use: a program that counts on them uses
// WrapConnector.
func (s *SDK) WrapDB(db *sql.DB, system string) *sql.DB {
	if s.config.Disabled {
		return db
	}
	wrapped := sql.OpenDB(s.WrapConnector(&poolConnector{db}, system))
	// db is the pool. Were connections kept idle here, it could run out of them while they are.
	wrapped.SetMaxIdleConns(-1)
	return wrapped
}

// WrapConnector makes the spans of WrapDB for a database that is yet to be opened, with
// sql.OpenDB.
func (s *SDK) WrapConnector(connector driver.Connector, system string) driver.Connector {
	if s.config.Disabled {
		return connector
	}
	system = systemName(system)
	tracer := &dbTracer{sdk: s, system: system, backslash: system == "mysql" || system == "mariadb"}
	return &tracedConnector{connector, tracer}
}

// systemName maps the names of drivers to the well-known values of db.system.name.
func systemName(system string) string {
	switch system {
	case "sqlite3", "better-sqlite3":
		return "sqlite"
	case "postgres", "pg", "pgx", "pq", "psycopg":
		return "postgresql"
	case "mysql2":
		return "mysql"
	case "mongo":
		return "mongodb"
	case "ioredis":
		return "redis"
	case "mssql", "sqlserver":
		return "microsoft.sql_server"
	}
	return system
}

// poolConnector connects by taking a connection out of a pool, and gives it back on Close.
type poolConnector struct{ db *sql.DB }

func (c *poolConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	// Raw's argument must not be used once the sql.Conn can be: it is ours alone until Close.
	pooled := &pooledConn{conn: conn}
	err = conn.Raw(func(raw any) error {
		pooled.Conn = raw.(driver.Conn)
		return nil
	})
	if err != nil {
		conn.Close()
		return nil, err
	}
	return pooled, nil
}

func (c *poolConnector) Driver() driver.Driver { return c.db.Driver() }

// Close is called by sql.DB.Close.
func (c *poolConnector) Close() error { return c.db.Close() }

type pooledConn struct {
	driver.Conn
	conn *sql.Conn
	bad  bool // the driver said driver.ErrBadConn
}

func (c *pooledConn) Close() error {
	if c.bad {
		// This is how a pool learns that a connection must not be used again.
		return c.conn.Raw(func(any) error { return driver.ErrBadConn })
	}
	return c.conn.Close()
}

// dbTracer makes the spans of one database.
type dbTracer struct {
	sdk       *SDK
	system    string
	backslash bool // escapes a quote in this system's strings
}

// start begins a database span. The text of a query without arguments may hold values, which
// are hidden; one with arguments has its values there.
func (t *dbTracer) start(ctx context.Context, name, query string, args int) *Span {
	span := t.sdk.newSpan(ctx, name, Client, spanFrom(ctx), SpanContext{})
	if span.recording != nil {
		span.setString("db.system.name", t.system)
		if query != "" {
			span.setString("db.query.summary", sqltext.Summary(query, t.backslash))
			if args == 0 {
				query = sqltext.Sanitize(query, t.backslash)
			}
			span.setString("db.query.text", query)
		}
	}
	return span
}

// end finishes the span of a call that gave err.
func end(span *Span, err error) {
	if err != nil {
		span.captureException(err, stack(1))
	}
	span.End()
}
