package tracekit

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"testing"
	"testing/slogtest"
)

func TestALogRecordHasTheIdsOfItsSpan(t *testing.T) {
	sdk := newCollector(t).sdk(t, Config{})
	ctx, span := sdk.StartSpan(context.Background(), "logged")
	defer span.End()
	var out bytes.Buffer
	logger := slog.New(LogHandler(slog.NewJSONHandler(&out, nil)))
	for name, log := range map[string]func(){
		"plain":           func() { logger.InfoContext(ctx, "m", "a", 1) },
		"with attributes": func() { logger.With("a", 1).InfoContext(ctx, "m") },
		"in a group":      func() { logger.WithGroup("g").With("a", 1).InfoContext(ctx, "m", "b", 2) },
		"by the binding": func() {
			_, unbind := bind(ctx, span)
			defer unbind()
			logger.Info("m")
		},
	} {
		out.Reset()
		log()
		var record map[string]any
		if err := json.Unmarshal(out.Bytes(), &record); err != nil {
			t.Fatal(err)
		}
		if record["trace_id"] != span.TraceID() || record["span_id"] != span.SpanID() {
			t.Errorf("%s: %s", name, out.String())
		}
		if group, ok := record["g"].(map[string]any); name == "in a group" && (!ok || len(group) != 2) {
			t.Errorf("%s: %s", name, out.String())
		}
	}
}

func TestARecordWithoutASpanHasNoIds(t *testing.T) {
	var out bytes.Buffer
	slog.New(LogHandler(slog.NewJSONHandler(&out, nil))).Info("m")
	if bytes.Contains(out.Bytes(), []byte("trace_id")) {
		t.Error(out.String())
	}
}

func TestTheLogHandlerKeepsToTheRulesOfHandlers(t *testing.T) {
	sdk := newCollector(t).sdk(t, Config{})
	_, span := sdk.StartSpan(context.Background(), "logged")
	defer span.End()
	for name, bound := range map[string]bool{"without a span": false, "with a span": true} {
		t.Run(name, func(t *testing.T) {
			if bound {
				_, unbind := bind(context.Background(), span)
				defer unbind()
			}
			var out bytes.Buffer
			results := func() (all []map[string]any) {
				for _, line := range bytes.Split(bytes.TrimSpace(out.Bytes()), []byte("\n")) {
					var record map[string]any
					if err := json.Unmarshal(line, &record); err != nil {
						t.Fatal(err)
					}
					all = append(all, record)
				}
				return all
			}
			if err := slogtest.TestHandler(LogHandler(slog.NewJSONHandler(&out, nil)), results); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestARecordCostsNothingBesideItsIds(t *testing.T) {
	sdk := newCollector(t).sdk(t, Config{})
	ctx, span := sdk.StartSpan(context.Background(), "logged")
	defer span.End()
	plain := slog.New(slog.NewJSONHandler(io.Discard, nil))
	traced := slog.New(LogHandler(slog.NewJSONHandler(io.Discard, nil)))
	allocations := func(logger *slog.Logger) float64 {
		return testing.AllocsPerRun(100, func() { logger.LogAttrs(ctx, slog.LevelInfo, "m") })
	}
	room := 1.0
	if raceDetector {
		room++ // its sync.Pool forgets at random, and so costs half an allocation or more
	}
	if before, after := allocations(plain), allocations(traced); after > before+room {
		t.Errorf("%v allocations became %v", before, after)
	}
}
