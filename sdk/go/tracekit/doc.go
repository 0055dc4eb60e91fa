// Package tracekit traces a Go service: it makes spans, carries the W3C trace context from
// request to request and sends the spans as OTLP to a TraceKit server.
//
//	sdk, err := tracekit.NewSDK(tracekit.Config{ServiceName: "users"})
//	if err != nil {
//		log.Fatal(err)
//	}
//	defer sdk.Shutdown(context.Background())
//
//	r := gin.Default()
//	r.Use(sdk.GinMiddleware()) // before the routes
//
// The key comes from the environment, TRACEKIT_API_KEY. Without it one line on the standard
// logger says so, no span is sent, and everything else works as before.
//
// # Contexts
//
// The middleware puts the server span into the request's context; [SDK.StartSpan],
// [SDK.GetCurrentSpan], [SDK.CaptureExceptionContext], an http.Request made with
// http.NewRequestWithContext and the Context methods of a wrapped database find it there.
// Prefer these. The middleware also binds the span to the goroutine, as a profiler label, so
// that [HTTPClient] and [SDK.CaptureException] work without a context, in the handler and in
// the goroutines it starts. A context that carries no span falls back to that binding; use
// [ContextWithSpan] with a nil span to start a trace of its own inside a request.
//
// # Dependencies
//
// Nothing but the standard library makes and sends spans. Gin and Echo are required because
// [SDK.GinMiddleware] and [SDK.EchoMiddleware] are methods and return these frameworks' types;
// the linker drops what a program does not call. The versions required are old ones on
// purpose: a program's own go.mod decides.
package tracekit
