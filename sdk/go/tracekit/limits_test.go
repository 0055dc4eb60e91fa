package tracekit

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Tracekit-Dev/go-sdk/internal/sqltext"
)

func TestW3CVectors(t *testing.T) {
	var vectors struct {
		Cases []struct {
			Name     string
			Requests []struct {
				Headers [][2]string
				Calls   int
				Expect  struct {
					SameTrace  bool
					Flags      string
					Tracestate *string
				}
			}
		}
	}
	readVectors(t, "w3c.json", &vectors)
	if len(vectors.Cases) != 41 {
		t.Fatalf("%d cases", len(vectors.Cases))
	}
	for _, v := range vectors.Cases {
		t.Run(v.Name, func(t *testing.T) {
			for _, request := range v.Requests {
				incoming := http.Header{}
				for _, header := range request.Headers {
					incoming.Add(header[0], header[1])
				}
				sent := serveAndCalls(t, incoming, max(request.Calls, 1))
				ids := map[SpanID]bool{}
				for _, header := range sent {
					expectHeader(t, header, "Tracestate", request.Expect.Tracestate)
					sc, ok := parseTraceparent(header.Get("traceparent"))
					if !ok || header.Get("traceparent")[53:] != request.Expect.Flags {
						t.Errorf("sent %q, want flags %s", header.Get("traceparent"), request.Expect.Flags)
					}
					came := strings.Join(incoming["Traceparent"], " ")
					if strings.Contains(came, sc.TraceID.String()) != request.Expect.SameTrace {
						t.Errorf("sent %q for %q", header.Get("traceparent"), came)
					}
					ids[sc.SpanID] = true
				}
				if len(ids) != len(sent) {
					t.Errorf("%d span ids for %d requests", len(ids), len(sent))
				}
			}
		})
	}
}

func TestBaggageVectors(t *testing.T) {
	var vectors struct {
		MembersMax, BytesMax int
		Parse                []struct {
			Name    string
			Headers []string
			Members [][]string
		}
		Make []struct {
			Name    string
			Members [][]string
			Header  *string
		}
		Continue []struct {
			Name     string
			Incoming struct{ Traceparent, Baggage []string }
			Expect   *string
		}
	}
	readVectors(t, "baggage.json", &vectors)
	if vectors.MembersMax != maxBaggageMembers || vectors.BytesMax != maxBaggageBytes {
		t.Errorf("the limits differ: %d, %d", vectors.MembersMax, vectors.BytesMax)
	}
	for _, v := range vectors.Parse {
		var got [][]string
		for _, m := range parseBaggage(v.Headers) {
			member := []string{m.key, m.value}
			if m.properties != "" {
				member = append(member, m.properties)
			}
			got = append(got, member)
		}
		if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", v.Members) {
			t.Errorf("%s: got %q, want %q", v.Name, got, v.Members)
		}
	}
	for _, v := range vectors.Make {
		var members []baggageMember
		for _, m := range v.Members {
			m = append(m, "")
			members = append(members, baggageMember{m[0], m[1], m[2]})
		}
		got := formatBaggage(members)
		if v.Header == nil && got != "" || v.Header != nil && got != *v.Header {
			t.Errorf("%s: got %q", v.Name, got)
		}
	}
	for _, v := range vectors.Continue {
		t.Run(v.Name, func(t *testing.T) {
			sent := serveAndCall(t, http.Header{
				"Traceparent": v.Incoming.Traceparent, "Baggage": v.Incoming.Baggage,
			})
			expectHeader(t, sent, "Baggage", v.Expect)
		})
	}
}

