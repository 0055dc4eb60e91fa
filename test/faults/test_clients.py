"""Clients that are slow, too many, ambiguous or flooding: each gets a clean end, and the server goes on serving.

The network floor's own tests go through every case; here the key ones meet the real server.
"""

import contextlib
import os
import resource
import select
import shlex
import signal
import unittest
import unittest.mock
from pathlib import Path

from faults import DEADLINE_S, FaultTest, Server, eventually, folder, harness, new_trace_id, request, span
from wire import (CONTINUATION, DATA, END_HEADERS, GOAWAY, HEADERS, PING, PREFACE, RST_STREAM, SETTINGS,
                  Http2, Reader, certificate, drain, frame, head, literal, tls)

POST = b"POST /v1/traces HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-protobuf\r\n"


class Smuggling(FaultTest):
    """What two servers in a row could read differently is refused, and the connection ends with it."""

    def assert_refused(self, raw, status=400):
        hidden = new_trace_id()
        body = request(span(hidden))
        inner = POST + b"Content-Length: %d\r\n\r\n" % len(body) + body
        with self.server.connect() as plug:
            plug.sendall(raw + inner)
            answer = Reader(plug).answer()
            self.assertEqual((answer.status, answer.headers.get(b"connection")), (status, b"close"), raw)
            self.assertEqual(answer.headers[b"content-type"].split(b"+")[0].split(b"/")[0], b"application")
            self.assertEqual(drain(plug), b"", "no second answer")
        self.assertEqual(self.server.span_count(hidden), 0, "nothing hidden in a body is a request")

    def test_content_length_beside_chunked(self):
        self.assert_refused(POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
        self.assert_refused(POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n")

    def test_lengths_that_differ_or_are_no_numbers(self):
        self.assert_refused(POST + b"Content-Length: 0\r\nContent-Length: 5\r\n\r\n")
        for length in (b"0, 5", b"+0", b"-1", b"0x0", b"1e1", b""):
            self.assert_refused(POST + b"Content-Length: " + length + b"\r\n\r\n")

    def test_folded_headers_and_spaces_before_colons(self):
        self.assert_refused(POST + b"Content-Length: 0\r\nX-A: b\r\n c\r\n\r\n")
        self.assert_refused(POST + b"Content-Length : 0\r\n\r\n")
        self.assert_refused(POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n")
        self.assert_refused(POST + b"Content-Length: 0\nX-A: b\r\n\r\n")

    def test_transfer_encodings_that_hide_or_repeat_chunked(self):
        for encoding in (b"xchunked", b"chunked, chunked", b"chunked, identity", b"\x0bchunked"):
            with self.server.connect() as plug:
                plug.sendall(POST + b"Transfer-Encoding: " + encoding + b"\r\n\r\n0\r\n\r\n")
                self.assertIn(Reader(plug).answer().status, (400, 501), encoding)
                self.assertEqual(drain(plug), b"")

    def test_chunk_sizes_that_are_none(self):
        for size in (b"-1", b"0x0", b"g", b"", b" 0", b"fffffffffffffffff"):
            with self.server.connect() as plug:
                plug.sendall(POST + b"Transfer-Encoding: chunked\r\n\r\n" + size + b"\r\n\r\n")
                self.assertIn(Reader(plug).answer().status, (400, 413), size)
                self.assertEqual(drain(plug), b"")


class Floods(FaultTest):
    def assert_cut_off(self, piece, start=b""):
        """The piece over and over ends in GOAWAY or a closed connection."""
        with self.server.connect() as plug, contextlib.suppress(ConnectionResetError, BrokenPipeError):
            client = Http2(plug)
            client.send(start)
            for _ in range(3000):
                if not client.send(piece):
                    return
            self.assertIsNotNone(client.until(GOAWAY))

    def test_streams_opened_and_reset_at_once(self):
        pieces = b"".join(frame(HEADERS, END_HEADERS, stream, head(b"POST", b"/v1/traces")) +
                          frame(RST_STREAM, 0, stream, b"\0\0\0\x08") for stream in range(1, 20001, 2))
        self.assert_cut_off(pieces)

    def test_settings_and_pings(self):
        self.assert_cut_off(frame(SETTINGS) * 100)
        self.assert_cut_off(frame(PING, 0, 0, b"12345678") * 100)

    def test_empty_data(self):
        start = frame(HEADERS, END_HEADERS, 1, head(b"POST", b"/v1/traces", (b"content-type", b"application/grpc")))
        self.assert_cut_off(frame(DATA, 0, 1) * 100, start)

    def test_headers_without_end(self):
        start = frame(HEADERS, 0, 1, head(b"GET", b"/healthz"))
        self.assert_cut_off(frame(CONTINUATION, 0, 1, literal(b"x-fill", b"y" * 1000)) * 10, start)


class Slow(FaultTest):
    def test_a_head_and_a_body_that_stay_incomplete_get_408_and_others_are_served_meanwhile(self):
        starts = [b"POST /v1/tr", POST, POST + b"Content-Length: 100\r\n\r\nabc",
                  POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab"]
        plugs = [self.server.connect() for _ in range(200)]
        for number, plug in enumerate(plugs):
            self.addCleanup(plug.close)
            plug.settimeout(DEADLINE_S)
            plug.sendall(starts[number % len(starts)])
        preface = self.server.connect()
        self.addCleanup(preface.close)
        preface.settimeout(DEADLINE_S)
        preface.sendall(PREFACE[:10])
        self.assert_serves(self.server)
        for plug in plugs:
            self.assertEqual(Reader(plug).answer().status, 408)
            self.assertEqual(drain(plug), b"")
        drain(preface)
        eventually("the connections are gone", lambda: self.server.metric("connections_open") <= 1)


@contextlib.contextmanager
def files_at_most(soft):
    """What is started inside may open so many files, unless it asks for more."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


class TooMany(unittest.TestCase):
    LIMIT, MORE, OTHERS, PACE = 10_000, 50, 200, 500

    def start(self, files):
        with files_at_most(files):
            server = Server()
        self.addCleanup(server.stop)
        return server

    @contextlib.contextmanager
    def connections(self, server, count):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        needed = count + self.OTHERS
        if hard != resource.RLIM_INFINITY and hard < needed:
            self.skipTest(f"a process may only open {hard} files here")
        files = f"/proc/{server.process.pid}/fd"
        with files_at_most(max(needed, soft)), contextlib.ExitStack() as stack:
            plugs = []
            for number in range(count):
                plugs.append(stack.enter_context(server.connect()))
                if number % self.PACE == 0:  # faster than it accepts, and the kernel's queue would lose some
                    eventually("they are accepted", lambda number=number: len(os.listdir(files)) > number)
            yield plugs

    def readable(self, plugs, count):
        """Those that have something to read, once there are so many."""
        by_number = {plug.fileno(): plug for plug in plugs}
        poll = select.poll()
        for number in by_number:
            poll.register(number, select.POLLIN)
        found = [by_number[number] for number, _ in poll.poll(0)]
        return found if len(found) >= count else None

    def serves(self, server):
        trace_id = new_trace_id()
        try:
            return (server.send_otlp(request(span(trace_id))).status == 200 and server.span_count(trace_id) == 1)
        except OSError:
            return False

    def test_a_server_that_may_open_few_files_turns_the_surplus_away_and_serves_on(self):
        with folder() as path:
            limited = Path(path) / "tracekit"
            limited.write_text(f'#!/bin/sh\nulimit -n 200\nexec {shlex.quote(harness.BINARY)} "$@"\n')
            limited.chmod(0o755)
            with unittest.mock.patch.object(harness, "BINARY", str(limited)):
                server = self.start(1024)
            with self.connections(server, 300) as plugs:
                answers = [drain(plug)[:12] for plug in
                           eventually("the surplus is turned away", lambda: self.readable(plugs, 200))]
            self.assertLessEqual(set(answers), {b"HTTP/1.1 503", b""})  # the last of a crowd hear nothing
            self.assertIn(b"HTTP/1.1 503", answers)
            eventually("it serves again", lambda: self.serves(server))

    def test_idle_connections_beyond_the_usual_limit_of_files_keep_nobody_out(self):
        server = self.start(1024)
        with self.connections(server, 2000):
            self.assertTrue(self.serves(server))
        eventually("they are gone", lambda: server.metric("connections_open") <= 1)

    def test_connections_beyond_the_limit_are_told_503_and_those_within_are_served(self):
        server = self.start(1024)
        with self.connections(server, self.LIMIT + self.MORE) as plugs:
            # Which ones is the loops' affair: each accepts from a queue of its own.
            answered = eventually("the surplus is answered", lambda: self.readable(plugs, self.MORE))
            for plug in answered:
                self.assertEqual(Reader(plug).answer().status, 503)
            kept = next(plug for plug in plugs if plug not in answered)
            kept.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            self.assertEqual(Reader(kept).answer().status, 200)
        eventually("it serves again", lambda: self.serves(server))


class Tls(unittest.TestCase):
    def test_sighup_with_a_broken_file_keeps_the_old_certificate(self):
        with folder() as path:
            cert, key = certificate(path)
            server = Server("--tls-cert", cert, "--tls-key", key)
            self.addCleanup(server.stop)

            def shown():
                with tls(server) as plug:
                    return plug.getpeercert(binary_form=True)

            def write(file, text):
                with open(file, "w", encoding="ascii") as out:
                    out.write(text)
                server.process.send_signal(signal.SIGHUP)

            first, pem, key_pem = shown(), open(cert, encoding="ascii").read(), open(key, encoding="ascii").read()
            for file, text in ((cert, "no certificate"), (cert, pem[:100]), (cert, ""), (key, "no key")):
                before = len(server.log)
                write(file, text)
                eventually("it is said", lambda before=before: any("stay as they were" in line
                                                                   for line in server.log[before:]))
                self.assertEqual(shown(), first)
                write(cert, pem)
                write(key, key_pem)
            certificate(path, "other")
            server.process.send_signal(signal.SIGHUP)
            eventually("the new certificate is shown", lambda: shown() != first)
            with tls(server) as plug:
                plug.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
                self.assertEqual(Reader(plug).answer().status, 200)


if __name__ == "__main__":
    unittest.main()
