package tracekit

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/labstack/echo/v4"
	echomiddleware "github.com/labstack/echo/v4/middleware"
)

// captureLog gives what f writes to the standard logger.
func captureLog(t *testing.T, f func()) string {
	t.Helper()
	var text lockedBuffer
	log.SetOutput(&text)
	defer log.SetOutput(os.Stderr)
	f()
	return text.String()
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// echoServer answers 200 and gives the headers of each request it got.
func echoServer(t *testing.T) (url string, headers chan http.Header) {
	t.Helper()
	headers = make(chan http.Header, 16)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		headers <- r.Header
		io.WriteString(w, "data")
	}))
	t.Cleanup(server.Close)
	return server.URL, headers
}

func get(t *testing.T, client *http.Client, url string) string {
	t.Helper()
	response, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// serveAndCall serves a request with the given headers, makes one with HTTPClient while doing
// so, and gives the headers of that.
func serveAndCall(t *testing.T, incoming http.Header) http.Header {
	t.Helper()
	return serveAndCalls(t, incoming, 1)[0]
}

// serveAndCalls makes several.
func serveAndCalls(t *testing.T, incoming http.Header, calls int) (all []http.Header) {
	t.Helper()
	sdk := newCollector(t).sdk(t, Config{})
	downstream, sent := echoServer(t)
	handler := sdk.HTTPHandler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		for i := 0; i < calls; i++ {
			get(t, HTTPClient, downstream)
			all = append(all, <-sent)
		}
	}), "serve")
	r := httptest.NewRequest("GET", "/", nil)
	r.Header = incoming
	handler.ServeHTTP(httptest.NewRecorder(), r)
	return all
}

const (
	callerTrace  = "4bf92f3577b34da6a3ce929d0e0e4736"
	callerSpan   = "00f067aa0ba902b7"
	callerHeader = "00-" + callerTrace + "-" + callerSpan + "-01"
)

// serve answers one request that comes with a traceparent.
func serve(handler http.Handler, method, target string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	r.Header.Set("traceparent", callerHeader)
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	return w
}

// frameworks are the same service on each of them: /users/{id} answers, /fail is a 500 with an
// error where the framework knows errors, /panic panics, /missing is no route.
func frameworks(sdk *SDK, users http.HandlerFunc) map[string]http.Handler {
	broken := errors.New("the database is away")

	gin.SetMode(gin.TestMode)
	r := gin.New()
	r.Use(gin.CustomRecoveryWithWriter(io.Discard, gin.RecoveryFunc(func(c *gin.Context, _ any) {
		c.AbortWithStatus(http.StatusInternalServerError)
	})))
	r.Use(sdk.GinMiddleware())
	r.GET("/users/:id", func(c *gin.Context) { users(c.Writer, c.Request) })
	r.GET("/fail", func(c *gin.Context) { c.AbortWithError(http.StatusInternalServerError, broken) })
	r.GET("/panic", func(*gin.Context) { panic(broken) })

	e := echo.New()
	e.Use(echomiddleware.RecoverWithConfig(echomiddleware.RecoverConfig{
		LogErrorFunc: func(_ echo.Context, err error, _ []byte) error { return err },
	}))
	e.Use(sdk.EchoMiddleware())
	e.GET("/users/:id", func(c echo.Context) error {
		users(c.Response(), c.Request())
		return nil
	})
	e.GET("/fail", func(echo.Context) error { return broken })
	e.GET("/panic", func(echo.Context) error { panic(broken) })

	mux := http.NewServeMux()
	mux.Handle("/", sdk.HTTPHandler(http.NotFoundHandler(), ""))
	handle := func(path string, handler http.HandlerFunc) {
		mux.Handle(path, sdk.HTTPHandler(handler, "GET "+path))
	}
	handle("/users/", users)
	handle("/fail", func(w http.ResponseWriter, r *http.Request) {
		sdk.CaptureExceptionContext(r.Context(), broken)
		w.WriteHeader(http.StatusInternalServerError)
	})
	handle("/panic", func(http.ResponseWriter, *http.Request) { panic(broken) })
	recovering := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() { recover() }()
		mux.ServeHTTP(w, r)
	})
	return map[string]http.Handler{"gin": r, "echo": e, "net/http": recovering}
}

