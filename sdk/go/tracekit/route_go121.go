//go:build !go1.23

package tracekit

import "net/http"

// routeOf: before Go 1.23 http.ServeMux does not tell the pattern.
func routeOf(*http.Request) string { return "" }
