"""Measures the release build on this machine: ingest, acknowledged to found, start, memory. ./dev bench [WHAT...]

The server runs on one core, the load on the other. Each figure is the median of several runs, beside its smallest and
largest, and as a ratio to the newest recorded run of the same machine, where there is one (bench/results/). Nothing
passes or fails here: a figure is a fact about a machine and a moment.
"""

import argparse
import json
import os
import platform
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "release"
RESULTS = ROOT / "bench" / "results"
SERVER_CORE, LOAD_CORE = 1, 0
READY_SECONDS = 30


class Server:
    """A server on a fresh directory and a free port, pinned to one core."""

    def __init__(self, directory):
        command = ["taskset", "-c", str(SERVER_CORE), str(BUILD / "tracekit"), "serve", "--dev", "--data", directory,
                   "--listen", "127.0.0.1:0", "--threads", "1"]
        started = time.monotonic()
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                                        stdin=subprocess.DEVNULL)
        line = self.process.stdout.readline()
        self.ready_ms = (time.monotonic() - started) * 1000
        if not line.startswith("tracekit ready "):
            self.stop()
            raise SystemExit(f"bench: the server did not become ready: {line!r}")
        self.url = line.split()[-1]

    def status_kib(self, field):
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"^{field}:\s+(\d+) kB", text, re.M).group(1))

    def cpu_seconds(self):
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=READY_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def tool(name, *arguments):
    return subprocess.Popen([str(BUILD / name), *map(str, arguments)], stdout=subprocess.PIPE, text=True)


def answer(process):
    text, _ = process.communicate()
    if process.returncode != 0:
        raise SystemExit(f"bench: {process.args[0]} failed")
    return json.loads(text)


def load(server, *arguments):
    return answer(tool("bench_ingest", "--url", server.url, "--core", LOAD_CORE + 1, *arguments))


def with_server(measure):
    directory = tempfile.mkdtemp(prefix="tracekit-bench-", dir=os.environ.get("TRACEKIT_BENCH_DIR"))
    server = Server(directory)
    try:
        return measure(server, directory)
    finally:
        server.stop()
        shutil.rmtree(directory, ignore_errors=True)


def disk_bytes(directory):
    return sum(path.stat().st_size for path in Path(directory).rglob("*") if path.is_file())


def ingest(seconds, name, *arguments):
    """As many spans as the server acknowledges, each of them fsynced."""
    def measure(server, directory):
        before = server.cpu_seconds()
        got = load(server, "--seconds", seconds, *arguments)
        cpu = server.cpu_seconds() - before
        sent = max(got["spans"], 1) * (seconds + 1) / seconds  # the warm-up's second too
        return {f"{name}: spans/s acknowledged": got["spans_per_second"], f"{name}: ack p50 ms": got["ack_p50_ms"],
                f"{name}: ack p99 ms": got["ack_p99_ms"], f"{name}: MB/s received": got["bytes_per_second"] / 1e6,
                f"{name}: CPU us/span, about": cpu / sent * 1e6}
    return with_server(measure)


def quiet(seconds):
    """10,000 spans/s: what an ordinary day costs, and how soon a span is found."""
    def measure(server, directory):
        before = server.cpu_seconds()
        pouring = tool("bench_ingest", "--url", server.url, "--core", LOAD_CORE + 1, "--rate", 10000, "--spans", 200,
                       "--seconds", seconds)
        time.sleep(2)
        found = answer(tool("bench_probe", "--url", server.url, "--probes", 50))
        got = answer(pouring)
        cpu = (server.cpu_seconds() - before) / (seconds + 1) * 100
        return {"10,000 spans/s: ack p50 ms": got["ack_p50_ms"], "10,000 spans/s: ack p99 ms": got["ack_p99_ms"],
                "10,000 spans/s: acknowledged to found p50 ms": found["found_p50_ms"],
                "10,000 spans/s: acknowledged to found p99 ms": found["found_p99_ms"],
                "10,000 spans/s: RSS MiB": server.status_kib("VmRSS") / 1024,
                "10,000 spans/s: peak RSS MiB": server.status_kib("VmHWM") / 1024,
                "10,000 spans/s: % of a core": cpu,
                "10,000 spans/s: bytes/span on disk, unsettled":
                    disk_bytes(directory) / max(got["spans"] * (seconds + 1) / seconds, 1)}
    return with_server(measure)


def start(_seconds):
    """From exec to the ready line, on an empty directory."""
    return with_server(lambda server, _directory: {"start to ready ms, empty directory": server.ready_ms})


def decode(_seconds):
    """The decoders alone, from memory."""
    text = subprocess.run(["taskset", "-c", str(LOAD_CORE), str(BUILD / "bench_decode"), "1000", "1"], check=True,
                          capture_output=True, text=True).stdout
    return {f"decode {name.strip()}: CPU ns/span": float(mean)
            for name, mean in re.findall(r"^(.+?)\s+(\d+) ns/span mean", text, re.M)}


MEASUREMENTS = {
    "start": start,
    "decode": decode,
    "ingest": lambda seconds: ingest(seconds, "protobuf"),
    "json": lambda seconds: ingest(seconds, "JSON", "--format", "json"),
    "gzip": lambda seconds: ingest(seconds, "protobuf, gzip", "--encoding", "gzip", "--bodies", 250 * (seconds + 1)),
    "quiet": quiet,
}


def machine():
    cpu = re.search(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text())
    return f"{cpu.group(1) if cpu else platform.machine()}, {os.cpu_count()} cores, Linux {platform.release()}"


def last_recorded():
    """The medians of the newest result of this machine."""
    for path in sorted(RESULTS.glob("*.md"), reverse=True):
        text = path.read_text()
        if f"Machine: {machine()}\n" in text:
            return {name: float(median) for name, median in re.findall(r"^\| ([^|]+?) \| ([\d.]+) \|", text, re.M)}
    return {}


def table(figures, runs):
    last = last_recorded()
    lines = [f"Machine: {machine()}", f"Load before: {os.getloadavg()[0]:.1f}. Runs: {runs}.", "",
             "| what | median | smallest | largest | to last recorded |", "|---|---|---|---|---|"]
    for name, values in figures.items():
        median = statistics.median(values)
        ratio = f"{median / last[name]:.2f}x" if last.get(name) else "-"
        digits = 0 if median >= 1000 else 2
        lines.append(f"| {name} | {median:.{digits}f} | {min(values):.{digits}f} | {max(values):.{digits}f} | {ratio} |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", metavar="WHAT",
                        help=f"of {', '.join(MEASUREMENTS)} [start decode ingest quiet]")
    parser.add_argument("--runs", type=int, default=3, help="of each [3]")
    parser.add_argument("--seconds", type=int, default=10, help="of load in each [10]")
    parser.add_argument("--record", metavar="NAME", help="keep the table as bench/results/DATE-NAME.md")
    options = parser.parse_args()
    if (os.cpu_count() or 1) < 2:
        parser.error("load and server need a core each")
    unknown = set(options.what) - set(MEASUREMENTS)
    if unknown:
        parser.error(f"{', '.join(sorted(unknown))}: choose from {', '.join(MEASUREMENTS)}")
    figures = {}
    for what in options.what or ["start", "decode", "ingest", "quiet"]:
        for _ in range(options.runs):
            for name, value in MEASUREMENTS[what](options.seconds).items():
                figures.setdefault(name, []).append(value)
    text = table(figures, options.runs)
    sys.stdout.write(text)
    if options.record:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"{time.strftime('%Y-%m-%d')}-{options.record}.md").write_text(text)


if __name__ == "__main__":
    main()
