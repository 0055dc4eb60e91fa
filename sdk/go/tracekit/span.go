package tracekit

import (
	"context"
	"fmt"
	"math"
	"reflect"
	"sync"
	"time"
)

// Kind is what a span stands for in its trace, with OTLP's numbers.
type Kind uint8

// The kinds of a span. Client and Server are the two ends of one call, Producer and Consumer
// those of one message.
const (
	Internal Kind = 1
	Server   Kind = 2
	Client   Kind = 3
	Producer Kind = 4
	Consumer Kind = 5
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
	sdk   *SDK
	below context.Context // what the span was started with
	sc    SpanContext
	kind  Kind

	mu        sync.Mutex // of all below
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

// SetTag sets an attribute; a key set before gets the new value. Strings, booleans, numbers,
// bytes, slices and maps keep their type; any other value is recorded as fmt prints it. A span
// has at most 128 attributes, further ones are counted and dropped.
func (s *Span) SetTag(key string, value any) {
	if s == nil || key == "" {
		return
	}
	switch v := value.(type) { // the commonest, without a look at what is in them
	case string:
		s.setString(key, v)
	case int:
		s.setScalar(key, tagValueInt, uint64(v))
	case int64:
		s.setScalar(key, tagValueInt, uint64(v))
	case bool:
		s.setScalar(key, tagValueBool, boolBits(v))
	case float64:
		s.setScalar(key, tagValueDouble, math.Float64bits(v))
	default:
		s.setEncoded(key, value)
	}
}

// setString is SetTag for a string.
func (s *Span) setString(key, value string) {
	key = cleanKey(key)
	s.mu.Lock()
	if s.recording != nil {
		s.recording.setString(key, value)
	}
	s.mu.Unlock()
}

// setScalar is SetTag for what OTLP writes as a number: valueTag says which kind.
func (s *Span) setScalar(key string, valueTag byte, bits uint64) {
	key = cleanKey(key)
	s.mu.Lock()
	if s.recording != nil {
		s.recording.setScalar(key, valueTag, bits)
	}
	s.mu.Unlock()
}

// setEncoded is SetTag for all else. The lock is not held meanwhile: the value's own methods
// run, and may well use this span.
func (s *Span) setEncoded(key string, value any) {
	if !s.isRecording() {
		return
	}
	key = cleanKey(key)
	encoded := appendAttribute(nil, tagSpanAttribute, key, value)
	s.mu.Lock()
	if r := s.recording; r != nil && r.room(key) {
		start := len(r.bytes)
		r.bytes = append(r.bytes, encoded...)
		r.added(start)
	}
	s.mu.Unlock()
}

// isRecording says whether what is set on the span will be sent.
func (s *Span) isRecording() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.recording != nil
}

// SetName gives the span another name.
func (s *Span) SetName(name string) {
	if s == nil {
		return
	}
	s.mu.Lock()
	if s.recording != nil {
		s.recording.rename(name)
	}
	s.mu.Unlock()
}

// AddEvent records that something happened, now.
func (s *Span) AddEvent(name string, attributes map[string]any) {
	if s == nil || !s.isRecording() {
		return
	}
	s.addEvent(name, appendAttributes(nil, tagEventAttribute, tagEventDroppedAttributes, attributes))
}

// addEvent takes the event's attributes encoded: values' own methods must not run in the lock.
func (s *Span) addEvent(name string, attributes []byte) {
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
		b = appendFixed64Field(b, tagEventTime, r.unixNano(now))
		b = appendStringField(b, tagEventName, name)
		r.bytes = closeMessage(append(b, attributes...), mark)
		r.events++
	}
	if len(r.bytes) == start || len(r.bytes) > maxSpanBytes {
		r.bytes = r.bytes[:start]
		r.droppedEvents++
	}
}

// AddLink points at a span that this one has to do with: one of a batch, the sender of a message.
func (s *Span) AddLink(to SpanContext, attributes map[string]any) {
	if s == nil || !s.isRecording() {
		return
	}
	link, mark := openMessage(nil, tagSpanLink)
	link = appendBytesField(link, tagLinkTraceID, to.TraceID[:])
	link = appendBytesField(link, tagLinkSpanID, to.SpanID[:])
	if state := to.TraceState(); state != "" {
		link = appendStringField(link, tagLinkTraceState, state)
	}
	link = appendAttributes(link, tagLinkAttribute, tagLinkDroppedAttributes, attributes)
	link = closeMessage(link, mark)
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.recording
	switch {
	case r == nil:
	case r.links == maxLinks || len(r.bytes)+len(link) > maxSpanBytes:
		r.droppedLinks++
	default:
		r.bytes = append(r.bytes, link...)
		r.links++
	}
}

// SetError marks the span as failed, with a description for its reader.
func (s *Span) SetError(message string) {
	if s == nil {
		return
	}
	s.mu.Lock()
	if s.recording != nil {
		s.recording.status, s.recording.statusMessage = statusError, message
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

// CapturePanic is CaptureException for what recover gave, with the stack of the panic when it
// is called in the deferred function. The panic is the caller's to go on with; nil is none.
func (s *Span) CapturePanic(recovered any) {
	if s == nil || recovered == nil {
		return
	}
	s.captureException(recovered, stack(1))
}

// captureException takes an error, or whatever a panic was called with.
func (s *Span) captureException(err any, stack string) {
	s.recordException(err, stack)
	s.fail(err)
}

func (s *Span) recordException(err any, stack string) {
	typeName, message := describe(err)
	b := appendStringAttribute(nil, tagEventAttribute, "exception.type", typeName)
	b = appendStringAttribute(b, tagEventAttribute, "exception.message", message)
	if stack != "" {
		b = appendStringAttribute(b, tagEventAttribute, "exception.stacktrace", stack)
	}
	s.addEvent("exception", b)
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
	message = printed(value)
	defer func() {
		if recover() != nil { // in an Unwrap
			typeName = fmt.Sprintf("%T", value)
		}
	}()
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
	r := s.recording
	s.recording = nil
	if s.end == 0 {
		s.end = now
	}
	s.mu.Unlock()
	if r != nil {
		s.sdk.exporter.queue.add(r.finish(now))
		r.release()
	}
}

// discard ends the span without a trace of it.
func (s *Span) discard() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end = monotonic()
	if s.recording != nil {
		s.recording.release()
		s.recording = nil
	}
}

// Finish is End.
func (s *Span) Finish() { s.End() }

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
