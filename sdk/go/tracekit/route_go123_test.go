//go:build go1.23

// A program whose go.mod says 1.22 or later has the new http.ServeMux; this module's says less.
//
//go:debug httpmuxgo121=0

package tracekit

import (
	"net/http"
	"testing"
)

func TestThePatternThatMatchedNamesTheSpan(t *testing.T) {
	server := newCollector(t)
	sdk := server.sdk(t, Config{})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /users/{id}", func(http.ResponseWriter, *http.Request) {})
	serve(sdk.HTTPHandler(mux, ""), "GET", "/users/7")
	got := server.flushed(t, sdk)["GET /users/{id}"]
	if got.Attributes["http.route"] != "/users/{id}" {
		t.Errorf("%+v", got)
	}
}
