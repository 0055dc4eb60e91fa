"""Traces as they arrive: GET /api/v1/tail, server-sent events."""

import json
import socket
import time
import unittest
from urllib.parse import quote

from harness import TIMEOUT_S, Server, WithServer, new_trace_id
from test_query import Query, body, span


class Tail:
    """One reader.  HTTP/1.1 by hand, since what comes has no end."""

    def __init__(self, server, q=""):
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=TIMEOUT_S)
        self.socket.sendall(f"GET /api/v1/tail?q={quote(q)} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        self.stream = self.socket.makefile("rb")
        self.status = int(self.stream.readline().split()[1])
        self.headers = {}
        while (line := self.stream.readline().strip()):
            name, _, value = line.decode().partition(":")
            self.headers[name.lower()] = value.strip()
        self.text = b""

    def read_block(self):
        """Up to the next empty line; None at the end."""
        while b"\n\n" not in self.text:
            size = int(self.stream.readline(), 16)
            if size == 0:
                return None
            self.text += self.stream.read(size)
            self.stream.readline()
        block, _, self.text = self.text.partition(b"\n\n")
        return block.decode()

    def read_event(self):
        """(event, data) of the next event; comments and retry: are passed over."""
        while (block := self.read_block()) is not None:
            lines = dict(line.split(": ", 1) for line in block.splitlines())
            if "event" in lines:
                return lines["event"], json.loads(lines["data"])
        return None

    def close(self):
        self.stream.close()
        self.socket.close()


class Tails(Query):
    def tail(self, q=""):
        tail = Tail(self.server, q)
        self.addCleanup(tail.close)
        self.assertEqual(tail.status, 200)
        self.assertEqual(tail.read_block(), "retry: 2000")  # from here on it hears
        return tail

    def test_a_trace_is_told_when_it_matches_and_again_when_it_grows(self):
        tail = self.tail('{ name = "pay" }')
        self.assertEqual(tail.headers["content-type"], "text/event-stream")
        self.assertEqual(tail.headers["cache-control"], "no-store")
        trace_id = new_trace_id()
        self.send(span(new_trace_id(), 1, "other"))
        self.send(span(trace_id, 1, "root"))
        self.send(span(trace_id, 2, "pay", parent=1))
        event, summary = tail.read_event()
        self.assertEqual((event, summary["traceId"], summary["spanCount"]), ("trace", trace_id, 2))
        self.send(span(trace_id, 3, "more", parent=2))
        event, summary = tail.read_event()
        self.assertEqual((event, summary["traceId"], summary["spanCount"]), ("trace", trace_id, 3))

    def test_everybody_who_asks_hears_and_of_everything_without_a_query(self):
        tails = [self.tail(), self.tail(), self.tail("{} | by(name) | count() > 1")]
        one, two = new_trace_id(), new_trace_id()
        self.send(span(one, 1, "a"), span(two, 1, "a"), span(two, 2, "a", parent=1))
        for tail in tails[:2]:
            self.assertEqual({tail.read_event()[1]["traceId"] for _ in range(2)}, {one, two})
        event, summary = tails[2].read_event()
        self.assertEqual((summary["traceId"], summary["spanSets"][0]["values"]), (two, {"name": "a", "count()": 2}))

    def test_silence_is_broken_now_and_then(self):
        self.assertEqual(self.tail("{ false }").read_block(), ": heartbeat")

    def test_a_wrong_query_is_refused(self):
        for q in ("{ .a = }", "{} | rate()"):
            self.problem(self.server.get(f"/api/v1/tail?q={quote(q)}"), 400)

    def test_head_answers_and_ends(self):
        answer = self.server.ask("HEAD", "/api/v1/tail")
        self.assertEqual((answer.status, answer.header("content-type")), (200, "text/event-stream"))

    def test_http2_readers_hear_too_and_who_leaves_is_forgotten(self):
        import subprocess
        reader = subprocess.Popen(["curl", "--silent", "--no-buffer", "--http2-prior-knowledge", "--max-time",
                                   str(TIMEOUT_S), self.server.url + "/api/v1/tail"], stdout=subprocess.PIPE)
        self.addCleanup(reader.stdout.close)
        self.assertEqual(reader.stdout.readline(), b"retry: 2000\n")
        trace_id = new_trace_id()
        self.send(span(trace_id, 1, "a"))
        while not (line := reader.stdout.readline()).startswith(b"data: "):
            self.assertTrue(line)
        self.assertEqual(json.loads(line[6:])["traceId"], trace_id)
        reader.kill()
        reader.wait()
        self.send(span(new_trace_id(), 1, "a"))  # nobody is there any more, and nothing breaks


class Limits(WithServer):
    def send(self, *spans):
        answer = self.server.send_json("POST", "/v1/traces", body(*spans))
        self.assertEqual(answer.status, 200, answer)

    def open_tail(self, q=""):
        """Waits until others have been forgotten: a reader that left is noticed with the second event."""
        deadline = time.monotonic() + TIMEOUT_S
        while (tail := Tail(self.server, q)).status != 200:
            tail.close()
            self.assertLess(time.monotonic(), deadline)
            self.send(span(new_trace_id(), 1, "a"))
            time.sleep(0.2)
        tail.read_block()
        return tail

    def test_there_is_room_for_so_many_and_again_when_one_leaves(self):
        tails = [self.open_tail() for _ in range(64)]
        more = Tail(self.server)
        self.assertEqual(more.status, 503)
        self.assertIn("retry-after", more.headers)
        more.close()
        tails.pop().close()
        tails.append(self.open_tail())
        for tail in tails:
            tail.close()

    def test_who_reads_too_slowly_is_told_what_was_dropped(self):
        tail = self.open_tail('{ name =~ "a.*" }')
        long = "a" * 2000
        deadline = time.monotonic() + TIMEOUT_S
        sent = 0
        while sent < 12000:  # more than its buffers hold
            self.send(*(span(new_trace_id(), 1, long) for _ in range(500)))
            sent += 500
            self.assertLess(time.monotonic(), deadline)
        seen, dropped = 0, 0
        while dropped == 0:
            event, data = tail.read_event()
            seen += event == "trace"
            dropped += data.get("traceCount", 0)
            if seen + dropped >= sent:
                break
            if seen % 200 == 0:
                self.send(span(new_trace_id(), 1, "a"))
                sent += 1
        self.assertGreater(dropped, 0)
        tail.close()


class Stopping(unittest.TestCase):
    def test_a_server_that_stops_ends_its_tails_at_once(self):
        server = Server()
        tail = Tail(server)
        self.assertEqual(tail.read_block(), "retry: 2000")
        began = time.monotonic()
        server.stop()
        self.assertIsNone(tail.read_block())
        self.assertLess(time.monotonic() - began, TIMEOUT_S)
        tail.close()


if __name__ == "__main__":
    unittest.main()
