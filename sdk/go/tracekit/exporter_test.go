package tracekit

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
)

func endSpans(sdk *SDK, n int) {
	for i := 0; i < n; i++ {
		_, span := sdk.StartSpan(context.Background(), fmt.Sprint("span ", i))
		span.End()
	}
}

// count waits until f gives n.
func count(t *testing.T, what string, n int, f func() int) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); f() != n; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d %s, want %d", f(), what, n)
		}
	}
}

func TestAFullBatchIsSentAtOnceAndTheRestByFlush(t *testing.T) {
	server := newCollector(t)
	sdk := server.sdk(t, Config{})
	endSpans(sdk, batchSpans+10)
	count(t, "spans", batchSpans, func() int { return len(server.Spans()) })
	server.flushed(t, sdk)
	if len(server.Spans()) != batchSpans+10 || len(server.Requests()) != 2 {
		t.Errorf("%d spans in %d requests", len(server.Spans()), len(server.Requests()))
	}
}

func TestARequestSaysWhoSends(t *testing.T) {
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "team=users%20and%20co,service.name=other")
	server := newCollector(t)
	sdk := server.sdk(t, Config{
		ServiceName: "Go Microservice", Environment: "production", Release: "1.4.2",
	})
	endSpans(sdk, 1)
	server.flushed(t, sdk)
	request := server.Requests()[0]
	if request.URL.Path != "/v1/traces" || request.Method != "POST" ||
		request.Header.Get("X-API-Key") != "test-key" ||
		request.Header.Get("Content-Type") != "application/x-protobuf" ||
		request.Header.Get("Traceparent") != "" {
		t.Errorf("%s %s %v", request.Method, request.URL, request.Header)
	}
	for key, want := range map[string]any{
		"service.name": "Go Microservice", "service.version": "1.4.2",
		"deployment.environment.name": "production", "telemetry.sdk.name": "tracekit",
		"telemetry.sdk.language": "go", "process.pid": int64(os.Getpid()), "team": "users and co",
	} {
		if got := server.Resource()[key]; got != want {
			t.Errorf("%s is %v, want %v", key, got, want)
		}
	}
	if id, _ := server.Resource()["service.instance.id"].(string); len(id) != 36 || id[14] != '4' {
		t.Errorf("service.instance.id is %q", id)
	}
}

func TestWithoutAKeyOneLineSaysSoAndNothingIsSent(t *testing.T) {
	server := newCollector(t)
	said := captureLog(t, func() {
		sdk, err := NewSDK(Config{ServiceName: "keyless", Endpoint: server.URL})
		if err != nil {
			t.Fatal(err)
		}
		url, headers := echoServer(t)
		handler := sdk.HTTPHandler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			get(t, HTTPClient, url)
		}), "serve")
		if w := serve(handler, "GET", "/"); w.Code != http.StatusOK {
			t.Errorf("answered %d", w.Code)
		}
		if header := <-headers; !strings.HasPrefix(header.Get("traceparent"), "00-"+callerTrace) {
			t.Errorf("the trace is not passed on: %q", header.Get("traceparent"))
		}
		if err := sdk.Flush(testContext(t)); err != nil {
			t.Error(err)
		}
		if err := sdk.Shutdown(testContext(t)); err != nil {
			t.Error(err)
		}
	})
	if strings.Count(said, "\n") != 1 || !strings.Contains(said, "TRACEKIT_API_KEY") {
		t.Errorf("said %q", said)
	}
	if len(server.Requests()) != 0 {
		t.Error("something was sent")
	}
}

