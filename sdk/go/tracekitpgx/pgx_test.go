package tracekitpgx

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"testing"

	"github.com/Tracekit-Dev/go-sdk/internal/otlptest"
	"github.com/Tracekit-Dev/go-sdk/tracekit"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// world is a connection to a database, traced, and the span that it is made in.
type world struct {
	*otlptest.Collector
	sdk     *tracekit.SDK
	address string
	ctx     context.Context
	root    *tracekit.Span
	*pgx.Conn
}

func newWorld(t *testing.T, disabled bool, mode pgx.QueryExecMode) *world {
	t.Helper()
	w := &world{Collector: otlptest.New(t), address: fakePostgres(t)}
	var err error
	w.sdk, err = tracekit.NewSDK(tracekit.Config{
		APIKey: "k", ServiceName: "pgx", Endpoint: w.URL, Disabled: disabled})
	if err != nil {
		t.Fatal(err)
	}
	w.ctx, w.root = w.sdk.StartSpan(context.Background(), "root")
	config := w.config(t, w.address)
	config.DefaultQueryExecMode = mode
	if w.Conn, err = pgx.ConnectConfig(w.ctx, config); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) config(t *testing.T, address string) *pgx.ConnConfig {
	t.Helper()
	config, err := pgx.ParseConfig("postgres://me:hidden@" + address + "/users?sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	config.Tracer = NewTracer(w.sdk, config)
	return config
}

// done stops everything and gives the spans by name.
func (w *world) done(t *testing.T) map[string]otlptest.Span {
	t.Helper()
	w.Conn.Close(context.Background())
	w.root.End()
	if err := w.sdk.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	return w.ByName()
}

// has looks for what every span of the database has, and for what this one has beyond it.
func (w *world) has(t *testing.T, span otlptest.Span, more map[string]any) {
	t.Helper()
	host, port, _ := net.SplitHostPort(w.address)
	number, _ := strconv.ParseInt(port, 10, 64)
	want := map[string]any{"db.system.name": "postgresql", "db.namespace": "users",
		"server.address": host, "server.port": number}
	for key, value := range more {
		want[key] = value
	}
	if fmt.Sprint(span.Attributes) != fmt.Sprint(want) {
		t.Errorf("%q has\n%v, want\n%v", span.Name, span.Attributes, want)
	}
	otlptest.CheckNames(t, span.Attributes, "db")
	if span.ParentID != w.root.SpanID() || span.Kind != uint64(tracekit.Client) {
		t.Errorf("%q is of kind %d, below %q", span.Name, span.Kind, span.ParentID)
	}
}

// inEachMode runs a test with statements that are prepared and with the simple protocol.
func inEachMode(t *testing.T, test func(t *testing.T, w *world)) {
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeCacheStatement, pgx.QueryExecModeSimpleProtocol} {
		t.Run(mode.String(), func(t *testing.T) { test(t, newWorld(t, false, mode)) })
	}
}

func TestAQueryIsASpanUntilItsRowsAreRead(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		rows, err := w.Query(w.ctx, "SELECT name FROM users WHERE name <> $1", "secret")
		if err != nil {
			t.Fatal(err)
		}
		names, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil || fmt.Sprint(names) != "[Ada Grace]" {
			t.Fatal(names, err)
		}
		if _, err := w.Exec(w.ctx, "SELECT name FROM teams WHERE name = 'secret'"); err != nil {
			t.Fatal(err)
		}
		var name string
		err = w.QueryRow(w.ctx, "SELECT 'secret'", pgx.QueryExecModeSimpleProtocol).Scan(&name)
		if err != nil || name != "Ada" {
			t.Fatal(name, err)
		}
		spans := w.done(t)
		w.has(t, spans["db.Connect"], nil)
		w.has(t, spans["db.Query"], map[string]any{"db.response.returned_rows": int64(2),
			"db.query.text": "SELECT name FROM users WHERE name <> $1", "db.query.summary": "SELECT users"})
		w.has(t, spans["db.Query#2"], map[string]any{"db.response.returned_rows": int64(2),
			"db.query.text": "SELECT name FROM teams WHERE name = ?", "db.query.summary": "SELECT teams"})
		w.has(t, spans["db.Query#3"], map[string]any{"db.response.returned_rows": int64(2),
			"db.query.text": "SELECT ?", "db.query.summary": "SELECT"})
		if len(spans) != 5 {
			t.Errorf("%d spans", len(spans))
		}
	})
}

