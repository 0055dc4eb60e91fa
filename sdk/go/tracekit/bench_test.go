package tracekit

import (
	"context"
	"net/http"
	"net/http/httptest"
	"syscall"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/labstack/echo/v4"
)

// benchSDK records spans and encodes them as always, and throws each full batch away.
func benchSDK() *SDK {
	sdk := &SDK{sampler: newSampler(1), exporter: &exporter{}}
	sdk.exporter.queue.wake = make(chan struct{})
	return sdk
}

// drain is what the exporter's goroutine would do, without compressing and sending.
func (s *SDK) drain() {
	q := &s.exporter.queue
	if q.spans >= batchSpans {
		full := q.take(false)
		benchHead = appendRequestHead(benchHead[:0], nil, nil, len(full.bytes))
		q.done(full, 0)
	}
}

var benchHead []byte // of a request, which the batch follows as it is

// measure times f, which does b.N times what is benchmarked. Beside the clock's it reports the
// processor's time: other programs take none of it.
func measure(b *testing.B, f func()) {
	b.Helper()
	b.ReportAllocs()
	b.ResetTimer()
	before := cpuTime()
	f()
	b.ReportMetric(float64(cpuTime()-before)/float64(b.N), "cpu-ns/op")
}

func cpuTime() (nanos int64) {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return usage.Utime.Nano() + usage.Stime.Nano()
}

var benchTags = []struct {
	key   string
	value any
}{
	{"http.request.method", "GET"}, {"http.route", "/users/{id}"}, {"user.id", "u-12345678"},
	{"tenant.id", "acme-production"}, {"order.id", 4711}, {"url.scheme", "https"},
	{"server.address", "api.yourapp.com"}, {"http.response.status_code", 200},
	{"ratio", 0.25}, {"cached", true},
}

func benchmarkSpan(b *testing.B, tags int) {
	sdk, ctx := benchSDK(), context.Background()
	measure(b, func() {
		for i := 0; i < b.N; i++ {
			_, span := sdk.StartSpan(ctx, "operation")
			for _, tag := range benchTags[:tags] {
				span.SetTag(tag.key, tag.value)
			}
			span.End()
			sdk.drain()
		}
	})
}

func BenchmarkSpan0(b *testing.B)  { benchmarkSpan(b, 0) }
func BenchmarkSpan5(b *testing.B)  { benchmarkSpan(b, 5) }
func BenchmarkSpan10(b *testing.B) { benchmarkSpan(b, 10) }

func BenchmarkSpanNotSampled(b *testing.B) {
	sdk, ctx := benchSDK(), context.Background()
	sdk.sampler = newSampler(0)
	measure(b, func() {
		for i := 0; i < b.N; i++ {
			_, span := sdk.StartSpan(ctx, "operation")
			span.SetTag("key", "value")
			span.End()
		}
	})
}

func benchmarkHandler(b *testing.B, sdk *SDK, handler http.Handler) {
	r := httptest.NewRequest("GET", "/users/42", nil)
	r.Header.Set("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	w := &discardingWriter{header: http.Header{}}
	measure(b, func() {
		for i := 0; i < b.N; i++ {
			handler.ServeHTTP(w, r)
			if sdk != nil {
				sdk.drain()
			}
		}
	})
}

type discardingWriter struct{ header http.Header }

func (w *discardingWriter) Header() http.Header         { return w.header }
func (w *discardingWriter) Write(b []byte) (int, error) { return len(b), nil }
func (w *discardingWriter) WriteHeader(int)             {}

func BenchmarkHTTP(b *testing.B) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte(`{"id":42}`))
	})
	b.Run("bare", func(b *testing.B) { benchmarkHandler(b, nil, handler) })
	b.Run("traced", func(b *testing.B) {
		sdk := benchSDK()
		benchmarkHandler(b, sdk, sdk.HTTPHandler(handler, "GET /users/{id}"))
	})
}

func BenchmarkGin(b *testing.B) {
	gin.SetMode(gin.ReleaseMode)
	engine := func(middleware ...gin.HandlerFunc) http.Handler {
		r := gin.New()
		r.Use(middleware...)
		r.GET("/users/:id", func(c *gin.Context) { c.JSON(200, gin.H{"id": 42}) })
		return r
	}
	b.Run("bare", func(b *testing.B) { benchmarkHandler(b, nil, engine()) })
	b.Run("traced", func(b *testing.B) {
		sdk := benchSDK()
		benchmarkHandler(b, sdk, engine(sdk.GinMiddleware()))
	})
}

func BenchmarkEcho(b *testing.B) {
	engine := func(middleware ...echo.MiddlewareFunc) http.Handler {
		e := echo.New()
		e.Use(middleware...)
		e.GET("/users/:id", func(c echo.Context) error {
			return c.JSON(200, map[string]int{"id": 42})
		})
		return e
	}
	b.Run("bare", func(b *testing.B) { benchmarkHandler(b, nil, engine()) })
	b.Run("traced", func(b *testing.B) {
		sdk := benchSDK()
		benchmarkHandler(b, sdk, engine(sdk.EchoMiddleware()))
	})
}

func BenchmarkBoundSpan(b *testing.B) {
	sdk := benchSDK()
	ctx, span := sdk.StartSpan(context.Background(), "operation")
	_, unbind := bind(ctx, span)
	defer unbind()
	measure(b, func() {
		for i := 0; i < b.N; i++ {
			if boundSpan() != span {
				b.Fatal("not bound")
			}
		}
	})
}
