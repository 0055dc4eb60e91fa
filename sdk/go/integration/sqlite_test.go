// Package integration has the tests of the SDK against real things.
package integration

import (
	"context"
	"database/sql"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/Tracekit-Dev/go-sdk/internal/otlptest"
	"github.com/Tracekit-Dev/go-sdk/tracekit"
	"github.com/gin-gonic/gin"
	_ "github.com/mattn/go-sqlite3"
)

func newSDK(t *testing.T) (*tracekit.SDK, *otlptest.Collector) {
	t.Helper()
	collector := otlptest.New(t)
	sdk, err := tracekit.NewSDK(tracekit.Config{
		APIKey: "test-key", Endpoint: collector.URL, ServiceName: "Go Microservice",
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sdk.Shutdown(deadline(t)) })
	return sdk, collector
}

func deadline(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func openSQLite(t *testing.T, sdk *tracekit.SDK) *sql.DB {
	t.Helper()
	path := filepath.Join(t.TempDir(), "users.db")
	raw, err := sql.Open("sqlite3", "file:"+path+"?_busy_timeout=20000&_journal_mode=WAL")
	if err != nil {
		t.Fatal(err)
	}
	_, err = raw.Exec("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT); " +
		"INSERT INTO users VALUES (1, 'Ada'), (2, 'Grace')")
	if err != nil {
		t.Fatal(err)
	}
	db := sdk.WrapDB(raw, "sqlite")
	t.Cleanup(func() { db.Close() })
	return db
}

func names(t *testing.T, rows *sql.Rows, err error) (names []string) {
	t.Helper()
	if err != nil {
		t.Error(err)
		return nil
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Error(err)
		}
		names = append(names, name)
	}
	if err := rows.Err(); err != nil {
		t.Error(err)
	}
	return names
}

func TestTheDatabaseSpanStandsBelowTheServerSpan(t *testing.T) {
	sdk, collector := newSDK(t)
	db := openSQLite(t, sdk)
	gin.SetMode(gin.ReleaseMode)
	r := gin.New()
	r.Use(sdk.GinMiddleware())
	r.GET("/users", func(c *gin.Context) {
		// One with the context, one without.
		rows, err := db.QueryContext(c.Request.Context(), "SELECT name FROM users WHERE id > ?", 0)
		got := names(t, rows, err)
		rows, err = db.Query("SELECT name FROM users WHERE name <> 'secret'")
		c.JSON(http.StatusOK, append(got, names(t, rows, err)...))
	})
	w := httptest.NewRecorder()
	r.ServeHTTP(w, httptest.NewRequest("GET", "/users", nil))
	if w.Body.String() != `["Ada","Grace","Ada","Grace"]` {
		t.Errorf("answered %s", w.Body)
	}
	if err := sdk.Flush(deadline(t)); err != nil {
		t.Fatal(err)
	}
	spans := collector.ByName()
	server := spans["GET /users"]
	texts := map[string]string{
		"db.Query":   "SELECT name FROM users WHERE id > ?",
		"db.Query#2": "SELECT name FROM users WHERE name <> ?",
	}
	for name, text := range texts {
		query := spans[name]
		want := map[string]any{
			"db.system.name": "sqlite", "db.query.text": text, "db.query.summary": "SELECT users",
			"db.response.returned_rows": int64(2),
		}
		if query.ParentID != server.ID || !reflect.DeepEqual(query.Attributes, want) ||
			query.Start < server.Start || query.End > server.End || query.Start == query.End {
			t.Errorf("%s: %+v", name, query)
		}
	}
	if len(spans) != 3 || server.ParentID != "" {
		t.Errorf("%v", spans)
	}
}

func TestAWrappedDatabaseIsADatabase(t *testing.T) {
	sdk, _ := newSDK(t)
	db := openSQLite(t, sdk)
	ctx := deadline(t)

	insert, err := db.PrepareContext(ctx, "INSERT INTO users (name) VALUES (:name)")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"Edsger", "Barbara"} {
		result, err := insert.ExecContext(ctx, sql.Named("name", name))
		if err != nil {
			t.Fatal(err)
		}
		if n, _ := result.RowsAffected(); n != 1 {
			t.Errorf("%d rows affected", n)
		}
	}
	if err := insert.Close(); err != nil {
		t.Error(err)
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec("DELETE FROM users"); err != nil {
		t.Error(err)
	}
	if err := tx.Rollback(); err != nil {
		t.Error(err)
	}
	var count int
	err = db.QueryRowContext(ctx, "SELECT count(*) FROM users").Scan(&count)
	if err != nil || count != 4 {
		t.Errorf("%d users, %v", count, err)
	}
	err = db.QueryRowContext(ctx, "SELECT id FROM users WHERE name = ?", "nobody").Scan(&count)
	if err != sql.ErrNoRows {
		t.Errorf("got %v", err)
	}
	rows, err := db.QueryContext(ctx, "SELECT id, name FROM users")
	if err != nil {
		t.Fatal(err)
	}
	types, err := rows.ColumnTypes()
	if err != nil || types[0].DatabaseTypeName() != "INTEGER" ||
		types[1].DatabaseTypeName() != "TEXT" {
		t.Errorf("%v, %v", types, err)
	}
	rows.Close()
	conn, err := db.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.PingContext(ctx); err != nil {
		t.Error(err)
	}
	conn.Close()
}

func TestACancelledQueryEnds(t *testing.T) {
	sdk, collector := newSDK(t)
	db := openSQLite(t, sdk)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	_, err := db.ExecContext(ctx, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) "+
		"SELECT count(*) FROM n")
	if err == nil {
		t.Error("an endless query ended")
	}
	rows, err := db.Query("SELECT name FROM users")
	if got := names(t, rows, err); len(got) != 2 {
		t.Errorf("after it: %v", got)
	}
	if err := sdk.Flush(deadline(t)); err != nil {
		t.Fatal(err)
	}
	if got := collector.ByName()["db.Exec"]; got.StatusCode != 2 || len(got.Events) != 1 {
		t.Errorf("%+v", got)
	}
}

func TestManyGoroutinesUseAWrappedDatabase(t *testing.T) {
	sdk, _ := newSDK(t)
	db := openSQLite(t, sdk)
	var wait sync.WaitGroup
	for g := 0; g < 8; g++ {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for i := 0; i < 20; i++ {
				rows, err := db.Query("SELECT name FROM users WHERE id = ?", 1)
				if got := names(t, rows, err); len(got) != 1 {
					t.Errorf("got %v", got)
				}
				if _, err := db.Exec("UPDATE users SET name = name WHERE id = 2"); err != nil {
					t.Error(err)
				}
			}
		}()
	}
	wait.Wait()
}
