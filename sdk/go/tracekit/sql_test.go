package tracekit

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"reflect"
	"sync/atomic"
	"testing"

	"github.com/Tracekit-Dev/go-sdk/internal/otlptest"
	"github.com/Tracekit-Dev/go-sdk/internal/sqltext"
)

// fakeDB is a driver that has the least an old driver has: no contexts, nothing optional.
// Its queries give two rows. The real databases are in the integration tests.
type fakeDB struct {
	opened, closed atomic.Int32
	fail           error // of the next call
	bad            int   // this many connections are bad
}

func (f *fakeDB) Connect(context.Context) (driver.Conn, error) {
	f.opened.Add(1)
	return &fakeConn{db: f}, nil
}
func (f *fakeDB) Driver() driver.Driver { return nil }

type fakeConn struct{ db *fakeDB }

func (c *fakeConn) Prepare(query string) (driver.Stmt, error) {
	if c.db.bad > 0 {
		c.db.bad--
		return nil, driver.ErrBadConn
	}
	return &fakeStmt{c.db}, nil
}
func (c *fakeConn) Close() error              { c.db.closed.Add(1); return nil }
func (c *fakeConn) Begin() (driver.Tx, error) { return fakeTx{}, nil }

type fakeTx struct{}

func (fakeTx) Commit() error   { return nil }
func (fakeTx) Rollback() error { return nil }

type fakeStmt struct{ db *fakeDB }

func (s *fakeStmt) Close() error  { return nil }
func (s *fakeStmt) NumInput() int { return -1 }
func (s *fakeStmt) Exec([]driver.Value) (driver.Result, error) {
	return driver.RowsAffected(1), s.db.fail
}
func (s *fakeStmt) Query([]driver.Value) (driver.Rows, error) {
	if s.db.fail != nil {
		return nil, s.db.fail
	}
	return &fakeRows{left: 2}, nil
}

type fakeRows struct{ left int64 }

func (r *fakeRows) Columns() []string { return []string{"id"} }
func (r *fakeRows) Close() error      { return nil }
func (r *fakeRows) Next(dest []driver.Value) error {
	if r.left == 0 {
		return io.EOF
	}
	dest[0] = r.left
	r.left--
	return nil
}

func ids(t *testing.T, rows *sql.Rows, err error) (ids []int) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	if _, err := rows.ColumnTypes(); err != nil {
		t.Error(err)
	}
	for rows.Next() {
		var id int
		if err := rows.Scan(&id); err != nil {
			t.Error(err)
		}
		ids = append(ids, id)
	}
	return ids
}

func TestADriverWithoutExtrasIsTraced(t *testing.T) {
	server := newCollector(t)
	sdk := server.sdk(t, Config{})
	db := sdk.WrapDB(sql.OpenDB(&fakeDB{}), "fake")
	defer db.Close()
	ctx, root := sdk.StartSpan(context.Background(), "root")

	rows, err := db.QueryContext(ctx, "SELECT id FROM users WHERE name = ?", "secret")
	if got := ids(t, rows, err); !reflect.DeepEqual(got, []int{2, 1}) {
		t.Errorf("got %v", got)
	}
	_, err = db.ExecContext(ctx, "DELETE FROM users WHERE name = 'secret' AND id > 7")
	if err != nil {
		t.Error(err)
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(ctx, "INSERT INTO users VALUES (?)", 1); err != nil {
		t.Error(err)
	}
	if err := tx.Commit(); err != nil {
		t.Error(err)
	}
	if err := db.PingContext(ctx); err != nil {
		t.Error(err)
	}
	if _, err := db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true}); err == nil {
		t.Error("a read-only transaction of a driver that has none")
	}
	root.End()

	spans := server.flushed(t, sdk)
	query := spans["db.Query"]
	if want := (map[string]any{
		"db.system.name": "fake", "db.query.text": "SELECT id FROM users WHERE name = ?",
		"db.query.summary":          "SELECT users",
		"db.response.returned_rows": int64(2),
	}); !reflect.DeepEqual(query.Attributes, want) || query.Kind != 3 {
		t.Errorf("%+v", query)
	}
	otlptest.CheckNames(t, query.Attributes, "db")
	text := spans["db.Exec"].Attributes["db.query.text"]
	if text != "DELETE FROM users WHERE name = ? AND id > ?" {
		t.Errorf("text is %q", text)
	}
	for _, name := range []string{
		"db.Query", "db.Exec", "db.Exec#2", "db.Begin", "db.Commit", "db.Begin#2",
	} {
		if spans[name].ParentID != spans["root"].ID {
			t.Errorf("%s is missing, or elsewhere: %+v", name, spans[name])
		}
	}
	if len(spans) != 7 {
		t.Errorf("%d spans: %v", len(spans), spans)
	}
}

