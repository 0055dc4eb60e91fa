package tracekit

import (
	"context"
	"log/slog"
)

// LogHandler gives a handler for log/slog that adds trace_id and span_id, of the span that is
// current where a record is logged, to what next writes:
//
//	slog.SetDefault(slog.New(tracekit.LogHandler(slog.NewJSONHandler(os.Stderr, nil))))
//
// They stand at the top, beside a record's message, also when the logger has groups.
func LogHandler(next slog.Handler) slog.Handler { return &logHandler{top: next, next: next} }

type logHandler struct {
	top   slog.Handler                      // as it was before the first group
	below []func(slog.Handler) slog.Handler // what was done to it from the first group on
	next  slog.Handler                      // both together
}

func (h *logHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

func (h *logHandler) Handle(ctx context.Context, record slog.Record) error {
	span := spanFrom(ctx)
	if span == nil {
		return h.next.Handle(ctx, record)
	}
	ids := span.sc.Traceparent() // both in one text, and one allocation
	traceID, spanID := slog.String("trace_id", ids[3:35]), slog.String("span_id", ids[36:52])
	if len(h.below) == 0 {
		record = record.Clone() // the caller's may share its attributes
		record.AddAttrs(traceID, spanID)
		return h.next.Handle(ctx, record)
	}
	next := h.top.WithAttrs([]slog.Attr{traceID, spanID})
	for _, with := range h.below {
		next = with(next)
	}
	return next.Handle(ctx, record)
}

func (h *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	if len(h.below) == 0 {
		return LogHandler(h.top.WithAttrs(attrs))
	}
	return h.with(func(next slog.Handler) slog.Handler { return next.WithAttrs(attrs) })
}

func (h *logHandler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	return h.with(func(next slog.Handler) slog.Handler { return next.WithGroup(name) })
}

func (h *logHandler) with(f func(slog.Handler) slog.Handler) slog.Handler {
	below := append(h.below[:len(h.below):len(h.below)], f)
	return &logHandler{top: h.top, below: below, next: f(h.next)}
}
