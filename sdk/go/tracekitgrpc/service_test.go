package tracekitgrpc

import (
	"context"
	"io"
	"net"
	"testing"

	"github.com/Tracekit-Dev/go-sdk/internal/otlptest"
	"github.com/Tracekit-Dev/go-sdk/tracekit"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// A service with a method of each shape, written down as protoc would: handlers are functions
// of the test. Its messages are strings.

type message = wrapperspb.StringValue

type handlers struct {
	get    func(ctx context.Context, request string) (string, error)
	stream func(stream grpc.ServerStream) error // of watch, upload and chat
}

const (
	getMethod    = "/users.Users/Get"
	watchMethod  = "/users.Users/Watch"
	uploadMethod = "/users.Users/Upload"
	chatMethod   = "/users.Users/Chat"
)

var streams = []grpc.StreamDesc{
	{StreamName: "Watch", Handler: handleStream, ServerStreams: true},
	{StreamName: "Upload", Handler: handleStream, ClientStreams: true},
	{StreamName: "Chat", Handler: handleStream, ServerStreams: true, ClientStreams: true},
}

var users = grpc.ServiceDesc{
	ServiceName: "users.Users",
	HandlerType: (*any)(nil),
	Methods:     []grpc.MethodDesc{{MethodName: "Get", Handler: handleGet}},
	Streams:     streams,
}

func handleGet(service any, ctx context.Context, decode func(any) error,
	interceptor grpc.UnaryServerInterceptor) (any, error) {
	request := &message{}
	if err := decode(request); err != nil {
		return nil, err
	}
	handler := func(ctx context.Context, request any) (any, error) {
		text, err := service.(*handlers).get(ctx, request.(*message).Value)
		return wrapperspb.String(text), err
	}
	if interceptor == nil {
		return handler(ctx, request)
	}
	info := &grpc.UnaryServerInfo{Server: service, FullMethod: getMethod}
	return interceptor(ctx, request, info, handler)
}

func handleStream(service any, stream grpc.ServerStream) error {
	return service.(*handlers).stream(stream)
}

// echo answers each message with itself.
func echo(stream grpc.ServerStream) error {
	for {
		received := &message{}
		if err := stream.RecvMsg(received); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if err := stream.SendMsg(received); err != nil {
			return err
		}
	}
}

// world is a server and a client of it over loopback, both traced.
type world struct {
	*otlptest.Collector
	sdk     *tracekit.SDK
	conn    *grpc.ClientConn
	address string
	server  *grpc.Server
}

func newWorld(t *testing.T, h *handlers, config tracekit.Config, options ...grpc.ServerOption) *world {
	t.Helper()
	w := &world{Collector: otlptest.New(t)}
	config.APIKey, config.ServiceName, config.Endpoint = "k", "grpc", w.URL
	var err error
	if w.sdk, err = tracekit.NewSDK(config); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.address = listener.Addr().String()
	w.server = grpc.NewServer(append(options,
		grpc.ChainUnaryInterceptor(UnaryServerInterceptor(w.sdk)),
		grpc.ChainStreamInterceptor(StreamServerInterceptor(w.sdk)))...)
	w.server.RegisterService(&users, h)
	go w.server.Serve(listener)
	w.conn = dial(t, w.sdk, w.address)
	t.Cleanup(w.server.Stop)
	return w
}

func dial(t *testing.T, sdk *tracekit.SDK, address string) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(address,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithChainUnaryInterceptor(UnaryClientInterceptor(sdk)),
		grpc.WithChainStreamInterceptor(StreamClientInterceptor(sdk)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func (w *world) get(ctx context.Context, request string) (string, error) {
	response := &message{}
	err := w.conn.Invoke(ctx, getMethod, wrapperspb.String(request), response)
	return response.Value, err
}

// done stops everything and gives the spans: of the client by name, and of the server.
func (w *world) done(t *testing.T) (clients, servers map[string]otlptest.Span) {
	t.Helper()
	w.conn.Close()
	w.server.GracefulStop()
	if err := w.sdk.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	clients, servers = map[string]otlptest.Span{}, map[string]otlptest.Span{}
	for _, span := range w.Spans() {
		switch tracekit.Kind(span.Kind) {
		case tracekit.Client:
			clients[span.Name] = span
		case tracekit.Server:
			servers[span.Name] = span
		}
	}
	return clients, servers
}
