"""HTTP/2 floods and stalls: each ends in a clean error, memory stays bounded, others are served."""

import os
import struct
import subprocess
import tempfile
import unittest

from harness import (ACK, CANCEL, CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, GOAWAY, HEADERS,
                     PATIENCE, PING, PREFACE, PRIORITY, PROTOCOL_ERROR, REFUSED_STREAM, RST_STREAM, SETTINGS,
                     WINDOW_UPDATE, Http2, TestCase, frame, head, http2, literal, sanitized, tool)  # fmt: skip

MEBI = 1 << 20


class Floods(TestCase):
    def assert_cut_off(self, *pieces, code=None, settings=b""):
        """Sending the pieces over and over ends with GOAWAY, and the connection is closed."""
        before = self.server.stats()["refused_total"]
        with http2(self.server, settings) as client:
            for _ in range(100_000):
                if not client.send(b"".join(pieces)) or self.cut_off_already(client):
                    break
            goodbye = client.until(GOAWAY)
            if goodbye is not None:  # else the reset of the connection was faster
                self.assertIn(goodbye.code(), (code or ENHANCE_YOUR_CALM,))
        self.assertGreater(self.server.stats()["refused_total"], before)
        self.assert_serves()

    def cut_off_already(self, client):
        """Reads what is there, as an honest client would; keeps it for later."""
        client.plug.setblocking(False)
        try:
            while piece := client.plug.recv(1 << 16):
                client.reader.rest += piece
            return True
        except BlockingIOError:
            return False
        except ConnectionResetError:
            return True
        finally:
            client.plug.settimeout(60)

    def test_pings(self):
        self.assert_cut_off(frame(PING, 0, 0, b"12345678") * 100)

    def test_ping_answers_to_nothing(self):
        self.assert_cut_off(frame(PING, ACK, 0, b"12345678") * 100)

    def test_settings(self):
        self.assert_cut_off(frame(SETTINGS, 0, 0, b"\0\x04\0\1\0\0") * 100)

    def test_settings_that_are_empty(self):
        self.assert_cut_off(frame(SETTINGS) * 100)

    def test_priorities(self):
        self.assert_cut_off(frame(PRIORITY, 0, 3, b"\0\0\0\0\x10") * 100)

    def test_window_updates_of_one(self):
        self.assert_cut_off(frame(WINDOW_UPDATE, 0, 0, b"\0\0\0\1") * 100)

    def test_empty_data(self):
        start = frame(HEADERS, END_HEADERS, 1, head(b"POST", b"/echo"))
        self.assert_cut_off_after(start, frame(DATA, 0, 1) * 100)

    def test_data_of_one_byte_or_only_padding(self):
        start = frame(HEADERS, END_HEADERS, 1, head(b"POST", b"/echo"))
        self.assert_cut_off_after(start, frame(DATA, 0, 1, b"x") * 100)
        self.assert_cut_off_after(start, frame(DATA, 8, 1, b"\0") * 100)

    def assert_cut_off_after(self, start, piece):
        with http2(self.server) as client:
            client.send(start)
            for _ in range(1000):
                if not client.send(piece) or self.cut_off_already(client):
                    break
            goodbye = client.until(GOAWAY)
            if goodbye is not None:
                self.assertEqual(goodbye.code(), ENHANCE_YOUR_CALM)
        self.assert_serves()

    def test_continuations(self):
        with http2(self.server) as client:
            client.send(frame(HEADERS, 0, 1, head()))
            for _ in range(100):
                client.send(frame(CONTINUATION, 0, 1, literal(b"x", b"y")))
            goodbye = client.until(GOAWAY)
            self.assertTrue(goodbye is None or goodbye.code() != 0)
        self.assert_serves()

    def test_continuations_without_content(self):
        with http2(self.server) as client:
            client.send(frame(HEADERS, 0, 1, head()) + frame(CONTINUATION, 0, 1) * 100_000)
            goodbye = client.until(GOAWAY)
            self.assertTrue(goodbye is None or goodbye.code() != 0)
        self.assert_serves()

    def test_a_header_bomb_by_reference_costs_no_memory(self):
        """One large header in the table, named again and again by one byte (HPACK bomb)."""
        entry = b"\x40\x01a\x7f\xa1\x1e" + b"v" * 4000  # 4000 = 127 + 0x21 + (0x1e << 7)
        with http2(self.server) as client:
            block = head() + entry + b"\xbe" * 10_000
            client.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, block))
            status, _, code = client.answer(1)
            self.assertTrue(status == 431 or code is not None, (status, code))
        self.assert_serves()

    def test_streams_opened_and_reset_at_once(self):
        """Rapid reset, CVE-2023-44487."""
        with http2(self.server) as client:
            stream = 1
            for _ in range(60):
                raw = b""
                for _ in range(100):
                    raw += frame(HEADERS, END_STREAM | END_HEADERS, stream, head(b"GET", b"/sleep?ms=20"))
                    raw += frame(RST_STREAM, 0, stream, struct.pack(">I", CANCEL))
                    stream += 2
                if not client.send(raw) or self.cut_off_already(client):
                    break
            goodbye = client.until(GOAWAY)
            if goodbye is not None:
                self.assertNotEqual(goodbye.code(), 0)
        self.assertLessEqual(self.server.stats()["on_worker"], 300)
        self.assert_serves()

    def test_streams_that_we_are_made_to_reset(self):
        """MadeYouReset, CVE-2025-8671: a window update of zero is a stream error."""
        with http2(self.server) as client:
            stream, cut = 1, False
            for _ in range(60):
                raw = b""
                for _ in range(100):
                    raw += frame(HEADERS, END_STREAM | END_HEADERS, stream, head(b"GET", b"/sleep?ms=20"))
                    raw += frame(WINDOW_UPDATE, 0, stream, bytes(4))
                    stream += 2
                if not client.send(raw) or self.cut_off_already(client):
                    cut = True
                    break
            self.assertTrue(cut)
        self.assert_serves()

    def test_resets_do_not_buy_more_work_than_concurrent_streams(self):
        """Fewer resets than any limit, but every one leaves work behind."""
        with http2(self.server) as client:
            refused = 0
            for n in range(400):
                client.send(frame(HEADERS, END_STREAM | END_HEADERS, 2 * n + 1, head(b"GET", b"/sleep?ms=100")))
                client.send(frame(RST_STREAM, 0, 2 * n + 1, struct.pack(">I", CANCEL)))
            client.send(frame(PING, 0, 0, b"the last"))
            while (got := client.read()) is not None and got.kind != PING:
                refused += got.kind == RST_STREAM
            self.assertIsNotNone(got)
        self.assert_serves()

    def test_more_streams_than_allowed_are_refused(self):
        with http2(self.server) as client:
            for n in range(200):
                client.send(frame(HEADERS, END_HEADERS, 2 * n + 1, head(b"POST", b"/echo")))
            refused = client.until(RST_STREAM)
            self.assertEqual(refused.code(), REFUSED_STREAM)
            client.send(frame(DATA, END_STREAM, 1, b"still fine"))
            self.assertEqual(client.answer(1)[:2], (200, b"still fine"))

    def test_many_honest_requests_with_pings_are_no_flood(self):
        with http2(self.server) as client:
            for n in range(3000):
                client.send(frame(PING, 0, 0, b"12345678") + frame(WINDOW_UPDATE, 0, 0, b"\0\0\0\x0c"))
                self.assertEqual(client.get(2 * n + 1)[0], 200)

    def test_an_honest_client_may_cancel_some_hundred_requests(self):
        with http2(self.server) as client:
            for n in range(500):
                client.send(frame(HEADERS, END_STREAM | END_HEADERS, 2 * n + 1, head()))
                client.send(frame(RST_STREAM, 0, 2 * n + 1, struct.pack(">I", CANCEL)))
            self.assertEqual(client.get(1001)[0], 200)


