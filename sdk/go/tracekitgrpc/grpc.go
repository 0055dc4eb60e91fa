// Package tracekitgrpc traces the calls of gRPC, both ends of them, unary and streams. It is a
// module of its own: who does not use gRPC does not compile it.
//
//	server := grpc.NewServer(
//		grpc.ChainUnaryInterceptor(tracekitgrpc.UnaryServerInterceptor(sdk)),
//		grpc.ChainStreamInterceptor(tracekitgrpc.StreamServerInterceptor(sdk)))
//
//	conn, err := grpc.NewClient("users:50051",
//		grpc.WithChainUnaryInterceptor(tracekitgrpc.UnaryClientInterceptor(sdk)),
//		grpc.WithChainStreamInterceptor(tracekitgrpc.StreamClientInterceptor(sdk)))
//
// A span is named by the method, users.Users/Get. The trace travels as the metadata
// traceparent, tracestate and baggage, which OpenTelemetry's gRPC libraries read and write.
package tracekitgrpc

import (
	"net"
	"strconv"
	"strings"

	"github.com/Tracekit-Dev/go-sdk/tracekit"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// The names of the metadata that carries a trace.
const (
	traceparent = "traceparent"
	tracestate  = "tracestate"
	baggage     = "baggage"
)

// methodName is the method as conventions and span names have it: without the first slash.
func methodName(fullMethod string) string { return strings.TrimPrefix(fullMethod, "/") }

// setCall sets what both ends know of a call; address is host:port, or "".
func setCall(span *tracekit.Span, method, address string) {
	span.SetTag("rpc.system.name", "grpc")
	span.SetTag("rpc.method", method)
	if address == "" {
		return
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		span.SetTag("server.address", address)
		return
	}
	span.SetTag("server.address", host)
	if number, err := strconv.Atoi(port); err == nil {
		span.SetTag("server.port", number)
	}
}

// setResult says how a call went. Failed says whether its status is this end's failure.
func setResult(span *tracekit.Span, err error, failed func(codes.Code) bool) {
	result := status.Convert(contextStatus(err))
	name := codeName(result.Code())
	span.SetTag("rpc.response.status_code", name)
	if failed(result.Code()) {
		span.SetTag("error.type", name)
		span.SetError(result.Message())
	}
}

// contextStatus is what gRPC itself makes of the errors of a context that has ended.
func contextStatus(err error) error {
	if _, is := status.FromError(err); is {
		return err
	}
	return status.FromContextError(err).Err()
}

// clientFailed and serverFailed follow the semantic conventions for gRPC: to a caller all but
// OK is a failure, to a server not what its caller did wrong.
func clientFailed(code codes.Code) bool { return code != codes.OK }

func serverFailed(code codes.Code) bool {
	switch code {
	case codes.Unknown, codes.DeadlineExceeded, codes.Unimplemented, codes.Internal,
		codes.Unavailable, codes.DataLoss:
		return true
	}
	return false
}

// codeNames are the statuses as the protocol spells them; codes.Code.String is Go's own.
var codeNames = [...]string{
	"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND",
	"ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED",
	"OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
}

func codeName(code codes.Code) string {
	if int(code) < len(codeNames) {
		return codeNames[code]
	}
	return strconv.Itoa(int(code)) // a server's own invention
}