func TestADeadServerIsOneLine(t *testing.T) {
	server := newCollector(t)
	server.Answer = func(w http.ResponseWriter, n int) {
		w.Header().Set("Retry-After", "0")
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	said := captureLog(t, func() {
		sdk := server.sdk(t, Config{})
		for round := 0; round < 3; round++ {
			endSpans(sdk, 2)
			if err := sdk.Flush(testContext(t)); err == nil {
				t.Error("Flush says that all is well")
			}
		}
		if sdk.DroppedSpans() != 6 || len(server.Requests()) != 3*maxAttempts {
			t.Errorf("%d dropped in %d requests", sdk.DroppedSpans(), len(server.Requests()))
		}
	})
	if strings.Count(said, "\n") != 1 || !strings.Contains(said, "503") {
		t.Errorf("said %q", said)
	}
}

func TestARefusedBatchIsTriedAgainOnlyWhenTheAnswerSaysSo(t *testing.T) {
	for status, want := range map[int]int{503: 3, 429: 3, 500: 1, 401: 1, 307: 1} {
		server := newCollector(t)
		server.Answer = func(w http.ResponseWriter, n int) {
			if n < 3 {
				w.Header().Set("Retry-After", "0")
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(status)
			}
		}
		captureLog(t, func() {
			sdk := server.sdk(t, Config{})
			endSpans(sdk, 1)
			err := sdk.Flush(testContext(t))
			if len(server.Requests()) != want || (err == nil) != (want == 3) {
				t.Errorf("%d: %d requests, %v", status, len(server.Requests()), err)
			}
		})
	}
}

func TestAPartialSuccessIsSaidCountedAndNotTriedAgain(t *testing.T) {
	server := newCollector(t)
	server.Answer = func(w http.ResponseWriter, n int) {
		partial := appendStringField(appendVarintField(nil, 1<<3|wireVarint, 2), 2<<3|wireBytes, "bad id")
		w.Write(appendBytesField(nil, 1<<3|wireBytes, partial))
	}
	said := captureLog(t, func() {
		sdk := server.sdk(t, Config{})
		for round := 0; round < 2; round++ {
			endSpans(sdk, 3)
			if err := sdk.Flush(testContext(t)); err != nil {
				t.Error(err)
			}
		}
		if sdk.DroppedSpans() != 4 || len(server.Requests()) != 2 {
			t.Errorf("%d dropped in %d requests", sdk.DroppedSpans(), len(server.Requests()))
		}
	})
	if strings.Count(said, "\n") != 1 || !strings.Contains(said, "bad id") {
		t.Errorf("said %q", said)
	}
}

// stuckServer takes requests and does not answer while the test runs.
func stuckServer(t *testing.T) (url string, reached chan struct{}) {
	reached, release := make(chan struct{}, 1), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		select {
		case reached <- struct{}{}:
		default:
		}
		<-release
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(release) })
	return server.URL, reached
}

