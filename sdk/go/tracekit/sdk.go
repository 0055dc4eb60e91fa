package tracekit

import (
	"context"
	"sync/atomic"
	"time"
)

// SDK makes the spans of one service. Its methods may be called from several goroutines.
type SDK struct {
	config   config
	sampler  sampler
	exporter *exporter // nil: spans are not sent
}

// latest is the SDK that HTTPClient uses where no span says another one.
var latest atomic.Pointer[SDK]

// shutdownTimeout bounds Shutdown when its context does not.
const shutdownTimeout = 10 * time.Second

// NewSDK sets tracing up. A missing key, a wrong address and a server that does not answer are
// said in the log and never fail; an error is a mistake in the code that calls, such as a
// propagation target of a wrong type.
func NewSDK(c Config) (*SDK, error) {
	completed, err := complete(c)
	if err != nil {
		return nil, err
	}
	s := &SDK{config: completed, sampler: newSampler(completed.sampleRate)}
	switch {
	case s.config.Disabled:
	case !s.config.canSend():
		say("TRACEKIT_API_KEY is not set: spans are not sent")
	default:
		s.exporter = newExporter(newSender(s.config))
	}
	if s.config.debug {
		say("service %q, endpoint %s, sample rate %g, sending %t",
			s.config.ServiceName, redacted(s.config.endpoint), s.config.sampleRate, s.exporter != nil)
	}
	latest.Store(s)
	return s, nil
}

// StartSpan starts a span below the one in ctx, else below the one the middleware bound to
// this goroutine, else a new trace. End it; pass the returned context on to what it calls.
func (s *SDK) StartSpan(ctx context.Context, name string) (context.Context, *Span) {
	if s.config.Disabled {
		return ctx, nil
	}
	span := s.newSpan(ctx, name, Internal, spanFrom(ctx), SpanContext{})
	return span.context(), span
}

// StartSpanOfKind is StartSpan for one end of a call or a message, in code that traces another
// protocol than HTTP. Caller is what ParseSpanContext read from what came in, and the parent
// when it IsValid; pass SpanContext{} where nothing comes in. Without a caller a Server span
// begins a trace, and the other kinds are below the span that StartSpan would take.
func (s *SDK) StartSpanOfKind(
	ctx context.Context, name string, kind Kind, caller SpanContext,
) (context.Context, *Span) {
	if s.config.Disabled {
		return ctx, nil
	}
	var parent *Span
	switch {
	case kind == Server:
		parent = serverSpanFrom(ctx)
	case caller.IsValid():
	default:
		parent = spanFrom(ctx)
	}
	if kind < Internal || kind > Consumer {
		kind = Internal
	}
	span := s.newSpan(ctx, name, kind, parent, caller)
	return span.context(), span
}

// newSpan makes a span below parent or, when that is nil, below the caller's remote context
// or, when there is none, at the top of a new trace.
func (s *SDK) newSpan(
	ctx context.Context, name string, kind Kind, parent *Span, remote SpanContext,
) *Span {
	if ctx == nil {
		ctx = context.Background()
	}
	sc := remote
	if parent != nil {
		sc = parent.sc
	}
	r := recordings.Get().(*recording)
	var parentID SpanID
	if sc.IsValid() {
		parentID = sc.SpanID
	} else {
		s.sampler.root(&sc, &r.generator)
	}
	sc.SpanID = r.generator.spanID()
	if s.exporter == nil || !sc.Sampled() {
		recordings.Put(r)
		return &Span{sdk: s, below: ctx, sc: sc, kind: kind}
	}
	r.begin(&sc, parentID, parent == nil && parentID != SpanID{}, name, kind)
	return &Span{sdk: s, below: ctx, sc: sc, kind: kind, recording: r}
}

// GetCurrentSpan gives the span of ctx, else the one the middleware bound to this goroutine,
// else nil, on which every method of a span does nothing.
func (s *SDK) GetCurrentSpan(ctx context.Context) *Span { return spanFrom(ctx) }

// CaptureException records err on the span the middleware bound to this goroutine. Prefer
// CaptureExceptionContext.
func (s *SDK) CaptureException(err error) {
	s.capture(context.Background(), err, stack(1))
}

// CaptureExceptionContext records err on the span of ctx. Without an open span it makes one,
// named exception, so that the error is not lost.
func (s *SDK) CaptureExceptionContext(ctx context.Context, err error) {
	s.capture(ctx, err, stack(1))
}

func (s *SDK) capture(ctx context.Context, err error, stack string) {
	if err == nil || s.config.Disabled {
		return
	}
	span := spanFrom(ctx)
	if span == nil || span.ended() {
		span = s.newSpan(ctx, "exception", Internal, span, SpanContext{})
		defer span.End()
	}
	span.captureException(err, stack)
}

// Flush sends what is queued, and waits until it has arrived, was given up or ctx ends.
func (s *SDK) Flush(ctx context.Context) error {
	if s.exporter == nil {
		return nil
	}
	return s.exporter.flush(ctx)
}

// Shutdown flushes and stops sending, within ctx and ten seconds. Spans that end later are
// dropped. Call it when the program ends, after its servers have stopped.
func (s *SDK) Shutdown(ctx context.Context) error {
	latest.CompareAndSwap(s, nil)
	if s.exporter == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, shutdownTimeout)
	defer cancel()
	return s.exporter.shutdown(ctx)
}

// DroppedSpans counts the spans that were not sent: the queue was full, or the server could
// not be reached or refused them.
func (s *SDK) DroppedSpans() uint64 {
	if s.exporter == nil {
		return 0
	}
	return s.exporter.queue.droppedSpans()
}
