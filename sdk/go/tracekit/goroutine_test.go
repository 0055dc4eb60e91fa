//go:build gc && !tracekit_nolabels

package tracekit

import (
	"context"
	"net/http"
	"reflect"
	"runtime"
	"runtime/pprof"
	"strings"
	"sync"
	"testing"
	"time"
)

func testSpan(t *testing.T) *Span {
	_, span := newCollector(t).sdk(t, Config{}).StartSpan(context.Background(), "bound")
	return span
}

func boundElsewhere() (span *Span) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		span = boundSpan()
	}()
	<-done
	return span
}

func TestTheBindingReachesTheGoroutinesThatAreStartedAndNoOthers(t *testing.T) {
	before := make(chan *Span)
	ask := make(chan struct{})
	go func() { // started before the binding
		<-ask
		before <- boundSpan()
	}()
	span := testSpan(t)
	_, unbind := bind(context.Background(), span)
	if boundSpan() != span || boundElsewhere() != span {
		t.Error("not bound")
	}
	close(ask)
	if <-before != nil {
		t.Error("bound to a goroutine that was there before")
	}
	unbind()
	if boundSpan() != nil || boundElsewhere() != nil {
		t.Error("still bound")
	}
}

func TestAGoroutineOfTheHandlerSendsTheTraceOn(t *testing.T) {
	server := newCollector(t)
	sdk := server.sdk(t, Config{})
	url, headers := echoServer(t)
	handler := sdk.HTTPHandler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			get(t, HTTPClient, url)
		}()
		<-done
	}), "serve")
	serve(handler, "GET", "/")
	if got := (<-headers).Get("traceparent"); !strings.Contains(got, callerTrace) {
		t.Errorf("sent %q", got)
	}
}

func TestBindingsNest(t *testing.T) {
	outer, inner := testSpan(t), testSpan(t)
	ctx, unbindOuter := bind(context.Background(), outer)
	_, unbindInner := bind(ctx, inner)
	if boundSpan() != inner {
		t.Error("the inner one is not bound")
	}
	unbindInner()
	if boundSpan() != outer {
		t.Error("the outer one is not bound again")
	}
	unbindOuter()
}

func TestTheBindingSurvivesGarbageCollectionAndOtherLabels(t *testing.T) {
	span := testSpan(t)
	ctx, unbind := bind(context.Background(), span)
	defer unbind()
	pprof.Do(ctx, pprof.Labels("job", "report", "zone", "eu"), func(context.Context) {
		runtime.GC()
		if boundSpan() != span {
			t.Error("lost inside pprof.Do")
		}
	})
}

func TestLabelsOfOthersStayAndAreNotTakenForOurs(t *testing.T) {
	pprof.Do(context.Background(), pprof.Labels("job", "report"), func(ctx context.Context) {
		if boundSpan() != nil {
			t.Error("bound")
		}
		_, unbind := bind(ctx, testSpan(t))
		unbind()
		labels := reflect.NewAt(labelsType, runtimeProfLabel()).Interface()
		if job, _ := pprof.Label(labelsContext{ctx, labels}, "job"); job != "report" {
			t.Errorf("job is %q", job)
		}
	})
}

func TestACopyOfTheLabelIsNotFollowed(t *testing.T) {
	span := testSpan(t)
	ctx, unbind := bind(context.Background(), span)
	text, _ := pprof.Label(ctx, spanLabel)
	unbind()
	for _, forged := range []string{strings.Clone(text), "", "0", "c000012345", "x"} {
		pprof.Do(context.Background(), pprof.Labels(spanLabel, forged), func(context.Context) {
			if boundSpan() != nil {
				t.Errorf("followed %q", forged)
			}
		})
	}
}

func TestTheBindingOfALongEndedSpanLapses(t *testing.T) {
	span := testSpan(t)
	_, unbind := bind(context.Background(), span)
	defer unbind()
	span.End()
	if boundSpan() != span {
		t.Error("a span that just ended is still the parent of what it started")
	}
	span.end -= 2 * bindingLapse
	if boundSpan() != nil {
		t.Error("did not lapse")
	}
}

func TestManyGoroutinesBindAtOnce(t *testing.T) {
	var wait sync.WaitGroup
	deadline := time.Now().Add(200 * time.Millisecond)
	for g := 0; g < 8; g++ {
		span := testSpan(t)
		wait.Add(1)
		go func() {
			defer wait.Done()
			for time.Now().Before(deadline) {
				_, unbind := bind(context.Background(), span)
				if boundSpan() != span || boundElsewhere() != span {
					t.Error("another's span")
				}
				unbind()
			}
		}()
	}
	wait.Wait()
}