func TestTheQueueIsBoundedAndShutdownKeepsToItsContext(t *testing.T) {
	url, reached := stuckServer(t)
	sdk, err := NewSDK(Config{APIKey: "k", Endpoint: url})
	if err != nil {
		t.Fatal(err)
	}
	endSpans(sdk, batchSpans)
	<-reached
	endSpans(sdk, maxQueueSpans)
	if got := sdk.DroppedSpans(); got != batchSpans {
		t.Errorf("%d dropped, want %d", got, batchSpans)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := sdk.Shutdown(ctx); err == nil || !strings.Contains(err.Error(), "not sent") {
		t.Errorf("Shutdown says %v", err)
	}
	if got := sdk.DroppedSpans(); got != batchSpans+maxQueueSpans {
		t.Errorf("%d dropped in the end", got)
	}
	endSpans(sdk, 1)
	if got := sdk.DroppedSpans(); got != batchSpans+maxQueueSpans+1 {
		t.Errorf("%d dropped after the end", got)
	}
	if err := sdk.Shutdown(testContext(t)); err != nil {
		t.Errorf("the second Shutdown says %v", err)
	}
	if err := sdk.Flush(testContext(t)); err == nil {
		t.Error("Flush after Shutdown says that all is well")
	}
}

func TestTheQueueIsBoundedInBytes(t *testing.T) {
	url, _ := stuckServer(t)
	sdk, err := NewSDK(Config{APIKey: "k", Endpoint: url})
	if err != nil {
		t.Fatal(err)
	}
	huge := strings.Repeat("x", 6*maxStringBytes)
	for i := 0; i < 100; i++ {
		_, span := sdk.StartSpan(context.Background(), "huge")
		for at := 0; at < len(huge); at += maxStringBytes {
			span.SetTag(fmt.Sprint("huge", at), huge[at:at+maxStringBytes])
		}
		span.End()
	}
	if held := 100 - int(sdk.DroppedSpans()); held > maxQueueBytes/len(huge) {
		t.Errorf("%d spans of %d bytes are held", held, len(huge))
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = sdk.Shutdown(ctx)
}

func TestShutdownSendsWhatIsQueued(t *testing.T) {
	server := newCollector(t)
	sdk := server.sdk(t, Config{})
	endSpans(sdk, 5)
	if err := sdk.Shutdown(testContext(t)); err != nil {
		t.Fatal(err)
	}
	if len(server.Spans()) != 5 || sdk.DroppedSpans() != 0 {
		t.Errorf("%d sent, %d dropped", len(server.Spans()), sdk.DroppedSpans())
	}
}

func TestOpenTelemetrysSamplersAreUnderstood(t *testing.T) {
	for _, c := range []struct {
		sampler, argument string
		rate              float64
	}{
		{"always_off", "1", 0},
		{"parentbased_always_off", "", 0},
		{"always_on", "0", 1},
		{"parentbased_traceidratio", "0.5", 0.5},
		{"", "0.5", 0.5},
		{"jaeger_remote", "endpoint=http://localhost:14250", 1},
	} {
		t.Setenv("OTEL_TRACES_SAMPLER", c.sampler)
		t.Setenv("OTEL_TRACES_SAMPLER_ARG", c.argument)
		if got, err := complete(Config{}); err != nil || got.sampleRate != c.rate {
			t.Errorf("%q %q: %v, want %v (%v)", c.sampler, c.argument, got.sampleRate, c.rate, err)
		}
	}
}

func TestTheEnvironmentFillsWhatTheCodeLeavesOut(t *testing.T) {
	for name, value := range map[string]string{
		"TRACEKIT_API_KEY": "env-key", "TRACEKIT_ENDPOINT": "localhost:1",
		"TRACEKIT_SERVICE_NAME": "env-name", "TRACEKIT_ENVIRONMENT": "staging",
		"TRACEKIT_RELEASE": "2.0", "TRACEKIT_SAMPLE_RATE": "0.25", "TRACEKIT_DEBUG": "1",
		"OTEL_SERVICE_NAME": "otel-name", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://otel:4318",
		"OTEL_TRACES_SAMPLER_ARG": "0.5",
	} {
		t.Setenv(name, value)
	}
	got, err := complete(Config{})
	if err != nil {
		t.Fatal(err)
	}
	if got.APIKey != "env-key" || got.endpoint != "http://localhost:1/v1/traces" ||
		got.ServiceName != "env-name" || got.Environment != "staging" || got.Release != "2.0" ||
		got.sampleRate != 0.25 || !got.debug {
		t.Errorf("%+v", got)
	}
	got, _ = complete(Config{APIKey: "code-key", ServiceName: "code-name", SampleRate: 1})
	if got.APIKey != "code-key" || got.ServiceName != "code-name" || got.sampleRate != 1 {
		t.Errorf("code does not beat the environment: %+v", got)
	}
	for _, name := range []string{"TRACEKIT_API_KEY", "TRACEKIT_ENDPOINT", "TRACEKIT_SERVICE_NAME",
		"TRACEKIT_SAMPLE_RATE"} {
		t.Setenv(name, "")
	}
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-api-key=otel-key")
	got, _ = complete(Config{})
	if got.ServiceName != "otel-name" || got.endpoint != "http://otel:4318/v1/traces" ||
		got.sampleRate != 0.5 || !got.canSend() {
		t.Errorf("OpenTelemetry's variables are no fallback: %+v", got)
	}
	t.Setenv("TRACEKIT_SAMPLE_RATE", "often")
	t.Setenv("TRACEKIT_ENDPOINT", "ftp://x")
	said := captureLog(t, func() { got, err = complete(Config{}) })
	if err != nil || got.sampleRate != 1 || got.endpoint != defaultEndpoint ||
		strings.Count(said, "\n") != 2 {
		t.Errorf("nonsense: %+v, %v, said %q", got, err, said)
	}
}

func TestOnlySampledTracesAreSent(t *testing.T) {
	t.Setenv("TRACEKIT_SAMPLE_RATE", "0")
	server := newCollector(t)
	sdk := server.sdk(t, Config{})
	url, headers := echoServer(t)
	get(t, HTTPClient, url)
	header := <-headers
	if !strings.HasSuffix(header.Get("traceparent"), "-02") || header.Get("tracestate") != "" {
		t.Errorf("sent %q, %q", header.Get("traceparent"), header.Get("tracestate"))
	}
	ok := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	serve(sdk.HTTPHandler(ok, "the caller samples"), "GET", "/")
	if spans := server.flushed(t, sdk); len(spans) != 1 || spans["the caller samples"].ID == "" {
		t.Errorf("%+v", spans)
	}
}

func TestDebugModeSaysTheSetUpAndTheFirstResult(t *testing.T) {
	server := newCollector(t)
	said := captureLog(t, func() {
		sdk := server.sdk(t, Config{Debug: true, ServiceName: "debugged"})
		for i := 0; i < 2; i++ {
			endSpans(sdk, 1)
			server.flushed(t, sdk)
		}
	})
	if strings.Count(said, "\n") != 2 || !strings.Contains(said, `service "debugged"`) ||
		!strings.Contains(said, "takes our spans") || strings.Contains(said, "test-key") {
		t.Errorf("said %q", said)
	}
}
