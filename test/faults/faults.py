"""What the fault tests share: a server that can be killed and measured, small disks, spans that can be counted.

The server and the making of OTLP come from the API's tests, raw HTTP from those of the network floor.
"""

import contextlib
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

TEST = Path(__file__).resolve().parents[1]
sys.path[1:1] = [str(TEST / "api"), str(TEST / "net")]

import harness  # noqa: E402
from harness import BINARY, environment, new_trace_id, parse, request, span  # noqa: E402

MEBI = 1 << 20
DEADLINE_S = 120  # until something that must happen is given up on; never a measure


def is_sanitized():
    """A sanitizer's build is several times slower, and its memory says nothing."""
    binary = Path(BINARY).read_bytes()
    return b"__asan_init" in binary or b"__tsan_init" in binary


SANITIZED = is_sanitized()


class Server(harness.Server):
    """A development server (no key needed) that can be killed, measured and spoken to byte by byte."""

    def connect(self):
        return harness.open_socket(self)

    def kill(self):
        """As a power cut would, but for the disk's own cache."""
        self.process.kill()
        self.process.wait()
        self._reader.join(DEADLINE_S)
        self.process.stdout.close()
        self.process.stderr.close()

    def memory_peak(self):
        """The most bytes of memory that were ever resident."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) << 10

    def metric(self, name):
        found = re.search(rf"^tracekit_{name} (\S+)$", self.get("/metrics").body.decode(), re.M)
        return float(found[1])

    def said(self, words):
        return any(words in line for line in list(self.log))

    def deliver(self, body, *words, **headers):
        """Sends as an exporter does: what is answered 429 is sent again. Returns the answer that is another."""
        def not_busy():
            answer = self.send_otlp(body, *words, **headers)
            return None if answer.status == 429 else answer
        return eventually("it is no longer busy", not_busy)

    def span_count(self, trace_id):
        answer = self.trace(trace_id)
        if answer.status == 404:
            return 0
        if answer.status != 200:
            raise AssertionError(answer)
        return answer.json["spanCount"]


class FaultTest(unittest.TestCase):
    """One server for all tests of a class; whatever a test did to it, it goes on serving."""

    options = ()

    @classmethod
    def setUpClass(cls):
        cls.server = Server(*cls.options)
        cls.addClassCleanup(cls.server.stop)

    def tearDown(self):
        self.assert_serves(self.server)

    def assert_serves(self, server):
        trace_id = new_trace_id()
        answer = server.deliver(request(span(trace_id)))
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(server.span_count(trace_id), 1)

    def assert_400(self, answer, *words):
        """google.rpc.Status in the request's encoding: INVALID_ARGUMENT, and a message with these words."""
        self.assertEqual(answer.status, 400, answer)
        if answer.header("content-type") == "application/x-protobuf":
            status = parse(answer.body)
            code, message = status[1][0], status[2][0].decode()
        else:
            self.assertEqual(answer.header("content-type"), "application/json")
            code, message = answer.json["code"], answer.json["message"]
        self.assertEqual(code, 3)
        for word in words:
            self.assertIn(word, message)
        return message

    def assert_partial(self, answer, rejected, *words):
        """200, so many spans rejected, and the reason has these words."""
        self.assertEqual(answer.status, 200, answer)
        if answer.header("content-type") == "application/x-protobuf":
            partial = parse(parse(answer.body)[1][0])
            count, reason = partial[1][0], partial[2][0].decode()
        else:
            partial = answer.json["partialSuccess"]
            count, reason = int(partial["rejectedSpans"]), partial["errorMessage"]
        self.assertEqual(count, rejected)
        for word in words:
            self.assertIn(word, reason)


def eventually(what, probe):
    deadline = time.monotonic() + DEADLINE_S
    while not (found := probe()):
        if time.monotonic() > deadline:
            raise AssertionError("never happened: " + what)
        time.sleep(0.05)
    return found


@contextlib.contextmanager
def folder():
    with tempfile.TemporaryDirectory(prefix="tracekit-faults-") as path:
        yield path


@contextlib.contextmanager
def mounted(*words):
    """Mounts as `mount WORDS... DIR` would; skips the test where that is not allowed."""
    with folder() as path:
        done = subprocess.run(["mount", *words, path], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise unittest.SkipTest("cannot mount (root can): " + done.stderr.strip())
        try:
            yield path
        finally:
            subprocess.run(["umount", "--lazy", path], check=True)


def check(data):
    """`tracekit check`: its exit status and what it printed."""
    done = subprocess.run([BINARY, "check", str(data)], capture_output=True, text=True, timeout=DEADLINE_S,
                          env=environment(), check=False)
    return done.returncode, done.stdout


class Load:
    """Senders that each post one new trace after the other; `kept` has the ids that were acknowledged."""

    def __init__(self, server, senders=4, spans=20):
        self.server, self.spans, self.kept = server, spans, []
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._send) for _ in range(senders)]
        for thread in self._threads:
            thread.start()

    def _send(self):
        while not self._over.is_set():
            trace_id = new_trace_id()
            body = request(*(span(trace_id) for _ in range(self.spans)))
            try:
                if self.server.send_otlp(body).status == 200:
                    self.kept.append(trace_id)
            except OSError:  # the server is gone or going; http.client's errors below are no OSErrors
                self._over.wait(0.01)
            except harness.http.client.HTTPException:
                self._over.wait(0.01)

    def end(self):
        self._over.set()
        for thread in self._threads:
            thread.join(DEADLINE_S)
        return self.kept


def all_traces(server):
    """Every trace id there is, with its count of spans, by the pages of a search."""
    found, cursor = {}, ""
    while cursor is not None:
        page = server.get("/api/v1/traces?limit=1000" + (f"&cursor={cursor}" if cursor else "")).json
        for trace in page["traces"]:
            if trace["traceId"] in found:
                raise AssertionError(f"listed twice: {trace['traceId']}")
            found[trace["traceId"]] = trace["spanCount"]
        cursor = page["cursor"]
    return found
