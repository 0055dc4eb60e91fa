package tracekit

import (
	"net/http"
	"testing"
	"unicode/utf8"

	"github.com/Tracekit-Dev/go-sdk/internal/sqltext"
)

func FuzzWhatIsTakenFromHeadersIsValid(f *testing.F) {
	f.Add(callerHeader, "", "foo=1,bar= 2", "ot=th:0")
	f.Add("cc-"+callerTrace+"-"+callerSpan+"-ff-x", "", "a@b=c", "\t,\t")
	f.Add(callerHeader, callerHeader, "=", ",,")
	f.Fuzz(func(t *testing.T, parent, second, state, more string) {
		header := http.Header{"Traceparent": {parent}, "Tracestate": {state, more}}
		if second != "" {
			header.Add("Traceparent", second)
		}
		sc := extract(header)
		if !sc.IsValid() {
			if sc != (SpanContext{}) {
				t.Fatalf("refused, and gave %+v", sc)
			}
			return
		}
		out := http.Header{}
		inject(sc, out)
		again := extract(out)
		if again.TraceState() != sc.TraceState() {
			t.Fatalf("sent %v, of which %q is read, not %q", out, again.TraceState(), sc.TraceState())
		}
		if again.carried = sc.carried; again != sc {
			t.Fatalf("sent %v, which is read as %+v, not %+v", out, again, sc)
		}
	})
}

func FuzzEveryAnswerIsRead(f *testing.F) {
	f.Add([]byte{0x0a, 0x0a, 0x08, 0x02, 0x12, 0x06, 'b', 'a', 'd', ' ', 'i', 'd'})
	f.Add([]byte{0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Fuzz(func(t *testing.T, answer []byte) { partialSuccess(answer) })
}

func FuzzEveryQueryIsSanitized(f *testing.F) {
	f.Add("SELECT 'a', $x$b$x$, 1.5e-3 -- c", true)
	f.Add("$", false)
	f.Add("'\\", true)
	f.Fuzz(func(t *testing.T, query string, backslash bool) {
		if got := sqltext.Sanitize(query, backslash); utf8.ValidString(query) && !utf8.ValidString(got) {
			t.Fatalf("%q became %q", query, got)
		}
		sqltext.Summary(query, backslash)
	})
}
