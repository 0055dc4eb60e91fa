//go:build !tracekit_noecho

package tracekit

import (
	"net/http"

	"github.com/labstack/echo/v4"
)

// EchoMiddleware traces the requests of an Echo instance. Register it with Use, which runs it
// once the route is known.
func (s *SDK) EchoMiddleware() echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		if s.config.Disabled {
			return next
		}
		return func(c echo.Context) (err error) {
			request := s.startRequest(c.Request(), "", c.Path())
			c.SetRequest(c.Request().WithContext(request.ctx))
			defer func() {
				panicked := recover()
				status := c.Response().Status // 200 until something else is written
				if panicked != nil && !c.Response().Committed {
					status = http.StatusInternalServerError // what echo's Recover will answer
				}
				request.finish(status, panicked)
			}()
			if err = next(c); err != nil {
				// As Echo's own middleware does: the error handler decides the status now, and
				// does nothing for a response that is already written when it is asked again.
				c.Error(err)
				if c.Response().Status >= 500 {
					request.span.captureException(err, "")
				}
			}
			return err
		}
	}
}
