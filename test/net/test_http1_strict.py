"""What HTTP/1.1 must refuse, and limits from both sides."""

import contextlib
import json
import unittest

from harness import Reader, TestCase, drain, request

SMUGGLED = b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"


def get(*lines, start=b"GET /hello HTTP/1.1"):
    return b"\r\n".join([start, *lines]) + b"\r\n\r\n"


def chunked(body):
    return b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + body


class Smuggling(TestCase):
    """Each shape that two readers could take for different requests ends the connection."""

    def refuse_all(self, status, *raws):
        for raw in raws:
            with self.subTest(raw=raw[:120]):
                self.assert_refused(raw + SMUGGLED, status)

    def test_content_length_beside_transfer_encoding(self):
        self.refuse_all(
            400,
            get(b"Host: a", b"Content-Length: 5", b"Transfer-Encoding: chunked", start=b"POST / HTTP/1.1"),
            get(b"Host: a", b"Transfer-Encoding: chunked", b"Content-Length: 5", start=b"POST / HTTP/1.1"),
        )

    def test_several_content_lengths(self):
        self.refuse_all(
            400,
            get(b"Host: a", b"Content-Length: 5", b"Content-Length: 6", start=b"POST / HTTP/1.1"),
            get(b"Host: a", b"Content-Length: 5", b"Content-Length: 5", start=b"POST / HTTP/1.1"),
            get(b"Host: a", b"Content-Length: 5, 5", start=b"POST / HTTP/1.1"),
        )

    def test_content_lengths_that_are_no_numbers(self):
        for value in (b"+5", b"-5", b"0x5", b"5 5", b"5a", b"", b"1e1", b"18446744073709551616"):
            self.refuse_all(400, get(b"Host: a", b"Content-Length: " + value, start=b"POST / HTTP/1.1"))

    def test_a_length_as_large_as_numbers_go_is_just_too_large(self):
        raw = get(b"Host: a", b"Content-Length: 18446744073709551615", start=b"POST / HTTP/1.1")
        self.assert_refused(raw, 413)

    def test_transfer_encodings_that_do_not_end_with_chunked(self):
        for value in (b"chunked, identity", b"xchunked", b"identity", b"chunked chunked", b"gzip", b"chunked;q=1", b""):
            self.refuse_all(400, get(b"Host: a", b"Transfer-Encoding: " + value, start=b"POST / HTTP/1.1"))
        two = get(b"Host: a", b"Transfer-Encoding: identity", b"Transfer-Encoding: chunked", start=b"POST / HTTP/1.1")
        self.refuse_all(400, two)

    def test_transfer_encodings_unknown_here(self):
        self.refuse_all(501, get(b"Host: a", b"Transfer-Encoding: gzip, chunked", start=b"POST / HTTP/1.1"))

    def test_transfer_encoding_in_http_1_0(self):
        self.refuse_all(400, get(b"Host: a", b"Transfer-Encoding: chunked", start=b"POST / HTTP/1.0"))

    def test_folded_lines(self):
        self.refuse_all(
            400,
            get(b"Host: a", b"X: y", b" folded"),
            get(b"Host: a", b"X: y", b"\tfolded"),
            get(b"Host: a", b" Content-Length: 5", start=b"POST / HTTP/1.1"),
            get(b" Host: a"),
        )

    def test_spaces_and_foreign_characters_in_names(self):
        for line in (b"X : y", b"X\t: y", b"Transfer-Encoding : chunked", b": y", b"X(: y", b"X\x80: y", b"no colon"):
            self.refuse_all(400, get(b"Host: a", line))

    def test_lines_that_end_with_lf_or_cr_alone(self):
        self.refuse_all(
            400,
            b"GET /hello HTTP/1.1\nHost: a\n\n",
            b"GET /hello HTTP/1.1\r\nHost: a\n\r\n",
            b"GET /hello HTTP/1.1\r\nHost: a\r\n\n",
            b"\nGET /hello HTTP/1.1\r\nHost: a\r\n\r\n",
            get(b"Host: a\rX: y"),
            get(b"Host: a", b"X: y\rTransfer-Encoding: chunked"),
            b"GET /hello HTTP/1.1\r\r\nHost: a\r\n\r\n",
        )

    def test_control_characters(self):
        self.refuse_all(
            400,
            get(b"Host: a", b"X: a\0b"),
            get(b"Host: a", b"X\0: b"),
            get(b"Host: a", b"X: a\x01b"),
            get(b"Host: a", b"X: a\x7fb"),
            get(b"Host: a", start=b"GET /he\0llo HTTP/1.1"),
            get(b"Host: a", start=b"GET /he\tllo HTTP/1.1"),
            get(b"Host: a", start=b"GET /he\xffllo HTTP/1.1"),
        )

    def test_request_lines_that_are_none(self):
        for start in (b"GET  /hello HTTP/1.1", b" GET /hello HTTP/1.1", b"GET /hello", b"GET /a b HTTP/1.1",
                      b"GET /hello HTTP/1.1 ", b"GET /hello HTTX/1.1", b"GET /hello http/1.1", b"GET hello HTTP/1.1",
                      b"GET * HTTP/1.1", b"GET :// HTTP/1.1", b"GET /#a HTTP/1.1", b"G(T / HTTP/1.1"):  # fmt: skip
            self.refuse_all(400, get(b"Host: a", start=start))

    def test_methods_and_versions_unknown_here(self):
        self.refuse_all(501, get(b"Host: a", start=b"BREW /pot HTTP/1.1"), get(b"Host: a", start=b"CONNECT a:80 HTTP/1.1"))
        for version in (b"HTTP/2.0", b"HTTP/0.9", b"HTTP/1.2", b"HTTP/3.0"):
            self.refuse_all(505, get(b"Host: a", start=b"GET /hello " + version))

    def test_host_is_there_once(self):
        self.refuse_all(400, get(), get(b"Host: a", b"Host: a"), get(b"Host: a", b"Host: b"))

    def test_chunks_that_are_malformed(self):
        for body in (b"5 \r\nhello\r\n0\r\n\r\n", b"+5\r\nhello\r\n0\r\n\r\n", b"0x5\r\nhello\r\n0\r\n\r\n",
                     b"5\nhello\r\n0\r\n\r\n", b"5\r\nhelloXX0\r\n\r\n", b"5\r\nhello\n0\r\n\r\n",
                     b"5\r\nhello\r\n0\r\n\n", b"5\r\nhello\r\n0\r\nX: y\n\r\n", b"5\r\nhello\r\n0\r\nX : y\r\n\r\n",
                     b"5\r\nhello\r\n0\r\nX: y\rZ: z\r\n\r\n", b"5\r\nhello\r\n0\r\n\rX", b"\r\nhello\r\n",
                     b"5;\nx\r\nhello\r\n0\r\n\r\n", b"5\rXhello\r\n0\r\n\r\n",
                     b"10000000000000005\r\nhello\r\n0\r\n\r\n", b"fffffffffffffffff\r\nhello"):  # fmt: skip
            self.refuse_all(400, chunked(body))

    def test_a_chunk_larger_than_memory_is_too_large_as_soon_as_it_is(self):
        self.assert_refused(chunked(b"ffffffffffffff\r\n" + b"x" * 100) .replace(b"/echo", b"/limit") + b"x" * 1000, 413)

    def test_chunk_extensions_and_trailers_are_bounded(self):
        self.refuse_all(431, chunked(b"5;" + b"x" * 40_000 + b"\r\nhello\r\n0\r\n\r\n"))
        self.refuse_all(431, chunked(b"0\r\n" + b"X: y\r\n" * 8000 + b"\r\n"))
        raw = chunked(b"5;" + b"x" * 30_000 + b"\r\nhello\r\n0\r\nX: " + b"y" * 30_000 + b"\r\n\r\n")
        self.assertEqual(request(self.server, raw).body, b"hello")

    def test_tls_spoken_to_a_plain_port_is_refused(self):
        hello = b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + bytes(100) + b"\r\n\r\n"
        self.assert_refused(hello, 400)

    def test_almost_the_http2_preface_is_no_http1(self):
        self.assert_refused(b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", 505)
        self.assert_refused(b"PRX / HTTP/1.1\r\nHost: a\r\n\r\n", 501)


class Limits(TestCase):
    options = ("--head-size-max", 2000, "--connections-max", 6, "--buffered-max", 10 << 20)

    def test_a_head_of_the_largest_size_passes_and_one_byte_more_does_not(self):
        bare = len(get(b"Host: a", b"X: "))
        self.assertEqual(request(self.server, get(b"Host: a", b"X: " + b"y" * (2000 - bare))).status, 200)
        self.assert_refused(get(b"Host: a", b"X: " + b"y" * (2001 - bare)), 431)

    def test_a_head_that_never_ends_is_refused_as_soon_as_it_is_too_large(self):
        self.assert_refused(b"GET /hello HTTP/1.1\r\n" + b"X: y\r\n" * 400, 431)
        self.assert_refused(b"GET /" + b"a" * 3000, 414)

    def test_a_request_line_that_is_too_long_is_414(self):
        self.assert_refused(get(b"Host: a", start=b"GET /" + b"a" * 2000 + b" HTTP/1.1"), 414)

    def test_the_handlers_limit_holds_for_both_kinds_of_body(self):
        def sized(size):
            return b"POST /limit HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size

        def pieces(size):
            head = b"POST /limit HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
            return head + b"64\r\n" + b"x" * 100 + b"\r\n%x\r\n" % (size - 100) + b"x" * (size - 100) + b"\r\n0\r\n\r\n"

        for make in (sized, pieces):
            self.assertEqual(len(request(self.server, make(1000)).body), 1000)
            if make is pieces:
                self.assert_refused(make(1001), 413)
            else:  # a short rest is read over, and the connection kept
                with self.server.connect() as plug:
                    reader = Reader(plug)
                    plug.sendall(make(1001) + SMUGGLED)
                    self.assertEqual([reader.answer().status, reader.answer().status], [413, 200])
        raw = b"POST /limit HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n"
        self.assert_refused(raw + b"x" * 500_000, 413)

    def test_the_server_says_no_when_it_holds_too_many_bytes(self):
        head = b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 8000000\r\n\r\n"
        with self.server.connect() as one:
            one.sendall(head + b"x" * 7_000_000)
            self.eventually("most of it is there", lambda: self.server.stats()["bytes_in"] > 7_000_000)
            self.assert_refused(head + b"x" * 7_000_000, 503)
            one.sendall(b"x" * 1_000_000)
            self.assertEqual(len(Reader(one).answer().body), 8_000_000)
        self.eventually("the bytes are given back", self.upload_passes)

    def upload_passes(self):
        head = b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 8000000\r\n\r\n"
        return request(self.server, head + b"x" * 8_000_000).status == 200

    def test_a_length_that_is_only_claimed_costs_no_memory(self):
        head = b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 60000000\r\n\r\n"
        with self.server.connect() as plug:
            plug.sendall(head + b"x")
            self.eventually("it is there", lambda: self.server.stats()["bytes_in"] > 0)
            self.assertEqual(self.upload_passes(), True)

    def test_connections_over_the_limit_are_told_503_and_closed(self):
        self.eventually("earlier connections are gone", lambda: self.server.stats()["connections_open"] == 1)
        with contextlib.ExitStack() as stack:
            plugs = []

            def plug_in():
                plug = stack.enter_context(self.server.connect())
                plug.sendall(SMUGGLED)
                if Reader(plug).answer().status != 200:
                    return False
                plugs.append(plug)
                return True

            while len(plugs) < 6:  # the connection that asked for the statistics may not be gone yet
                self.eventually("there is room for six", plug_in)
            for _ in range(5):
                with self.server.connect() as plug:
                    plug.sendall(SMUGGLED)
                    answer = Reader(plug).answer()
                    self.assertEqual((answer.status, answer.headers[b"retry-after"]), (503, b"1"))
                    self.assertEqual(drain(plug), b"")
            plugs[0].sendall(SMUGGLED)
            self.assertEqual(Reader(plugs[0]).answer().status, 200)
            plugs[0].close()
            self.eventually("there is room again", lambda: request(self.server, SMUGGLED).status == 200)

        def alone():
            """503: the one that asks is one too many itself."""
            answer = request(self.server, b"GET /stats HTTP/1.1\r\nHost: a\r\n\r\n")
            return answer.status == 200 and json.loads(answer.body)["connections_open"] == 1

        self.eventually("all are gone", alone)


class Busy(TestCase):
    options = ("--workers", 1, "--worker-queue-max", 2)

    def test_a_full_worker_queue_is_the_handlers_to_answer_and_empties(self):
        with contextlib.ExitStack() as stack:
            plugs = [stack.enter_context(self.server.connect()) for _ in range(8)]
            for plug in plugs:
                plug.sendall(b"GET /sleep?ms=300 HTTP/1.1\r\nHost: a\r\n\r\n")
            statuses = sorted(Reader(plug).answer().status for plug in plugs)
        self.assertIn(statuses.count(200), (2, 3, 4))
        self.assertEqual(statuses.count(200) + statuses.count(503), 8)
        self.assertEqual(request(self.server, b"GET /worker HTTP/1.1\r\nHost: a\r\n\r\n").status, 200)


if __name__ == "__main__":
    unittest.main()
