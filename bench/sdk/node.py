"""The JavaScript SDKs: @tracekit/node, and the bundles for pages."""

import gzip
import json
import statistics
import subprocess
from pathlib import Path

from queries import Wrong

HERE = Path(__file__).resolve().parent
SDK = HERE.parent.parent / "sdk"
# One thread: the collector's and the compiler's work is in the CPU time, wherever it would have been done.
NODE = ["node", "--single-threaded", str(HERE / "node.mjs")]
BROWSER_MAX = 8000
PROPAGATION_MAX = 2500
REACT_MAX = 1500
ROUNDS = 3


def node(*what):
    done = subprocess.run([*NODE, *map(str, what)], capture_output=True, text=True, check=True, timeout=300)
    return json.loads(done.stdout.splitlines()[-1])


def packed(package, name="index.js"):
    return len(gzip.compress((SDK / package / "dist" / name).read_bytes(), 9, mtime=0))


def added(framework):
    """What we and OpenTelemetry add to a bare request, in us: the median of several rounds of all three in turn."""
    rounds = [[node("request", framework, whose) for whose in ("bare", "ours", "theirs")] for _ in range(ROUNDS)]
    for _, ours, theirs in rounds:
        # OpenTelemetry makes one more for each middleware, hook and handler.
        if ours["spans"] != 1 or theirs["spans"] < 1:
            raise Wrong(f"{framework}: {ours['spans']} of our spans a request, {theirs['spans']} of OpenTelemetry's")
    return [statistics.median(one[i]["nanos"] - one[0]["nanos"] for one in rounds) / 1000 for i in (1, 2)]


def figures():
    for count, bar in ((0, 0.7), (5, 1.0), (10, 1.4)):
        ours, theirs = node("spans", count, "ours"), node("spans", count, "theirs")
        yield f"a span with {count} attributes, us", ours["nanos"] / 1000, theirs["nanos"] / 1000, bar
        yield f"a span with {count} attributes, bytes", ours["bytes"], theirs["bytes"], None
    for framework, bar in (("http", 2), ("express", 5), ("fastify", 3)):
        yield f"added to a request of {framework}, us", *added(framework), bar
    nothing, ours, theirs = (node("start", whose) for whose in ("nothing", "ours", "theirs"))
    yield "import and start, ms", ours["millis"] - nothing["millis"], theirs["millis"] - nothing["millis"], 15
    yield "import and start, MiB", *((one["kibibytes"] - nothing["kibibytes"]) / 1024 for one in (ours, theirs)), 4
    browser = packed("browser")
    yield "browser, bytes gzipped", browser, node("bundle")["bytes"], BROWSER_MAX
    yield "browser, propagation alone, bytes gzipped", packed("browser", "propagation.js"), None, PROPAGATION_MAX
    yield "React's part, bytes gzipped", packed("react") - browser, None, REACT_MAX


def gates(measured):
    """What does not depend on the machine, and must hold."""
    for name in (name for name in measured if name.endswith("gzipped")):
        ours, _, bar = measured[name]
        if ours > bar:
            yield f"{name}: {ours:.0f}, at most {bar}"
