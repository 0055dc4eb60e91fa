package tracekit

import (
	"context"
	"fmt"
	"reflect"
	"sync"
	"time"
)

// kind is what a span stands for in its trace, with OTLP's numbers.
type kind uint8

const (
	kindInternal kind = 1
	kindServer   kind = 2
	kindClient   kind = 3
)

// status is a span's outcome, with OTLP's numbers.
type status uint8

const (
	statusUnset status = 0
	statusError status = 2
)

// The limits of OpenTelemetry's SDK specification.
const (
	maxAttributes = 128
	maxEvents     = 128
	maxLinks      = 128
)

// Span is one operation of a trace. Its methods may be called from several goroutines, on a
// nil span, and after End, where they do nothing.
type Span struct {
	sdk          *SDK
	below        context.Context // what the span was started with
	sc           SpanContext
	parent       SpanID
	start        int64 // monotonic()
	wallOffset   int64
	kind         kind
	remoteParent bool

	status    status
	mu        sync.Mutex // of status, too, and of all below
	name      string
	recording *recording // nil: not sampled, or ended
	end       int64      // monotonic(); 0: not ended
}

// spanContext is the context StartSpan returns. It is the span itself, so that both are one
// allocation.
type spanContext Span

type spanKey struct{}

func (s *Span) context() context.Context { return (*spanContext)(s) }

func (c *spanContext) Deadline() (time.Time, bool) { return c.below.Deadline() }
func (c *spanContext) Done() <-chan struct{}       { return c.below.Done() }
func (c *spanContext) Err() error                  { return c.below.Err() }

func (c *spanContext) Value(key any) any {
	if key == (spanKey{}) {
		return (*Span)(c)
	}
	return c.below.Value(key)
}

// recording holds a live span's attributes and events as OTLP bytes: the fields of the
// message Span, in the order they were set.
type recording struct {
	generator         generator // of ids: a recording is one goroutine's while it is got
	bytes             []byte
	attributes        []attribute
	statusMessage     string
	events            int
	links             int
	droppedAttributes int
	droppedEvents     int
	droppedLinks      int
}

// attribute says where in recording.bytes an attribute stands, so that setting it again
// replaces it.
type attribute struct{ start, key, keyEnd, end int }

var recordings = sync.Pool{New: func() any {
	return &recording{
		generator: newGenerator(), bytes: make([]byte, 0, 1024), attributes: make([]attribute, 0, 16),
	}
}}

// release gives a recording back to be used again, unless one big span made it big.
func (r *recording) release() {
	if cap(r.bytes) > 16<<10 {
		return
	}
	*r = recording{generator: r.generator, bytes: r.bytes[:0], attributes: r.attributes[:0]}
	recordings.Put(r)
}

// SetTag sets an attribute; a key set before gets the new value. Strings, booleans, numbers,
// bytes, slices and maps keep their type; any other value is recorded as fmt prints it. A span
// has at most 128 attributes, further ones are counted and dropped.
func (s *Span) SetTag(key string, value any) {
	if s == nil || key == "" {
		return
	}
	if text, ok := value.(string); ok {
		s.setString(key, text)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.recording; r != nil && r.room(key) {
		start := len(r.bytes)
		r.bytes = appendAttribute(r.bytes, tagSpanAttribute, key, value)
		r.added(start, key)
	}
}

// setString is SetTag for a string.
func (s *Span) setString(key, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.recording; r != nil && r.room(key) {
		start := len(r.bytes)
		r.bytes = appendStringAttribute(r.bytes, tagSpanAttribute, key, value)
		r.added(start, key)
	}
}

// room makes room for an attribute: it removes the one with the same key, and says no when
// there are too many.
func (r *recording) room(key string) bool {
	for i, a := range r.attributes {
		if a.keyEnd-a.key == len(key) && string(r.bytes[a.key:a.keyEnd]) == key {
			r.remove(i)
			return true
		}
	}
	if len(r.attributes) < maxAttributes {
		return true
	}
	r.droppedAttributes++
	return false
}

// added notes the attribute whose bytes begin at start, or takes it away again when it made
// the span too big.
func (r *recording) added(start int, key string) {
	if len(r.bytes) > maxSpanBytes {
		r.bytes = r.bytes[:start]
		r.droppedAttributes++
		return
	}
	a := attribute{start: start, end: len(r.bytes)}
	a.key = start + 1 + varintSize(r.bytes[start+1:]) + 1
	a.key += varintSize(r.bytes[a.key:])
	a.keyEnd = a.key + len(key)
	r.attributes = append(r.attributes, a)
}

func varintSize(b []byte) int {
	n := 1
	for b[n-1] >= 0x80 {
		n++
	}
	return n
}

// remove takes out the attribute at index i and closes the gap.
func (r *recording) remove(i int) {
	gone := r.attributes[i]
	size := gone.end - gone.start
	r.bytes = append(r.bytes[:gone.start], r.bytes[gone.end:]...)
	r.attributes = append(r.attributes[:i], r.attributes[i+1:]...)
	for j := range r.attributes[i:] {
		a := &r.attributes[i+j]
		a.start, a.key, a.keyEnd, a.end = a.start-size, a.key-size, a.keyEnd-size, a.end-size
	}
}

// SetName gives the span another name.
func (s *Span) SetName(name string) {
	if s == nil {
		return
	}
	s.mu.Lock()
	s.name = name
	s.mu.Unlock()
}

// AddEvent records that something happened, now.
func (s *Span) AddEvent(name string, attributes map[string]any) {
	if s == nil {
		return
	}
	s.addEvent(name, func(b []byte) []byte {
		return appendAttributes(b, tagEventAttribute, tagEventDroppedAttributes, attributes)
	})
}

// AddLink points at a span that this one has to do with: one of a batch, the sender of a message.
func (s *Span) AddLink(to SpanContext, attributes map[string]any) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.recording
	if r == nil {
		return
	}
	start := len(r.bytes)
	if r.links < maxLinks {
		b, mark := openMessage(r.bytes, tagSpanLink)
		b = appendBytesField(b, tagLinkTraceID, to.TraceID[:])
		b = appendBytesField(b, tagLinkSpanID, to.SpanID[:])
		if to.TraceState != "" {
			b = appendStringField(b, tagLinkTraceState, to.TraceState)
		}
		b = appendAttributes(b, tagLinkAttribute, tagLinkDroppedAttributes, attributes)
		r.bytes = closeMessage(b, mark)
		r.links++
	}
	if len(r.bytes) == start || len(r.bytes) > maxSpanBytes {
		r.bytes = r.bytes[:start]
		r.droppedLinks++
	}
}