func TestTheServerSpanContinuesTheTraceAndIsCurrent(t *testing.T) {
	server := newCollector(t)
	sdk := server.sdk(t, Config{})
	users := func(w http.ResponseWriter, r *http.Request) {
		span := sdk.GetCurrentSpan(r.Context())
		span.SetTag("order.id", 42)
		if sdk.GetCurrentSpan(context.Background()) != span {
			t.Error("the span is not bound to the goroutine")
		}
		_, child := sdk.StartSpan(r.Context(), "validate")
		child.End()
		w.WriteHeader(http.StatusTeapot)
	}
	for name, handler := range frameworks(sdk, users) {
		t.Run(name, func(t *testing.T) {
			serve(handler, "GET", "http://api.example:8080/users/7?page=2&sig=secret")
			if boundSpan() != nil {
				t.Error("still bound after the request")
			}
			spans := server.flushed(t, sdk)
			server.Forget()
			child := spans["validate"]
			span, ok := spans["GET "+map[string]string{
				"gin": "/users/:id", "echo": "/users/:id", "net/http": "/users/"}[name]]
			if !ok || span.TraceID != callerTrace || span.ParentID != callerSpan || span.Kind != 2 ||
				span.Flags != 0x301 || span.StatusCode != 0 || child.ParentID != span.ID {
				t.Fatalf("%+v", spans)
			}
			want := map[string]any{
				"http.request.method": "GET", "http.response.status_code": int64(418),
				"url.scheme": "http", "url.path": "/users/7", "url.query": "page=2&sig=REDACTED",
				"server.address": "api.example", "server.port": int64(8080),
				"client.address": "192.0.2.1", "network.protocol.version": "1.1",
				"order.id": int64(42),
			}
			if name != "net/http" {
				want["http.route"] = strings.TrimPrefix(span.Name, "GET ")
			}
			if !reflect.DeepEqual(span.Attributes, want) {
				t.Errorf("got %v, want %v", span.Attributes, want)
			}
		})
	}
}

func TestAFailureIsOnTheServerSpan(t *testing.T) {
	server := newCollector(t)
	sdk := server.sdk(t, Config{})
	for name, handler := range frameworks(sdk, http.NotFound) {
		for _, path := range []string{"/fail", "/panic"} {
			t.Run(name+path, func(t *testing.T) {
				serve(handler, "GET", path)
				span := server.flushed(t, sdk)["GET "+path]
				server.Forget()
				if span.StatusCode != 2 || span.StatusMessage != "the database is away" ||
					len(span.Events) != 1 || span.Attributes["error.type"] != "*errors.errorString" {
					t.Fatalf("%+v", span)
				}
				if name+path != "net/http/panic" && span.Attributes["http.response.status_code"] != int64(500) {
					t.Errorf("%v", span.Attributes)
				}
				if path == "/panic" {
					trace, _ := span.Events[0].Attributes["exception.stacktrace"].(string)
					if !strings.Contains(trace, "tracekit.frameworks.") {
						t.Errorf("the stack does not show who panicked:\n%s", trace)
					}
				}
			})
		}
	}
}

func TestAPathWithoutRouteIsNotInTheName(t *testing.T) {
	server := newCollector(t)
	sdk := server.sdk(t, Config{})
	for name, handler := range frameworks(sdk, http.NotFound) {
		t.Run(name, func(t *testing.T) {
			serve(handler, "BREW", "/missing/1234")
			spans := server.flushed(t, sdk)
			server.Forget()
			for spanName, span := range spans {
				if strings.Contains(spanName, "1234") || !strings.HasPrefix(spanName, "HTTP") {
					t.Errorf("the name is %q", spanName)
				}
				if span.Attributes["http.request.method"] != "_OTHER" ||
					span.Attributes["http.request.method_original"] != "BREW" ||
					span.StatusCode != 0 {
					t.Errorf("%+v", span)
				}
			}
		})
	}
}

