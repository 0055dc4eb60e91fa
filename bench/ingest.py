"""What comes in: spans a second, CPU and bytes of a span, an ordinary day, starts."""

import json
import os
import re
import shutil
import subprocess
import time

from server import BUILD, SERVER_CORE, Directory, Server, disk_bytes, load, output, sections, start_load, tool

QUIET_RATE, QUIET_BATCH = 10000, 200
LOG_BYTES, CRASH_SECONDS = 1 << 30, 60
SECTION_MIN = 0.05  # bytes of a span
SECTIONS_SPANS_MAX = 20000000  # what sections take is told by reading all of a store: minutes, of a larger one


def size_name(spans):
    return f"{spans // 1000000}M" if spans % 1000000 == 0 else f"{spans // 1000}K"


def ingest_one(options, name, *arguments, cores=1):
    """As many spans as the server acknowledges, each of them fsynced; then all that follows, to the end."""
    name = f"{size_name(options.spans)} {name}"
    with Directory() as directory:
        server = Server(directory, options, cores)
        before = server.cpu_seconds()
        got = load(server, "--spans", options.spans, "--seed", options.seed, "--connections", options.connections,
                   *arguments)
        cpu_loaded = server.cpu_seconds() - before
        peak = server.status_mib("VmHWM")
        settling = server.settle()
        server.stop()
        figures = {
            f"{name}: spans/s acknowledged": got["spansPerSecond"],
            f"{name}: ack p50 ms": got["ackP50Ms"],
            f"{name}: ack p99 ms": got["ackP99Ms"],
            f"{name}: CPU us/span, until the last acknowledgement": cpu_loaded / got["spans"] * 1e6,
            f"{name}: CPU us/span, stored, sealed and compacted": (server.cpu_at_stop - before) / got["spans"] * 1e6,
            f"{name}: seconds until nothing was left to do": settling,
            f"{name}: peak RSS MiB": peak,
            f"{name}: refused and sent again": got["refused"],
        }
        figures.update(bytes_per_span(directory, name, got["spans"]))
        return figures


def bytes_per_span(directory, name, spans):
    kinds = disk_bytes(directory)
    figures = {f"{name}: bytes/span on disk": sum(kinds.values()) / spans}
    figures.update((f"{name}: bytes/span, files .{kind}", size / spans) for kind, size in sorted(kinds.items())
                   if size / spans >= 0.01)
    return figures


def bytes_by_section(directory, name, spans):
    """Those that matter, the largest first; the rest in one. Not of the largest stores."""
    told = sections(directory) if spans <= SECTIONS_SPANS_MAX else {}
    large = {section: size for section, size in told.items() if size / spans >= SECTION_MIN}
    figures = {f"{name}: bytes/span, section {section}": size / spans for section, size in large.items()}
    if told:
        figures[f"{name}: bytes/span, {len(told) - len(large)} other sections"] = \
            (sum(told.values()) - sum(large.values())) / spans
    return figures


def ingest(options):
    """HTTP and gRPC, plain, the server on one core"""
    return {**ingest_one(options, "HTTP"), **ingest_one(options, "gRPC", "--protocol", "grpc")}


def encodings(options):
    """the same compressed: gzip and zstd over HTTP, gzip over gRPC"""
    return {**ingest_one(options, "HTTP gzip", "--encoding", "gzip"),
            **ingest_one(options, "HTTP zstd", "--encoding", "zstd"),
            **ingest_one(options, "gRPC gzip", "--protocol", "grpc", "--encoding", "gzip")}


def cores(options):
    """the server on two cores; where there are only two it shares one with the load"""
    return {**ingest_one(options, "HTTP, 2 cores", cores=2),
            **ingest_one(options, "gRPC, 2 cores", "--protocol", "grpc", cores=2)}


def json_(options):
    """OTLP/JSON over HTTP"""
    return ingest_one(options, "JSON", "--format", "json")


