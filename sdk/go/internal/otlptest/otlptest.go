// Package otlptest is an OTLP server for tests: it decodes what it gets with a decoder of its
// own, that shares nothing with the encoder under test.
package otlptest

import (
	"compress/gzip"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
)

// Collector answers 200 to each request, or what Answer writes.
type Collector struct {
	*httptest.Server
	Answer func(w http.ResponseWriter, n int) // to the n-th request, from 1

	mu       sync.Mutex
	requests []*http.Request
	resource map[string]any
	spans    []Span
}

// Span is a message Span, decoded.
type Span struct {
	TraceID, ID, ParentID, TraceState, Name string
	Kind                                    uint64
	Start, End                              uint64
	Attributes                              map[string]any
	Events                                  []Event
	Links                                   int
	DroppedAttributes, DroppedEvents        uint64
	DroppedLinks                            uint64
	StatusCode                              uint64
	StatusMessage                           string
	Flags                                   uint64
}

// Event is a message Span.Event, decoded.
type Event struct {
	Name              string
	Attributes        map[string]any
	DroppedAttributes uint64
}

// New starts a collector that stops with the test.
func New(t *testing.T) *Collector {
	c := &Collector{}
	c.Server = httptest.NewServer(c)
	t.Cleanup(c.Close)
	return c
}

func (c *Collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	zip, err := gzip.NewReader(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	body, err := io.ReadAll(zip)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests = append(c.requests, r)
	if c.Answer != nil {
		recorder := &statusRecorder{ResponseWriter: w, status: http.StatusOK}
		c.Answer(recorder, len(c.requests))
		if recorder.status != http.StatusOK {
			return
		}
	}
	resource, spans := decodeRequest(body)
	c.resource = resource
	c.spans = append(c.spans, spans...)
}

type statusRecorder struct {
	http.ResponseWriter
	status int
}

func (w *statusRecorder) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Requests gives all requests, in the order they came.
func (c *Collector) Requests() []*http.Request {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]*http.Request(nil), c.requests...)
}

// Resource gives the attributes of the last request's resource.
func (c *Collector) Resource() map[string]any {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.resource
}

// Spans gives all spans, in the order they came.
func (c *Collector) Spans() []Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Span(nil), c.spans...)
}

// Forget drops the spans that came.
func (c *Collector) Forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.spans = nil
}

// ByName gives all spans by name; a second one of a name is "name#2".
func (c *Collector) ByName() map[string]Span {
	byName := map[string]Span{}
	for _, span := range c.Spans() {
		name := span.Name
		for n := 2; byName[name].ID != ""; n++ {
			name = fmt.Sprintf("%s#%d", span.Name, n)
		}
		byName[name] = span
	}
	return byName
}

// The wire types of protobuf's encoding.
const (
	wireVarint  = 0
	wireFixed64 = 1
	wireBytes   = 2
	wireFixed32 = 5
)

// protoField is one field of any message.
type protoField struct {
	number, wire, value uint64
	bytes               []byte
}

func protoFields(b []byte) (fields []protoField) {
	for len(b) > 0 {
		tag, n := binary.Uvarint(b)
		b = b[n:]
		f := protoField{number: tag >> 3, wire: tag & 7}
		switch f.wire {
		case wireVarint:
			f.value, n = binary.Uvarint(b)
		case wireFixed64:
			f.value, n = binary.LittleEndian.Uint64(b), 8
		case wireFixed32:
			f.value, n = uint64(binary.LittleEndian.Uint32(b)), 4
		case wireBytes:
			size, m := binary.Uvarint(b)
			n = m + int(size)
			f.bytes = b[m:n]
		default:
			panic("unknown wire type")
		}
		b = b[n:]
		fields = append(fields, f)
	}
	return fields
}

func decodeRequest(body []byte) (resource map[string]any, spans []Span) {
	for _, resourceSpans := range protoFields(body) {
		for _, f := range protoFields(resourceSpans.bytes) {
			if f.number == 1 {
				resource = decodeAttributes(f.bytes, 1)
				continue
			}
			for _, g := range protoFields(f.bytes) {
				if g.number == 2 {
					spans = append(spans, decodeSpan(g.bytes))
				}
			}
		}
	}
	return resource, spans
}

func decodeSpan(b []byte) (s Span) {
	s.Attributes = decodeAttributes(b, 9)
	for _, f := range protoFields(b) {
		switch f.number {
		case 1:
			s.TraceID = hex.EncodeToString(f.bytes)
		case 2:
			s.ID = hex.EncodeToString(f.bytes)
		case 3:
			s.TraceState = string(f.bytes)
		case 4:
			s.ParentID = hex.EncodeToString(f.bytes)
		case 5:
			s.Name = string(f.bytes)
		case 6:
			s.Kind = f.value
		case 7:
			s.Start = f.value
		case 8:
			s.End = f.value
		case 10:
			s.DroppedAttributes = f.value
		case 11:
			event := Event{Attributes: decodeAttributes(f.bytes, 3)}
			for _, g := range protoFields(f.bytes) {
				switch g.number {
				case 2:
					event.Name = string(g.bytes)
				case 4:
					event.DroppedAttributes = g.value
				}
			}
			s.Events = append(s.Events, event)
		case 12:
			s.DroppedEvents = f.value
		case 13:
			s.Links++
		case 14:
			s.DroppedLinks = f.value
		case 15:
			for _, g := range protoFields(f.bytes) {
				if g.number == 2 {
					s.StatusMessage = string(g.bytes)
				} else {
					s.StatusCode = g.value
				}
			}
		case 16:
			s.Flags = f.value
		}
	}
	return s
}

func decodeAttributes(message []byte, number uint64) map[string]any {
	attributes := map[string]any{}
	for _, f := range protoFields(message) {
		if f.number == number {
			key, value := decodeKeyValue(f.bytes)
			if _, twice := attributes[key]; twice {
				panic("attribute " + key + " is there twice")
			}
			attributes[key] = value
		}
	}
	return attributes
}

func decodeKeyValue(b []byte) (key string, value any) {
	for _, f := range protoFields(b) {
		if f.number == 1 {
			key = string(f.bytes)
		} else {
			value = decodeValue(f.bytes)
		}
	}
	return key, value
}

func decodeValue(b []byte) any {
	for _, f := range protoFields(b) {
		switch f.number {
		case 1:
			return string(f.bytes)
		case 2:
			return f.value == 1
		case 3:
			return int64(f.value)
		case 4:
			return math.Float64frombits(f.value)
		case 5:
			list := []any{}
			for _, item := range protoFields(f.bytes) {
				list = append(list, decodeValue(item.bytes))
			}
			return list
		case 6:
			pairs := map[string]any{}
			for _, item := range protoFields(f.bytes) {
				key, value := decodeKeyValue(item.bytes)
				pairs[key] = value
			}
			return pairs
		case 7:
			return f.bytes
		}
	}
	return nil
}

// CheckNames fails the test for each attribute that sdk/spec/semconv.json does not have for a
// span, or a resource, of a kind.
func CheckNames(t *testing.T, attributes map[string]any, kind string) {
	t.Helper()
	text, err := os.ReadFile("../../spec/semconv.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors struct{ Names map[string][]string }
	if err := json.Unmarshal(text, &vectors); err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, name := range vectors.Names[kind] {
		known[name] = true
	}
	for name := range attributes {
		if !known[name] {
			t.Errorf("%s is no name of the conventions for %s", name, kind)
		}
	}
}
