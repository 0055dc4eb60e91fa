package tracekit

import (
	"context"
	"time"
)

// Calls without a context find the server span through the goroutine they run in: see
// goroutine_labels.go. What a request starts may outlive it, such as a worker that runs for
// ever; it must not hang its spans below that first request for ever. So a binding lapses.
const bindingLapse = int64(time.Minute)

// boundSpan is the span the middleware bound to this goroutine, or to the one that started
// it, unless it ended long ago.
func boundSpan() *Span {
	span := binding()
	if span == nil {
		return nil
	}
	span.mu.Lock()
	defer span.mu.Unlock()
	if span.end != 0 && monotonic()-span.end > bindingLapse {
		return nil
	}
	return span
}

// BindGoroutine makes the span of ctx the one that calls without a context belong to, in this
// goroutine and those it starts, as the middleware does for a request. Do the work with the
// context it returns, and then call unbind in the same goroutine.
func BindGoroutine(ctx context.Context) (bound context.Context, unbind func()) {
	span, ok := ctx.Value(spanKey{}).(*Span)
	if !ok || span == nil {
		return ctx, func() {}
	}
	return bind(ctx, span)
}