def quiet(options):
    """10,000 spans/s for --seconds: what an ordinary day costs; then how soon a span is found meanwhile"""
    pace = ["--rate", QUIET_RATE, "--batch", QUIET_BATCH, "--seed", options.seed]
    with Directory() as directory:
        server = Server(directory, options)
        pouring = start_load(server, *pace, "--seconds", options.seconds)
        time.sleep(3)
        before, begin, resident = server.cpu_seconds(), time.monotonic(), []
        while time.monotonic() < begin + options.seconds - 4 and pouring.poll() is None:
            time.sleep(0.5)
            resident.append(server.status_mib("VmRSS"))
        cpu = (server.cpu_seconds() - before) / (time.monotonic() - begin) * 100
        got = json.loads(output(pouring))
        figures = {
            "10,000 spans/s: ack p50 ms": got["ackP50Ms"], "10,000 spans/s: ack p99 ms": got["ackP99Ms"],
            "10,000 spans/s: RSS MiB, mean": sum(resident) / len(resident),
            "10,000 spans/s: RSS MiB, peak": server.status_mib("VmHWM"),
            "10,000 spans/s: % of a core": cpu,
        }
        found = load(server, *pace, "--seconds", 10, "--probes", 80)
        figures["10,000 spans/s: acknowledged to found p50 ms"] = found["foundP50Ms"]
        figures["10,000 spans/s: acknowledged to found p99 ms"] = found["foundP99Ms"]
        server.stop()
        return figures


def shapes(options):
    """data of other shapes, HTTP: another seed, many processes, small requests, short traces, long ones"""
    figures = {}
    for name, *knobs in (("another seed", "--seed", options.seed + 1),
                         ("300 services of 30 processes", "--services", 300, "--instances", 30),
                         ("50 spans a request", "--batch", 50), ("traces of 2 spans", "--trace-spans", 2),
                         ("traces of 5,000 spans", "--trace-spans", 5000)):
        figures.update(ingest_one(options, f"HTTP, {name}", *knobs))
    return figures


def start(options):
    """from exec to the ready line, on an empty directory"""
    with Directory() as directory:
        server = Server(directory, options)
        server.stop()
        return {"start to ready ms, empty directory": server.ready_seconds * 1000}


def keep_log(directory, kept, stop_bytes, deadline):
    """Links every log file as it comes, before it is sealed and deleted, until there are so many bytes."""
    while time.monotonic() < deadline:
        for path in (directory / "log").glob("*.log"):
            if not (kept / path.name).exists():
                os.link(path, kept / path.name)
        if sum(path.stat().st_size for path in kept.iterdir()) >= stop_bytes:
            return
        time.sleep(0.01)
    raise SystemExit("bench: the log did not grow")


def crash(options):
    """start after kill -9 with 1 GiB of log, of which nothing was sealed yet"""
    with Directory() as folder:
        directory, crashed = folder / "data", folder / "crashed"
        (crashed / "log").mkdir(parents=True)
        server = Server(directory, options)
        pouring = start_load(server, "--seconds", CRASH_SECONDS, "--seed", options.seed, quiet=True)
        keep_log(directory, crashed / "log", LOG_BYTES, time.monotonic() + CRASH_SECONDS)
        server.kill()
        pouring.communicate()  # it says that its server went away
        for path in directory.glob("accounts.db*"):
            shutil.copy(path, crashed)
        log = disk_bytes(crashed)["log"]
        server = Server(crashed, options)
        replayed, peak = server.metrics()["store_replayed_spans"], server.status_mib("VmHWM")
        server.stop()
        return {"start after kill -9: log MiB": log / (1 << 20), "start after kill -9: spans replayed": replayed,
                "start after kill -9: seconds": server.ready_seconds, "start after kill -9: peak RSS MiB": peak,
                "start after kill -9: seconds per GiB of log": server.ready_seconds / log * (1 << 30)}


def decode(_options):
    """the decoders alone, from memory"""
    text = output(tool("bench_decode", 512, 1)).decode()
    return {f"decode {name.strip()}: CPU ns/span": float(mean)
            for name, mean in re.findall(r"^(.+?)\s+(\d+) ns/span mean", text, re.M)}


def load_alone(options):
    """the load against a sink that answers and forgets: how much faster it is than any server"""
    sink = subprocess.Popen(["taskset", "-c", str(SERVER_CORE), str(BUILD / "bench_sink")], stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, text=True)
    try:
        url = sink.stdout.readline().split()[1]
        got = json.loads(output(tool("tracekit", "bench", "--server", url, "--json", "--spans", 10000000, "--seed",
                                     options.seed)))
    finally:
        sink.communicate()
    return {"load alone: spans/s sent": got["spansPerSecond"]}


crash.once = True
MEASUREMENTS = {"start": start, "decode": decode, "load": load_alone, "ingest": ingest, "encodings": encodings, "cores": cores,
                "json": json_, "shapes": shapes, "quiet": quiet, "crash": crash}
