package tracekit

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
)

// sampler decides for roots; a span with a parent does as its parent did. It is OpenTelemetry's
// consistent probability sampling: a root is sampled when the last 56 bits of its random trace
// id reach the threshold, and says the threshold in its tracestate, so that whoever counts
// spans knows how many each one stands for.
type sampler struct {
	threshold uint64   // 0: all, 1<<56: none
	carried   *carried // by a sampled root: its tracestate
}

// newSampler takes a rate from 0 to 1.
func newSampler(rate float64) sampler {
	threshold := uint64(1<<56) - uint64(math.Floor(rate*(1<<56)))
	th := strings.TrimRight(fmt.Sprintf("%014x", threshold), "0")
	if th == "" {
		th = "0"
	}
	return sampler{threshold: threshold, carried: &carried{traceState: "ot=th:" + th}}
}

// root begins a new trace: the context of its first span, but for the span's id.
// Baggage needs no trace to be passed on.
func (s *sampler) root(sc *SpanContext, g *generator) {
	baggage := sc.BaggageHeader()
	sc.TraceID, sc.flags, sc.carried = g.traceID(), flagRandom, nil
	if s.samples(sc.TraceID) {
		sc.flags |= flagSampled
		sc.carried = s.carried
	}
	if baggage != "" {
		sc.carried = &carried{sc.TraceState(), baggage}
	}
}

func (s *sampler) samples(id TraceID) bool {
	return binary.BigEndian.Uint64(id[8:])&(1<<56-1) >= s.threshold
}
