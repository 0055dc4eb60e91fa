package tracekit

import (
	"context"
	"net/http"
)

// ContextWithSpan gives a context that carries span. With a nil span, what is started below
// it begins a trace of its own.
func ContextWithSpan(ctx context.Context, span *Span) context.Context {
	return context.WithValue(ctx, spanKey{}, span)
}

// frameworkRequest gives the request of a context that is a framework's own and does not answer
// for its request's; gin.go says how.
var frameworkRequest = func(context.Context) (*http.Request, bool) { return nil, false }

// spanFrom finds the span that is current in ctx: nil when there is none.
func spanFrom(ctx context.Context) *Span {
	if ctx == nil {
		return boundSpan()
	}
	if span, ok := ctx.Value(spanKey{}).(*Span); ok {
		return span
	}
	if request, ok := frameworkRequest(ctx); ok {
		if span, ok := request.Context().Value(spanKey{}).(*Span); ok {
			return span
		}
	}
	return boundSpan()
}

func (s *Span) ended() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.end != 0
}
