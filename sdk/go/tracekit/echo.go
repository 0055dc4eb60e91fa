package tracekit

import "github.com/labstack/echo/v4"

// EchoMiddleware traces the requests of an Echo instance. Register it with Use, which runs it
// once the route is known.
func (s *SDK) EchoMiddleware() echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		if s.config.Disabled {
			return next
		}
		return func(c echo.Context) (err error) {
			request := s.startRequest(c.Request(), "")
			request.setRoute(c.Request().Method, c.Path())
			c.SetRequest(c.Request().WithContext(request.ctx))
			defer func() {
				status := 0
				if c.Response().Committed {
					status = c.Response().Status
				}
				request.finish(status, recover())
			}()
			if err = next(c); err != nil {
				// As Echo's own middleware does: the error handler decides the status now, and
				// does nothing for a response that is already written when it is asked again.
				c.Error(err)
				if c.Response().Status >= 500 {
					request.span.CaptureException(err)
				}
			}
			return err
		}
	}
}
