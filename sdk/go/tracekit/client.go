package tracekit

import (
	"io"
	"net/http"
	"net/url"
	"sync"
)

// HTTPClient is http.DefaultClient with tracing: it makes a span for each request and sends
// the trace on. The raw http.Get does neither. A request belongs to the span of its context
// or, without one (as with Get), to the span the middleware bound to the goroutine.
var HTTPClient = &http.Client{Transport: Transport(nil)}

// Transport traces the requests that base makes, for the span that is current or, when there
// is none, for the SDK that was made last. Nil is http.DefaultTransport.
func Transport(base http.RoundTripper) http.RoundTripper { return &transport{base: base} }

// HTTPClient gives a copy of client that traces its requests. Nil is http.DefaultClient.
func (s *SDK) HTTPClient(client *http.Client) *http.Client {
	if client == nil {
		client = http.DefaultClient
	}
	traced := *client
	traced.Transport = &transport{base: client.Transport, sdk: s}
	return &traced
}

type transport struct {
	base http.RoundTripper
	sdk  *SDK // nil: the current span's, or the latest
}

// plainTransport is for programs that make http.DefaultTransport a traced one.
var plainTransport = http.DefaultTransport

// next is what makes the requests. It is never a traced transport: one span is enough, and
// http.DefaultTransport could be t itself.
func (t *transport) next() http.RoundTripper {
	base := t.base
	if base == nil {
		base = http.DefaultTransport
	}
	if traced, ok := base.(*transport); ok {
		base = traced.base
	}
	if base == nil {
		return plainTransport
	}
	return base
}

func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	base := t.next()
	parent := spanFrom(r.Context())
	sdk := t.sdk
	if sdk == nil && parent != nil {
		sdk = parent.sdk
	}
	if sdk == nil {
		sdk = latest.Load()
	}
	if sdk == nil || sdk.config.Disabled {
		return base.RoundTrip(r)
	}
	span := sdk.newSpan(r.Context(), spanMethod(r.Method), Client, parent, SpanContext{})
	if recording := span.recording; recording != nil {
		setMethod(recording, r.Method)
		recording.setString("url.full", redactURL(r.URL))
		setAddress(recording, r.URL.Host)
		if port := defaultPort(r.URL); port != 0 {
			recording.setScalar("server.port", tagValueInt, port)
		}
	}
	r = r.Clone(span.context()) // a RoundTripper must not change the request it is given
	if sdk.config.targets.match(r.URL) {
		inject(span.sc, r.Header)
	}
	returned := false
	defer func() {
		if returned {
			return
		}
		panicked := recover() // the program's own: it is recorded and goes on
		if panicked != nil {  // nil: the goroutine exits
			span.captureException(panicked, stack(2))
			defer panic(panicked)
		}
		span.End()
	}()
	response, err := base.RoundTrip(r)
	returned = true
	if err != nil {
		span.captureException(err, stack(1))
		span.End()
		return response, err
	}
	span.setResponseStatus(response.StatusCode)
	if version := protocolVersion(response.ProtoMajor, response.ProtoMinor); version != "" {
		span.setString("network.protocol.version", version)
	}
	if response.StatusCode >= 400 {
		span.failStatus(response.StatusCode)
	}
	if response.StatusCode == http.StatusSwitchingProtocols || response.Body == nil {
		span.End() // the body is a connection now, and has a Write
	} else {
		response.Body = &tracedBody{ReadCloser: response.Body, span: span}
	}
	return response, nil
}

// defaultPort is the port that a URL without one means, 0 when it says one.
func defaultPort(u *url.URL) uint64 {
	switch {
	case u.Port() != "":
		return 0
	case u.Scheme == "https":
		return 443
	}
	return 80
}

// tracedBody ends the span of a request when its response has been read, or closed.
type tracedBody struct {
	io.ReadCloser
	span *Span
	once sync.Once
}

func (b *tracedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.once.Do(func() {
			if err != io.EOF {
				b.span.captureException(err, stack(1))
			}
			b.span.End()
		})
	}
	return n, err
}

func (b *tracedBody) Close() error {
	b.once.Do(b.span.End)
	return b.ReadCloser.Close()
}
