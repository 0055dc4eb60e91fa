"""kill -9 in the middle of a load, fifty times: every acknowledged span is there afterwards, exactly once.

Each round starts the server on the same directory, writes from several connections, kills it at a random instant and
starts it again. What was not acknowledged is sent once more, as an exporter would: it must not double. The seed is
printed; TRACEKIT_SEED repeats a run as far as the scheduler lets it.
"""

import http.client
import json
import os
import random
import shutil
import subprocess
import tempfile
import threading
import time
import unittest

BIN = os.environ["TRACEKIT_BIN"]
ROUNDS = int(os.environ.get("TRACEKIT_CRASH_ROUNDS", "50"))
WRITERS = 4
TRACES_PER_ROUND = 8
SPANS_PER_REQUEST = 20
START_DEADLINE = 60


class Server:
    def __init__(self, directory):
        self.process = subprocess.Popen(
            [BIN, "serve", "--dev", "--data", directory, "--listen", "127.0.0.1:0", "--memory", "64MiB",
             "--log-level", "error"],
            stdout=subprocess.PIPE, text=True)
        timer = threading.Timer(START_DEADLINE, self.process.kill)
        timer.start()
        line = self.process.stdout.readline()
        timer.cancel()
        if "tracekit ready http://" not in line:
            raise AssertionError(f"the server did not start: {line!r}")
        self.port = int(line.strip().rsplit(":", 1)[1])

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def kill(self):
        self.process.kill()
        self.end()

    def stop(self):
        self.process.terminate()
        self.end()

    def end(self):
        self.process.wait(timeout=60)
        self.process.stdout.close()


def body_of(spans):
    """One OTLP request of (trace, span) pairs."""
    now = time.time_ns()
    return json.dumps({"resourceSpans": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "crash"}}]},
        "scopeSpans": [{"scope": {"name": "kill9"}, "spans": [
            {"traceId": trace, "spanId": span, "name": "work", "kind": 2,
             "startTimeUnixNano": str(now + i), "endTimeUnixNano": str(now + i + 1000),
             "attributes": [{"key": "filler", "value": {"stringValue": span * 8}}]}
            for i, (trace, span) in enumerate(spans)]}]}]})


def post(connection, body):
    connection.request("POST", "/v1/traces", body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    return answer.status


def spans_of(connection, trace):
    """The span ids of a trace as stored, duplicates and all."""
    connection.request("GET", f"/api/v1/traces/{trace}?format=otlp", headers={"Accept": "application/json"})
    answer = connection.getresponse()
    text = answer.read()
    if answer.status == 404:
        return []
    assert answer.status == 200, (answer.status, text)
    found = json.loads(text)
    return [span["spanId"] for resource in found["resourceSpans"] for scope in resource["scopeSpans"]
            for span in scope["spans"]]


class Round:
    """What one round sends: to a few traces of its own, so that a trace's spans come in many requests."""

    def __init__(self, rng):
        self.rng = rng
        self.traces = [f"{rng.getrandbits(128) | 1:032x}" for _ in range(TRACES_PER_ROUND)]
        self.lock = threading.Lock()
        self.acknowledged = set()
        self.unanswered = []  # requests

    def request(self):
        with self.lock:
            return [(self.rng.choice(self.traces), f"{self.rng.getrandbits(64) | 1:016x}")
                    for _ in range(SPANS_PER_REQUEST)]

    def write(self, server):
        connection = server.connect()
        while True:
            spans = self.request()
            try:
                status = post(connection, body_of(spans))
            except (OSError, http.client.HTTPException):
                with self.lock:
                    self.unanswered.append(spans)
                connection.close()
                return
            with self.lock:
                if status == 200:
                    self.acknowledged.update(spans)
                else:
                    self.unanswered.append(spans)


class Kill9(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="tracekit-crash-")
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)

    def start(self):
        server = Server(self.directory)
        self.addCleanup(lambda: server.process.poll() is None and server.kill())
        return server

    def load_and_kill(self, work, rng):
        server = self.start()
        writers = [threading.Thread(target=work.write, args=(server,)) for _ in range(WRITERS)]
        for writer in writers:
            writer.start()
        time.sleep(rng.uniform(0.01, 0.4))
        server.kill()
        for writer in writers:
            writer.join(60)
            self.assertFalse(writer.is_alive())

    def assert_there_once(self, server, work):
        connection = server.connect()
        sent = work.acknowledged | {span for spans in work.unanswered for span in spans}
        for trace in work.traces:
            found = spans_of(connection, trace)
            self.assertEqual(len(found), len(set(found)), f"trace {trace} has a span twice")
            missing = {span for at, span in work.acknowledged if at == trace} - set(found)
            self.assertFalse(missing, f"acknowledged, but not there: {missing}")
            strange = set(found) - {span for at, span in sent if at == trace}
            self.assertFalse(strange, f"never sent: {strange}")
        connection.close()

    def send_again(self, server, work):
        connection = server.connect()
        for spans in work.unanswered:
            self.assertEqual(post(connection, body_of(spans)), 200)
            work.acknowledged.update(spans)
        work.unanswered = []
        connection.close()

    def test_every_acknowledged_span_is_there_once_after_kill_9(self):
        seed = int(os.environ.get("TRACEKIT_SEED", time.time_ns()))
        print(f"seed {seed}", flush=True)
        rng = random.Random(seed)
        rounds = []
        for _ in range(ROUNDS):
            work = Round(rng)
            rounds.append(work)
            self.load_and_kill(work, rng)
            server = self.start()
            self.assert_there_once(server, work)
            self.send_again(server, work)
            self.assert_there_once(server, work)
            server.kill()
        server = self.start()
        for work in rounds:
            self.assert_there_once(server, work)
        server.stop()
        self.assertEqual(server.process.returncode, 0)
        check = subprocess.run([BIN, "check", self.directory], capture_output=True, text=True, timeout=60)
        self.assertEqual(check.returncode, 0, check.stdout + check.stderr)
        spans = sum(len(work.acknowledged) for work in rounds)
        self.assertGreater(spans, 0)
        print(f"{ROUNDS} rounds, {spans} spans acknowledged; {check.stdout.strip()}", flush=True)


if __name__ == "__main__":
    unittest.main()
