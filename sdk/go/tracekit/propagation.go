package tracekit

import (
	"encoding/hex"
	"net/http"
	"strings"
)

// Trace Context level 2, https://www.w3.org/TR/trace-context-2/. The headers' names are in
// Go's canonical form: http.Header's maps are indexed without normalising again, and HTTP
// does not care for case.
const (
	traceparentHeader = "Traceparent"
	tracestateHeader  = "Tracestate"

	traceparentLen  = 55
	maxStateMembers = 32
	maxStateKey     = 256
	maxStateValue   = 256
)

// extract reads the caller's span context from a request's headers.
func extract(header http.Header) SpanContext {
	return ParseSpanContext(header[traceparentHeader], header[tracestateHeader], header[baggageHeader])
}

// ParseSpanContext reads what a caller sent, as a request's headers or with a message: every
// value of each header. The first alone would not do: two traceparents start a new trace.
// Without a trace to be part of, the result IsValid not, and may carry baggage.
func ParseSpanContext(traceparent, tracestate, baggage []string) (sc SpanContext) {
	var c carried
	if len(traceparent) == 1 {
		var ok bool
		if sc, ok = parseTraceparent(traceparent[0]); ok && len(tracestate) > 0 {
			c.traceState = parseTracestate(tracestate)
		}
	}
	if len(baggage) > 0 {
		c.baggage = formatBaggage(parseBaggage(baggage)) // it needs no trace
	}
	if c != (carried{}) {
		sc.carried = &carried{c.traceState, c.baggage}
	}
	return sc
}

// inject writes the headers for a span's own requests, over whatever was there: a proxy that
// copies its caller's headers must not send them on.
func inject(sc SpanContext, header http.Header) {
	header[traceparentHeader] = []string{sc.Traceparent()}
	if state := sc.TraceState(); state == "" {
		delete(header, tracestateHeader)
	} else {
		header[tracestateHeader] = []string{state}
	}
	if baggage := sc.BaggageHeader(); baggage != "" {
		header[baggageHeader] = []string{baggage}
	}
}

// parseTraceparent follows section 3.2 of the specification.
func parseTraceparent(value string) (sc SpanContext, ok bool) {
	value = strings.Trim(value, " \t")
	if len(value) < traceparentLen || value[2] != '-' || value[35] != '-' || value[52] != '-' {
		return SpanContext{}, false
	}
	var version, flags [1]byte
	if !decodeLowerHex(version[:], value[:2]) || version[0] == 0xff {
		return SpanContext{}, false
	}
	if len(value) > traceparentLen && (version[0] == 0 || value[traceparentLen] != '-') {
		return SpanContext{}, false
	}
	if !decodeLowerHex(sc.TraceID[:], value[3:35]) || !decodeLowerHex(sc.SpanID[:], value[36:52]) ||
		!decodeLowerHex(flags[:], value[53:55]) || !sc.IsValid() {
		return SpanContext{}, false
	}
	sc.flags = flags[0] & (flagSampled | flagRandom)
	return sc, true
}

// Traceparent gives the traceparent header to send.
func (sc SpanContext) Traceparent() string {
	var text [traceparentLen]byte
	copy(text[:], "00-")
	hex.Encode(text[3:], sc.TraceID[:])
	text[35] = '-'
	hex.Encode(text[36:], sc.SpanID[:])
	text[52] = '-'
	hex.Encode(text[53:], []byte{sc.flags})
	return string(text[:])
}

// decodeLowerHex decodes exactly len(dst) bytes; upper case is invalid in traceparent.
func decodeLowerHex(dst []byte, src string) bool {
	for i := range dst {
		high, low := hexDigit(src[2*i]), hexDigit(src[2*i+1])
		if high > 15 || low > 15 {
			return false
		}
		dst[i] = high<<4 | low
	}
	return true
}

func hexDigit(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	}
	return 0xff
}

// parseTracestate combines the values of all tracestate headers into one valid list, or gives
// the empty string: one bad member, or one too many, discards all of them. Of members with
// the same key the first stays.
func parseTracestate(values []string) string {
	var members []string
	seen := 0
	for _, value := range values {
		for value != "" {
			var member string
			member, value, _ = strings.Cut(value, ",")
			member = strings.TrimRight(strings.TrimLeft(member, " \t"), " \t")
			if member == "" {
				continue
			}
			key, text, ok := strings.Cut(member, "=")
			if seen++; !ok || seen > maxStateMembers || !validStateKey(key) || !validStateValue(text) {
				return ""
			}
			if !hasMember(members, key) {
				members = append(members, member)
			}
		}
	}
	return strings.Join(members, ",")
}

func hasMember(members []string, key string) bool {
	for _, member := range members {
		if len(member) > len(key) && member[len(key)] == '=' && member[:len(key)] == key {
			return true
		}
	}
	return false
}

func validStateKey(key string) bool {
	if key == "" || len(key) > maxStateKey {
		return false
	}
	for i := 0; i < len(key); i++ {
		c := key[i]
		alphanumeric := c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
		if !alphanumeric && (i == 0 || !strings.ContainsRune("_-*/@", rune(c))) {
			return false
		}
	}
	return true
}

func validStateValue(value string) bool {
	if value == "" || len(value) > maxStateValue || value[len(value)-1] == ' ' {
		return false
	}
	for i := 0; i < len(value); i++ {
		if c := value[i]; c < 0x20 || c > 0x7e || c == ',' || c == '=' {
			return false
		}
	}
	return true
}
