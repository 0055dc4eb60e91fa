package integration

import (
	"bytes"
	"context"
	"fmt"
	"go/format"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/Tracekit-Dev/go-sdk/internal/otlptest"

	// For the program in testdata.
	_ "github.com/gin-contrib/cors"
	_ "github.com/labstack/echo/v4"
)

// block is a Go code block of the users' document: what stands between two of its lines.
type block struct{ name, begin, end string }

var blocks = []block{
	{"gin", `Go \(Gin\):\n`, `\nGo \(Echo\):`},
	{"echo", `Go \(Echo\):\n`, `\nPython \(Django\):`},
	{"client", `Go \(Backend-to-Backend\)\n`, `\nPython \(Backend-to-Backend\)`},
	{"tags", `(// Go — add request context)`, `\n# Python`},
	{"cors", `(// Gin CORS example)`, ` - Check browser DevTools`},
}

// The copy of the document has the lines of this block run together.
var corsLines = strings.NewReplacer(" config :=", "\nconfig :=", " config.", "\nconfig.",
	" r.Use", "\nr.Use")

// document reads the users' document, which lies beside the repository.
func document(t *testing.T) string {
	t.Helper()
	shared := os.Getenv("TRACEKIT_SHARED")
	if shared == "" {
		shared = filepath.Join("..", "..", "..", "..", "shared")
	}
	paths, _ := filepath.Glob(filepath.Join(shared, "seed", "*.txt"))
	if len(paths) == 0 {
		t.Skip("the document is not beside this repository; TRACEKIT_SHARED says where it is")
	}
	text, err := os.ReadFile(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// program puts the document's blocks, as they stand there, into testdata/document.go.tmpl.
func program(t *testing.T) string {
	t.Helper()
	text := document(t)
	template, err := os.ReadFile(filepath.Join("testdata", "document.go.tmpl"))
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range blocks {
		match := regexp.MustCompile(`(?s)` + b.begin + `(.*?)` + b.end).FindStringSubmatch(text)
		if match == nil {
			t.Fatalf("the document has no block %q", b.name)
		}
		code := strings.Join(match[1:], "")
		if b.name == "cors" {
			// What the document leaves out: a configuration without an origin is refused.
			code = strings.Replace(corsLines.Replace(code), "DefaultConfig()", "DefaultConfig()\n"+
				`config.AllowOrigins = []string{"http://localhost:3000"}`, 1)
		}
		template = bytes.Replace(template, []byte("/*"+b.name+"*/"), []byte(code), 1)
	}
	source, err := format.Source(template)
	if err != nil {
		t.Fatalf("%v in\n%s", err, template)
	}
	path := filepath.Join(t.TempDir(), "main.go")
	if err := os.WriteFile(path, source, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTheDocumentsBlocksRunAsWritten(t *testing.T) {
	source := program(t)
	collector := otlptest.New(t)
	received := make(chan http.Header, 16)
	downstream := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.Host != "python-service:5000" || r.URL.Path != "/api/data" {
			t.Errorf("asked for %s%s", r.Host, r.URL)
		}
		received <- r.Header
	}))
	defer downstream.Close()

	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	binary := filepath.Join(t.TempDir(), "document")
	build := exec.CommandContext(ctx, "go", "build", "-o", binary, source)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	run := exec.CommandContext(ctx, binary)
	run.Env = append(os.Environ(), "TRACEKIT_API_KEY=test-key", "TRACEKIT_ENDPOINT="+collector.URL,
		"DOWNSTREAM="+downstream.Listener.Addr().String())
	if out, err := run.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	downstream.Close()
	close(received)

	spans := collector.ByName()
	parents := map[string]bool{}
	for _, name := range []string{"GET", "GET#2"} {
		client := spans[name]
		parents[fmt.Sprintf("00-%s-%s-01", client.TraceID, client.ID)] = true
	}
	sent := 0
	for header := range received {
		if header.Get("raw") != "" {
			if header.Get("traceparent") != "" {
				t.Error("the raw client sent the trace on")
			}
			continue
		}
		sent++
		if !parents[header.Get("traceparent")] {
			t.Errorf("sent %q, spans are %v", header.Get("traceparent"), parents)
		}
	}
	if sent != 2 {
		t.Errorf("%d requests by the traced client", sent)
	}
	checkServerSpans(t, spans)
}

// checkServerSpans looks at the spans of a good and a failing request, to Gin and to Echo.
func checkServerSpans(t *testing.T, spans map[string]otlptest.Span) {
	t.Helper()
	failures := 0
	for _, name := range []string{"", "#2", "#3", "#4"} {
		server := spans["GET /api/users"+name]
		if server.TraceID != "4bf92f3577b34da6a3ce929d0e0e4736" ||
			server.ParentID != "00f067aa0ba902b7" || server.Kind != 2 || server.Attributes["order.id"] != "order-1" ||
			server.Attributes["tenant.id"] != int64(7) {
			t.Errorf("%q: %+v", name, server)
		}
		if server.StatusCode == 2 && len(server.Events) == 1 && server.Events[0].Name == "exception" {
			failures++
		}
	}
	if failures != 2 {
		t.Errorf("%d failures recorded, want those of two requests to a service that is gone", failures)
	}
}
