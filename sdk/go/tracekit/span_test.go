package tracekit

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestEveryKindOfTagKeepsItsType(t *testing.T) {
	type plan string
	var nilError *timeoutError
	var nilPointer *int
	seven := 7
	cyclic := map[string]any{}
	cyclic["self"] = cyclic
	server := newCollector(t)
	sdk := server.sdk(t, Config{})
	_, span := sdk.StartSpan(context.Background(), "tags")
	tags := []struct {
		value, want any
	}{
		{"text", "text"}, {"", ""}, {plan("pro"), "pro"}, {"bad \xff utf-8", "bad \uFFFD utf-8"},
		{true, true}, {false, false},
		{1, int64(1)}, {int8(-2), int64(-2)}, {uint16(3), int64(3)},
		{int64(math.MinInt64), int64(math.MinInt64)},
		{uint64(math.MaxUint64), "18446744073709551615"},
		{1.5, 1.5}, {float32(0.25), 0.25}, {math.Inf(1), math.Inf(1)},
		{[]byte{0, 1}, []byte{0, 1}},
		{[]string{"a", "b"}, []any{"a", "b"}}, {[]any{1, "x", nil}, []any{int64(1), "x", nil}},
		{[2]int{1, 2}, []any{int64(1), int64(2)}}, {[]int{}, []any{}},
		{map[string]any{"k": 1}, map[string]any{"k": int64(1)}},
		{map[int]bool{7: true}, map[string]any{"7": true}},
		{nil, nil}, {nilPointer, nil}, {&seven, int64(7)},
		{struct{ A int }{1}, "{1}"}, {&struct{ A int }{1}, "{1}"},
		{errors.New("broken"), "broken"}, {nilError, "<nil>"}, {time.Second, "1s"},
		{time.Date(2026, 11, 23, 5, 0, 0, 0, time.UTC), "2026-11-23T05:00:00Z"},
		{strings.Repeat("x", 1000), strings.Repeat("x", 1000)},
	}
	for i, tag := range tags {
		span.SetTag(fmt.Sprint("tag.", i), tag.value)
	}
	span.SetTag("cyclic", cyclic)
	span.SetTag("", "no key")
	span.End()
	got := server.flushed(t, sdk)["tags"].Attributes
	for i, tag := range tags {
		if value := got[fmt.Sprint("tag.", i)]; !reflect.DeepEqual(value, tag.want) {
			t.Errorf("%T %v: got %T %v, want %v", tag.value, tag.value, value, value, tag.want)
		}
	}
	if len(got) != len(tags)+1 {
		t.Errorf("%d tags, want %d", len(got), len(tags)+1)
	}
}

type timeoutError struct{ after time.Duration }

func (e *timeoutError) Error() string { return e.after.String() }

func TestATagSetAgainIsReplaced(t *testing.T) {
	server := newCollector(t)
	sdk := server.sdk(t, Config{})
	_, span := sdk.StartSpan(context.Background(), "tags")
	for round := 0; round < 3; round++ {
		for i := 0; i < 20; i++ {
			span.SetTag(fmt.Sprint("k", i), strings.Repeat("v", round*i*20))
		}
	}
	span.End()
	got := server.flushed(t, sdk)["tags"].Attributes
	for i := 0; i < 20; i++ {
		if got[fmt.Sprint("k", i)] != strings.Repeat("v", 2*i*20) {
			t.Errorf("k%d is %v", i, got[fmt.Sprint("k", i)])
		}
	}
}

func TestWhatIsBeyondTheLimitsIsCountedAndDropped(t *testing.T) {
	server := newCollector(t)
	sdk := server.sdk(t, Config{})
	_, span := sdk.StartSpan(context.Background(), "big")
	for i := 0; i < 130; i++ {
		span.SetTag(fmt.Sprint("k", i), i)
		span.AddEvent("event", map[string]any{"i": i})
	}
	span.SetTag("k0", "set again")
	span.End()
	_, span = sdk.StartSpan(context.Background(), "huge")
	text := strings.Repeat("x", maxStringBytes)
	span.SetTag("huge", []string{text, text, text, text, text, text, text, text, text})
	span.SetTag("small", 1)
	span.End()
	spans := server.flushed(t, sdk)
	big, huge := spans["big"], spans["huge"]
	if len(big.Attributes) != 128 || big.DroppedAttributes != 2 ||
		big.Attributes["k0"] != "set again" {
		t.Errorf("%d attributes, %d dropped", len(big.Attributes), big.DroppedAttributes)
	}
	if len(big.Events) != 128 || big.DroppedEvents != 2 ||
		big.Events[127].Attributes["i"] != int64(127) {
		t.Errorf("%d events, %d dropped", len(big.Events), big.DroppedEvents)
	}
	if !reflect.DeepEqual(huge.Attributes, map[string]any{"small": int64(1)}) ||
		huge.DroppedAttributes != 1 {
		t.Errorf("huge: %d attributes, %d dropped", len(huge.Attributes), huge.DroppedAttributes)
	}
}