func TestTheGivenNameIsTheSpansName(t *testing.T) {
	server := newCollector(t)
	sdk := server.sdk(t, Config{})
	ok := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	serve(sdk.HTTPHandler(ok, "load users"), "GET", "/")
	serve(sdk.HTTPMiddleware("outer")(sdk.HTTPHandler(ok, "inner")), "GET", "/")
	spans := server.flushed(t, sdk)
	if spans["load users"].Attributes["http.response.status_code"] != int64(200) {
		t.Errorf("%+v", spans)
	}
	if spans["outer"].ParentID != callerSpan || spans["inner"].ParentID != spans["outer"].ID {
		t.Errorf("a handler wrapped twice: %+v", spans)
	}
}

func TestAGinContextIsAContext(t *testing.T) {
	server := newCollector(t)
	sdk := server.sdk(t, Config{})
	r := gin.New()
	r.Use(sdk.GinMiddleware())
	r.GET("/users", func(c *gin.Context) {
		done := make(chan struct{})
		derived, cancel := context.WithCancel(c)
		defer cancel()
		go func() {
			defer close(done)
			runtimeUnbound(func() {
				sdk.GetCurrentSpan(c).SetTag("direct", true)
				sdk.GetCurrentSpan(derived).SetTag("derived", true)
			})
		}()
		<-done
	})
	serve(r, "GET", "/users")
	got := server.flushed(t, sdk)["GET /users"].Attributes
	if got["direct"] != true || got["derived"] != true {
		t.Errorf("%v", got)
	}
}

// runtimeUnbound runs f in a goroutine without a binding, where only a context helps.
func runtimeUnbound(f func()) {
	_, unbind := bind(context.Background(), nil)
	defer unbind()
	f()
}

func TestTheResponseWriterCanStillDoWhatItCould(t *testing.T) {
	sdk := newCollector(t).sdk(t, Config{})
	handler := sdk.HTTPHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/flush":
			io.WriteString(w, "part")
			w.(http.Flusher).Flush()
			if err := http.NewResponseController(w).SetWriteDeadline(time.Time{}); err != nil {
				t.Error(err)
			}
		case "/copy":
			if _, ok := w.(io.ReaderFrom); !ok {
				t.Error("no ReadFrom")
			}
			io.Copy(w, strings.NewReader("copied"))
		case "/hijack":
			conn, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
			conn.Close()
		}
	}), "serve")
	server := httptest.NewServer(handler)
	defer server.Close()
	for path, want := range map[string]string{"/flush": "part", "/copy": "copied", "/hijack": "ok"} {
		if got := get(t, http.DefaultClient, server.URL+path); got != want {
			t.Errorf("%s: got %q", path, got)
		}
	}
	type plain struct{ http.ResponseWriter }
	recorder := &responseRecorder{ResponseWriter: plain{httptest.NewRecorder()}}
	if _, ok := recorder.wrapped().(http.Flusher); ok {
		t.Error("a writer that cannot flush says it can")
	}
}

func TestTheTracedClientSendsTheTraceOnAndTheRawOneDoesNot(t *testing.T) {
	server := newCollector(t)
	sdk := server.sdk(t, Config{})
	url, headers := echoServer(t)
	handler := sdk.HTTPHandler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		get(t, HTTPClient, url+"/a?sig=secret")
		get(t, http.DefaultClient, url)
		request, _ := http.NewRequestWithContext(r.Context(), "POST", url, nil)
		request.Header.Set("Traceparent", "00-11111111111111111111111111111111-1111111111111111-01")
		response, err := sdk.HTTPClient(nil).Do(request)
		if err != nil {
			t.Error(err)
			return
		}
		response.Body.Close()
		if request.Header.Get("traceparent")[3:5] != "11" {
			t.Error("the caller's request was changed")
		}
	}), "serve")
	serve(handler, "GET", "/")
	spans := server.flushed(t, sdk)
	wantSent := []string{spans["GET"].ID, "", spans["POST"].ID}
	for i, id := range wantSent {
		want := ""
		if id != "" {
			want = "00-" + callerTrace + "-" + id + "-01"
		}
		if got := (<-headers).Get("traceparent"); got != want {
			t.Errorf("request %d carried %q, want %q", i, got, want)
		}
	}
	if len(spans) != 3 {
		t.Errorf("%d spans", len(spans))
	}
	client := spans["GET"]
	if client.ParentID != spans["serve"].ID || client.Kind != 3 || client.Flags != 0x101 ||
		client.Attributes["url.full"] != url+"/a?sig=REDACTED" ||
		client.Attributes["http.response.status_code"] != int64(200) {
		t.Errorf("%+v", client)
	}
}

