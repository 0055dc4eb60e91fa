"""HTTP/2 and gRPC as well-behaved clients speak them."""

import os
import struct
import unittest

from harness import (ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PADDED, PING, RST_STREAM, SETTINGS,
                     WINDOW_UPDATE, Http2, TestCase, curl, frame, head, http2, literal)  # fmt: skip


def message(payload, flag=0):
    return struct.pack(">BI", flag, len(payload)) + payload


class Http2Features(TestCase):
    def test_prior_knowledge_is_recognised_however_the_preface_is_cut(self):
        raw = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS)
        raw += frame(HEADERS, END_STREAM | END_HEADERS, 1, head())
        for cut in range(1, len(raw)):
            with self.server.connect() as plug:
                client = Http2(plug, hello=False)
                client.send(raw[:cut])
                client.send(raw[cut:])
                self.assertEqual(client.answer(1), (200, b"hello\n", None))

    def test_curl_uploads_and_downloads(self):
        body = os.urandom(2_000_000)
        self.assertEqual(curl(self.server, "/worker", "--http2-prior-knowledge", data=body), body)
        self.assertEqual(len(curl(self.server, "/big?size=5000000", "--http2-prior-knowledge")), 5_000_000)
        self.assertEqual(len(curl(self.server, "/stream?n=1000&size=5000", "--http2-prior-knowledge")), 5_000_000)

    def test_a_message_of_60_megabytes_does_not_lock_up(self):
        body = os.urandom(1 << 20) * 60
        self.assertEqual(curl(self.server, "/echo", "--http2-prior-knowledge", data=body), body)

    def test_many_streams_with_bodies_go_through_one_connection(self):
        body = os.urandom(300_000)
        streams = range(1, 101, 2)
        big_window = b"\0\x04" + struct.pack(">I", 2**31 - 1)
        with http2(self.server, big_window) as client:
            client.send(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 2**31 - 1 - 65_535)))
            for stream in streams:
                path = b"/sleep?ms=30" if stream % 3 else b"/echo"
                client.send(frame(HEADERS, END_HEADERS, stream, head(b"POST", path)))
            for at in range(0, len(body), 10_000):
                for stream in streams:
                    last = END_STREAM if at + 10_000 >= len(body) else 0
                    client.send(frame(DATA, last, stream, body[at : at + 10_000]))
            left = {stream: b"" for stream in streams}
            while left:
                got = client.read()
                self.assertIsNotNone(got)
                self.assertNotEqual(got.kind, RST_STREAM)
                if got.kind == DATA:
                    left[got.stream] += got.payload
                    if got.flags & END_STREAM:
                        self.assertEqual(left.pop(got.stream), body)

    def test_pseudo_headers_become_method_path_query_and_host(self):
        with http2(self.server) as client:
            status, body, _ = client.get(1, b"/headers?a=b")
            self.assertEqual((status, body), (200, b"GET /headers ? a=b h2 loopback=1 tls=0\nhost: a\n"))

    def test_head_has_no_body(self):
        with http2(self.server) as client:
            client.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, head(b"HEAD")))
            self.assertEqual(client.answer(1), (200, b"", None))
            client.send(frame(HEADERS, END_STREAM | END_HEADERS, 3, head(b"HEAD", b"/stream")))
            self.assertEqual(client.answer(3), (200, b"", None))

    def test_padding_trailers_and_continuations_are_taken(self):
        with http2(self.server) as client:
            block = head(b"POST", b"/echo")
            client.send(frame(HEADERS, 0, 1, block[:5]) + frame(CONTINUATION, 0, 1, block[5:20]))
            client.send(frame(CONTINUATION, END_HEADERS, 1, block[20:]))
            client.send(frame(DATA, PADDED, 1, b"\x07padded!" + bytes(7)))
            client.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, literal(b"x-sum", b"1")))
            self.assertEqual(client.answer(1), (200, b"padded!", None))

    def test_expect_100_continue_is_answered(self):
        with http2(self.server) as client:
            client.send(frame(HEADERS, END_HEADERS, 1, head(b"POST", b"/echo", (b"expect", b"100-continue"))))
            self.assertEqual(client.until(HEADERS, 1).flags & END_STREAM, 0)
            client.send(frame(DATA, END_STREAM, 1, b"12345"))
            self.assertEqual(client.answer(1), (200, b"12345", None))

    def test_pings_are_answered(self):
        with http2(self.server) as client:
            client.send(frame(PING, 0, 0, b"12345678"))
            while (got := client.read()).kind != PING:
                pass
            self.assertEqual((got.flags, got.payload), (ACK, b"12345678"))

    def test_the_handlers_limit_holds_with_and_without_a_length(self):
        for size, expected in ((1000, 200), (1001, 413)):
            for more in ((), ((b"content-length", b"%d" % size),)):
                with http2(self.server) as client:
                    client.send(frame(HEADERS, END_HEADERS, 1, head(b"POST", b"/limit", *more)))
                    client.send(frame(DATA, 0, 1, b"x" * 600) + frame(DATA, END_STREAM, 1, b"x" * (size - 600)))
                    self.assertEqual(client.answer(1)[0], expected)
                    self.assertEqual(client.get(3)[0], 200)

    def test_an_early_answer_reaches_a_client_that_sends_a_long_body(self):
        out = curl(self.server, "/deny", "--http2-prior-knowledge", "-w", "%{http_code}", data=b"x" * 3_000_000)
        self.assertEqual(out, b"no\n401")

    def test_headers_of_the_largest_size_pass_and_larger_ones_are_431(self):
        with http2(self.server) as client:
            for stream, size, expected in ((1, 10_000, 200), (3, 15_000, 431)):
                more = [(b"x-%d" % n, b"y" * size) for n in range(3)]
                block = head(b"GET", b"/hello", *more)
                client.send(frame(HEADERS, END_STREAM, stream, block[:16_000]))
                client.send(frame(CONTINUATION, 0, stream, block[16_000:32_000]))
                client.send(frame(CONTINUATION, END_HEADERS, stream, block[32_000:]))
                self.assertEqual(client.answer(stream)[0], expected)

    def test_a_stream_that_is_reset_by_its_client_leaves_the_others_alone(self):
        with http2(self.server) as client:
            client.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, head(b"GET", b"/stream?n=1000&size=10000")))
            client.send(frame(HEADERS, END_STREAM | END_HEADERS, 3, head(b"GET", b"/sleep?ms=100")))
            client.until(DATA, 1)
            client.send(frame(RST_STREAM, 0, 1, struct.pack(">I", 8)))
            client.send(frame(RST_STREAM, 0, 3, struct.pack(">I", 8)))
            client.send(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 65_535)))  # what the first one may have taken
            self.assertEqual(client.get(5)[:2], (200, b"hello\n"))
        self.assert_serves()


