//go:build go1.23

package tracekit

import (
	"net/http"
	"strings"
)

// routeOf gives the path of the http.ServeMux pattern that the request matched:
// "/users/{id}" of "GET example.com/users/{id}".
func routeOf(r *http.Request) string {
	slash := strings.IndexByte(r.Pattern, '/')
	if slash < 0 {
		return ""
	}
	return r.Pattern[slash:]
}
