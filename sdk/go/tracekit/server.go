package tracekit

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
)

// HTTPHandler traces the requests that handler serves. Their spans are called name or, when it
// is empty, by the request's method and the pattern of http.ServeMux that it matched.
func (s *SDK) HTTPHandler(handler http.Handler, name string) http.Handler {
	if s.config.Disabled {
		return handler
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request := s.startRequest(r, name, "")
		r = r.WithContext(request.ctx)
		recorder := &responseRecorder{ResponseWriter: w}
		defer func() {
			if name == "" {
				request.setRoute(r.Method, routeOf(r))
			}
			panicked := recover()
			if panicked == nil && !recorder.hijacked {
				recorder.implicitStatus()
			}
			request.finish(recorder.status, panicked)
		}()
		handler.ServeHTTP(recorder.wrapped(), r)
	})
}

// HTTPMiddleware is HTTPHandler in the form that routers take.
func (s *SDK) HTTPMiddleware(name string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler { return s.HTTPHandler(next, name) }
}

// serverRequest is a request being served: its span, bound to the goroutine.
type serverRequest struct {
	span   *Span
	ctx    context.Context
	unbind func()
}

// startRequest starts the server span. It is named by the route or, while none is known and
// there is no name either, by the method.
func (s *SDK) startRequest(r *http.Request, name, route string) serverRequest {
	remote := extract(r.Header)
	if name == "" {
		name = routeName(r.Method, route)
	}
	span := s.newSpan(r.Context(), name, Server, serverSpanFrom(r.Context()), remote)
	if span.recording != nil {
		setServerAttributes(span.recording, r)
		if route != "" {
			span.recording.setString("http.route", route)
		}
	}
	ctx, unbind := bind(span.context(), span)
	return serverRequest{span, ctx, unbind}
}

// serverSpanFrom finds the server span of a handler that is wrapped twice: the only one in this
// process that another server span is below, and not below its caller's.
func serverSpanFrom(ctx context.Context) *Span {
	if ctx == nil {
		return nil
	}
	outer, _ := ctx.Value(spanKey{}).(*Span)
	if outer != nil && outer.kind != Server {
		return nil
	}
	return outer
}

// routeName is by the route, never by the path: that would be a name per user.
func routeName(method, route string) string {
	if route == "" {
		return spanMethod(method)
	}
	return spanMethod(method) + " " + route
}

// setRoute says the route once it is known.
func (r *serverRequest) setRoute(method, route string) {
	if route != "" {
		r.span.SetName(routeName(method, route))
		r.span.setString("http.route", route)
	}
}

// finish ends the span with the response's status: 0 is not known. A panic is recorded and
// goes on.
func (r *serverRequest) finish(status int, panicked any) {
	defer r.unbind()
	defer r.span.End()
	if panicked != nil && panicked != http.ErrAbortHandler {
		r.span.captureException(panicked, stack(2))
	}
	if status != 0 {
		r.span.setResponseStatus(status)
		if status >= 500 {
			r.span.failStatus(status)
		}
	}
	if panicked != nil {
		panic(panicked)
	}
}

func (s *Span) setResponseStatus(status int) {
	s.setScalar("http.response.status_code", tagValueInt, uint64(status))
}

// failStatus marks the span as failed by its response's status, unless an exception has told
// more already.
func (s *Span) failStatus(status int) {
	s.mu.Lock()
	failed := s.recording != nil && s.recording.status == statusError
	s.mu.Unlock()
	if !failed {
		s.setString("error.type", strconv.Itoa(status))
		s.SetError("")
	}
}

// setServerAttributes follows the semantic conventions for HTTP server spans, v1.44.
func setServerAttributes(recording *recording, r *http.Request) {
	setMethod(recording, r.Method)
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	recording.setString("url.scheme", scheme)
	recording.setString("url.path", r.URL.Path)
	if r.URL.RawQuery != "" {
		recording.setString("url.query", redactQuery(r.URL.RawQuery))
	}
	setAddress(recording, r.Host)
	if host, port := splitAddress(r.RemoteAddr); port != "" {
		recording.setString("client.address", host)
	}
	if agent := r.UserAgent(); agent != "" {
		recording.setString("user_agent.original", agent)
	}
	if version := protocolVersion(r.ProtoMajor, r.ProtoMinor); version != "" {
		recording.setString("network.protocol.version", version)
	}
}

