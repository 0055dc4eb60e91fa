"""The Go SDK by its own benchmarks, and OpenTelemetry's by the same ones in bench/sdk/go: a module of its own, which alone
names OpenTelemetry. The two run in turns; without a network, and without its modules from before, there is no peer."""

import re
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
OURS, THEIRS = (HERE.parent.parent / "sdk" / "go", "./tracekit"), (HERE / "go", ".")
SPANS = {"Span0": ("a span with 0 attributes", 0.2), "Span5": ("a span with 5 attributes", 0.4),
         "Span10": ("a span with 10 attributes", 0.7)}
HANDLERS = {"HTTP": "net/http", "Gin": "Gin", "Echo": "Echo"}
ALLOCATIONS_MAX = 1
RUNS = 5


def once(folder, package):
    """Nanoseconds of CPU and allocations an operation, by benchmark."""
    command = ["go", "test", package, "-run", "^$", "-cpu", "1", "-benchtime", "0.3s", "-bench",
               "^Benchmark(Span0|Span5|Span10|HTTP|Gin|Echo)$"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600)
    if done.returncode != 0:
        raise RuntimeError(f"{folder}: {' '.join(command)}: {done.stdout}{done.stderr}")
    found = {}
    for name, results in re.findall(r"^Benchmark(\S+)\s+\d+\s+(.+)$", done.stdout, re.M):
        values = {unit: float(value) for value, unit in re.findall(r"([\d.]+) (\S+)", results)}
        found[name] = (values["cpu-ns/op"], values["allocs/op"])
    return found


def medians(runs):
    return {name: tuple(statistics.median(run[name][column] for run in runs) for column in (0, 1)) for name in runs[0]}


def benchmarks():
    ours, theirs = [], []
    for _ in range(RUNS):
        ours.append(once(*OURS))
        try:
            theirs.append(once(*THEIRS))
        except RuntimeError as error:
            print(f"OpenTelemetry's SDK for Go is left out: {error}", file=sys.stderr)
            return medians(ours), None
    return medians(ours), medians(theirs)


def figures():
    ours, theirs = benchmarks()

    def both(figure):
        return figure(ours), figure(theirs) if theirs else None

    for name, (what, bar) in SPANS.items():
        yield f"{what}, us", *both(lambda of: of[name][0] / 1000), bar
        yield f"{what}, allocations", *both(lambda of: of[name][1]), ALLOCATIONS_MAX
    for name, framework in HANDLERS.items():
        yield (f"added to a request of {framework}, us",
               *both(lambda of: (of[f"{name}/traced"][0] - of[f"{name}/bare"][0]) / 1000), 2)


def gates(measured):
    for name, (ours, _, bar) in measured.items():
        if name.endswith("allocations") and ours > bar:
            yield f"{name}: {ours:.0f}, at most {bar}"