func TestAnEndedSpanAndNoSpanTakeEveryCall(t *testing.T) {
	server := newCollector(t)
	sdk := server.sdk(t, Config{})
	_, ended := sdk.StartSpan(context.Background(), "ended")
	ended.Finish()
	for _, span := range []*Span{ended, nil} {
		span.SetTag("late", 1)
		span.SetName("late")
		span.AddEvent("late", nil)
		span.SetError("late")
		span.CaptureException(errors.New("late"))
		span.End()
		_, _, _ = span.TraceID(), span.SpanID(), span.Context()
	}
	spans := server.flushed(t, sdk)
	if len(spans) != 1 || len(spans["ended"].Attributes)+len(spans["ended"].Events) != 0 {
		t.Errorf("%+v", spans)
	}
}

func TestChildrenFollowTheContext(t *testing.T) {
	server := newCollector(t)
	sdk := server.sdk(t, Config{})
	ctx, root := sdk.StartSpan(context.Background(), "root")
	ctx2, child := sdk.StartSpan(context.WithValue(ctx, "k", "v"), "child") //nolint:staticcheck
	_, grandchild := sdk.StartSpan(ctx2, "grandchild")
	_, alone := sdk.StartSpan(ContextWithSpan(ctx, nil), "alone")
	if sdk.GetCurrentSpan(ctx2) != child || ctx2.Value("k") != "v" {
		t.Error("the context does not carry the span and what was there before")
	}
	for _, span := range []*Span{alone, grandchild, child, root} {
		span.End()
	}
	spans := server.flushed(t, sdk)
	if spans["root"].ParentID != "" || spans["child"].ParentID != spans["root"].ID ||
		spans["grandchild"].ParentID != spans["child"].ID {
		t.Errorf("%+v", spans)
	}
	if spans["alone"].ParentID != "" || spans["alone"].TraceID == spans["root"].TraceID {
		t.Error("alone is not alone")
	}
	if got := spans["root"]; got.TraceState != "ot=th:0" || got.Flags != 0x103 || got.Kind != 1 {
		t.Errorf("%+v", got)
	}
	for _, span := range spans {
		if span.Start > span.End || span.Start < uint64(time.Now().Add(-time.Minute).UnixNano()) {
			t.Errorf("%s took from %d to %d", span.Name, span.Start, span.End)
		}
	}
}

func TestASpanIsForManyGoroutines(t *testing.T) {
	server := newCollector(t)
	sdk := server.sdk(t, Config{})
	ctx, span := sdk.StartSpan(context.Background(), "shared")
	var wait sync.WaitGroup
	for g := 0; g < 8; g++ {
		g := g
		wait.Add(1)
		go func() {
			defer wait.Done()
			for i := 0; i < 100; i++ {
				span.SetTag(fmt.Sprint("g", g), i)
				span.AddEvent("e", nil)
				_, child := sdk.StartSpan(ctx, "child")
				child.End()
			}
			span.End()
		}()
	}
	wait.Wait()
	spans := server.flushed(t, sdk)
	if len(spans) != 801 {
		t.Errorf("%d spans", len(spans))
	}
}

func TestAnExceptionIsAnEventWithTypeMessageAndStack(t *testing.T) {
	server := newCollector(t)
	sdk := server.sdk(t, Config{})
	ctx, span := sdk.StartSpan(context.Background(), "failing")
	sdk.CaptureExceptionContext(ctx, fmt.Errorf("loading users: %w", &timeoutError{time.Second}))
	sdk.CaptureExceptionContext(ctx, nil)
	span.End()
	got := server.flushed(t, sdk)["failing"]
	if len(got.Events) != 1 || got.Events[0].Name != "exception" || got.StatusCode != 2 ||
		got.StatusMessage != "loading users: 1s" {
		t.Fatalf("%+v", got)
	}
	attributes := got.Events[0].Attributes
	if attributes["exception.type"] != "*tracekit.timeoutError" ||
		attributes["exception.message"] != "loading users: 1s" ||
		got.Attributes["error.type"] != "*tracekit.timeoutError" {
		t.Errorf("%+v", attributes)
	}
	trace := attributes["exception.stacktrace"].(string)
	if !strings.HasPrefix(trace, "github.com/Tracekit-Dev/go-sdk/tracekit.TestAnException") {
		t.Errorf("the stack begins elsewhere:\n%s", trace)
	}
}

func TestAnExceptionWithoutASpanIsNotLost(t *testing.T) {
	server := newCollector(t)
	sdk := server.sdk(t, Config{})
	sdk.CaptureException(errors.New("at start"))
	got := server.flushed(t, sdk)["exception"]
	if len(got.Events) != 1 || got.Events[0].Attributes["exception.message"] != "at start" {
		t.Errorf("%+v", got)
	}
}
