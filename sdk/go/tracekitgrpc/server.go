package tracekitgrpc

import (
	"context"
	"net"

	"github.com/Tracekit-Dev/go-sdk/tracekit"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

// UnaryServerInterceptor traces the unary calls that a server answers. Put it in front of the
// interceptors whose failures and time belong to the call.
func UnaryServerInterceptor(sdk *tracekit.SDK) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, request any, info *grpc.UnaryServerInfo,
		handler grpc.UnaryHandler) (response any, err error) {
		err = serve(ctx, sdk, info.FullMethod, func(ctx context.Context) error {
			response, err = handler(ctx, request)
			return err
		})
		return response, err
	}
}

// StreamServerInterceptor traces the streams that a server answers, each from its first byte
// until its handler returns.
func StreamServerInterceptor(sdk *tracekit.SDK) grpc.StreamServerInterceptor {
	return func(service any, stream grpc.ServerStream, info *grpc.StreamServerInfo,
		handler grpc.StreamHandler) error {
		return serve(stream.Context(), sdk, info.FullMethod, func(ctx context.Context) error {
			return handler(service, &serverStream{stream, ctx})
		})
	}
}

// serverStream gives its handler the context that has the span.
type serverStream struct {
	grpc.ServerStream
	ctx context.Context
}

func (s *serverStream) Context() context.Context { return s.ctx }

// serve runs a handler in the span of its call. Its panic is recorded and goes on.
func serve(
	ctx context.Context, sdk *tracekit.SDK, fullMethod string, handler func(context.Context) error,
) error {
	md, _ := metadata.FromIncomingContext(ctx)
	caller := tracekit.ParseSpanContext(md[traceparent], md[tracestate], md[baggage])
	method := methodName(fullMethod)
	ctx, span := sdk.StartSpanOfKind(ctx, method, tracekit.Server, caller)
	if span == nil { // the SDK is disabled
		return handler(ctx)
	}
	defer span.End()
	authority := ""
	if values := md[":authority"]; len(values) == 1 {
		authority = values[0]
	}
	setCall(span, method, authority)
	if from, ok := peer.FromContext(ctx); ok && from.Addr != nil {
		if host, _, err := net.SplitHostPort(from.Addr.String()); err == nil {
			span.SetTag("client.address", host)
		}
	}
	ctx, unbind := tracekit.BindGoroutine(ctx)
	defer unbind()
	returned := false
	defer func() {
		if returned {
			return
		}
		if panicked := recover(); panicked != nil { // nil: the goroutine exits
			span.CapturePanic(panicked)
			panic(panicked)
		}
	}()
	err := handler(ctx)
	returned = true
	if _, is := status.FromError(err); !is {
		span.CaptureException(err) // its type tells more than the UNKNOWN that gRPC answers
	}
	setResult(span, err, serverFailed)
	return err
}
