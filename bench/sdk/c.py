"""C: a span with 0, 5 and 10 attributes, made, ended and put into a request's body, which is let go. There is no
OpenTelemetry SDK for C; the one for C++ took 706, 2,055 and 4,900 ns (protobuf, release) on a machine of this kind."""

import re
import shutil
import statistics
import subprocess
import tempfile
from pathlib import Path

PROGRAM = Path(__file__).resolve().parents[2] / "build" / "release" / "sdk" / "c" / "bench_spans"
RUNS = 5
BARS = {0: 80, 5: 110, 10: 170}
# What a span took when this was written (611, 1,247 and 1,842), and a sixth more.
INSTRUCTIONS_MAX = {0: 715, 5: 1455, 10: 2150}


def times():
    """Nanoseconds of the thread that makes the spans, and of both threads, by attributes: medians of some runs."""
    found = {}
    for _ in range(RUNS):
        out = subprocess.run([str(PROGRAM)], capture_output=True, text=True, check=True).stdout
        last = {}  # the first runs, of ten attributes, are to warm up
        for attributes, thread, process in re.findall(r"(\d+) attributes: +([\d.]+) ns .*?([\d.]+) ns of the process", out):
            last[int(attributes)] = (float(thread), float(process))
        for attributes, pair in last.items():
            found.setdefault(attributes, []).append(pair)
    return {attributes: [statistics.median(column) for column in zip(*pairs)] for attributes, pairs in sorted(found.items())}


def instructions(attributes):
    """Of a span, both threads, by callgrind: two runs' difference, so that the program's start is not in it."""
    counts = []
    for spans in (5110, 15330):
        with tempfile.NamedTemporaryFile() as out:
            done = subprocess.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={out.name}", str(PROGRAM), str(spans),
                                   str(attributes)], capture_output=True, text=True, check=True)
        counts.append(int(re.search(r"Collected : (\d+)", done.stderr).group(1)))
    return (counts[1] - counts[0]) / 10220


def figures():
    for attributes, (thread, process) in times().items():
        yield f"span, {attributes} attributes, on its thread, ns", thread, None, BARS[attributes]
        yield f"span, {attributes} attributes, CPU with batching, ns", process, None, None
    if shutil.which("valgrind"):
        for attributes in BARS:
            yield f"span, {attributes} attributes, instructions", instructions(attributes), None, INSTRUCTIONS_MAX[attributes]


def gates(measured):
    for name, (ours, _, bar) in measured.items():
        if name.endswith("instructions") and ours > bar:
            yield f"{name}: {ours:.0f}, at most {bar}"