func TestTargetsDecideWhatCarriesTheTrace(t *testing.T) {
	server := newCollector(t)
	ours, oursGot := echoServer(t)
	theirs, theirsGot := echoServer(t)
	sdk := server.sdk(t, Config{TracePropagationTargets: []any{
		strings.TrimPrefix(ours, "http://"), regexp.MustCompile(`^https://api\.`)}})
	client := sdk.HTTPClient(&http.Client{})
	get(t, client, ours)
	get(t, client, theirs+"/?u="+ours)
	if (<-oursGot).Get("traceparent") == "" {
		t.Error("a target got no header")
	}
	if header := <-theirsGot; header.Get("traceparent")+header.Get("tracestate") != "" {
		t.Error("a third party got a header")
	}
	if len(server.flushed(t, sdk)) != 2 {
		t.Error("requests to others are traced, too")
	}
	if _, err := NewSDK(Config{TracePropagationTargets: []any{7}}); err == nil {
		t.Error("a target that is a number is taken")
	}
}

func TestADefaultTransportThatIsTracedIsTracedOnce(t *testing.T) {
	server := newCollector(t)
	sdk := server.sdk(t, Config{})
	url, _ := echoServer(t)
	before := http.DefaultTransport
	defer func() { http.DefaultTransport = before }()
	for _, base := range []http.RoundTripper{nil, before} {
		http.DefaultTransport = Transport(base)
		get(t, http.DefaultClient, url)
		get(t, HTTPClient, url)
	}
	if n := len(server.flushed(t, sdk)); n != 4 {
		t.Errorf("%d spans of four requests", n)
	}
}

func TestAFailedRequestIsOnTheClientSpan(t *testing.T) {
	server := newCollector(t)
	sdk := server.sdk(t, Config{})
	client := sdk.HTTPClient(nil)
	status := httptest.NewServer(http.NotFoundHandler())
	get(t, client, status.URL)
	status.Close()
	if _, err := client.Get(status.URL); err == nil {
		t.Fatal("no error from a server that is gone")
	}
	spans := server.flushed(t, sdk)
	if got := spans["GET"]; got.StatusCode != 2 || got.Attributes["error.type"] != "404" {
		t.Errorf("%+v", got)
	}
	if got := spans["GET#2"]; got.StatusCode != 2 || len(got.Events) != 1 {
		t.Errorf("%+v", got)
	}
}

func TestADisabledSDKStandsAside(t *testing.T) {
	server := newCollector(t)
	sdk := server.sdk(t, Config{Disabled: true})
	url, headers := echoServer(t)
	ctx, span := sdk.StartSpan(context.Background(), "off")
	span.SetTag("k", "v")
	span.End()
	sdk.CaptureExceptionContext(ctx, errors.New("off"))
	for _, handler := range frameworks(sdk, func(w http.ResponseWriter, r *http.Request) {
		get(t, HTTPClient, url)
	}) {
		serve(handler, "GET", "/users/1")
		if header := <-headers; header.Get("traceparent") != "" {
			t.Error("a header was sent")
		}
	}
	if len(server.flushed(t, sdk)) != 0 {
		t.Error("spans were sent")
	}
}
