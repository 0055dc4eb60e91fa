"""Starting and stopping: ports in use, answers in flight, the grace."""

import contextlib
import signal
import socket
import time
import unittest

from harness import (END_HEADERS, END_STREAM, GOAWAY, HEADERS, PATIENCE, Http2, Reader, Server, drain, frame,
                     head)  # fmt: skip

GET = b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"
HOLD = b"GET /hold HTTP/1.1\r\nHost: a\r\n\r\n"


class Stop(unittest.TestCase):
    def start(self, *options):
        server = Server(*options)
        self.addCleanup(server.process.kill)
        return server

    def wait_for_worker(self, server):
        """Until a worker holds a request, which it does until the server stops."""
        deadline = time.monotonic() + PATIENCE
        while server.stats()["on_worker"] == 0:
            self.assertLess(time.monotonic(), deadline)

    def test_a_server_without_connections_stops(self):
        self.assertEqual(self.start().stop(), 0)

    def test_a_request_in_flight_is_answered_and_its_connection_closed(self):
        server = self.start()
        with server.connect() as plug, server.connect() as idle:
            idle.sendall(GET)
            idle_reader = Reader(idle)
            self.assertEqual(idle_reader.answer().status, 200)
            plug.sendall(HOLD)
            self.wait_for_worker(server)
            server.process.send_signal(signal.SIGTERM)
            answer = Reader(plug).answer()
            self.assertEqual((answer.status, answer.headers[b"connection"]), (200, b"close"))
            self.assertEqual(drain(plug), b"")
            self.assertEqual(drain(idle), b"")
        self.assertEqual(server.stop(), 0)

    def test_a_stopping_server_takes_no_new_connections(self):
        server = self.start()
        with server.connect() as plug:
            plug.sendall(HOLD)
            self.wait_for_worker(server)
            server.process.send_signal(signal.SIGTERM)
            self.assertEqual(Reader(plug).answer().status, 200)
            with self.assertRaises(OSError):
                socket.create_connection(("127.0.0.1", server.port), 5)
        self.assertEqual(server.stop(), 0)

    def test_http2_gets_goaway_and_its_answers(self):
        server = self.start()
        with server.connect() as plug:
            client = Http2(plug)
            client.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, head(b"GET", b"/hold")))
            self.wait_for_worker(server)
            server.process.send_signal(signal.SIGTERM)
            self.assertEqual(client.until(GOAWAY).code(), 0)
            self.assertEqual(client.answer(1)[0], 200)
            self.assertIsNone(client.read())
        self.assertEqual(server.stop(), 0)

    def test_what_never_ends_is_cut_off_when_the_grace_is_over(self):
        server = self.start()
        with contextlib.ExitStack() as stack:
            upload = stack.enter_context(server.connect())
            upload.sendall(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nx")
            reader = stack.enter_context(server.connect())
            reader.sendall(b"GET /stream?n=1000000&size=10000 HTTP/1.1\r\nHost: a\r\n\r\n")
            reader.recv(10)
            server.process.send_signal(signal.SIGTERM)
            self.assertEqual(server.stop(), 0)

    def test_requests_in_the_worker_queue_are_all_finished(self):
        server = self.start("--workers", 1)
        with contextlib.ExitStack() as stack:
            plugs = [stack.enter_context(server.connect()) for _ in range(4)]
            for plug in plugs:
                plug.sendall(HOLD)
            self.wait_for_worker(server)
            server.process.send_signal(signal.SIGTERM)
            self.assertEqual([Reader(plug).answer().status for plug in plugs], [200] * 4)
        self.assertEqual(server.stop(), 0)

    def test_a_port_in_use_is_said_by_address(self):
        server = self.start()
        address = f"127.0.0.1:{server.port}"
        with self.assertRaisesRegex(RuntimeError, address + ": the port is in use"):
            Server("--listen", address)
        self.assertEqual(server.stop(), 0)
        self.assertEqual(self.start("--listen", address).stop(), 0)

    def test_addresses_that_are_none_are_said(self):
        for address in ("127.0.0.1", "no.such.host.invalid:0", "192.0.2.1:0", "127.0.0.1:http:x", ":99999"):
            with self.assertRaisesRegex(RuntimeError, address.replace(".", r"\.")):
                Server("--listen", address)

    def test_ipv6_loopback_is_listened_on(self):
        try:
            socket.create_server(("::1", 0), family=socket.AF_INET6).close()
        except OSError:
            self.skipTest("no IPv6 here")
        server = self.start("--listen", "[::1]:0")
        with socket.create_connection(("::1", server.port), PATIENCE) as plug:
            plug.sendall(b"GET /headers HTTP/1.1\r\nHost: a\r\n\r\n")
            self.assertIn(b"loopback=1", Reader(plug).answer().body)
        self.assertEqual(server.stop(), 0)


if __name__ == "__main__":
    unittest.main()
