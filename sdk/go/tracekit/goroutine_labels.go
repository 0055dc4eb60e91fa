//go:build gc && !tracekit_nolabels

package tracekit

import (
	"context"
	"reflect"
	"runtime/pprof"
	"strconv"
	"unsafe"
)

// A goroutine has no variables of its own but one: its profiler labels, which the goroutines
// it starts inherit. The server span is bound to its goroutine as a label. Setting labels is
// public; reading them back is not, but runtime/pprof's own accessors are among the functions
// the runtime promises to keep for packages that link to them (go.dev/issue/67401).
//
// A label is a string, and a span is a pointer. The label's text is the first field of a
// struct that also holds the span, so the string's data pointer leads to the span, and keeps
// it alive. The text is the struct's own address: a string of another origin, or a copy,
// does not stand at the address it says, and is never followed.

//go:linkname runtimeProfLabel runtime/pprof.runtime_getProfLabel
func runtimeProfLabel() unsafe.Pointer

//go:linkname runtimeSetProfLabel runtime/pprof.runtime_setProfLabel
func runtimeSetProfLabel(labels unsafe.Pointer)

const (
	spanLabel    = "tracekit.span"
	addressWidth = 16 // 64 bits in hexadecimal
)

type label struct {
	text [addressWidth]byte
	span *Span
}

// labelsType is what the pointer to a goroutine's labels points to, and the only thing about
// them that has to be known: nil when it is not as expected, and nothing is bound.
var labelsType = findLabelsType()

// bind makes span the goroutine's until the returned function is called, by the same
// goroutine. The context carries the labels on, for code that sets labels from it (pprof.Do).
func bind(ctx context.Context, span *Span) (context.Context, func()) {
	if labelsType == nil {
		return ctx, func() {}
	}
	before := runtimeProfLabel()
	l := &label{span: span}
	text := strconv.AppendUint(l.text[:0], uint64(uintptr(unsafe.Pointer(l))), 16)
	ctx = pprof.WithLabels(ctx, pprof.Labels(spanLabel, unsafe.String(&l.text[0], len(text))))
	pprof.SetGoroutineLabels(ctx)
	return ctx, func() { runtimeSetProfLabel(before) }
}

// binding is the span bound to this goroutine, or nil.
func binding() *Span {
	labels := runtimeProfLabel()
	if labels == nil || labelsType == nil {
		return nil
	}
	reader := labelsContext{context.Background(), reflect.NewAt(labelsType, labels).Interface()}
	text, ok := pprof.Label(reader, spanLabel)
	if !ok {
		return nil
	}
	address, err := strconv.ParseUint(text, 16, 64)
	l := unsafe.Pointer(unsafe.StringData(text))
	if err != nil || uint64(uintptr(l)) != address {
		return nil
	}
	return (*label)(l).span
}

// labelsContext answers every key with the labels: runtime/pprof, which alone asks it, has
// one key, and does not tell it.
type labelsContext struct {
	context.Context
	labels any
}

func (c labelsContext) Value(any) any { return c.labels }

// listeningContext hears what runtime/pprof finds in a context under its key.
type listeningContext struct {
	context.Context
	heard *any
}

func (c listeningContext) Value(key any) any {
	*c.heard = c.Context.Value(key)
	return *c.heard
}

// findLabelsType learns the type from a context with labels, and makes sure that a goroutine
// with these labels has a pointer to that very value.
func findLabelsType() (found reflect.Type) {
	var value any
	labelled := pprof.WithLabels(context.Background(), pprof.Labels(spanLabel, ""))
	pprof.Label(listeningContext{labelled, &value}, spanLabel)
	v := reflect.ValueOf(value)
	if v.Kind() != reflect.Pointer {
		return nil
	}
	before := runtimeProfLabel()
	pprof.SetGoroutineLabels(labelled)
	if runtimeProfLabel() == v.UnsafePointer() {
		found = v.Type().Elem()
	}
	runtimeSetProfLabel(before)
	return found
}
