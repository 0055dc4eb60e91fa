package tracekitgrpc

import (
	"context"
	"io"
	"net/url"
	"strings"
	"sync"

	"github.com/Tracekit-Dev/go-sdk/tracekit"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

// UnaryClientInterceptor traces the unary calls that a client makes, and sends the trace on to
// the targets of the SDK's configuration: they are looked for in grpc://host:port/method.
func UnaryClientInterceptor(sdk *tracekit.SDK) grpc.UnaryClientInterceptor {
	return func(ctx context.Context, method string, request, response any, conn *grpc.ClientConn,
		invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
		ctx, span := call(ctx, sdk, conn, method)
		defer span.End() // also when an interceptor behind this one panics
		err := invoke(ctx, method, request, response, conn, options...)
		setResult(span, err, clientFailed)
		return err
	}
}

// StreamClientInterceptor traces the streams that a client opens. A span ends with its stream,
// as gRPC says it: when the last message or an error was received, or the context has ended.
func StreamClientInterceptor(sdk *tracekit.SDK) grpc.StreamClientInterceptor {
	return func(ctx context.Context, description *grpc.StreamDesc, conn *grpc.ClientConn,
		method string, open grpc.Streamer, options ...grpc.CallOption) (grpc.ClientStream, error) {
		ctx, span := call(ctx, sdk, conn, method)
		if span == nil { // the SDK is disabled
			return open(ctx, description, conn, method, options...)
		}
		opened := false
		defer func() {
			if !opened {
				span.End() // an interceptor behind this one panics
			}
		}()
		stream, err := open(ctx, description, conn, method, options...)
		opened = true
		if err != nil {
			setResult(span, err, clientFailed)
			span.End()
			return stream, err
		}
		traced := &clientStream{ClientStream: stream, span: span, one: !description.ServerStreams}
		// Not the stream's own context: to ask for it turns gRPC's retries off.
		traced.forget = context.AfterFunc(ctx, func() { traced.end(ctx.Err()) })
		return traced, nil
	}
}

// call starts the span of a call that goes out, and puts the trace into the context's metadata.
func call(
	ctx context.Context, sdk *tracekit.SDK, conn *grpc.ClientConn, fullMethod string,
) (context.Context, *tracekit.Span) {
	method := methodName(fullMethod)
	ctx, span := sdk.StartSpanOfKind(ctx, method, tracekit.Client, tracekit.SpanContext{})
	if span == nil {
		return ctx, nil
	}
	address := targetAddress(conn.CanonicalTarget())
	setCall(span, method, address)
	if sdk.PropagatesTo(&url.URL{Scheme: "grpc", Host: address, Path: fullMethod}) {
		ctx = inject(ctx, span.Context())
	}
	return ctx, span
}

// targetAddress gives host:port of a target, as dns://resolver/host:port and unix:///socket
// have it behind their scheme and authority.
func targetAddress(target string) string {
	scheme, rest, ok := strings.Cut(target, ":")
	if !ok {
		return target
	}
	if strings.HasPrefix(rest, "//") {
		_, path, _ := strings.Cut(rest[2:], "/")
		if strings.HasPrefix(scheme, "unix") {
			return "/" + path
		}
		return path
	}
	return rest
}

// inject writes over what was there: a proxy that copies its caller's metadata must not send
// it on.
func inject(ctx context.Context, sc tracekit.SpanContext) context.Context {
	md, _ := metadata.FromOutgoingContext(ctx) // a copy
	if md == nil {
		md = metadata.MD{}
	}
	md.Set(traceparent, sc.Traceparent())
	md.Delete(tracestate)
	if state := sc.TraceState(); state != "" {
		md.Set(tracestate, state)
	}
	if carried := sc.BaggageHeader(); carried != "" {
		md.Set(baggage, carried)
	}
	return metadata.NewOutgoingContext(ctx, md)
}

// clientStream ends its span when the stream has ended.
type clientStream struct {
	grpc.ClientStream
	span   *tracekit.Span
	one    bool        // message is all that the server sends
	forget func() bool // that the context may end
	once   sync.Once
}

func (s *clientStream) end(err error) {
	s.once.Do(func() {
		setResult(s.span, err, clientFailed)
		s.span.End()
	})
}

// ended is for what the stream's own methods say: gRPC's io.EOF is a good end.
func (s *clientStream) ended(err error) {
	if err == io.EOF {
		err = nil
	}
	s.end(err)
	s.forget()
}

func (s *clientStream) RecvMsg(message any) error {
	err := s.ClientStream.RecvMsg(message)
	if err != nil || s.one {
		s.ended(err)
	}
	return err
}

// SendMsg: an io.EOF means that RecvMsg will tell why the stream has ended.
func (s *clientStream) SendMsg(message any) error {
	err := s.ClientStream.SendMsg(message)
	if err != nil && err != io.EOF {
		s.ended(err)
	}
	return err
}

func (s *clientStream) Header() (metadata.MD, error) {
	header, err := s.ClientStream.Header()
	if err != nil {
		s.ended(err)
	}
	return header, err
}
