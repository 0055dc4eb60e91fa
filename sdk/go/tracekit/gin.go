//go:build !tracekit_nogin

package tracekit

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"
)

func init() {
	// A gin.Context used as context.Context answers for its request's only when the engine is
	// told so (ContextWithFallback); the request it gives always.
	frameworkRequest = func(ctx context.Context) (*http.Request, bool) {
		request, ok := ctx.Value(gin.ContextRequestKey).(*http.Request)
		return request, ok
	}
}

// GinMiddleware traces the requests of a Gin engine. Register it before the routes: Gin gives
// a route the middleware that is there when the route is added.
func (s *SDK) GinMiddleware() gin.HandlerFunc {
	if s.config.Disabled {
		return func(*gin.Context) {}
	}
	return func(c *gin.Context) {
		request := s.startRequest(c.Request, "", c.FullPath())
		c.Request = c.Request.WithContext(request.ctx)
		defer func() {
			panicked := recover()
			status := c.Writer.Status()
			if panicked != nil && !c.Writer.Written() {
				status = http.StatusInternalServerError // what gin.Recovery will answer
			}
			for _, err := range c.Errors {
				request.span.recordException(err.Err, "")
				if status >= 500 {
					request.span.fail(err.Err)
				}
			}
			request.finish(status, panicked)
		}()
		c.Next()
	}
}
