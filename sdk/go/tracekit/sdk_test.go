package tracekit

import (
	"context"
	"testing"
	"time"

	"github.com/Tracekit-Dev/go-sdk/internal/otlptest"
)

// collector is where a test's SDK sends its spans.
type collector struct{ *otlptest.Collector }

func newCollector(t *testing.T) collector { return collector{otlptest.New(t)} }

// sdk makes an SDK that sends to the collector.
func (c collector) sdk(t *testing.T, config Config) *SDK {
	t.Helper()
	config.APIKey, config.Endpoint = "test-key", c.URL
	if config.ServiceName == "" {
		config.ServiceName = "test"
	}
	sdk, err := NewSDK(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sdk.Shutdown(testContext(t)) })
	return sdk
}

// flushed gives all spans by name once the SDK has sent them.
func (c collector) flushed(t *testing.T, sdk *SDK) map[string]otlptest.Span {
	t.Helper()
	if err := sdk.Flush(testContext(t)); err != nil {
		t.Fatal(err)
	}
	return c.ByName()
}

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}