func TestLimitVectors(t *testing.T) {
	var vectors struct {
		AttributesMax, EventsMax, LinksMax, EventAttributesMax, LinkAttributesMax   int
		StringBytesMax, ArrayItemsMax, DepthMax, SpanBytesMax                       int
		QueueSpansMax, QueueBytesMax, BatchSpansMax, BatchDelayMs, RequestTimeoutMs int
		Counts                                                                      []struct {
			Name                             string
			Attributes, Again, Events, Links int
			EventAttributes                  int
			Kept, Dropped                    map[string]int
		}
		Truncation []struct {
			Name         string
			Text, Expect [][2]json.RawMessage
		}
	}
	readVectors(t, "limits.json", &vectors)
	for name, pair := range map[string][2]int{
		"attributesMax":      {maxAttributes, vectors.AttributesMax},
		"eventsMax":          {maxEvents, vectors.EventsMax},
		"linksMax":           {maxLinks, vectors.LinksMax},
		"eventAttributesMax": {maxAttributes, vectors.EventAttributesMax},
		"linkAttributesMax":  {maxAttributes, vectors.LinkAttributesMax},
		"stringBytesMax":     {maxStringBytes, vectors.StringBytesMax},
		"arrayItemsMax":      {maxArrayItems, vectors.ArrayItemsMax},
		"depthMax":           {maxValueDepth, vectors.DepthMax},
		"spanBytesMax":       {maxSpanBytes, vectors.SpanBytesMax},
		"queueSpansMax":      {maxQueueSpans, vectors.QueueSpansMax},
		"queueBytesMax":      {maxQueueBytes, vectors.QueueBytesMax},
		"batchSpansMax":      {batchSpans, vectors.BatchSpansMax},
		"batchDelayMs":       {int(batchDelay / time.Millisecond), vectors.BatchDelayMs},
		"requestTimeoutMs":   {int(requestTimeout / time.Millisecond), vectors.RequestTimeoutMs},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s is %d, want %d", name, pair[0], pair[1])
		}
	}
	keys := func(n int) map[string]any {
		all := map[string]any{}
		for i := 0; i < n; i++ {
			all[fmt.Sprint("k", i)] = i
		}
		return all
	}
	for _, v := range vectors.Counts {
		server := newCollector(t)
		sdk := server.sdk(t, Config{})
		_, span := sdk.StartSpan(context.Background(), "limits")
		for _, n := range []int{v.Attributes, v.Again} {
			for key, value := range keys(n) {
				span.SetTag(key, value)
			}
		}
		for i := 0; i < v.Events; i++ {
			span.AddEvent("e", keys(v.EventAttributes))
		}
		for i := 0; i < v.Links; i++ {
			span.AddLink(span.Context(), nil)
		}
		span.End()
		got := server.flushed(t, sdk)["limits"]
		kept := map[string]int{
			"attributes": len(got.Attributes), "events": len(got.Events), "links": int(got.Links),
		}
		dropped := map[string]int{
			"attributes": int(got.DroppedAttributes), "events": int(got.DroppedEvents),
			"links": int(got.DroppedLinks),
		}
		if v.Events > 0 {
			kept["eventAttributes"] = len(got.Events[0].Attributes)
			dropped["eventAttributes"] = int(got.Events[0].DroppedAttributes)
		}
		for name, want := range v.Kept {
			if kept[name] != want || dropped[name] != v.Dropped[name] {
				t.Errorf("%s: %d %s, %d dropped", v.Name, kept[name], name, dropped[name])
			}
		}
	}
	whole := func(pieces [][2]json.RawMessage) string {
		var text strings.Builder
		for _, piece := range pieces {
			var part string
			var times int
			json.Unmarshal(piece[0], &part)
			json.Unmarshal(piece[1], &times)
			text.WriteString(strings.Repeat(part, times))
		}
		return text.String()
	}
	server := newCollector(t)
	sdk := server.sdk(t, Config{})
	for _, v := range vectors.Truncation {
		_, span := sdk.StartSpan(context.Background(), v.Name)
		span.SetTag("text", whole(v.Text))
		span.End()
	}
	spans := server.flushed(t, sdk)
	for _, v := range vectors.Truncation {
		if spans[v.Name].Attributes["text"] != whole(v.Expect) {
			t.Errorf("%s: not cut at the right place", v.Name)
		}
	}
}

func TestQueryVectors(t *testing.T) {
	var vectors struct {
		Systems map[string]string
		Queries []struct {
			Name, Query, Expect, Summary string
			BackslashEscapes             bool
		}
	}
	readVectors(t, "semconv.json", &vectors)
	for driver, system := range vectors.Systems {
		if got := systemName(driver); got != system {
			t.Errorf("%s is %s, want %s", driver, got, system)
		}
	}
	for _, v := range vectors.Queries {
		if got := sqltext.Sanitize(v.Query, v.BackslashEscapes); got != v.Expect {
			t.Errorf("%s: got %q, want %q", v.Name, got, v.Expect)
		}
		if got := sqltext.Summary(v.Query, v.BackslashEscapes); got != v.Summary {
			t.Errorf("%s: the summary is %q, want %q", v.Name, got, v.Summary)
		}
	}
	for query, want := range map[string]string{
		"/* from a */ select * from (select 1 from b)": "SELECT b", "SELECT 1 FROM\n\ts.t": "SELECT s.t",
		"'x'": "", "(SELECT 1)": "", "UPDATE": "UPDATE", "DROP TABLE t": "DROP t", "  ": "",
		"WITH x AS (SELECT 'from y') SELECT * FROM x": "WITH x", "SELECT from1, a": "SELECT",
	} {
		if got := sqltext.Summary(query, false); got != want {
			t.Errorf("%q: the summary is %q, want %q", query, got, want)
		}
	}
}
