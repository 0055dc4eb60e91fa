package tracekit

import (
	"net/http"

	"github.com/gin-gonic/gin"
)

// GinMiddleware traces the requests of a Gin engine. Register it before the routes: Gin gives
// a route the middleware that is there when the route is added.
func (s *SDK) GinMiddleware() gin.HandlerFunc {
	if s.config.Disabled {
		return func(*gin.Context) {}
	}
	return func(c *gin.Context) {
		request := s.startRequest(c.Request, "")
		request.setRoute(c.Request.Method, c.FullPath())
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
