package tracekit

import (
	"runtime"
	"strconv"
	"strings"
)

const maxFrames = 64

// stack gives the calling goroutine's stack as text, without the skip innermost functions
// below the caller of stack.
func stack(skip int) string {
	var counters [maxFrames]uintptr
	n := runtime.Callers(skip+2, counters[:])
	frames := runtime.CallersFrames(counters[:n])
	var text strings.Builder
	for more := n > 0; more; {
		var frame runtime.Frame
		frame, more = frames.Next()
		text.WriteString(frame.Function)
		text.WriteString("\n\t")
		text.WriteString(frame.File)
		text.WriteByte(':')
		text.WriteString(strconv.Itoa(frame.Line))
		text.WriteByte('\n')
	}
	return text.String()
}
