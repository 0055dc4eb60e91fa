package tracekit

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// The rules that all SDKs share, sdk/spec.
func readVectors(t *testing.T, name string, into any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "spec", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatal(err)
	}
}

type members [][2]string

func (m members) String() string {
	var texts []string
	for _, member := range m {
		texts = append(texts, member[0]+"="+member[1])
	}
	return strings.Join(texts, ",")
}

func TestTraceparentVectors(t *testing.T) {
	var vectors struct {
		Parse []struct {
			Name    string
			Headers []string
			Expect  *struct {
				TraceID, ParentID string
				Sampled, Random   bool
			}
		}
	}
	readVectors(t, "traceparent.json", &vectors)
	for _, v := range vectors.Parse {
		t.Run(v.Name, func(t *testing.T) {
			sc := extract(http.Header{"Traceparent": v.Headers})
			ok := sc.IsValid()
			if v.Expect == nil {
				if ok {
					t.Fatalf("got %+v, want none", sc)
				}
				return
			}
			if !ok || sc.TraceID.String() != v.Expect.TraceID ||
				sc.SpanID.String() != v.Expect.ParentID || sc.Sampled() != v.Expect.Sampled ||
				(sc.flags&flagRandom != 0) != v.Expect.Random {
				t.Fatalf("got %+v, %v, want %+v", sc, ok, *v.Expect)
			}
		})
	}
}

func TestTracestateVectors(t *testing.T) {
	var vectors struct {
		Parse []struct {
			Name    string
			Headers []string
			Members members
		}
		Make []struct {
			Name    string
			Members members
			Header  *string
		}
	}
	readVectors(t, "tracestate.json", &vectors)
	for _, v := range vectors.Parse {
		t.Run(v.Name, func(t *testing.T) {
			if got := parseTracestate(v.Headers); got != v.Members.String() {
				t.Fatalf("got %q, want %q", got, v.Members)
			}
		})
	}
	for _, v := range vectors.Make {
		t.Run(v.Name, func(t *testing.T) {
			header := http.Header{"Tracestate": {"of=the-caller"}}
			inject(SpanContext{carried: &carried{traceState: v.Members.String()}}, header)
			if v.Header == nil {
				if len(header["Tracestate"]) != 0 {
					t.Fatalf("got %q, want none", header["Tracestate"])
				}
			} else if got := header.Get("tracestate"); got != *v.Header {
				t.Fatalf("got %q, want %q", got, *v.Header)
			}
		})
	}
}

func TestHeaderVectors(t *testing.T) {
	type headers struct{ Traceparent, Tracestate []string }
	var vectors struct {
		Make []struct {
			Name string
			Span struct {
				TraceID, SpanID string
				Sampled, Random bool
				Tracestate      members
			}
			Expect struct{ Traceparent, Tracestate *string }
		}
		Continue []struct {
			Name     string
			Incoming headers
			Expect   struct {
				SameTrace  bool
				Flags      string
				Tracestate *string
			}
		}
	}
	readVectors(t, "headers.json", &vectors)
	for _, v := range vectors.Make {
		t.Run(v.Name, func(t *testing.T) {
			sc := SpanContext{carried: &carried{traceState: v.Span.Tracestate.String()}}
			hex.Decode(sc.TraceID[:], []byte(v.Span.TraceID))
			hex.Decode(sc.SpanID[:], []byte(v.Span.SpanID))
			if v.Span.Sampled {
				sc.flags |= flagSampled
			}
			if v.Span.Random {
				sc.flags |= flagRandom
			}
			header := http.Header{}
			inject(sc, header)
			expectHeader(t, header, "Traceparent", v.Expect.Traceparent)
			expectHeader(t, header, "Tracestate", v.Expect.Tracestate)
		})
	}
	for _, v := range vectors.Continue {
		t.Run(v.Name, func(t *testing.T) {
			sent := serveAndCall(t, http.Header{
				"Traceparent": v.Incoming.Traceparent, "Tracestate": v.Incoming.Tracestate,
			})
			expectHeader(t, sent, "Tracestate", v.Expect.Tracestate)
			sc, ok := parseTraceparent(sent.Get("traceparent"))
			if !ok {
				t.Fatalf("sent traceparent %q", sent.Get("traceparent"))
			}
			if flags := sent.Get("traceparent")[53:]; flags != v.Expect.Flags {
				t.Errorf("sent flags %s, want %s", flags, v.Expect.Flags)
			}
			incoming := strings.Join(v.Incoming.Traceparent, " ")
			if same := strings.Contains(incoming, sc.TraceID.String()); same != v.Expect.SameTrace {
				t.Errorf("sent traceparent %q", sent.Get("traceparent"))
			}
			if strings.Contains(incoming, sc.SpanID.String()) {
				t.Errorf("the span id is not new: %q", sent.Get("traceparent"))
			}
		})
	}
}

func expectHeader(t *testing.T, header http.Header, name string, want *string) {
	t.Helper()
	values := header[name]
	if want == nil && len(values) > 0 || want != nil && (len(values) != 1 || values[0] != *want) {
		t.Errorf("%s is %q", name, values)
	}
}

