"""Giants: a trace of very many spans, from the door to the end of its life, in the memory that is stated.

TRACEKIT_GIANT_SPANS=1000000 makes the trace as long as we promise; CI has time for a fifth.
"""

import os
import struct
import subprocess
import tempfile
import unittest
from pathlib import Path

from faults import BINARY, MEBI, SANITIZED, Server, environment, eventually, new_trace_id
from harness import START_NANO, field

SPANS = int(os.environ.get("TRACEKIT_GIANT_SPANS", 20_000 if SANITIZED else 200_000))
MEMORY = 256 * MEBI
ASKED_PER_SPAN = 1200  # bytes on top, while one answer about the whole trace is made
BATCH = 10_000  # spans of a request
FAILED = 1000  # every so many
LISTED = "/api/v1/traces?q="
SERVICE = field(1, field(1, field(1, b"service.name") + field(2, field(1, b"giant"))))


def giant_spans(trace_id, first, count):
    """A part of the trace, encoded: span n (from 1) is a child of n // 8 and has an attribute n."""
    head = b"\x0a\x10" + bytes.fromhex(trace_id) + b"\x12\x08"
    for number in range(first, first + count):
        parent = b"\x22\x08" + (number // 8 or 1).to_bytes(8, "big") if number > 1 else b""
        times = b"\x39" + struct.pack("<Q", START_NANO + number) + b"\x41" + struct.pack("<Q", START_NANO + 2 * number)
        yield field(2, b"".join((head, number.to_bytes(8, "big"), parent, b"\x2a\x04work", times,
                                 b"\x4a\x0f\x0a\x01n\x12\x0a\x0a\x08%08d" % number,
                                 b"\x7a\x02\x18\x02" if number % FAILED == 0 else b"")))


def giant_requests(trace_id):
    for first in range(1, SPANS + 1, BATCH):
        spans = b"".join(giant_spans(trace_id, first, min(BATCH, SPANS + 1 - first)))
        yield field(1, SERVICE + field(2, spans))


class GiantTrace(unittest.TestCase):
    def start(self, *options):
        server = Server("--memory", f"{MEMORY // MEBI}MiB", *options, data=self.data)
        self.addCleanup(server.stop)
        return server

    def assert_memory(self, server, asked=True):
        if not SANITIZED:
            self.assertLess(server.memory_peak(), MEMORY + asked * SPANS * ASKED_PER_SPAN)

    def found(self, server, query):
        answer = server.get(LISTED + query)
        self.assertEqual(answer.status, 200, answer)
        return [trace["traceId"] for trace in answer.json["traces"]]

    def tool(self, *args):
        done = subprocess.run([BINARY, *args], capture_output=True, text=True, env=environment(), timeout=600)
        self.assertEqual(done.returncode, 0, done.stderr)

    def assert_answered(self, server, trace_id):
        [summary] = server.get(LISTED + trace_id).json["traces"]
        self.assertEqual((summary["spanCount"], summary["errorCount"]), (SPANS, SPANS // FAILED))
        self.assertEqual(self.found(server, f"n=%22{SPANS:08}%22"), [trace_id])
        self.assertEqual(self.found(server, "n=%2200000000%22"), [])
        columns = server.get(f"/api/v1/traces/{trace_id}/columns?limit=100")
        self.assertEqual(columns.status, 200)
        self.assertEqual(int.from_bytes(columns.body[12:16], "little"), SPANS)  # docs/formats/columns.md
        last = server.get(f"/api/v1/traces/{trace_id}/spans/{SPANS:016x}")
        self.assertEqual(last.json["attributes"], {"n": f"{SPANS:08}"})

    def test_a_giant_trace_goes_in_is_found_opened_moved_and_expires_like_any_other(self):
        holder = tempfile.TemporaryDirectory(prefix="tracekit-giant-")
        self.addCleanup(holder.cleanup)
        self.data = holder.name + "/data"
        trace_id = new_trace_id()
        server = self.start()
        for body in giant_requests(trace_id):
            eventually("it is taken", lambda body=body: server.send_otlp(body).status == 200)
        self.assert_memory(server, asked=False)
        self.assert_answered(server, trace_id)
        self.assert_memory(server)
        server.stop()
        with self.subTest("moved as OTLP"):
            file, other = holder.name + "/spans.pb", holder.name + "/other"
            self.tool("export", "--data", self.data, "--format", "pb", "--output", file)
            self.tool("import", file, "--data", other)
            self.data, first = other, self.data
            server = self.start()
            self.assert_answered(server, trace_id)
            self.assert_memory(server)
            server.stop()
            self.data = first
        with self.subTest("kept whole by a rule, then expired"):
            server = self.start("--thin", "0@1d", "--keep", f"n=\"{SPANS:08}\"")
            eventually("it is thinned", lambda: server.metric("store_segments") == server.metric(
                'store_segment_events_total{event="thinned"}'))
            self.assertEqual(server.metric("store_segment_spans"), SPANS)
            self.assert_memory(server)
            server.stop()
            server = self.start("--retention", "1d")
            self.assertEqual(self.found(server, trace_id), [])
            self.assertEqual(list(Path(self.data).rglob("*.seg")), [])


if __name__ == "__main__":
    unittest.main()
