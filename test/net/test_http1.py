"""HTTP/1.0 and HTTP/1.1 as well-behaved clients speak it."""

import os
import time
import unittest

from harness import Reader, TestCase, curl, drain, request


def post(path, body, *headers):
    head = [b"POST " + path + b" HTTP/1.1", b"Host: a", b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join(head) + b"\r\n\r\n" + body


def chunks(body, size, trailers=b"", extension=b""):
    out = b""
    for at in range(0, len(body), size):
        piece = body[at : at + size]
        out += b"%x%s\r\n%s\r\n" % (len(piece), extension, piece)
    return out + b"0\r\n" + trailers + b"\r\n"


CHUNKED = b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


class Http1(TestCase):
    def test_a_connection_is_kept_and_serves_one_request_after_the_other(self):
        with self.server.connect() as plug:
            reader = Reader(plug)
            for round_number in range(20):
                plug.sendall(post(b"/echo", b"x" * round_number * 1000))
                self.assertEqual(reader.answer().body, b"x" * round_number * 1000)

    def test_pipelined_requests_are_answered_in_order_though_a_worker_is_slow(self):
        raw = post(b"/sleep?ms=150", b"first") + b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"
        raw += post(b"/worker", b"third") + post(b"/echo", b"fourth")
        with self.server.connect() as plug:
            reader = Reader(plug)
            plug.sendall(raw)
            bodies = [reader.answer().body for _ in range(4)]
        self.assertEqual(bodies, [b"first", b"hello\n", b"third", b"fourth"])

    def test_a_long_pipeline_with_bodies_is_answered_whole(self):
        with self.server.connect() as plug:
            reader = Reader(plug)
            bodies = [os.urandom(37 * n) for n in range(200)]
            plug.sendall(b"".join(post(b"/worker" if n % 3 else b"/echo", b) for n, b in enumerate(bodies)))
            for body in bodies:
                self.assertEqual(reader.answer().body, body)

    def test_a_pipeline_whose_sender_shuts_its_side_is_still_answered(self):
        with self.server.connect() as plug:
            plug.sendall(post(b"/sleep?ms=50", b"one") + post(b"/echo", b"two"))
            plug.shutdown(1)
            reader = Reader(plug)
            self.assertEqual([reader.answer().body, reader.answer().body], [b"one", b"two"])
            self.assertEqual(drain(plug), b"")

    def test_requests_survive_being_cut_at_every_byte(self):
        raw = post(b"/echo", b"hello") + CHUNKED + chunks(b"chunked body", 5, b"X: y\r\n")
        for cut in range(1, len(raw)):
            with self.server.connect() as plug:
                plug.sendall(raw[:cut])
                plug.sendall(raw[cut:])
                reader = Reader(plug)
                self.assertEqual(reader.answer().body, b"hello")
                self.assertEqual(reader.answer().body, b"chunked body")

    def test_chunked_bodies_with_extensions_and_trailers_arrive_whole(self):
        body = os.urandom(300_000)
        for size in (1000, 65_536, len(body)):
            raw = CHUNKED + chunks(body, size, b"X-Sum: 1\r\nAnother: 2\r\n", b";name=value")
            with self.server.connect() as plug:
                plug.sendall(raw + b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
                reader = Reader(plug)
                self.assertEqual(reader.answer().body, body)
                self.assertEqual(reader.answer().body, b"hello\n")

    def test_an_empty_chunked_body_is_a_request_without_body(self):
        self.assertEqual(request(self.server, CHUNKED + b"0\r\n\r\n").body, b"")

    def test_a_body_of_some_megabytes_goes_through_a_worker_unharmed(self):
        body = os.urandom(20 << 20)
        self.assertEqual(request(self.server, post(b"/worker", body)).body, body)

    def test_expect_100_continue_is_answered_before_the_body_is_sent(self):
        with self.server.connect() as plug:
            reader = Reader(plug)
            for _ in range(2):
                raw = post(b"/echo", b"12345", b"Expect: 100-continue")
                plug.sendall(raw[:-5])
                self.assertEqual(reader.answer().status, 100)
                plug.sendall(raw[-5:])
                self.assertEqual(reader.answer().body, b"12345")

    def test_expect_100_continue_gets_the_refusal_instead_when_there_is_one(self):
        with self.server.connect() as plug:
            raw = post(b"/limit", b"x" * 1001, b"Expect: 100-continue")
            plug.sendall(raw[:-1001])
            answer = Reader(plug).answer()
            self.assertEqual((answer.status, answer.headers[b"connection"]), (413, b"close"))

    def test_head_gets_the_headers_of_get_and_no_body(self):
        with self.server.connect() as plug:
            reader = Reader(plug)
            plug.sendall(b"HEAD /hello HTTP/1.1\r\nHost: a\r\n\r\nGET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
            first = reader.answer(head_only=True)
            self.assertEqual((first.status, first.headers[b"content-length"]), (200, b"6"))
            self.assertEqual(reader.answer().body, b"hello\n")

    def test_head_of_a_long_answer_has_no_body(self):
        with self.server.connect() as plug:
            reader = Reader(plug)
            plug.sendall(b"HEAD /stream HTTP/1.1\r\nHost: a\r\n\r\nGET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
            self.assertEqual(reader.answer(head_only=True).status, 200)
            self.assertEqual(reader.answer().body, b"hello\n")

    def test_no_content_has_no_length(self):
        with self.server.connect() as plug:
            plug.sendall(b"GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n")
            answer = Reader(plug).answer()
            self.assertEqual((answer.status, answer.headers.get(b"content-length")), (204, None))

    def test_http_1_0_closes_unless_it_asks_to_be_kept(self):
        with self.server.connect() as plug:
            plug.sendall(b"GET /hello HTTP/1.0\r\n\r\n")
            answer = Reader(plug).answer()
            self.assertEqual((answer.body, answer.headers[b"connection"]), (b"hello\n", b"close"))
            self.assertEqual(drain(plug), b"")
        with self.server.connect() as plug:
            reader = Reader(plug)
            for _ in range(3):
                plug.sendall(b"GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
                answer = reader.answer()
                self.assertEqual((answer.body, answer.headers[b"connection"]), (b"hello\n", b"keep-alive"))

    def test_connection_close_is_obeyed(self):
        with self.server.connect() as plug:
            plug.sendall(b"GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            self.assertTrue(drain(plug).endswith(b"hello\n"))

    def test_a_long_answer_is_chunked_and_to_http_1_0_ends_with_the_connection(self):
        expected = b"".join(bytes([97 + n % 26]) * 50_000 for n in range(100))
        with self.server.connect() as plug:
            reader = Reader(plug)
            for _ in range(2):
                plug.sendall(b"GET /stream?n=100&size=50000 HTTP/1.1\r\nHost: a\r\n\r\n")
                self.assertEqual(reader.answer().body, expected)
        answer = request(self.server, b"GET /stream?n=100&size=50000 HTTP/1.0\r\n\r\n")
        self.assertEqual(answer.body, expected)

    def test_a_peer_that_leaves_in_the_middle_of_a_long_answer_sets_the_worker_free(self):
        for _ in range(4):
            with self.server.connect() as plug:
                plug.sendall(b"GET /stream?n=100000&size=10000 HTTP/1.1\r\nHost: a\r\n\r\n")
                plug.recv(1000)
        self.eventually("the connections are closed", lambda: self.server.stats()["connections_open"] == 1)
        self.assertEqual(request(self.server, post(b"/worker", b"free")).body, b"free")

    def test_a_peer_that_leaves_before_its_answer_costs_nothing(self):
        for _ in range(10):
            with self.server.connect() as plug:
                plug.sendall(post(b"/sleep?ms=100", b"x"))
        self.eventually("the connections are closed", lambda: self.server.stats()["connections_open"] == 1)
        self.assert_serves()

    def test_an_early_answer_keeps_the_connection_when_the_body_is_short(self):
        with self.server.connect() as plug:
            reader = Reader(plug)
            plug.sendall(post(b"/deny", b"x" * 100_000) + post(b"/echo", b"next"))
            self.assertEqual(reader.answer().status, 401)
            self.assertEqual(reader.answer().body, b"next")

    def test_an_early_answer_reaches_a_client_that_sends_a_long_body_first(self):
        with self.server.connect() as plug:
            try:
                plug.sendall(post(b"/deny", b"x" * 3_000_000))
            except (BrokenPipeError, ConnectionResetError):
                pass
            answer = Reader(plug).answer()
            self.assertEqual((answer.status, answer.headers[b"connection"]), (401, b"close"))

    def test_a_refusal_reaches_a_client_that_sends_a_hundred_megabytes_before_it_looks(self):
        with self.server.connect() as plug:
            plug.sendall(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n")
            plug.sendall(bytes(100_000_000))
            self.assertEqual(Reader(plug).answer().status, 413)

    def test_headers_arrive_in_order_in_lower_case_and_trimmed(self):
        raw = b"GET http://example.org/headers?a=b HTTP/1.1\r\nHost: a\r\nX-One:  \t1 \t\r\nx-TWO:\r\nX-One: 2\r\n\r\n"
        self.assertEqual(
            request(self.server, raw).body,
            b"GET /headers ? a=b h1 loopback=1 tls=0\nhost: a\nx-one: 1\nx-two: \nx-one: 2\n",
        )

    def test_parameters_are_decoded(self):
        raw = b"GET /param?y=1&x=a%20b+c%2f%zz%4 HTTP/1.1\r\nHost: a\r\n\r\n"
        self.assertEqual(request(self.server, raw).body, b"a b c/%zz%4")

    def test_empty_lines_before_a_request_are_overlooked(self):
        self.assertEqual(request(self.server, b"\r\n\r\nGET /hello HTTP/1.1\r\nHost: a\r\n\r\n").status, 200)

    def test_a_slow_reader_gets_a_big_answer_whole(self):
        with self.server.connect() as plug:
            plug.sendall(b"GET /big?size=30000000 HTTP/1.1\r\nHost: a\r\n\r\n")
            time.sleep(0.2)  # more than the kernel takes waits in the server by then
            self.assertEqual(len(Reader(plug).answer().body), 30_000_000)

    def test_curl_uploads_and_downloads(self):
        body = os.urandom(1_000_000)
        self.assertEqual(curl(self.server, "/worker", "--http1.1", data=body), body)
        self.assertEqual(curl(self.server, "/echo", "-H", "Transfer-Encoding: chunked", data=body), body)


if __name__ == "__main__":
    unittest.main()