func setMethod(recording *recording, method string) {
	if known := knownMethod(method); known == method {
		recording.setString("http.request.method", method)
	} else {
		recording.setString("http.request.method", known)
		recording.setString("http.request.method_original", method)
	}
}

// knownMethod keeps what a client can invent out of names and attributes that are counted.
func knownMethod(method string) string {
	switch method {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE", "QUERY":
		return method
	case "":
		return "GET" // of a client request
	}
	return "_OTHER"
}

func spanMethod(method string) string {
	if known := knownMethod(method); known != "_OTHER" {
		return known
	}
	return "HTTP"
}

func setAddress(recording *recording, hostport string) {
	host, port := splitAddress(hostport)
	if host != "" {
		recording.setString("server.address", host)
	}
	if port == "" {
		return
	}
	if n, err := strconv.Atoi(port); err == nil {
		recording.setScalar("server.port", tagValueInt, uint64(n))
	}
}

// splitAddress gives host and port, "" when there is none: net.SplitHostPort takes that for
// an error, which it allocates.
func splitAddress(hostport string) (host, port string) {
	colon := strings.LastIndexByte(hostport, ':')
	bracket := strings.LastIndexByte(hostport, ']')
	if colon > bracket && (bracket >= 0 || strings.IndexByte(hostport, ':') == colon) {
		hostport, port = hostport[:colon], hostport[colon+1:]
	}
	return strings.TrimSuffix(strings.TrimPrefix(hostport, "["), "]"), port
}

// protocolVersion is the version of HTTP, "" when it is not known.
func protocolVersion(major, minor int) string {
	switch {
	case major == 1 && minor == 1:
		return "1.1"
	case major >= 2:
		return strconv.Itoa(major)
	case major == 1:
		return "1.0"
	}
	return ""
}

// responseRecorder notes the status. Handlers ask a ResponseWriter what else it can do
// (http.Flusher, http.Hijacker); wrapped gives one that can do what the original can.
type responseRecorder struct {
	http.ResponseWriter
	status   int // 0: nothing is written
	hijacked bool
}

func (w *responseRecorder) WriteHeader(status int) {
	// 1xx are in front of the response, but for 101, which is it.
	if w.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *responseRecorder) Write(b []byte) (int, error) {
	w.implicitStatus()
	return w.ResponseWriter.Write(b)
}

func (w *responseRecorder) implicitStatus() {
	if w.status == 0 {
		w.status = http.StatusOK
	}
}

// Unwrap lets http.ResponseController find the original.
func (w *responseRecorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *responseRecorder) wrapped() http.ResponseWriter {
	flusher, flushes := w.ResponseWriter.(http.Flusher)
	hijacker, hijacks := w.ResponseWriter.(http.Hijacker)
	pusher, pushes := w.ResponseWriter.(http.Pusher)
	flushing := flushRecorder{w, flusher}
	switch {
	case flushes && hijacks:
		return &http1Recorder{flushing, hijacker}
	case flushes && pushes:
		return &struct {
			flushRecorder
			http.Pusher
		}{flushing, pusher}
	case flushes:
		return &flushing
	}
	return w
}

type flushRecorder struct {
	*responseRecorder
	flusher http.Flusher
}

func (w flushRecorder) Flush() {
	w.implicitStatus()
	w.flusher.Flush()
}

type http1Recorder struct {
	flushRecorder
	hijacker http.Hijacker
}

func (w *http1Recorder) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	w.hijacked = true
	return w.hijacker.Hijack()
}

// ReadFrom keeps sendfile: io.Copy asks for it.
func (w *http1Recorder) ReadFrom(r io.Reader) (int64, error) {
	w.implicitStatus()
	return io.Copy(w.ResponseWriter, r)
}
