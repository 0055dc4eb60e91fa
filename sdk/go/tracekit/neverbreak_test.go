package tracekit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// What an SDK must never do to the program it lives in: issue by issue, one test each. What
// needs a process of its own is in process_test.go.

func TestAServerThatIsDownIsOneLineAndSpansAreCounted(t *testing.T) {
	gone := httptest.NewServer(nil)
	gone.Close()
	said := captureLog(t, func() {
		sdk := sdkFor(t, gone.URL)
		sdk.exporter.sender.sleep = func(context.Context, time.Duration) {}
		for round := 0; round < 3; round++ {
			endSpans(sdk, 5)
			if sdk.Flush(testContext(t)) == nil {
				t.Error("Flush says that all is well")
			}
		}
		if got := sdk.DroppedSpans(); got != 15 {
			t.Errorf("%d dropped, want 15", got)
		}
	})
	if strings.Count(said, "\n") != 1 || !strings.Contains(said, "refused") {
		t.Errorf("said %q", said)
	}
}

// sdkFor sends to url; whatever is left at the test's end is not waited for.
func sdkFor(t *testing.T, url string) *SDK {
	t.Helper()
	sdk, err := NewSDK(Config{APIKey: "k", Endpoint: url, ServiceName: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = sdk.Shutdown(ctx)
	})
	return sdk
}

