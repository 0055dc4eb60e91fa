package tracekitgrpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/Tracekit-Dev/go-sdk/internal/otlptest"
	"github.com/Tracekit-Dev/go-sdk/tracekit"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

const callerTrace = "0af7651916cd43dd8448eb211c80319c"

// fromCaller is the context of a request that came with a trace.
func fromCaller(sdk *tracekit.SDK) (context.Context, *tracekit.Span) {
	return sdk.StartSpanOfKind(context.Background(), "root", tracekit.Server, tracekit.ParseSpanContext(
		[]string{"00-" + callerTrace + "-b7ad6b7169203331-01"}, []string{"vendor=1"},
		[]string{"tenant=acme"}))
}

func TestAUnaryCallIsOneTraceOnBothEnds(t *testing.T) {
	var inside tracekit.SpanContext
	var w *world
	w = newWorld(t, &handlers{get: func(ctx context.Context, id string) (string, error) {
		span := w.sdk.GetCurrentSpan(ctx)
		inside = span.Context()
		if w.sdk.GetCurrentSpan(context.Background()) != span {
			t.Error("a call without a context has another span")
		}
		return "user " + id, nil
	}}, tracekit.Config{})
	ctx, root := fromCaller(w.sdk)
	// A proxy's context has its own caller's metadata: it must not go on.
	ctx = metadata.AppendToOutgoingContext(ctx, "traceparent", "another's", "tracestate", "another=1", "mine", "stays")
	if text, err := w.get(ctx, "42"); err != nil || text != "user 42" {
		t.Fatal(text, err)
	}
	root.End()
	clients, servers := w.done(t)
	client, server := clients["users.Users/Get"], servers["users.Users/Get"]
	if client.TraceID != callerTrace || server.TraceID != callerTrace {
		t.Errorf("the traces are %s and %s", client.TraceID, server.TraceID)
	}
	if client.ParentID != root.SpanID() || server.ParentID != client.ID {
		t.Errorf("%s is below %s, %s below %s", client.ID, client.ParentID, server.ID, server.ParentID)
	}
	if inside.TraceState() != "vendor=1" || inside.Baggage("tenant") != "acme" {
		t.Errorf("tracestate %q, tenant %q", inside.TraceState(), inside.Baggage("tenant"))
	}
	_, port, _ := net.SplitHostPort(w.address)
	number, _ := strconv.ParseInt(port, 10, 64)
	want := map[string]any{"rpc.system.name": "grpc", "rpc.method": "users.Users/Get",
		"rpc.response.status_code": "OK", "server.address": "127.0.0.1", "server.port": number}
	same(t, client.Attributes, want)
	want["client.address"] = "127.0.0.1"
	same(t, server.Attributes, want)
	otlptest.CheckNames(t, server.Attributes, "rpc")
}

func same(t *testing.T, got, want map[string]any) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("attributes are\n%v, want\n%v", got, want)
	}
}

