"""Slow and silent peers: each wait has an end, and waiting in time is fine."""

import time
import unittest

from harness import (DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PREFACE, Reader,
                     TestCase, drain, frame, head, http2)  # fmt: skip


class Timeouts(TestCase):
    options = ("--head-timeout-ms", 600, "--body-timeout-ms", 600, "--idle-timeout-ms", 1500)

    def test_a_head_that_stays_incomplete_gets_408(self):
        for part in (b"G", b"GET /hello HTTP/1.1\r\n", b"GET /hello HTTP/1.1\r\nHost: a\r\n"):
            self.assert_refused(part, 408)

    def test_dripping_a_head_byte_by_byte_does_not_gain_time(self):
        with self.server.connect() as plug:
            plug.settimeout(0.05)
            raw = iter(b"GET /" + b"a" * 10_000)
            answer = b""
            while not answer:
                plug.sendall(bytes([next(raw)]))
                try:
                    answer = plug.recv(100)
                except TimeoutError:
                    pass
            self.assertTrue(answer.startswith(b"HTTP/1.1 408 "), answer)

    def test_a_body_that_stops_gets_408(self):
        self.assert_refused(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhell", 408)
        self.assert_refused(b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe", 408)

    def test_a_slow_body_is_fine_while_it_moves(self):
        with self.server.connect() as plug:
            plug.sendall(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\n")
            for _ in range(8):
                time.sleep(0.15)
                plug.sendall(b"x")
            self.assertEqual(Reader(plug).answer().body, b"x" * 8)

    def test_a_slow_worker_is_no_time_out(self):
        with self.server.connect() as plug:
            plug.sendall(b"GET /sleep?ms=2000 HTTP/1.1\r\nHost: a\r\n\r\n")
            self.assertEqual(Reader(plug).answer().status, 200)

    def test_an_idle_connection_is_closed_without_a_word(self):
        with self.server.connect() as plug:
            self.assertEqual(drain(plug), b"")
        with self.server.connect() as plug:
            plug.sendall(b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
            self.assertEqual(Reader(plug).answer().status, 200)
            self.assertEqual(drain(plug), b"")

    def test_a_preface_that_stays_incomplete_is_closed(self):
        with self.server.connect() as plug:
            plug.sendall(PREFACE[:10])
            self.assertEqual(drain(plug), b"")

    def test_an_idle_http2_connection_gets_goaway(self):
        with http2(self.server) as client:
            self.assertEqual(client.get(1)[0], 200)
            self.assertEqual(client.until(GOAWAY).code(), 0)
            self.assertIsNone(client.read())

    def test_an_http2_header_block_that_never_ends_is_cut_off(self):
        with http2(self.server) as client:
            client.send(frame(HEADERS, END_STREAM, 1, head()))
            self.assertNotEqual(client.until(GOAWAY).code(), 0)
            self.assertIsNone(client.read())
        with http2(self.server) as client:
            client.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, head())[:-3])
            self.assertNotEqual(client.until(GOAWAY).code(), 0)

    def test_an_http2_body_that_stops_gets_408_and_the_connection_lives_on(self):
        with http2(self.server) as client:
            client.send(frame(HEADERS, END_HEADERS, 1, head(b"POST", b"/echo")))
            client.send(frame(DATA, 0, 1, b"begun"))
            status, body, _ = client.answer(1)
            self.assertEqual(status, 408)
            self.assertTrue(body.startswith(b"refused 408"), body)
            self.assertEqual(client.get(3)[0], 200)

    def test_an_http2_peer_that_gives_no_window_is_let_go(self):
        no_window = b"\0\x04\0\0\0\0"
        with http2(self.server, no_window) as client:
            client.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, head()))
            _, body, code = client.answer(1)
            self.assertEqual((body, code), (b"", 8))

    def test_a_peer_that_reads_nothing_is_let_go(self):
        with self.server.connect() as plug:
            self.eventually("it is open", lambda: self.server.stats()["connections_open"] == 2)
            plug.sendall(b"GET /big?size=50000000 HTTP/1.1\r\nHost: a\r\n\r\n")
            self.eventually("it is closed", lambda: self.server.stats()["connections_open"] == 1)
            self.assertLess(len(drain(plug)), 50_000_000)


if __name__ == "__main__":
    unittest.main()
