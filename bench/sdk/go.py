"""The Go SDK, by its own benchmarks. nothing of OpenTelemetry in Go is in the tree yet."""

import re
import subprocess
from pathlib import Path

GO = Path(__file__).resolve().parent.parent.parent / "sdk" / "go"
SPANS = {"Span0": ("a span with 0 attributes", 0.2), "Span5": ("a span with 5 attributes", 0.4),
         "Span10": ("a span with 10 attributes", 0.7)}
HANDLERS = {"HTTP": "net/http", "Gin": "Gin", "Echo": "Echo"}
ALLOCATIONS_MAX = 1
RUNS = 5


def benchmarks():
    """Nanoseconds (the median) and allocations an operation, by benchmark."""
    command = ["go", "test", "./tracekit", "-run", "^$", "-cpu", "1", "-benchtime", "0.3s", "-count", str(RUNS),
               "-bench", "^Benchmark(Span0|Span5|Span10|HTTP|Gin|Echo)$"]
    done = subprocess.run(command, cwd=GO, capture_output=True, text=True, check=True, timeout=600)
    runs = {}
    for name, nanos, allocations in re.findall(
            r"^Benchmark(\S+)\s+\d+\s+([\d.]+) ns/op\s+\d+ B/op\s+(\d+) allocs/op", done.stdout, re.M):
        runs.setdefault(name, []).append((float(nanos), int(allocations)))
    return {name: sorted(values)[len(values) // 2] for name, values in runs.items()}


def figures():
    measured = benchmarks()
    for name, (what, bar) in SPANS.items():
        nanos, allocations = measured[name]
        yield f"{what}, us", nanos / 1000, None, bar
        yield f"{what}, allocations", allocations, None, ALLOCATIONS_MAX
    for name, framework in HANDLERS.items():
        added = measured[f"{name}/traced"][0] - measured[f"{name}/bare"][0]
        yield f"added to a request of {framework}, us", added / 1000, None, 2


def gates(measured):
    for name, (ours, _, bar) in measured.items():
        if name.endswith("allocations") and ours > bar:
            yield f"{name}: {ours}, at most {bar}"