func TestStreamsOfEveryShapeEndWithTheirLastMessage(t *testing.T) {
	var w *world
	w = newWorld(t, &handlers{stream: func(stream grpc.ServerStream) error {
		w.sdk.GetCurrentSpan(stream.Context()).SetTag("tagged", true)
		method, _ := grpc.MethodFromServerStream(stream)
		if method != uploadMethod {
			return echo(stream)
		}
		for n := 0; ; n++ {
			if err := stream.RecvMsg(&message{}); err == io.EOF {
				return stream.SendMsg(wrapperspb.String(strconv.Itoa(n)))
			} else if err != nil {
				return err
			}
		}
	}}, tracekit.Config{})
	ctx, root := fromCaller(w.sdk)
	defer root.End()
	for i, method := range []string{watchMethod, uploadMethod, chatMethod} {
		stream, err := w.conn.NewStream(ctx, &streams[i], method)
		if err != nil {
			t.Fatal(err)
		}
		sent := 1
		if streams[i].ClientStreams {
			sent = 3
		}
		for n := 0; n < sent; n++ {
			if err := stream.SendMsg(wrapperspb.String("hello")); err != nil {
				t.Fatal(err)
			}
		}
		if err := stream.CloseSend(); err != nil {
			t.Fatal(err)
		}
		received := 0
		for {
			err := stream.RecvMsg(&message{})
			if err == io.EOF {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			if received++; !streams[i].ServerStreams {
				break // the only message is the end
			}
		}
		if want := map[bool]int{true: sent, false: 1}[streams[i].ServerStreams]; received != want {
			t.Errorf("%s: %d messages, want %d", method, received, want)
		}
	}
	clients, servers := w.done(t)
	for _, method := range []string{"users.Users/Watch", "users.Users/Upload", "users.Users/Chat"} {
		client, server := clients[method], servers[method]
		if client.TraceID != callerTrace || server.ParentID != client.ID || client.ID == "" {
			t.Errorf("%s is not whole: %+v, %+v", method, client, server)
		}
		if client.Attributes["rpc.response.status_code"] != "OK" || server.Attributes["tagged"] != true {
			t.Errorf("%s has %v and %v", method, client.Attributes, server.Attributes)
		}
		if server.Start < client.Start || client.StatusCode != 0 || server.StatusCode != 0 {
			t.Errorf("%s: %+v, %+v", method, client, server)
		}
	}
}

func TestAStatusIsAFailureOfTheEndThatItBlames(t *testing.T) {
	blamed := map[codes.Code]bool{codes.Unknown: true, codes.DeadlineExceeded: true,
		codes.Unimplemented: true, codes.Internal: true, codes.Unavailable: true, codes.DataLoss: true}
	names := map[codes.Code]string{codes.OK: "OK", codes.Canceled: "CANCELLED",
		codes.NotFound: "NOT_FOUND", codes.Unauthenticated: "UNAUTHENTICATED", 99: "99"}
	for code := codes.Code(0); code <= 100; code++ {
		if code > codes.Unauthenticated && code != 99 {
			continue
		}
		w := newWorld(t, &handlers{get: func(context.Context, string) (string, error) {
			return "", status.Error(code, "says why")
		}}, tracekit.Config{})
		_, err := w.get(context.Background(), "")
		if status.Code(err) != code {
			t.Fatalf("%v came as %v", code, err)
		}
		clients, servers := w.done(t)
		client, server := clients["users.Users/Get"], servers["users.Users/Get"]
		name := client.Attributes["rpc.response.status_code"]
		if want, known := names[code]; known && name != want || name == "" ||
			server.Attributes["rpc.response.status_code"] != name {
			t.Errorf("%v is told as %v and %v", code, name, server.Attributes)
		}
		told := func(span otlptest.Span, failed bool) bool {
			if !failed {
				return span.StatusCode == 0 && span.Attributes["error.type"] == nil
			}
			return span.StatusCode == 2 && span.StatusMessage == "says why" && span.Attributes["error.type"] == name
		}
		if !told(client, code != codes.OK) || !told(server, blamed[code]) {
			t.Errorf("%v: %+v, %+v", code, client, server)
		}
	}
}

func TestAnErrorWithoutAStatusIsRecordedByItsType(t *testing.T) {
	w := newWorld(t, &handlers{get: func(ctx context.Context, request string) (string, error) {
		if request == "late" {
			return "", context.DeadlineExceeded
		}
		return "", &net.AddrError{Err: "no such address"}
	}}, tracekit.Config{})
	w.get(context.Background(), "")
	w.get(context.Background(), "late")
	w.done(t)
	var told []string
	for _, span := range w.Spans() {
		if tracekit.Kind(span.Kind) == tracekit.Server {
			told = append(told, fmt.Sprint(span.Attributes["error.type"], " ", span.Events[0].Attributes["exception.type"]))
		}
	}
	if got := strings.Join(told, ", "); got !=
		"UNKNOWN *net.AddrError, DEADLINE_EXCEEDED context.deadlineExceededError" {
		t.Errorf("told are %s", got)
	}
}

func TestAPanicOfAHandlerIsRecordedAndGoesOn(t *testing.T) {
	recovered := make(chan any, 2)
	answer := func(err *error) {
		if value := recover(); value != nil {
			recovered <- value
			*err = status.Error(codes.Internal, "recovered")
		}
	}
	unary := func(ctx context.Context, request any, _ *grpc.UnaryServerInfo,
		handler grpc.UnaryHandler) (_ any, err error) {
		defer answer(&err)
		return handler(ctx, request)
	}
	stream := func(service any, stream grpc.ServerStream, _ *grpc.StreamServerInfo,
		handler grpc.StreamHandler) (err error) {
		defer answer(&err)
		return handler(service, stream)
	}
	w := newWorld(t, &handlers{
		get:    func(context.Context, string) (string, error) { panic("of get") },
		stream: func(grpc.ServerStream) error { panic(errors.New("of watch")) },
	}, tracekit.Config{}, grpc.ChainUnaryInterceptor(unary), grpc.ChainStreamInterceptor(stream))
	if _, err := w.get(context.Background(), ""); status.Code(err) != codes.Internal {
		t.Error(err)
	}
	watch, err := w.conn.NewStream(context.Background(), &streams[0], watchMethod)
	if err != nil {
		t.Fatal(err)
	}
	if err := watch.RecvMsg(&message{}); status.Code(err) != codes.Internal {
		t.Error(err)
	}
	if got := fmt.Sprint(<-recovered, ", ", <-recovered); got != "of get, of watch" {
		t.Errorf("recovered are %s", got)
	}
	clients, servers := w.done(t)
	for method, message := range map[string]string{"users.Users/Get": "of get", "users.Users/Watch": "of watch"} {
		server := servers[method]
		if server.StatusCode != 2 || server.StatusMessage != message || len(server.Events) != 1 {
			t.Fatalf("%s: %+v", method, server)
		}
		trace, _ := server.Events[0].Attributes["exception.stacktrace"].(string)
		if !strings.Contains(trace, "TestAPanicOfAHandler") {
			t.Errorf("the stack is %s", trace)
		}
		if clients[method].Attributes["error.type"] != "INTERNAL" {
			t.Errorf("%+v", clients[method])
		}
	}
}

func TestAStreamThatIsGivenUpEndsWithItsContext(t *testing.T) {
	w := newWorld(t, &handlers{stream: func(stream grpc.ServerStream) error {
		<-stream.Context().Done()
		return stream.Context().Err()
	}}, tracekit.Config{})
	ctx, cancel := context.WithCancel(context.Background())
	if _, err := w.conn.NewStream(ctx, &streams[0], watchMethod); err != nil {
		t.Fatal(err)
	}
	cancel()
	deadline := time.Now().Add(20 * time.Second)
	for told := false; !told; {
		if err := w.sdk.Flush(context.Background()); err != nil {
			t.Fatal(err)
		}
		for _, span := range w.Spans() {
			told = told || span.Attributes["error.type"] == "CANCELLED" && span.Kind == uint64(tracekit.Client)
		}
		if time.Now().After(deadline) {
			t.Fatalf("no span was cancelled: %+v", w.Spans())
		}
	}
	w.done(t)
}

func TestACallThatNothingAnswersFails(t *testing.T) {
	w := newWorld(t, &handlers{}, tracekit.Config{})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	away := dial(t, w.sdk, listener.Addr().String())
	if err := away.Invoke(context.Background(), getMethod, &message{}, &message{}); err == nil {
		t.Error("a closed port answered")
	}
	if _, err := away.NewStream(context.Background(), &streams[0], watchMethod); err == nil {
		t.Error("a closed port answered")
	}
	clients, _ := w.done(t)
	for _, method := range []string{"users.Users/Get", "users.Users/Watch"} {
		if got := clients[method].Attributes["error.type"]; got != "UNAVAILABLE" {
			t.Errorf("%s: %v", method, got)
		}
	}
}

func TestOnlyTargetsGetTheTrace(t *testing.T) {
	var got metadata.MD
	h := &handlers{get: func(ctx context.Context, _ string) (string, error) {
		got, _ = metadata.FromIncomingContext(ctx)
		return "", nil
	}}
	for _, c := range []struct {
		targets []any
		carries bool
	}{{nil, true}, {[]any{}, false}, {[]any{"users.Users/"}, true}, {[]any{"grpc://127.0.0.1:"}, true},
		{[]any{"api.yourapp.com"}, false}} {
		w := newWorld(t, h, tracekit.Config{TracePropagationTargets: c.targets})
		ctx, root := fromCaller(w.sdk)
		if _, err := w.get(metadata.AppendToOutgoingContext(ctx, "mine", "stays"), ""); err != nil {
			t.Fatal(err)
		}
		root.End()
		carries := len(got["traceparent"]) == 1 && len(got["tracestate"]) == 1 && len(got["baggage"]) == 1
		if carries != c.carries || carries != (len(got["traceparent"]) > 0) || got["mine"][0] != "stays" {
			t.Errorf("targets %v: %v", c.targets, got)
		}
		w.done(t)
	}
}

func TestTwoTraceparentsBeginATrace(t *testing.T) {
	w := newWorld(t, &handlers{get: func(context.Context, string) (string, error) { return "", nil }},
		tracekit.Config{TracePropagationTargets: []any{}})
	header := "00-" + callerTrace + "-b7ad6b7169203331-01"
	ctx := metadata.AppendToOutgoingContext(context.Background(), "traceparent", header, "traceparent", header)
	if _, err := w.get(ctx, ""); err != nil {
		t.Fatal(err)
	}
	_, servers := w.done(t)
	if got := servers["users.Users/Get"]; got.TraceID == callerTrace || got.ParentID != "" {
		t.Errorf("%+v", got)
	}
}

func TestADisabledSDKChangesNothing(t *testing.T) {
	w := newWorld(t, &handlers{get: func(ctx context.Context, _ string) (string, error) {
		if md, _ := metadata.FromIncomingContext(ctx); len(md["traceparent"]) != 0 {
			t.Errorf("sent is %v", md)
		}
		return "as before", nil
	}, stream: echo}, tracekit.Config{Disabled: true})
	if text, err := w.get(context.Background(), ""); err != nil || text != "as before" {
		t.Error(text, err)
	}
	stream, err := w.conn.NewStream(context.Background(), &streams[2], chatMethod)
	if err != nil {
		t.Fatal(err)
	}
	stream.CloseSend()
	if err := stream.RecvMsg(&message{}); err != io.EOF {
		t.Error(err)
	}
	if w.done(t); len(w.Spans()) != 0 {
		t.Errorf("%d spans", len(w.Spans()))
	}
}

func TestTheAddressOfATargetIsBehindItsScheme(t *testing.T) {
	for target, want := range map[string]string{
		"dns:///users:50051": "users:50051", "dns://8.8.8.8/users:50051": "users:50051",
		"passthrough:///bufnet": "bufnet", "unix:///run/users.sock": "/run/users.sock",
		"unix:users.sock": "users.sock", "dns:users": "users", "": "",
	} {
		if got := targetAddress(target); got != want {
			t.Errorf("%q: %q, want %q", target, got, want)
		}
	}
}