func (s *Span) addEvent(name string, appendContents func([]byte) []byte) {
	now := monotonic()
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.recording
	if r == nil {
		return
	}
	start := len(r.bytes)
	if r.events < maxEvents {
		b, mark := openMessage(r.bytes, tagSpanEvent)
		b = appendFixed64Field(b, tagEventTime, s.unixNano(now))
		b = appendStringField(b, tagEventName, name)
		r.bytes = closeMessage(appendContents(b), mark)
		r.events++
	}
	if len(r.bytes) == start || len(r.bytes) > maxSpanBytes {
		r.bytes = r.bytes[:start]
		r.droppedEvents++
	}
}

// SetError marks the span as failed, with a description for its reader.
func (s *Span) SetError(message string) {
	if s == nil {
		return
	}
	s.mu.Lock()
	s.status = statusError
	if s.recording != nil {
		s.recording.statusMessage = message
	}
	s.mu.Unlock()
}

// CaptureException records err as an exception event, with the stack of the caller, and marks
// the span as failed. A nil error is none.
func (s *Span) CaptureException(err error) {
	if s == nil || err == nil {
		return
	}
	s.captureException(err, stack(1))
}

// captureException takes an error, or whatever a panic was called with.
func (s *Span) captureException(err any, stack string) {
	s.recordException(err, stack)
	s.fail(err)
}

func (s *Span) recordException(err any, stack string) {
	typeName, message := describe(err)
	s.addEvent("exception", func(b []byte) []byte {
		b = appendStringAttribute(b, tagEventAttribute, "exception.type", typeName)
		b = appendStringAttribute(b, tagEventAttribute, "exception.message", message)
		if stack != "" {
			b = appendStringAttribute(b, tagEventAttribute, "exception.stacktrace", stack)
		}
		return b
	})
}

// fail marks the span as failed because of err.
func (s *Span) fail(err any) {
	typeName, message := describe(err)
	s.setString("error.type", typeName)
	s.SetError(message)
}

// describe gives the type and the text of an error, or of whatever a panic was called with.
// An error made by fmt.Errorf or joined says what it wraps: its own type tells nothing.
func describe(value any) (typeName, message string) {
	message = fmt.Sprint(value) // catches an Error method that panics
	err, ok := value.(error)
	for ok {
		wrapper, wraps := err.(interface{ Unwrap() error })
		if !wraps || fmt.Sprintf("%T", err) != "*fmt.wrapError" {
			break
		}
		inner := wrapper.Unwrap()
		if inner == nil {
			break
		}
		err = inner
	}
	if ok {
		return reflect.TypeOf(err).String(), message
	}
	return fmt.Sprintf("%T", value), message
}

// End finishes the span and hands it over to be sent. Only the first call counts.
func (s *Span) End() {
	if s == nil {
		return
	}
	now := monotonic()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.end != 0 {
		return
	}
	s.end = now
	if r := s.recording; r != nil {
		s.recording = nil
		s.sdk.exporter.queue.add(s, r)
		r.release()
	}
}

// discard ends the span without a trace of it.
func (s *Span) discard() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end = s.start
	if s.recording != nil {
		s.recording.release()
		s.recording = nil
	}
}

// Finish is End.
func (s *Span) Finish() { s.End() }

// unixNano is a moment of the monotonic clock in OTLP's terms.
func (s *Span) unixNano(moment int64) uint64 { return uint64(s.wallOffset + moment) }

// TraceID gives the trace's id, to write into a log or show to a user. Of a nil span: "".
func (s *Span) TraceID() string {
	if s == nil {
		return ""
	}
	return s.sc.TraceID.String()
}

// SpanID gives the span's id. Of a nil span: "".
func (s *Span) SpanID() string {
	if s == nil {
		return ""
	}
	return s.sc.SpanID.String()
}

// Context gives what the span's own requests carry.
func (s *Span) Context() SpanContext {
	if s == nil {
		return SpanContext{}
	}
	return s.sc
}
