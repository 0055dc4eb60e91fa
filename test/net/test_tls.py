"""TLS on the same port as everything else."""

import os
import signal
import socket
import unittest

from harness import PATIENCE, Http2, Reader, Server, TestCase, certificate, curl, drain, folder, tls


class Tls(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = folder()
        path = cls.folder.__enter__()
        cls.cert, cls.key = certificate(path)
        cls.path = path
        cls.server = Server("--tls-cert", cls.cert, "--tls-key", cls.key, "--head-timeout-ms", 800)

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.folder.__exit__(None, None, None)

    def ask(self, plug):
        plug.sendall(b"GET /headers HTTP/1.1\r\nHost: a\r\n\r\n")
        return Reader(plug).answer()

    def assert_serves(self):
        with tls(self.server) as plug:
            self.assertEqual(self.ask(plug).status, 200)

    def test_http_1_1_without_alpn_and_by_alpn(self):
        for protocols in ((), ("http/1.1",)):
            with tls(self.server, *protocols) as plug:
                self.assertIn(b"h1 loopback=1 tls=1", self.ask(plug).body)

    def test_http_2_by_alpn(self):
        with tls(self.server, "http/1.1", "h2") as plug:
            self.assertEqual(plug.selected_alpn_protocol(), "h2")
            self.assertIn(b"h2 loopback=1 tls=1", Http2(plug).get(1, b"/headers")[1])

    def test_http_2_by_prior_knowledge_works_inside_tls_too(self):
        with tls(self.server) as plug:
            self.assertEqual(Http2(plug).get(1)[0], 200)

    def test_an_unknown_application_protocol_is_refused(self):
        with self.assertRaises(OSError):
            tls(self.server, "smtp").close()
        self.assert_serves()

    def test_bodies_and_long_answers_pass_unharmed(self):
        body = os.urandom(5_000_000)
        for version in ("--http1.1", "--http2"):
            self.assertEqual(curl(self.server, "/worker", version, scheme="https", data=body), body)
            out = curl(self.server, "/stream?n=300&size=20000", version, scheme="https")
            self.assertEqual(len(out), 6_000_000)

    def test_pipelined_requests_are_answered_in_order(self):
        with tls(self.server) as plug:
            reader = Reader(plug)
            for n in range(50):
                plug.sendall(b"POST /worker HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\n%06d" % n)
            self.assertEqual([int(reader.answer().body) for _ in range(50)], list(range(50)))

    def test_tls_1_2_is_spoken_and_1_1_is_not(self):
        self.assertTrue(curl(self.server, "/hello", "--tls-max", "1.2", scheme="https"))
        with self.assertRaises(RuntimeError):
            curl(self.server, "/hello", "--tlsv1.0", "--tls-max", "1.1", scheme="https")

    def test_plain_http_to_a_tls_port_is_hung_up_on(self):
        with self.server.connect() as plug:
            plug.sendall(b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
            self.assertNotIn(b"200 OK", drain(plug))
        self.assert_serves()

    def test_garbage_in_the_middle_of_a_connection_ends_it(self):
        with tls(self.server) as plug:
            self.assertEqual(self.ask(plug).status, 200)
            raw = socket.socket(fileno=os.dup(plug.fileno()))
            raw.settimeout(PATIENCE)
            raw.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))
            drain(raw)
            raw.close()
        self.assert_serves()

    def test_a_handshake_that_stays_incomplete_is_cut_off(self):
        for start in (b"", b"\x16\x03\x01"):
            with self.server.connect() as plug:
                plug.sendall(start)
                self.assertEqual(drain(plug), b"")

    def test_the_certificate_is_read_again_on_request_and_a_bad_one_changes_nothing(self):
        def serial():
            with tls(self.server) as plug:
                return plug.getpeercert(binary_form=True)

        first = serial()
        with tls(self.server) as kept:
            certificate(self.path, "renewed")
            self.server.process.send_signal(signal.SIGHUP)
            self.eventually("the new certificate is shown", lambda: serial() != first)
            self.assertEqual(self.ask(kept).status, 200)
        second = serial()
        with open(self.cert, "w", encoding="ascii") as file:
            file.write("no certificate")
        self.server.process.send_signal(signal.SIGHUP)
        self.assertIn(self.cert, self.server.process.stderr.readline() + self.server.process.stderr.readline())
        self.assertEqual(serial(), second)

    def test_files_that_do_not_fit_together_are_said_at_the_start(self):
        with folder() as other:
            cert, key = certificate(other)
            for options in ((cert, other + "/none.pem"), (other + "/none.pem", key), (self.cert, key)):
                with self.assertRaisesRegex(RuntimeError, "pem"):
                    Server("--tls-cert", options[0], "--tls-key", options[1])


if __name__ == "__main__":
    unittest.main()
