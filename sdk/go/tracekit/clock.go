package tracekit

import (
	"sync/atomic"
	"time"
)

// Spans are timed by the monotonic clock alone, which costs half of time.Now and cannot jump
// while a span is open. The distance to the wall clock is kept beside it, and measured anew
// every few seconds: a machine's time is set, and a laptop sleeps.
var (
	clockStart = time.Now()
	wallOffset atomic.Int64 // Unix time less monotonic, in nanoseconds
)

func init() { syncClock() }

// monotonic gives nanoseconds since the program started, never 0.
func monotonic() int64 { return int64(time.Since(clockStart)) | 1 }

func syncClock() {
	now := time.Now()
	wallOffset.Store(now.UnixNano() - int64(now.Sub(clockStart)))
}
