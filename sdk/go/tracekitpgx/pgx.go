// Package tracekitpgx traces the queries of pgx. It is a module of its own: who does not use pgx
// does not compile it. A program that uses pgx through database/sql needs sdk.WrapDB alone.
//
//	config, err := pgxpool.ParseConfig(os.Getenv("DATABASE_URL"))
//	config.ConnConfig.Tracer = tracekitpgx.NewTracer(sdk, config.ConnConfig)
//	pool, err := pgxpool.NewWithConfig(ctx, config)
package tracekitpgx

import (
	"context"
	"errors"
	"strings"

	"github.com/Tracekit-Dev/go-sdk/internal/sqltext"
	"github.com/Tracekit-Dev/go-sdk/tracekit"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Tracer makes a span for what pgx does: db.Query (Query, QueryRow and Exec, until the rows are
// closed), db.Batch, db.CopyFrom and, below a span, db.Connect. The values of parameters are
// never recorded; in a query without parameters the literals become ?.
type Tracer struct {
	sdk       *tracekit.SDK
	namespace string
	host      string
	port      uint16
}

var (
	_ pgx.QueryTracer    = (*Tracer)(nil)
	_ pgx.BatchTracer    = (*Tracer)(nil)
	_ pgx.CopyFromTracer = (*Tracer)(nil)
	_ pgx.ConnectTracer  = (*Tracer)(nil)
)

// NewTracer makes the tracer for connections of config, which names database and server in the
// spans: pgx has it copied for each look at it later.
func NewTracer(sdk *tracekit.SDK, config *pgx.ConnConfig) *Tracer {
	t := &Tracer{sdk: sdk}
	if config != nil {
		t.namespace, t.host, t.port = config.Database, config.Host, config.Port
		if t.namespace == "" {
			t.namespace = config.User // PostgreSQL's default
		}
	}
	return t
}

// spanKey is under what a call's span is in its context. The current span could be another
// one: of the program, where the SDK is disabled.
type spanKey struct{}

func (t *Tracer) start(ctx context.Context, name string) (context.Context, *tracekit.Span) {
	ctx, span := t.sdk.StartSpanOfKind(ctx, name, tracekit.Client, tracekit.SpanContext{})
	if span == nil {
		return ctx, nil
	}
	span.SetTag("db.system.name", "postgresql")
	if t.namespace != "" {
		span.SetTag("db.namespace", t.namespace)
	}
	if t.host != "" {
		span.SetTag("server.address", t.host)
		span.SetTag("server.port", int(t.port))
	}
	return context.WithValue(ctx, spanKey{}, span), span
}

// end finishes the span of a call that gave err.
func end(ctx context.Context, err error) {
	span, _ := ctx.Value(spanKey{}).(*tracekit.Span)
	fail(span, err)
	span.End()
}

func fail(span *tracekit.Span, err error) {
	if err == nil {
		return
	}
	span.CaptureException(err)
	var answered *pgconn.PgError
	if errors.As(err, &answered) {
		span.SetTag("db.response.status_code", answered.Code)
		span.SetTag("error.type", answered.Code)
	}
}

// text is what may be shown of a query: what has no arguments may have values in it.
func text(query string, args []any) string {
	if hasArguments(args) {
		return query
	}
	return sqltext.Sanitize(query, false)
}

// hasArguments looks behind pgx's options, which may stand in front.
func hasArguments(args []any) bool {
	for _, arg := range args {
		switch arg.(type) {
		case pgx.QueryExecMode, pgx.QueryResultFormats, pgx.QueryResultFormatsByOID:
		default:
			return true
		}
	}
	return false
}

// TraceQueryStart is called by pgx.
func (t *Tracer) TraceQueryStart(
	ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData,
) context.Context {
	ctx, span := t.start(ctx, "db.Query")
	setQuery(span, data.SQL, data.Args)
	return ctx
}

func setQuery(span *tracekit.Span, query string, args []any) {
	if span == nil || query == "" {
		return
	}
	span.SetTag("db.query.text", text(query, args))
	span.SetTag("db.query.summary", sqltext.Summary(query, false))
}

// TraceQueryEnd is called by pgx.
func (t *Tracer) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryEndData) {
	if span, _ := ctx.Value(spanKey{}).(*tracekit.Span); span != nil && data.CommandTag.Select() {
		span.SetTag("db.response.returned_rows", data.CommandTag.RowsAffected())
	}
	end(ctx, data.Err)
}

// TraceBatchStart is called by pgx. One query is no batch, say the conventions.
func (t *Tracer) TraceBatchStart(
	ctx context.Context, _ *pgx.Conn, data pgx.TraceBatchStartData,
) context.Context {
	ctx, span := t.start(ctx, "db.Batch")
	if span == nil || data.Batch == nil {
		return ctx
	}
	queries := data.Batch.QueuedQueries
	if len(queries) == 1 {
		setQuery(span, queries[0].SQL, queries[0].Arguments)
		return ctx
	}
	span.SetTag("db.operation.batch.size", len(queries))
	var texts strings.Builder
	for i, query := range queries {
		if i > 0 {
			texts.WriteString("; ")
		}
		texts.WriteString(text(query.SQL, query.Arguments))
		if texts.Len() > maxText {
			break // the rest would be cut
		}
	}
	span.SetTag("db.query.text", texts.String())
	return ctx
}

// maxText is about as much as a tag holds.
const maxText = 32 << 10

// TraceBatchQuery is called by pgx. A batch ends with its first failure.
func (t *Tracer) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}

// TraceBatchEnd is called by pgx.
func (t *Tracer) TraceBatchEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceBatchEndData) {
	end(ctx, data.Err)
}

// TraceCopyFromStart is called by pgx.
func (t *Tracer) TraceCopyFromStart(
	ctx context.Context, _ *pgx.Conn, data pgx.TraceCopyFromStartData,
) context.Context {
	ctx, span := t.start(ctx, "db.CopyFrom")
	if span != nil {
		table := strings.Join(data.TableName, ".")
		span.SetTag("db.operation.name", "COPY")
		span.SetTag("db.collection.name", table)
		span.SetTag("db.query.summary", "COPY "+table)
	}
	return ctx
}

// TraceCopyFromEnd is called by pgx.
func (t *Tracer) TraceCopyFromEnd(
	ctx context.Context, _ *pgx.Conn, data pgx.TraceCopyFromEndData,
) {
	end(ctx, data.Err)
}

// TraceConnectStart is called by pgx. A pool connects when it likes to: that would be a trace
// each, of nothing but it.
func (t *Tracer) TraceConnectStart(
	ctx context.Context, _ pgx.TraceConnectStartData,
) context.Context {
	if t.sdk.GetCurrentSpan(ctx) == nil {
		return ctx
	}
	ctx, _ = t.start(ctx, "db.Connect")
	return ctx
}

// TraceConnectEnd is called by pgx.
func (t *Tracer) TraceConnectEnd(ctx context.Context, data pgx.TraceConnectEndData) {
	end(ctx, data.Err)
}
