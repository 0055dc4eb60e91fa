package tracekit

import "log"

// say writes a line to the standard logger. Where that leads is the program's: a writer that
// panics must not end it.
func say(format string, args ...any) {
	defer func() { _ = recover() }()
	log.Printf("tracekit: "+format, args...)
}
