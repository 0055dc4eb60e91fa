package tracekit

import (
	crand "crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"math/bits"
)

// TraceID names a trace: 16 bytes, never all zero.
type TraceID [16]byte

// SpanID names a span within its trace: 8 bytes, never all zero.
type SpanID [8]byte

// String gives the id in lower-case hexadecimal, as traceparent and OTLP/JSON spell it.
func (id TraceID) String() string { return hex.EncodeToString(id[:]) }

// String gives the id in lower-case hexadecimal, as traceparent and OTLP/JSON spell it.
func (id SpanID) String() string { return hex.EncodeToString(id[:]) }

// The trace flags of W3C Trace Context level 2. Other bits are ignored and never sent.
const (
	flagSampled byte = 1 << 0
	flagRandom  byte = 1 << 1 // the last seven bytes of the trace id are random
)

// SpanContext is what travels from service to service: the headers of W3C Trace Context and
// Baggage.
type SpanContext struct {
	TraceID TraceID
	SpanID  SpanID
	flags   byte
	carried *carried // nil: nothing
}

// carried is what a trace's spans pass on as it came: valid headers, or empty.
type carried struct{ traceState, baggage string }

// TraceState gives the tracestate header to send, "" for none.
func (sc SpanContext) TraceState() string {
	if sc.carried == nil {
		return ""
	}
	return sc.carried.traceState
}

// BaggageHeader gives the baggage header to send, "" for none.
func (sc SpanContext) BaggageHeader() string {
	if sc.carried == nil {
		return ""
	}
	return sc.carried.baggage
}

// IsValid says whether there is a trace to be part of.
func (sc SpanContext) IsValid() bool { return sc.TraceID != TraceID{} && sc.SpanID != SpanID{} }

// Sampled says whether the trace's spans are recorded and sent.
func (sc SpanContext) Sampled() bool { return sc.flags&flagSampled != 0 }

// generator is xoshiro256**, by Blackman and Vigna. Each recording has one, so ids cost no lock
// and no system call. math/rand's own would do, were it not for programs that call rand.Seed.
type generator [4]uint64

func newGenerator() (g generator) {
	var seed [32]byte
	if _, err := crand.Read(seed[:]); err != nil {
		panic("tracekit: the system has no randomness: " + err.Error())
	}
	for i := range g {
		g[i] = binary.LittleEndian.Uint64(seed[8*i:]) | 1 // all zero would stay zero
	}
	return g
}

func (g *generator) next() uint64 {
	result := bits.RotateLeft64(g[1]*5, 7) * 9
	t := g[1] << 17
	g[2] ^= g[0]
	g[3] ^= g[1]
	g[1] ^= g[2]
	g[0] ^= g[3]
	g[2] ^= t
	g[3] = bits.RotateLeft64(g[3], 45)
	return result
}

func (g *generator) nextNonZero() uint64 {
	for {
		if n := g.next(); n != 0 {
			return n
		}
	}
}

func (g *generator) traceID() (id TraceID) {
	binary.BigEndian.PutUint64(id[:8], g.nextNonZero())
	binary.BigEndian.PutUint64(id[8:], g.next())
	return id
}

func (g *generator) spanID() (id SpanID) {
	binary.BigEndian.PutUint64(id[:], g.nextNonZero())
	return id
}

// newUUID makes a random one, version 4 of RFC 9562.
func newUUID() string {
	g := newGenerator()
	id := g.traceID()
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	text := id.String()
	return text[:8] + "-" + text[8:12] + "-" + text[12:16] + "-" + text[16:20] + "-" + text[20:]
}
