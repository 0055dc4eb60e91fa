//go:build !gc || tracekit_nolabels

package tracekit

import (
	"bytes"
	"context"
	"runtime"
	"sync"
)

// Without the runtime's labels (another compiler, or the build tag tracekit_nolabels) a span
// is bound to its goroutine by number. Goroutines that it starts do not inherit the binding.
var bound sync.Map // goroutine number, as text -> *Span

// bind makes span the goroutine's until the returned function is called.
func bind(ctx context.Context, span *Span) (context.Context, func()) {
	id := goroutineID()
	before, had := bound.Swap(id, span)
	return ctx, func() {
		if had {
			bound.Store(id, before)
		} else {
			bound.Delete(id)
		}
	}
}

// binding is the span bound to this goroutine, or nil.
func binding() *Span {
	span, _ := bound.Load(goroutineID())
	s, _ := span.(*Span)
	return s
}

// goroutineID reads the number from the first line of a stack trace, "goroutine 7 [running]:".
func goroutineID() string {
	var buf [64]byte
	line := buf[:runtime.Stack(buf[:], false)]
	return string(bytes.Fields(line)[1])
}
