// Package tracekitchi names the spans of chi's requests by chi's routes. It is a module of its
// own: who does not use chi does not compile it.
package tracekitchi

import (
	"net/http"

	"github.com/Tracekit-Dev/go-sdk/tracekit"
	"github.com/go-chi/chi/v5"
)

// Middleware traces the requests of a chi router. Give it to Use before the routes:
//
//	r := chi.NewRouter()
//	r.Use(tracekitchi.Middleware(sdk))
func Middleware(sdk *tracekit.SDK) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		routed := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			// The route is whole once all routers below have been asked, also when one panics. It is
			// said where net/http says its own, and sdk.HTTPHandler looks.
			defer func() {
				if route := chi.RouteContext(r.Context()); route != nil {
					r.Pattern = route.RoutePattern()
				}
			}()
			next.ServeHTTP(w, r)
		})
		return sdk.HTTPHandler(routed, "")
	}
}
