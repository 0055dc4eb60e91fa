"""Stopping, crashing and damage: what was acknowledged is there after a restart, once, or the damage is told."""

import time
import unittest
from pathlib import Path

from faults import (SANITIZED, Load, Server, all_traces, check, eventually, folder, new_trace_id, request,
                    span)

STOP_S = 10 * (6 if SANITIZED else 1)  # the contract's; a sanitizer's build seals several times slower
LOADS = 300  # acknowledged requests before the blow


class Stop(unittest.TestCase):
    def test_sigterm_under_load_ends_with_0_in_10_seconds_and_keeps_every_acknowledged_span(self):
        with folder() as data:
            server = Server(data=data)
            load = Load(server)
            eventually("the load is on its way", lambda: len(load.kept) >= LOADS)
            begin = time.monotonic()
            server.stop()  # asserts exit status 0
            self.assertLess(time.monotonic() - begin, STOP_S)
            kept = load.end()
            self.assertFalse(list(Path(data, "log").glob("*.log")), "all is sealed")
            server = Server(data=data)
            self.assertEqual(server.metric("store_replayed_spans"), 0)
            found = all_traces(server)
            self.assertEqual({trace_id: found.get(trace_id) for trace_id in kept}, dict.fromkeys(kept, load.spans))
            server.stop()

    def test_kill_9_under_load_keeps_every_acknowledged_span_once(self):
        with folder() as data:
            for _ in range(2):
                server = Server(data=data)
                load = Load(server)
                eventually("the load is on its way", lambda: len(load.kept) >= LOADS)
                server.kill()
                kept = load.end()
                server = Server(data=data)
                found = all_traces(server)
                self.assertEqual({trace_id: found.get(trace_id) for trace_id in kept},
                                 dict.fromkeys(kept, load.spans))
                server.kill()
            self.assertEqual(check(data)[0], 0)


class Retry(unittest.TestCase):
    """The same batch again is no second batch: at once, across a crash, across sealing, in another encoding."""

    def test_a_retried_batch_does_not_double_whatever_happened_in_between(self):
        with folder() as data:
            trace_id = new_trace_id()
            body = request(*(span(trace_id) for _ in range(10)))
            server = Server(data=data)

            def assert_once_more():
                self.assertEqual(server.send_otlp(body).status, 200)
                self.assertEqual(server.span_count(trace_id), 10)
                self.assertEqual(all_traces(server), {trace_id: 10})

            assert_once_more()
            assert_once_more()
            server.kill()
            server = Server(data=data)
            self.assertEqual(all_traces(server), {trace_id: 10})
            assert_once_more()
            server.stop()
            server = Server(data=data)
            self.assertEqual(server.metric("store_open_spans"), 0)
            self.assertEqual(all_traces(server), {trace_id: 10})
            assert_once_more()
            server.stop()
            server = Server(data=data)
            self.assertEqual(all_traces(server), {trace_id: 10})
            assert_once_more()
            server.kill()

    def test_a_body_taken_under_a_larger_limit_survives_a_restart_under_a_smaller_one(self):
        with folder() as data:
            trace_id = new_trace_id()
            server = Server(data=data)
            self.assertEqual(server.send_otlp(request(span(trace_id, attributes={"fill": "x" * 10000}))).status, 200)
            server.kill()
            server = Server("--max-body", "1KiB", data=data)
            self.assertEqual(server.span_count(trace_id), 1)
            server.stop()


