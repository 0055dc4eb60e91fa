// Package peer is what OpenTelemetry's SDK for Go costs, doing the same as the benchmarks in
// sdk/go/tracekit/bench_test.go: spans until their OTLP bytes are ready, in batches, by a goroutine
// of its own, and what that adds to a request.
package peer

import (
	"context"
	"net/http"
	"net/http/httptest"
	"syscall"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/labstack/echo/v4"
	"go.opentelemetry.io/contrib/instrumentation/github.com/gin-gonic/gin/otelgin"
	"go.opentelemetry.io/contrib/instrumentation/github.com/labstack/echo/otelecho"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// discard makes a request's bytes and throws them away.
type discard struct{ spans, bytes int }

func (*discard) Start(context.Context) error { return nil }
func (*discard) Stop(context.Context) error  { return nil }

func (d *discard) UploadTraces(_ context.Context, resourceSpans []*otlp.ResourceSpans) error {
	body, err := proto.Marshal(&collector.ExportTraceServiceRequest{ResourceSpans: resourceSpans})
	d.bytes += len(body)
	for _, resource := range resourceSpans {
		for _, scope := range resource.ScopeSpans {
			d.spans += len(scope.Spans)
		}
	}
	return err
}

// provide gives a provider with batches and a queue of the default sizes, which waits where it would
// drop: what is not sent is not the same work.
func provide(b *testing.B) (*sdktrace.TracerProvider, *discard) {
	b.Helper()
	client := &discard{}
	exporter, err := otlptrace.New(context.Background(), client)
	if err != nil {
		b.Fatal(err)
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter, sdktrace.WithBlocking()))
	b.Cleanup(func() { _ = provider.Shutdown(context.Background()) })
	return provider, client
}

// cpuTime is what the process has had of the processor, in nanoseconds: other programs take none of it.
func cpuTime() (sum int64) {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return usage.Utime.Nano() + usage.Stime.Nano()
}

// measure times f, and what is queued behind it; nothing may have been dropped.
func measure(b *testing.B, provider *sdktrace.TracerProvider, client *discard, f func()) {
	b.Helper()
	b.ReportAllocs()
	b.ResetTimer()
	before := cpuTime()
	f()
	if provider != nil {
		if err := provider.ForceFlush(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	b.ReportMetric(float64(cpuTime()-before)/float64(b.N), "cpu-ns/op")
	if provider != nil && (client.spans != b.N || client.bytes == 0) {
		b.Fatalf("%d spans of %d", client.spans, b.N)
	}
}

var tags = []attribute.KeyValue{
	attribute.String("http.request.method", "GET"), attribute.String("http.route", "/users/{id}"),
	attribute.String("user.id", "u-12345678"), attribute.String("tenant.id", "acme-production"),
	attribute.Int("order.id", 4711), attribute.String("url.scheme", "https"),
	attribute.String("server.address", "api.yourapp.com"), attribute.Int("http.response.status_code", 200),
	attribute.Float64("ratio", 0.25), attribute.Bool("cached", true),
}

func benchmarkSpan(b *testing.B, n int) {
	provider, client := provide(b)
	tracer, ctx := provider.Tracer("bench"), context.Background()
	measure(b, provider, client, func() {
		for i := 0; i < b.N; i++ {
			_, span := tracer.Start(ctx, "operation")
			if n > 0 {
				span.SetAttributes(tags[:n]...)
			}
			span.End()
		}
	})
}

func BenchmarkSpan0(b *testing.B)  { benchmarkSpan(b, 0) }
func BenchmarkSpan5(b *testing.B)  { benchmarkSpan(b, 5) }
func BenchmarkSpan10(b *testing.B) { benchmarkSpan(b, 10) }

type discardingWriter struct{ header http.Header }

func (w *discardingWriter) Header() http.Header         { return w.header }
func (w *discardingWriter) Write(p []byte) (int, error) { return len(p), nil }
func (w *discardingWriter) WriteHeader(int)             {}

func serve(b *testing.B, handler http.Handler, provider *sdktrace.TracerProvider, client *discard) {
	b.Helper()
	r := httptest.NewRequest("GET", "/users/42", nil)
	r.Header.Set("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	w := &discardingWriter{header: http.Header{}}
	measure(b, provider, client, func() {
		for i := 0; i < b.N; i++ {
			handler.ServeHTTP(w, r)
		}
	})
}

// compare runs a service as it is, and as it is with its middleware.
func compare(b *testing.B, service func(traced bool) http.Handler) {
	b.Run("bare", func(b *testing.B) { serve(b, service(false), nil, nil) })
	b.Run("traced", func(b *testing.B) {
		provider, client := provide(b)
		otel.SetTracerProvider(provider)
		otel.SetTextMapPropagator(propagation.TraceContext{})
		serve(b, service(true), provider, client)
	})
}

func BenchmarkHTTP(b *testing.B) {
	compare(b, func(traced bool) http.Handler {
		handler := http.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Write([]byte(`{"id":42}`))
		}))
		if traced {
			handler = otelhttp.NewHandler(handler, "GET /users/{id}")
		}
		return handler
	})
}

func BenchmarkGin(b *testing.B) {
	gin.SetMode(gin.ReleaseMode)
	compare(b, func(traced bool) http.Handler {
		r := gin.New()
		if traced {
			r.Use(otelgin.Middleware("bench"))
		}
		r.GET("/users/:id", func(c *gin.Context) { c.JSON(200, gin.H{"id": 42}) })
		return r
	})
}

func BenchmarkEcho(b *testing.B) {
	compare(b, func(traced bool) http.Handler {
		e := echo.New()
		if traced {
			e.Use(otelecho.Middleware("bench"))
		}
		e.GET("/users/:id", func(c echo.Context) error { return c.JSON(200, map[string]int{"id": 42}) })
		return e
	})
}