class Grpc(TestCase):
    def call(self, path, payload, *flags):
        out = curl(self.server, path, "--http2-prior-knowledge", "-i", "-H", "content-type: application/grpc+proto",
                   "-H", "te: trailers", *flags, data=payload)  # fmt: skip
        headers, _, rest = out.partition(b"\r\n\r\n")
        return headers.lower(), rest

    def test_a_call_gets_its_message_and_then_its_status(self):
        for size in (0, 1, 100, 100_000):
            payload = message(os.urandom(size))
            headers, rest = self.call("/echo.Echo/Echo", payload)
            self.assertIn(b"content-type: application/grpc", headers)
            self.assertNotIn(b"grpc-status", headers)
            self.assertTrue(rest.startswith(payload))
            self.assertIn(b"grpc-status: 0", rest[len(payload) :])

    def test_a_message_of_2_and_of_60_megabytes_does_not_lock_up(self):
        for size in (2 << 20, 60 << 20):
            payload = message(bytes(size))
            _, rest = self.call("/echo.Echo/Echo", payload)
            self.assertEqual(rest[: len(payload)] == payload, True)

    def test_an_error_is_one_block_of_headers(self):
        headers, rest = self.call("/echo.Echo/Fail", message(b"x"))
        self.assertIn(b"http/2 200", headers)
        self.assertIn(b"grpc-status: 3", headers)
        self.assertIn(b"grpc-message: 100%25 w%c3%b6rse%0a", headers)
        self.assertIn(b"grpc-status-details-bin: cap/", headers)
        self.assertEqual(rest, b"")

    def test_an_unknown_call_is_the_handlers_to_answer(self):
        self.assertIn(b"grpc-status: 12", self.call("/nobody/Knows", message(b"x"))[0])

    def test_what_is_not_exactly_one_message_is_refused(self):
        for payload, code in ((b"", 13), (b"\0\0\0", 13), (b"\0\0\0\0\x05hell", 13), (message(b"x", 2), 13),
                              (message(b"x") + b"y", 12), (message(b"x") * 2, 12)):  # fmt: skip
            headers, _ = self.call("/echo.Echo/Echo", payload)
            self.assertIn(b"grpc-status: %d" % code, headers, payload)

    def test_a_message_past_the_limit_is_resource_exhausted(self):
        self.assertIn(b"grpc-status: 12", self.call("/limit", message(b"x" * 1000))[0])
        self.assertIn(b"grpc-status: 8", self.call("/limit", message(b"x" * 1001))[0])

    def test_the_prefix_may_be_cut_anywhere(self):
        payload = message(b"hello")
        more = ((b"content-type", b"application/grpc"), (b"te", b"trailers"))
        for cut in range(1, len(payload)):
            with http2(self.server) as client:
                client.send(frame(HEADERS, END_HEADERS, 1, head(b"POST", b"/echo.Echo/Echo", *more)))
                client.send(frame(DATA, 0, 1, payload[:cut]))
                client.send(frame(DATA, END_STREAM, 1, payload[cut:]))
                self.assertEqual(client.answer(1), (200, payload, None))

    def test_over_http1_it_is_an_ordinary_request(self):
        out = curl(self.server, "/echo", "--http1.1", "-H", "content-type: application/grpc", data=message(b"x"))
        self.assertEqual(out, message(b"x"))


if __name__ == "__main__":
    unittest.main()