func TestAFailedQueryIsOnItsSpan(t *testing.T) {
	server := newCollector(t)
	sdk := server.sdk(t, Config{})
	fake := &fakeDB{fail: errors.New("no such table")}
	db := sql.OpenDB(sdk.WrapConnector(fake, "postgres"))
	defer db.Close()
	if _, err := db.Query("SELECT 1"); err == nil || err.Error() != "no such table" {
		t.Errorf("the error is %v", err)
	}
	got := server.flushed(t, sdk)["db.Query"]
	if got.StatusCode != 2 || len(got.Events) != 1 ||
		got.Attributes["db.system.name"] != "postgresql" {
		t.Errorf("%+v", got)
	}
}

func TestTheWrappedPoolKeepsToTheLimitsOfThePoolBelow(t *testing.T) {
	sdk := newCollector(t).sdk(t, Config{})
	fake := &fakeDB{}
	pool := sql.OpenDB(fake)
	pool.SetMaxOpenConns(1)
	db := sdk.WrapDB(pool, "fake")
	for i := 0; i < 5; i++ {
		rows, err := db.QueryContext(testContext(t), "SELECT 1")
		ids(t, rows, err)
		// The connection must be back in the pool, not idle somewhere above it.
		rows, err = pool.QueryContext(testContext(t), "SELECT 1")
		ids(t, rows, err)
	}
	if fake.opened.Load() != 1 || fake.closed.Load() != 0 {
		t.Errorf("%d connections opened, %d closed", fake.opened.Load(), fake.closed.Load())
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	if fake.closed.Load() != 1 || pool.Ping() == nil {
		t.Error("closing the wrapped database leaves the pool open")
	}
}

func TestABadConnectionLeavesThePool(t *testing.T) {
	sdk := newCollector(t).sdk(t, Config{})
	fake := &fakeDB{bad: 1}
	db := sdk.WrapDB(sql.OpenDB(fake), "fake")
	defer db.Close()
	rows, err := db.Query("SELECT 1")
	ids(t, rows, err)
	if fake.opened.Load() != 2 || fake.closed.Load() != 1 {
		t.Errorf("%d connections opened, %d closed", fake.opened.Load(), fake.closed.Load())
	}
}

func TestLiteralsAreTakenOutOfAQuery(t *testing.T) {
	for query, want := range map[string]string{
		"SELECT * FROM users WHERE id = 7":              "SELECT * FROM users WHERE id = ?",
		"SELECT 'it''s', E'a\\'b', name":                "SELECT ?, E?, name",
		`SELECT "col1", t2.c3 FROM "t 1"`:               `SELECT "col1", t2.c3 FROM "t 1"`,
		"SELECT `a'b` FROM t":                           "SELECT `a'b` FROM t",
		"WHERE a = -1.5e-9 AND b IN (0xff, .5, 3)":      "WHERE a = -? AND b IN (?, ?, ?)",
		"WHERE a = $1 AND b = $tag$it's$tag$ AND $$x$$": "WHERE a = $1 AND b = ? AND ?",
		"SELECT 1 -- it's 2\n, 3 /* '4 */, 5":           "SELECT ? -- it's 2\n, ? /* '4 */, ?",
		"SELECT 'open":                                  "SELECT ?",
		"INSERT INTO Größe2 VALUES (1)":                 "INSERT INTO Größe2 VALUES (?)",
		"":                                              "",
	} {
		if got := sqltext.Sanitize(query, false); got != want {
			t.Errorf("%q: got %q, want %q", query, got, want)
		}
	}
	query := `WHERE a = '\' AND b = 'secret'`
	if got := sqltext.Sanitize(query, false); got != "WHERE a = ? AND b = ?" {
		t.Errorf("backslash as a character: got %q", got)
	}
	query = `WHERE a = 'it\'s' AND b = 'secret'`
	if got := sqltext.Sanitize(query, true); got != "WHERE a = ? AND b = ?" {
		t.Errorf("backslash as an escape: got %q", got)
	}
}