class Rules(TestCase):
    """What breaks the protocol ends in the error that RFC 9113 names, not in a crash."""

    def goodbye(self, raw):
        with http2(self.server) as client:
            client.send(raw)
            got = client.until(GOAWAY)
            self.assertIsNotNone(got)
            self.assertIsNone(client.read())
        self.assert_serves()
        return got.code()

    def test_connection_errors(self):
        self.assertEqual(self.goodbye(frame(DATA, 0, 1, b"x")), PROTOCOL_ERROR)
        self.assertEqual(self.goodbye(frame(HEADERS, END_HEADERS, 2, head())), PROTOCOL_ERROR)
        self.assertEqual(self.goodbye(frame(CONTINUATION, 0, 1, b"x")), PROTOCOL_ERROR)
        self.assertEqual(self.goodbye(frame(SETTINGS, 0, 0, b"12345")), 6)
        self.assertEqual(self.goodbye(frame(PING, 0, 0, b"1")), 6)
        self.assertEqual(self.goodbye(frame(HEADERS, END_HEADERS, 1, b"\xff\xff\xff\xff\xff")), 9)
        self.assertEqual(self.goodbye(frame(DATA, 0, 0, b"x" * 20_000)), 6)
        self.assertEqual(self.goodbye(frame(WINDOW_UPDATE, 0, 0, b"\x7f\xff\xff\xff")), 3)

    def test_a_preface_that_breaks_off_into_garbage(self):
        with self.server.connect() as plug:
            client = Http2(plug, hello=False)
            client.send(PREFACE + b"GET / HTTP/1.1\r\n\r\n" * 10)
            self.assertIsNotNone(client.until(GOAWAY))
        self.assert_serves()

    def test_malformed_requests_reset_their_stream_only(self):
        blocks = [
            literal(b":method", b"GET"),  # no path
            head() + literal(b":method", b"GET"),  # twice, and behind the others
            head() + literal(b"Upper", b"x"),
            head() + literal(b"connection", b"close"),
            head() + literal(b"transfer-encoding", b"chunked"),
            head() + literal(b"x", b"a\0b"),
            head() + literal(b"x", b"a\r\nb: c"),
            head() + literal(b"content-length", b"+5"),
            head() + literal(b"content-length", b"5") + literal(b"content-length", b"6"),
        ]
        for block in blocks:
            with self.subTest(block=block), http2(self.server) as client:
                client.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, block))
                status, _, code = client.answer(1)
                self.assertTrue(code == PROTOCOL_ERROR or status == 400, (status, code))
                self.assertEqual(client.get(3)[0], 200)

    def test_a_body_that_belies_its_length_is_no_request(self):
        for size in (3, 7):
            with http2(self.server) as client:
                more = ((b"content-length", b"5"),)
                client.send(frame(HEADERS, END_HEADERS, 1, head(b"POST", b"/echo", *more)))
                client.send(frame(DATA, END_STREAM, 1, b"x" * size))
                self.assertEqual(client.answer(1)[2], PROTOCOL_ERROR)
                self.assertEqual(client.get(3)[0], 200)

    def test_targets_that_are_no_path(self):
        for method, path, expected in ((b"OPTIONS", b"*", 400), (b"GET", b"*", None), (b"GET", b"", None)):
            with http2(self.server) as client:
                client.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, head(method, path)))
                status, _, code = client.answer(1)
                self.assertTrue(status == expected or code == PROTOCOL_ERROR)


