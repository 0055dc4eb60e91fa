package tracekit

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"
)

func TestASpanOfAKindContinuesItsCaller(t *testing.T) {
	server := newCollector(t)
	sdk := server.sdk(t, Config{})
	caller := ParseSpanContext(
		[]string{"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}, []string{"a=1"}, nil)
	local, parent := sdk.StartSpan(context.Background(), "local")
	for _, kind := range []Kind{Server, Client, Producer, Consumer, Internal} {
		_, span := sdk.StartSpanOfKind(local, "called", kind, caller)
		if span.Context().TraceID != caller.TraceID || span.Context().TraceState() != "a=1" {
			t.Errorf("kind %d continues %s", kind, span.TraceID())
		}
		span.End()
		_, span = sdk.StartSpanOfKind(local, "not called", kind, SpanContext{})
		if below := span.TraceID() == parent.TraceID(); below == (kind == Server) {
			t.Errorf("kind %d without a caller is below the current span: %t", kind, below)
		}
		span.End()
	}
	outerContext, outer := sdk.StartSpanOfKind(context.Background(), "outer", Server, caller)
	_, inner := sdk.StartSpanOfKind(outerContext, "inner", Server, caller)
	inner.End()
	outer.End()
	_, odd := sdk.StartSpanOfKind(nil, "no kind", Kind(200), SpanContext{}) //nolint:staticcheck
	odd.End()
	server.flushed(t, sdk)
	spans := server.ByName()
	if spans["inner"].ParentID != outer.SpanID() || spans["outer"].ParentID != caller.SpanID.String() {
		t.Errorf("a server span is below %s", spans["inner"].ParentID)
	}
	if spans["called"].Kind != 2 || spans["called#2"].Kind != 3 || spans["no kind"].Kind != 1 {
		t.Errorf("kinds %d, %d, %d", spans["called"].Kind, spans["called#2"].Kind, spans["no kind"].Kind)
	}
	off, err := NewSDK(Config{Disabled: true})
	if err != nil {
		t.Fatal(err)
	}
	if ctx, span := off.StartSpanOfKind(local, "off", Server, caller); span != nil || ctx != local {
		t.Error("a disabled SDK started a span")
	}
}

func TestAPanicIsRecordedWithItsStack(t *testing.T) {
	server := newCollector(t)
	sdk := server.sdk(t, Config{})
	for _, value := range []any{"out of cheese", errors.New("an error"), nil} {
		_, span := sdk.StartSpan(context.Background(), "panics")
		func() {
			defer func() { span.CapturePanic(recover()) }()
			if value != nil {
				panic(value)
			}
		}()
		span.End()
	}
	(*Span)(nil).CapturePanic("nothing happens")
	server.flushed(t, sdk)
	spans := server.ByName()
	first, second, none := spans["panics"], spans["panics#2"], spans["panics#3"]
	if first.StatusMessage != "out of cheese" || second.StatusMessage != "an error" || none.StatusCode != 0 {
		t.Errorf("%q, %q, %d", first.StatusMessage, second.StatusMessage, none.StatusCode)
	}
	if trace, _ := first.Events[0].Attributes["exception.stacktrace"].(string); !strings.Contains(
		trace, "TestAPanicIsRecordedWithItsStack") {
		t.Errorf("the stack is %s", trace)
	}
}

func TestAGoroutineIsBoundUntilItIsUnbound(t *testing.T) {
	server := newCollector(t)
	sdk := server.sdk(t, Config{})
	ctx, span := sdk.StartSpan(context.Background(), "bound")
	defer span.End()
	_, unbind := BindGoroutine(ctx)
	if got := sdk.GetCurrentSpan(context.Background()); got != span {
		t.Errorf("bound is %v", got)
	}
	unbind()
	_, unbindNothing := BindGoroutine(context.Background())
	if got := sdk.GetCurrentSpan(context.Background()); got != nil {
		t.Errorf("still bound is %v", got)
	}
	unbindNothing()
}

func TestTargetsAreAskedForAnyProtocol(t *testing.T) {
	server := newCollector(t)
	sdk := server.sdk(t, Config{TracePropagationTargets: []any{"grpc://users:50051/"}})
	for address, want := range map[string]bool{"grpc://users:50051/a.B/C": true, "grpc://other/a.B/C": false} {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		if got := sdk.PropagatesTo(u); got != want {
			t.Errorf("%s: %t", address, got)
		}
	}
}