class Damage(unittest.TestCase):
    """A byte that the disk got wrong is told by name and counted; all the rest is served."""

    COUNT = 20

    def setUp(self):
        context = folder()
        self.data = context.__enter__()
        self.addCleanup(context.__exit__, None, None, None)

    def send(self, server):
        """A trace per request, each a record of its own in the log."""
        traces = [new_trace_id() for _ in range(self.COUNT)]
        for trace_id in traces:
            self.assertEqual(server.send_otlp(request(*(span(trace_id) for _ in range(5)))).status, 200)
        return traces

    def flip(self, path, offset):
        content = bytearray(path.read_bytes())
        content[offset] ^= 0x55
        path.write_bytes(content)

    def only(self, pattern):
        (path,) = Path(self.data).glob(pattern)
        return path

    def assert_checked(self, path):
        status, text = check(self.data)
        self.assertEqual(status, 1, text)
        self.assertIn(str(path.relative_to(self.data)), text)

    def test_a_torn_last_record_of_the_log_is_no_damage_and_costs_nothing_acknowledged(self):
        server = Server(data=self.data)
        traces = self.send(server)
        server.kill()
        log = self.only("log/*.log")
        whole = log.read_bytes()
        last = whole.rindex(b"TKr\x01")
        record = whole[last:last + 48 + int.from_bytes(whole[last + 8:last + 12], "little")]
        for torn in (whole + record[:-1], whole + record[:20], whole + b"TKr\x01", whole + bytes(5000)):
            log.write_bytes(torn)
            self.assertEqual(check(self.data)[0], 0)
        log.write_bytes(whole + record[:-1])
        server = Server(data=self.data)
        self.assertEqual(all_traces(server), dict.fromkeys(traces, 5))
        self.assertEqual(server.metric("store_damaged_blocks_total"), 0)
        self.assertEqual(server.metric("store_replayed_spans"), 5 * self.COUNT)
        server.stop()

    def test_a_damaged_byte_in_the_log_costs_its_record_and_is_told(self):
        server = Server(data=self.data)
        traces = self.send(server)
        server.kill()
        log = self.only("log/*.log")
        self.assertEqual(check(self.data)[0], 0)
        self.flip(log, log.read_bytes().index(bytes.fromhex(traces[7])))
        self.assert_checked(log)
        server = Server(data=self.data)
        self.assertEqual(all_traces(server), dict.fromkeys(traces[:7] + traces[8:], 5))
        self.assertEqual(server.metric("store_damaged_blocks_total"), 1)
        self.assertTrue(server.said(str(log.relative_to(self.data))))
        self.assertEqual(server.get("/readyz").status, 200)
        server.stop()

    def test_a_damaged_byte_anywhere_in_a_segment_is_told_and_the_server_serves_on(self):
        server = Server(data=self.data)
        self.send(server)
        server.stop()
        segment = self.only("p*/*.seg")
        whole = segment.read_bytes()
        self.assertEqual(check(self.data)[0], 0)
        for offset in range(0, len(whole), max(1, len(whole) // 60)):
            segment.write_bytes(whole)
            self.flip(segment, offset)
            self.assert_checked(segment)
        segment.write_bytes(whole)
        self.assertEqual(check(self.data)[0], 0)

    def test_a_damaged_block_is_counted_and_the_others_are_served(self):
        server = Server(data=self.data)
        first = self.send(server)
        server.stop()
        segment = self.only("p*/*.seg")
        server = Server(data=self.data)
        second = self.send(server)
        server.kill()
        self.flip(segment, len(segment.read_bytes()) // 3)
        server = Server(data=self.data)
        for trace_id in second:
            self.assertEqual(server.span_count(trace_id), 5)
        for trace_id in first:
            self.assertIn(server.trace(trace_id).status, (200, 404, 500))
        self.assertEqual(server.get("/api/v1/traces").status, 200)
        self.assertEqual(server.get("/api/v1/services").status, 200)
        self.assertGreater(server.metric("store_damaged_blocks_total"), 0)
        self.assertTrue(server.said(str(segment.relative_to(self.data))))
        server.stop()

    def test_a_segment_cut_short_or_emptied_is_told_and_the_server_starts(self):
        server = Server(data=self.data)
        self.send(server)
        server.stop()
        segment = self.only("p*/*.seg")
        whole = segment.read_bytes()
        for size in (0, 1, len(whole) // 2, len(whole) - 1):
            segment.write_bytes(whole[:size])
            self.assert_checked(segment)
            server = Server(data=self.data)
            trace_id = new_trace_id()
            self.assertEqual(server.send_otlp(request(span(trace_id))).status, 200)
            self.assertEqual(server.span_count(trace_id), 1)
            self.assertGreater(server.metric("store_damaged_blocks_total"), 0)
            self.assertTrue(server.said(str(segment.relative_to(self.data))))
            server.kill()
            for other in Path(self.data).glob("log/*.log"):
                other.unlink()


if __name__ == "__main__":
    unittest.main()