func TestTargetVectors(t *testing.T) {
	type target struct {
		Name    string
		Targets []any
		URL     string
		Expect  string
	}
	var vectors struct{ Absolute, Browser, Server []target }
	readVectors(t, "targets.json", &vectors)
	all := append(append(vectors.Absolute, vectors.Browser...), vectors.Server...)
	for _, v := range all {
		if v.Expect == "same_origin_default" || !strings.Contains(v.URL, "://") || v.URL == "http://[" ||
			strings.Contains(v.Name, "sticky") {
			continue // a page has an origin, to which URLs are relative; Go's expressions have no state
		}
		t.Run(v.Name, func(t *testing.T) {
			list, err := newTargets(vectorTargets(v.Targets))
			if err != nil {
				t.Fatal(err)
			}
			u, err := url.Parse(v.URL)
			if err != nil {
				t.Fatal(err)
			}
			if got := list.match(u); got != (v.Expect == "sent") {
				t.Fatalf("match is %v, want %s", got, v.Expect)
			}
		})
	}
}

func vectorTargets(list []any) []any {
	for i, item := range list {
		if object, ok := item.(map[string]any); ok {
			text := object["regexp"].(string)
			if flags := strings.Trim(object["flags"].(string), "g"); flags != "" {
				text = "(?" + flags + ")" + text
			}
			list[i] = regexp.MustCompile(text)
		}
	}
	return list
}

func TestSamplingVectors(t *testing.T) {
	var vectors struct {
		Thresholds []struct {
			Rate float64
			Th   *string
		}
		Decisions []struct {
			Name    string
			Rate    float64
			TraceID string
			Sampled bool
		}
		InvalidRates []float64
	}
	readVectors(t, "sampling.json", &vectors)
	for _, v := range vectors.Thresholds {
		s := newSampler(v.Rate)
		if v.Th == nil && s.threshold != 1<<56 || v.Th != nil && s.carried.traceState != "ot=th:"+*v.Th {
			t.Errorf("rate %g: threshold %x, state %q", v.Rate, s.threshold, s.carried.traceState)
		}
	}
	for _, v := range vectors.Decisions {
		var id TraceID
		hex.Decode(id[:], []byte(v.TraceID))
		s := newSampler(v.Rate)
		if got := s.samples(id); got != v.Sampled {
			t.Errorf("%s: sampled is %v", v.Name, got)
		}
	}
	for _, rate := range vectors.InvalidRates {
		said := captureLog(t, func() {
			if got := configuredRate(rate); got != 1 {
				t.Errorf("rate %g is taken as %g", rate, got)
			}
		})
		if strings.Count(said, "\n") != 1 {
			t.Errorf("rate %g: said %q", rate, said)
		}
	}
}

func TestRetryVectors(t *testing.T) {
	var vectors struct {
		AttemptsMax, DelayMsInitial, DelayMsMax int
		Outcomes                                []struct {
			Name    string
			Status  *int
			Outcome string
		}
		Delays []struct {
			Name       string
			Attempt    int
			RetryAfter *string
			Now        time.Time
			DelayMs    json.RawMessage
		}
	}
	readVectors(t, "retry.json", &vectors)
	if vectors.AttemptsMax != maxAttempts ||
		time.Duration(vectors.DelayMsInitial)*time.Millisecond != firstDelay ||
		time.Duration(vectors.DelayMsMax)*time.Millisecond != maxDelay {
		t.Errorf("the constants differ: %+v", vectors)
	}
	names := map[outcome]string{delivered: "delivered", retry: "retry", drop: "drop"}
	for _, v := range vectors.Outcomes {
		if v.Status != nil && names[outcomeOf(*v.Status)] != v.Outcome {
			t.Errorf("%s: got %s", v.Name, names[outcomeOf(*v.Status)])
		}
	}
	for _, v := range vectors.Delays {
		header := ""
		if v.RetryAfter != nil {
			header = *v.RetryAfter
		}
		var bounds [2]float64
		if json.Unmarshal(v.DelayMs, &bounds) != nil {
			json.Unmarshal(v.DelayMs, &bounds[0])
			bounds[1] = bounds[0]
		}
		for range [100]int{} {
			ms := float64(retryDelay(v.Attempt, header, v.Now)) / 1e6
			if ms < bounds[0] || ms > bounds[1] {
				t.Errorf("%s: %g ms, want %s", v.Name, ms, v.DelayMs)
				break
			}
		}
	}
}

func TestEndpointVectors(t *testing.T) {
	var vectors struct {
		Cases []struct {
			Name          string
			Endpoint, URL *string
		}
	}
	readVectors(t, "endpoint.json", &vectors)
	for _, v := range vectors.Cases {
		configured := ""
		if v.Endpoint != nil {
			configured = *v.Endpoint
		}
		got, err := tracesURL(configured)
		if (err != nil) != (v.URL == nil) || v.URL != nil && got != *v.URL {
			t.Errorf("%s: got %q, %v", v.Name, got, err)
		}
	}
}

