package tracekit

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Batching, with OpenTelemetry's defaults, and a bound on memory: spans that find the queue
// full are dropped and counted.
const (
	maxQueueSpans = 2048
	maxQueueBytes = 16 << 20
	batchSpans    = 512
	batchDelay    = 5 * time.Second
)

// batch is up to 512 spans, each already a field of ScopeSpans.
type batch struct {
	bytes []byte
	spans int
}

// queue takes ended spans from any goroutine; the exporter's one takes batches out of it.
type queue struct {
	wake chan struct{} // a batch is full

	mu      sync.Mutex
	full    []batch
	open    batch
	spare   [][]byte
	spans   int
	bytes   int
	dropped uint64
	overrun bool // spans found the queue full
	closed  bool
}

// add copies an ended span's message into the open batch: that is all that happens under the
// lock which all goroutines share.
func (q *queue) add(span []byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || q.spans >= maxQueueSpans || q.bytes+len(span) > maxQueueBytes {
		q.overrun = true
		q.dropped++
		return
	}
	before := len(q.open.bytes)
	q.open.bytes = appendBytesField(q.open.bytes, tagScopeSpansSpan, span)
	q.bytes += len(q.open.bytes) - before
	q.open.spans++
	if q.spans++; q.open.spans == batchSpans {
		q.cut()
		select {
		case q.wake <- struct{}{}:
		default:
		}
	}
}

// cut closes the open batch. The caller holds the lock.
func (q *queue) cut() {
	q.full = append(q.full, q.open)
	q.open = batch{}
	if n := len(q.spare); n > 0 {
		q.open.bytes, q.spare = q.spare[n-1], q.spare[:n-1]
	}
}

// take gives the oldest full batch or, when all is asked for, the open one; no spans: none.
func (q *queue) take(all bool) batch {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.full) == 0 && all && q.open.spans > 0 {
		q.cut()
	}
	if len(q.full) == 0 {
		return batch{}
	}
	b := q.full[0]
	q.full = q.full[1:]
	return b
}

// done frees the place of a batch that was sent, or dropped.
func (q *queue) done(b batch, dropped int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.spans -= b.spans
	q.bytes -= len(b.bytes)
	q.dropped += uint64(dropped)
	if len(q.spare) < 2 && cap(b.bytes) <= 1<<20 {
		q.spare = append(q.spare, b.bytes[:0])
	}
}

// close drops what is left; spans that end later are dropped too.
func (q *queue) close() (left int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	left = q.spans
	q.dropped += uint64(left)
	q.full, q.open, q.spare, q.spans, q.bytes, q.closed = nil, batch{}, nil, 0, 0, true
	return left
}

func (q *queue) droppedSpans() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.dropped
}

// wasOverrun says whether spans were dropped because more ended than could be sent.
func (q *queue) wasOverrun() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.overrun
}

// exporter sends what is queued, from one goroutine of its own: exports never overlap.
type exporter struct {
	queue  queue
	sender *sender

	flushes chan chan error
	ctx     context.Context // ends every wait and request of the goroutine
	cancel  context.CancelFunc
	stopped chan struct{}
	stop    sync.Once
}

var errShutdown = errors.New("tracekit: the SDK is shut down")

func newExporter(s *sender) *exporter {
	e := &exporter{
		queue:   queue{wake: make(chan struct{}, 1)},
		sender:  s,
		flushes: make(chan chan error),
		stopped: make(chan struct{}),
	}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	go e.run()
	return e
}

func (e *exporter) run() {
	defer close(e.stopped)
	ticker := time.NewTicker(batchDelay)
	defer ticker.Stop()
	for {
		select {
		case <-e.queue.wake:
			_ = e.export(false)
		case <-ticker.C:
			syncClock()
			_ = e.export(true)
		case answer := <-e.flushes:
			answer <- e.export(true)
		case <-e.ctx.Done():
			return
		}
	}
}

// export sends the full batches, or all spans. The error is the last one; the sender has said
// it already to whoever reads the log.
func (e *exporter) export(all bool) (err error) {
	for e.ctx.Err() == nil {
		b := e.queue.take(all)
		if b.spans == 0 {
			break
		}
		dropped, sendErr := e.send(b)
		e.queue.done(b, dropped)
		if sendErr != nil {
			err = sendErr
		}
	}
	if !e.sender.told && e.queue.wasOverrun() {
		e.sender.told = true
		say("spans end faster than %s takes them; what finds the queue full is dropped "+
			"(SDK.DroppedSpans counts)", e.sender.name)
	}
	return err
}

// send lets no mistake of ours, or in what the environment makes of HTTP, end the program.
func (e *exporter) send(b batch) (dropped int, err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			dropped, err = b.spans, fmt.Errorf("tracekit: %v", panicked)
			e.sender.report(result{outcome: drop, err: err})
		}
	}()
	return e.sender.send(e.ctx, b)
}

// flush waits until all that was queued is sent or given up, or ctx ends.
func (e *exporter) flush(ctx context.Context) error {
	answer := make(chan error, 1)
	select {
	case e.flushes <- answer:
	case <-e.stopped:
		return errShutdown
	case <-ctx.Done():
		return fmt.Errorf("tracekit: flush: %w", ctx.Err())
	}
	select {
	case err := <-answer:
		return err
	case <-e.stopped:
		return errShutdown
	case <-ctx.Done():
		return fmt.Errorf("tracekit: flush: %w", ctx.Err())
	}
}

// shutdown flushes within ctx and ends the goroutine. Only the first call does anything.
func (e *exporter) shutdown(ctx context.Context) (err error) {
	e.stop.Do(func() {
		err = e.flush(ctx)
		e.cancel()
		<-e.stopped
		left := e.queue.close()
		e.sender.close()
		if left > 0 && err != nil {
			err = fmt.Errorf("%w; %d spans were not sent", err, left)
		}
	})
	return err
}