class Memory(TestCase):
    options = ("--body-timeout-ms", 3000)

    def test_a_peer_that_takes_no_answers_holds_bounded_memory(self):
        """The window stays zero while big answers pile up."""
        no_window = b"\0\x04\0\0\0\0"
        before = self.server.resident()
        with http2(self.server, no_window) as client:
            for n in range(100):
                path = b"/big?size=10000000"
                client.send(frame(HEADERS, END_STREAM | END_HEADERS, 2 * n + 1, head(b"GET", path)))
            refused = client.until(RST_STREAM)
            self.assertEqual(refused.code(), REFUSED_STREAM)
            if not sanitized():
                self.assertLess(self.server.resident() - before, 150 * MEBI)
        self.assert_serves()

    def test_a_peer_that_makes_us_refuse_streams_and_never_reads_is_cut_off(self):
        before = self.server.resident()
        block = b"\x82\x84\x86\x01\x01a"  # GET / http, by HPACK's static table
        with self.server.connect() as plug:
            client = Http2(plug)
            for n in range(128):
                client.send(frame(HEADERS, END_HEADERS, 2 * n + 1, block))
            for n in range(128, 300_000, 1000):
                raw = [frame(HEADERS, END_HEADERS, 2 * m + 1, block) for m in range(n, n + 1000)]
                if not client.send(b"".join(raw)):
                    break
            if not sanitized():
                self.assertLess(self.server.resident() - before, 30 * MEBI)
            self.assert_serves()
        self.eventually("it is gone", lambda: self.server.stats()["connections_open"] == 1)

    def test_a_peer_that_pings_and_never_reads_is_cut_off(self):
        with self.server.connect() as plug:
            client = Http2(plug)
            for _ in range(2000):
                if not client.send(frame(PING, 0, 0, b"12345678") * 100):
                    break
        self.eventually("it is gone", lambda: self.server.stats()["connections_open"] == 1)
        self.assert_serves()

    def test_long_answers_to_a_peer_without_window_hold_the_worker_back_and_end(self):
        no_window = b"\0\x04\0\0\0\0"
        before = self.server.resident()
        with http2(self.server, no_window) as client:
            for n in range(3):
                path = b"/stream?n=10000&size=100000"
                client.send(frame(HEADERS, END_STREAM | END_HEADERS, 2 * n + 1, head(b"GET", path)))
            self.assertEqual(client.until(RST_STREAM).code(), CANCEL)
            if not sanitized():
                self.assertLess(self.server.resident() - before, 50 * MEBI)
            self.eventually("the workers are free", lambda: self.server.stats()["on_worker"] == 0)

    def test_uploads_that_the_workers_cannot_follow_are_held_back_and_all_arrive(self):
        before = self.server.resident()
        with tempfile.NamedTemporaryFile() as body:
            body.write(os.urandom(MEBI))
            body.flush()
            out = subprocess.run(
                [tool("h2load"), "-n", "200", "-c", "2", "-m", "50", "-d", body.name,
                 f"http://127.0.0.1:{self.server.port}/swallow?ms=20"],
                check=True, capture_output=True, timeout=PATIENCE, text=True,
            ).stdout  # fmt: skip
        self.assertIn("200 succeeded, 0 failed", out)
        if not sanitized():
            self.assertLess(self.server.resident() - before, 200 * MEBI)


if __name__ == "__main__":
    unittest.main()