func TestRedactionVectors(t *testing.T) {
	var vectors struct {
		URLs []struct{ Name, URL, Expect string }
	}
	readVectors(t, "redaction.json", &vectors)
	for _, v := range vectors.URLs {
		u, err := url.Parse(v.URL)
		if err != nil {
			t.Fatal(err)
		}
		if got := redactURL(u); got != v.Expect {
			t.Errorf("%s: got %q, want %q", v.Name, got, v.Expect)
		}
	}
}

func TestOTLPVectors(t *testing.T) {
	var vectors struct{ Cases []otlpCase }
	readVectors(t, "otlp.json", &vectors)
	for _, v := range vectors.Cases {
		t.Run(v.Name, func(t *testing.T) {
			if got := hex.EncodeToString(v.encode()); got != v.ProtobufHex {
				t.Fatalf("got\n%s\nwant\n%s", got, v.ProtobufHex)
			}
		})
	}
}

type (
	vectorPair [2]json.RawMessage // key, value
	vectorSpan struct {
		TraceID, SpanID, ParentSpanID, TraceState, Name, Kind string
		ParentIsRemote, Random                                bool
		StartTimeUnixNano, EndTimeUnixNano                    int64 `json:",string"`
		Attributes                                            []vectorPair
		DroppedAttributesCount, DroppedEventsCount            int
		Events                                                []struct {
			Name         string
			TimeUnixNano int64 `json:",string"`
			Attributes   []vectorPair
		}
		Status struct{ Code, Message string }
	}
	otlpCase struct {
		Name        string
		Resource    []vectorPair
		Scope       struct{ Name, Version string }
		Spans       []vectorSpan
		ProtobufHex string
	}
)

// encode makes the request as the exporter does.
func (c otlpCase) encode() []byte {
	var resource, scope, spans []byte
	for _, pair := range c.Resource {
		resource = appendAttribute(resource, tagResourceAttribute, pair.key(), pair.value())
	}
	scope = appendStringField(scope, tagScopeName, c.Scope.Name)
	scope = appendStringField(scope, tagScopeVersion, c.Scope.Version)
	for _, v := range c.Spans {
		spans = appendBytesField(spans, tagScopeSpansSpan, v.encode())
	}
	return append(appendRequestHead(nil, resource, scope, len(spans)), spans...)
}

func (v vectorSpan) encode() []byte {
	kinds := map[string]Kind{"INTERNAL": 1, "SERVER": 2, "CLIENT": 3, "PRODUCER": 4, "CONSUMER": 5}
	statuses := map[string]status{"": 0, "UNSET": 0, "OK": 1, "ERROR": 2}
	var parent SpanID
	hex.Decode(parent[:], []byte(v.ParentSpanID))
	sc := SpanContext{carried: &carried{traceState: v.TraceState}, flags: flagSampled}
	hex.Decode(sc.TraceID[:], []byte(v.TraceID))
	hex.Decode(sc.SpanID[:], []byte(v.SpanID))
	if v.Random {
		sc.flags |= flagRandom
	}
	r := &recording{}
	r.begin(&sc, parent, v.ParentIsRemote, "before it had its name", kinds[v.Kind])
	binary.LittleEndian.PutUint64(r.bytes[r.head-17:], uint64(v.StartTimeUnixNano))
	r.wallOffset = 0
	span := &Span{sc: sc, recording: r}
	for _, pair := range v.Attributes {
		span.SetTag(pair.key(), pair.value())
	}
	for _, event := range v.Events {
		b, mark := openMessage(r.bytes, tagSpanEvent)
		b = appendFixed64Field(b, tagEventTime, uint64(event.TimeUnixNano))
		b = appendStringField(b, tagEventName, event.Name)
		for _, pair := range event.Attributes {
			b = appendAttribute(b, tagEventAttribute, pair.key(), pair.value())
		}
		r.bytes = closeMessage(b, mark)
	}
	span.SetName(v.Name)
	r.status, r.statusMessage = statuses[v.Status.Code], v.Status.Message
	r.droppedAttributes, r.droppedEvents = v.DroppedAttributesCount, v.DroppedEventsCount
	return r.finish(v.EndTimeUnixNano)
}

func (p vectorPair) key() (key string) {
	json.Unmarshal(p[0], &key)
	return key
}

func (p vectorPair) value() any {
	var typed map[string]any
	decoder := json.NewDecoder(bytes.NewReader(p[1]))
	decoder.UseNumber()
	if err := decoder.Decode(&typed); err != nil {
		panic(err)
	}
	return vectorValue(typed)
}

func vectorValue(typed map[string]any) any {
	for kind, plain := range typed {
		switch kind {
		case "int":
			n, _ := json.Number(plain.(string)).Int64()
			return n
		case "double":
			f, _ := plain.(json.Number).Float64()
			return f
		case "array":
			list := []any{}
			for _, item := range plain.([]any) {
				list = append(list, vectorValue(item.(map[string]any)))
			}
			return list
		default:
			return plain
		}
	}
	return nil
}