func TestAMillionSpansAtOnceTakeBoundedMemoryAndWaitForNobody(t *testing.T) {
	spans := 1_000_000
	if raceDetector {
		spans /= 20
	}
	url, reached := stuckServer(t)
	sdk := sdkFor(t, url)
	endSpans(sdk, batchSpans)
	<-reached // the exporter waits for this answer all the while
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := 0; i < spans; i++ {
		_, span := sdk.StartSpan(context.Background(), "one of many")
		span.SetTag("number", i)
		span.End()
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > maxQueueBytes+1<<20 {
		t.Errorf("the heap has grown by %d bytes", grown)
	}
	if got, want := sdk.DroppedSpans(), uint64(spans+batchSpans-maxQueueSpans); got != want {
		t.Errorf("%d dropped, want %d", got, want)
	}
}

func TestAnOverrunQueueIsSaidOnce(t *testing.T) {
	server := newCollector(t)
	said := captureLog(t, func() {
		sdk := server.sdk(t, Config{})
		for round := 0; round < 2; round++ {
			// Holding the lock of what is queued, the exporter takes nothing out meanwhile.
			sdk.exporter.queue.mu.Lock()
			sdk.exporter.queue.spans += maxQueueSpans
			sdk.exporter.queue.mu.Unlock()
			endSpans(sdk, 7)
			sdk.exporter.queue.mu.Lock()
			sdk.exporter.queue.spans -= maxQueueSpans
			sdk.exporter.queue.mu.Unlock()
			endSpans(sdk, 1)
			server.flushed(t, sdk)
		}
		if got := sdk.DroppedSpans(); got != 14 {
			t.Errorf("%d dropped, want 14", got)
		}
	})
	if strings.Count(said, "\n") != 1 || !strings.Contains(said, "DroppedSpans") {
		t.Errorf("said %q", said)
	}
}

func TestAnHourOf429IsWaitedOutAndEverySpanIsCounted(t *testing.T) {
	var hourOver atomic.Bool
	server := newCollector(t)
	server.Answer = func(w http.ResponseWriter, _ int) {
		if !hourOver.Load() {
			w.Header().Set("Retry-After", "30")
			w.WriteHeader(http.StatusTooManyRequests)
		}
	}
	made, clock := batchSpans, time.Unix(1_800_000_000, 0)
	end := clock.Add(time.Hour)
	over := make(chan struct{})
	said := captureLog(t, func() {
		sdk := server.sdk(t, Config{})
		sender := sdk.exporter.sender
		sender.now = func() time.Time { return clock }
		sender.sleep = func(_ context.Context, d time.Duration) { // the program goes on meanwhile
			if clock = clock.Add(d); clock.Before(end) {
				endSpans(sdk, 600)
				made += 600
			} else if !hourOver.Swap(true) {
				close(over)
			}
		}
		endSpans(sdk, batchSpans)
		<-over
		server.flushed(t, sdk)
		got := int(sdk.DroppedSpans()) + len(server.Spans())
		if got != made || len(server.Spans()) < maxQueueSpans-batchSpans {
			t.Errorf("%d made, %d dropped, %d arrived", made, sdk.DroppedSpans(), len(server.Spans()))
		}
	})
	waits := 3600 / 30
	if requests := len(server.Requests()); requests > waits*maxAttempts/(maxAttempts-1)+2*maxAttempts {
		t.Errorf("%d requests in an hour of which each asks for 30 s", requests)
	}
	if strings.Count(said, "\n") != 1 || !strings.Contains(said, "429") {
		t.Errorf("said %q", said)
	}
}

func TestGarbageForAnAnswerIsOneLine(t *testing.T) {
	answers := map[string]string{
		"no HTTP at all":             "\x00\xff\x7f garbage \r\n\r\n",
		"an answer that breaks off":  "HTTP/1.1 503 Away\r\nContent-Length: 100\r\n\r\nabc",
		"a status that is none":      "HTTP/1.1 9999 What\r\n\r\n",
		"headers without an end":     "HTTP/1.1 200 OK\r\n" + strings.Repeat("X: y\r\n", 1<<18),
		"a redirect to nowhere":      "HTTP/1.1 302 Found\r\nLocation: ://\r\nContent-Length: 0\r\n\r\n",
		"a Retry-After of all times": "HTTP/1.1 429 No\r\nRetry-After: 99999999999999999999\r\nContent-Length: 0\r\n\r\n",
	}
	for name, answer := range answers {
		t.Run(name, func(t *testing.T) {
			said := captureLog(t, func() {
				sdk := sdkFor(t, rawServer(t, answer))
				sdk.exporter.sender.sleep = func(context.Context, time.Duration) {}
				for round := 0; round < 2; round++ {
					endSpans(sdk, 3)
					if sdk.Flush(testContext(t)) == nil {
						t.Error("Flush says that all is well")
					}
				}
				if got := sdk.DroppedSpans(); got != 6 {
					t.Errorf("%d dropped, want 6", got)
				}
			})
			if strings.Count(said, "\n") != 1 {
				t.Errorf("said %q", said)
			}
		})
	}
}

func TestSpansThatWereTakenAreNotSentAgainBecauseOfAGarbledAnswer(t *testing.T) {
	for name, answer := range map[string]string{
		"no message":         "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n\xff\xff\xff\xff\xff",
		"breaks off":         "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nabc",
		"says gzip, is none": "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
	} {
		t.Run(name, func(t *testing.T) {
			sdk := sdkFor(t, rawServer(t, answer))
			endSpans(sdk, 3)
			if err := sdk.Flush(testContext(t)); err != nil || sdk.DroppedSpans() != 0 {
				t.Errorf("%v, %d dropped", err, sdk.DroppedSpans())
			}
		})
	}
}

// rawServer reads a request and answers with these bytes.
func rawServer(t *testing.T, answer string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		raw, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer raw.Close()
		_, _ = io.WriteString(raw, answer)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// hostile is a value whose every method panics, or uses the span it is set on.
type hostile struct{ use func() string }

func (h hostile) String() string { return h.use() }
func (h hostile) Error() string  { return h.use() }

type hostileWrapper struct{ error }

func (hostileWrapper) Unwrap() error { panic("Unwrap") }

func TestValuesWhoseMethodsPanicAreTags(t *testing.T) {
	server := newCollector(t)
	sdk := server.sdk(t, Config{})
	ctx, span := sdk.StartSpan(context.Background(), "hostile")
	panics := hostile{func() string { panic("String") }}
	span.SetTag("tag", panics)
	span.SetTag("in a list", []any{1, panics})
	span.SetTag("as a key", map[any]any{"k": panics})
	span.AddEvent("event", map[string]any{"tag": panics})
	span.AddLink(span.Context(), map[string]any{"tag": panics})
	span.CaptureException(panics)
	sdk.CaptureExceptionContext(ctx, hostileWrapper{errors.New("outer")})
	var nilError *timeoutError
	span.CaptureException(nilError)
	span.End()
	got := server.flushed(t, sdk)["hostile"]
	if text, _ := got.Attributes["tag"].(string); !strings.Contains(text, "PANIC") {
		t.Errorf("the tag is %q", text)
	}
	if len(got.Events) != 4 || got.Links != 1 || got.Attributes["in a list"] == nil {
		t.Errorf("%+v", got)
	}
}

func TestAValueMayUseTheSpanItIsSetOn(t *testing.T) {
	server := newCollector(t)
	sdk := server.sdk(t, Config{})
	ctx, span := sdk.StartSpan(context.Background(), "used")
	_, unbind := bind(ctx, span)
	defer unbind()
	uses := hostile{func() string {
		sdk.GetCurrentSpan(context.Background()).SetTag("from inside", true)
		span.SetName("renamed")
		return "text"
	}}
	span.SetTag("tag", uses)
	span.AddEvent("event", map[string]any{"tag": uses})
	span.AddLink(span.Context(), map[string]any{"tag": uses})
	span.CaptureException(uses)
	span.End()
	got := server.flushed(t, sdk)["renamed"]
	if got.Attributes["tag"] != "text" || got.Attributes["from inside"] != true || len(got.Events) != 2 {
		t.Errorf("%+v", got)
	}
}

// ring leads back to itself in ways that fmt follows for ever.
type ring struct {
	Next     *ring
	Children []any
	ByName   map[string]any
}

func TestValuesThatGoInCirclesEnd(t *testing.T) {
	inSlice, inMap, deep := &ring{}, &ring{}, any("bottom")
	inSlice.Next = inSlice
	inSlice.Children = []any{inSlice.Children}
	inSlice.Children[0] = inSlice.Children
	inMap.ByName = map[string]any{}
	inMap.ByName["self"] = inMap.ByName
	list := make([]any, maxArrayItems)
	for i := range list {
		list[i] = list
	}
	for i := 0; i < 10_000; i++ {
		deep = []any{deep}
	}
	var pointer any
	pointer = &pointer
	server := newCollector(t)
	sdk := server.sdk(t, Config{})
	for _, value := range []any{inSlice, *inSlice, inMap, *inMap, list, deep, pointer,
		make([]ring, 1<<20), struct{ many []string }{make([]string, 1<<20)}} {
		_, span := sdk.StartSpan(context.Background(), "circles")
		span.SetTag("value", value)
		span.AddEvent("event", map[string]any{"value": value})
		span.CaptureException(fmt.Errorf("with %T", value))
		span.End()
	}
	spans := server.flushed(t, sdk)
	if len(spans) != 9 {
		t.Errorf("%d spans", len(spans))
	}
	if got := spans["circles"].Attributes["value"]; got != "tracekit.ring" {
		t.Errorf("a ring is %q", got)
	}
}

type panickingWriter struct{}

func (panickingWriter) Write([]byte) (int, error) { panic("a full log") }

func TestALogThatCannotBeWrittenEndsNothing(t *testing.T) {
	writers := map[string]io.Writer{"it panics": panickingWriter{}}
	if full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0); err == nil {
		defer full.Close()
		writers["the disk is full"] = full
	} else {
		t.Log("this system has no /dev/full")
	}
	for name, writer := range writers {
		t.Run(name, func(t *testing.T) {
			log.SetOutput(writer)
			defer log.SetOutput(os.Stderr)
			sdk := sdkFor(t, rawServer(t, "garbage"))
			sdk.exporter.sender.sleep = func(context.Context, time.Duration) {}
			endSpans(sdk, 3)
			if err := sdk.Flush(testContext(t)); err == nil || sdk.DroppedSpans() != 3 {
				t.Errorf("%v, %d dropped", err, sdk.DroppedSpans())
			}
		})
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestAPanicWhileSendingIsOneLine(t *testing.T) {
	server := newCollector(t)
	said := captureLog(t, func() {
		sdk := server.sdk(t, Config{})
		plain := sdk.exporter.sender.client.Transport
		sdk.exporter.sender.client.Transport = roundTripper(
			func(*http.Request) (*http.Response, error) { panic("a proxy's mistake") })
		for round := 0; round < 2; round++ {
			endSpans(sdk, 3)
			if sdk.Flush(testContext(t)) == nil {
				t.Error("Flush says that all is well")
			}
		}
		sdk.exporter.sender.client.Transport = plain
		endSpans(sdk, 3)
		server.flushed(t, sdk)
		if sdk.DroppedSpans() != 6 || len(server.Spans()) != 3 {
			t.Errorf("%d dropped, %d arrived", sdk.DroppedSpans(), len(server.Spans()))
		}
	})
	if strings.Count(said, "\n") != 1 || !strings.Contains(said, "a proxy's mistake") {
		t.Errorf("said %q", said)
	}
}

func TestAPanicOfTheProgramIsItsOwn(t *testing.T) {
	server := newCollector(t)
	sdk := server.sdk(t, Config{})
	client := sdk.HTTPClient(&http.Client{Transport: roundTripper(
		func(*http.Request) (*http.Response, error) { panic("the program's transport") })})
	func() {
		defer func() {
			if got := recover(); got != "the program's transport" {
				t.Errorf("recovered %v", got)
			}
		}()
		_, _ = client.Get("http://api.yourapp.com/")
		t.Error("the panic is gone")
	}()
	got := server.flushed(t, sdk)["GET"]
	if got.StatusCode != 2 || len(got.Events) != 1 {
		t.Errorf("%+v", got)
	}
}

func TestAClockThatJumpsChangesNoDuration(t *testing.T) {
	defer syncClock()
	server := newCollector(t)
	sdk := server.sdk(t, Config{})
	for _, jump := range []time.Duration{-50 * 365 * 24 * time.Hour, -time.Hour, time.Hour} {
		syncClock()
		_, span := sdk.StartSpan(context.Background(), jump.String())
		wallOffset.Add(int64(jump)) // the machine's clock is set meanwhile
		span.AddEvent("after the jump", nil)
		span.End()
	}
	for name, span := range server.flushed(t, sdk) {
		if span.End < span.Start || span.End-span.Start > uint64(30*time.Second) {
			t.Errorf("%s: from %d to %d", name, span.Start, span.End)
		}
	}
}
