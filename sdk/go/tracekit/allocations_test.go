//go:build gc && !tracekit_nolabels && !race

package tracekit

import (
	"context"
	"testing"
)

// Elsewhere more is allocated: the number of a goroutine is asked for where it has no labels, and
// under the race detector a sync.Pool forgets at random.
func TestASpanIsOneAllocation(t *testing.T) {
	sdk, ctx := benchSDK(), context.Background()
	spans := testing.AllocsPerRun(batchSpans*4, func() {
		_, span := sdk.StartSpan(ctx, "one")
		span.SetTag("key", "value")
		span.SetTag("n", 4711)
		span.End()
		sdk.drain()
	})
	if spans > 1 {
		t.Errorf("%v allocations", spans)
	}
}