func TestAFailureHasTheDatabasesCode(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		var answered *pgconn.PgError
		if _, err := w.Exec(w.ctx, "SELECT a FROM broken WHERE a = $1", "x"); !errors.As(err, &answered) {
			t.Fatal(err)
		}
		batch := &pgx.Batch{}
		batch.Queue("SELECT 1 FROM broken")
		batch.Queue("SELECT 2 FROM users")
		if err := w.SendBatch(w.ctx, batch).Close(); !errors.As(err, &answered) {
			t.Fatal(err)
		}
		spans := w.done(t)
		for _, name := range []string{"db.Query", "db.Batch"} {
			span := spans[name]
			if span.Attributes["db.response.status_code"] != "42P01" || span.Attributes["error.type"] != "42P01" ||
				span.StatusCode != 2 || len(span.Events) != 1 {
				t.Errorf("%s: %+v", name, span)
			}
		}
		if spans["root"].StatusCode != 0 {
			t.Error("the failure is the caller's")
		}
	})
}

func TestABatchIsOneSpan(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		batch, single := &pgx.Batch{}, &pgx.Batch{}
		batch.Queue("SELECT name FROM users WHERE name = $1", "secret")
		batch.Queue("SELECT name FROM teams WHERE name = 'secret'")
		single.Queue("SELECT 7 FROM users")
		for _, b := range []*pgx.Batch{batch, single} {
			results := w.SendBatch(w.ctx, b)
			for i := 0; i < b.Len(); i++ {
				if tag, err := results.Exec(); err != nil || tag.RowsAffected() != 2 {
					t.Fatal(tag, err)
				}
			}
			if err := results.Close(); err != nil {
				t.Fatal(err)
			}
		}
		spans := w.done(t)
		w.has(t, spans["db.Batch"], map[string]any{"db.operation.batch.size": int64(2), "db.query.text": "SELECT name FROM users WHERE name = $1; SELECT name FROM teams WHERE name = ?"})
		w.has(t, spans["db.Batch#2"], map[string]any{
			"db.query.text": "SELECT ? FROM users", "db.query.summary": "SELECT users"})
	})
}

func TestACopyIsNamedByItsTable(t *testing.T) {
	w := newWorld(t, false, pgx.QueryExecModeCacheStatement)
	rows := pgx.CopyFromRows([][]any{{"Ada"}, {"Grace"}})
	copied, err := w.CopyFrom(w.ctx, pgx.Identifier{"public", "users"}, []string{"name"}, rows)
	if err != nil || copied != 2 {
		t.Fatal(copied, err)
	}
	w.has(t, w.done(t)["db.CopyFrom"], map[string]any{"db.operation.name": "COPY",
		"db.collection.name": "public.users", "db.query.summary": "COPY public.users"})
}

func TestAConnectionIsASpanBelowOneAndNoTraceOfItsOwn(t *testing.T) {
	w := newWorld(t, false, pgx.QueryExecModeCacheStatement)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	away := w.config(t, listener.Addr().String())
	for _, ctx := range []context.Context{w.ctx, context.Background()} {
		if _, err := pgx.ConnectConfig(ctx, away); err == nil {
			t.Error("a closed port answered")
		}
	}
	spans := w.done(t)
	if failed := spans["db.Connect#2"]; failed.StatusCode != 2 || len(spans) != 3 {
		t.Errorf("%d spans: %+v", len(spans), failed)
	}
}

func TestADisabledSDKChangesNothing(t *testing.T) {
	w := newWorld(t, true, pgx.QueryExecModeCacheStatement)
	// The span of another SDK is not ours to end.
	other, err := tracekit.NewSDK(tracekit.Config{APIKey: "k", Endpoint: w.URL})
	if err != nil {
		t.Fatal(err)
	}
	ctx, span := other.StartSpan(context.Background(), "another's")
	batch := &pgx.Batch{}
	batch.Queue("SELECT 1")
	rows := pgx.CopyFromRows([][]any{{"Ada"}, {"Grace"}})
	_, queried := w.Exec(ctx, "SELECT name FROM users")
	batched := w.SendBatch(ctx, batch).Close()
	_, copied := w.CopyFrom(ctx, pgx.Identifier{"users"}, []string{"name"}, rows)
	if err := errors.Join(queried, batched, copied); err != nil {
		t.Error(err)
	}
	span.SetTag("is", "open")
	span.End()
	if err := other.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	if spans := w.done(t); spans["another's"].Attributes["is"] != "open" || len(spans) != 1 {
		t.Errorf("%+v", spans)
	}
}
