package tracekit

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"math/rand"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// What OTLP/HTTP's specification says of failures: these answers, and none, are worth another
// try; every other one is final.
const (
	maxAttempts    = 5
	firstDelay     = time.Second
	maxDelay       = time.Minute
	requestTimeout = 10 * time.Second
	maxAnswerBytes = 4 << 20
)

// sender posts batches to one server. It is used by the exporter's goroutine alone.
type sender struct {
	url      string
	name     string // the URL without a password, for the log
	headers  http.Header
	resource []byte // the message Resource
	scope    []byte // the message InstrumentationScope
	client   *http.Client
	debug    bool

	body     bytes.Buffer
	gzip     *gzip.Writer
	failing  bool // said already, until a batch goes through
	told     bool // that spans may be dropped
	answered bool
	partial  bool // said already

	now   func() time.Time // a test may have a clock of its own
	sleep func(ctx context.Context, d time.Duration)
}

func newSender(c config) *sender {
	headers := http.Header{}
	for name, value := range c.headers {
		headers.Set(name, value)
	}
	headers.Set("Content-Type", "application/x-protobuf")
	headers.Set("Content-Encoding", "gzip")
	headers.Set("User-Agent", "tracekit-go/"+Version)
	zip, _ := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed) // the level is a valid one
	return &sender{
		url: c.endpoint, name: redacted(c.endpoint), headers: headers, debug: c.debug, gzip: zip,
		resource: resourceMessage(c), scope: scopeMessage(), now: time.Now, sleep: sleep,
		client: &http.Client{
			// Its own: http.DefaultTransport may be traced, or be anything.
			Transport: &http.Transport{
				Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, IdleConnTimeout: time.Minute,
			},
			Timeout: requestTimeout,
			// A redirect would carry the key to another host.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

func (s *sender) close() { s.client.CloseIdleConnections() }

// send delivers a batch, with tries and waits as retry.json has them, and gives the number of
// its spans that did not arrive. Whatever goes wrong is one line in the log until it is well again.
func (s *sender) send(ctx context.Context, b batch) (dropped int, err error) {
	if err := s.encode(b); err != nil {
		return b.spans, err
	}
	for attempt := 1; ; attempt++ {
		result := s.post(ctx)
		if ctx.Err() != nil {
			return b.spans, ctx.Err() // we gave up, not the server: Shutdown says so
		}
		s.report(result)
		if result.outcome == delivered {
			return s.rejected(result.answer), nil
		}
		if result.outcome == drop || attempt == maxAttempts {
			return b.spans, result.err
		}
		s.sleep(ctx, retryDelay(attempt, result.retryAfter, s.now()))
		if ctx.Err() != nil {
			return b.spans, ctx.Err()
		}
	}
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (s *sender) encode(b batch) error {
	s.body.Reset()
	s.gzip.Reset(&s.body)
	if _, err := s.gzip.Write(appendRequestHead(nil, s.resource, s.scope, len(b.bytes))); err != nil {
		return err
	}
	if _, err := s.gzip.Write(b.bytes); err != nil {
		return err
	}
	return s.gzip.Close()
}

type outcome int

const (
	delivered outcome = iota
	retry
	drop
)

// outcomeOf judges an answer's status.
func outcomeOf(status int) outcome {
	switch {
	case status >= 200 && status < 300:
		return delivered
	case status == http.StatusTooManyRequests, status == http.StatusBadGateway,
		status == http.StatusServiceUnavailable, status == http.StatusGatewayTimeout:
		return retry
	}
	return drop
}

type result struct {
	outcome    outcome
	answer     []byte
	retryAfter string
	err        error
}

func (s *sender) post(ctx context.Context) result {
	body := bytes.NewReader(s.body.Bytes())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, body)
	if err != nil {
		return result{outcome: drop, err: err}
	}
	req.Header = s.headers.Clone()
	resp, err := s.client.Do(req)
	if err != nil {
		if urlError, ok := err.(*url.Error); ok {
			err = urlError.Err // the line says the URL already
		}
		return result{outcome: retry, err: err}
	}
	defer resp.Body.Close()
	// The status decides: spans that were taken must not be sent again because of a bad answer.
	answer, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswerBytes))
	r := result{
		outcome: outcomeOf(resp.StatusCode), answer: answer,
		retryAfter: resp.Header.Get("Retry-After"),
	}
	if r.outcome != delivered {
		r.err = fmt.Errorf("it answered %s", resp.Status)
	}
	return r
}

// report says once that the server cannot be reached or refuses, and in debug mode that it
// answers.
func (s *sender) report(r result) {
	if r.outcome == delivered {
		if s.debug && (s.failing || !s.answered) {
			say("%s takes our spans", s.name)
		}
		s.failing, s.answered = false, true
		return
	}
	if !s.failing {
		s.failing, s.told = true, true
		say("cannot send spans to %s: %v (the app goes on; spans are dropped "+
			"when the queue is full)", s.name, r.err)
	}
}

// rejected gives how many spans of a delivered batch the server refused. They are never sent
// again.
func (s *sender) rejected(answer []byte) int {
	n, message := partialSuccess(answer)
	if (n > 0 || message != "") && !s.partial {
		s.partial = true
		say("%s refused %d spans of a batch: %s", s.name, n, message)
	}
	if n < 0 || n > batchSpans {
		return 0
	}
	return int(n)
}

// retryDelay gives the wait after the attempt-th try failed: what Retry-After asks for, in
// seconds or as a date, or else a random moment in the upper half of an exponential step.
func retryDelay(attempt int, retryAfter string, now time.Time) time.Duration {
	if seconds, err := strconv.Atoi(strings.TrimSpace(retryAfter)); err == nil && seconds >= 0 {
		if seconds > int(maxDelay/time.Second) {
			return maxDelay
		}
		return time.Duration(seconds) * time.Second
	}
	if date, err := http.ParseTime(retryAfter); err == nil {
		return min(max(date.Sub(now), 0), maxDelay)
	}
	step := min(firstDelay<<(attempt-1), maxDelay)
	return step/2 + time.Duration(rand.Int63n(int64(step/2)+1))
}
