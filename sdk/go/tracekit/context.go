package tracekit

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"
)

// ContextWithSpan gives a context that carries span. With a nil span, what is started below
// it begins a trace of its own.
func ContextWithSpan(ctx context.Context, span *Span) context.Context {
	return context.WithValue(ctx, spanKey{}, span)
}

// spanFrom finds the span that is current in ctx: nil when there is none.
func spanFrom(ctx context.Context) *Span {
	if ctx == nil {
		return boundSpan()
	}
	if span, ok := ctx.Value(spanKey{}).(*Span); ok {
		return span
	}
	// A gin.Context used as context.Context answers for its request's only when the engine is
	// told so (ContextWithFallback); the request it gives always.
	if request, ok := ctx.Value(gin.ContextRequestKey).(*http.Request); ok {
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
