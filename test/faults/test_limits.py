"""Limits from both sides: the size of bodies, what they unpack to, and the memory that hostile shapes cost."""

import gzip
import http.client
import struct
import threading
import unittest
import zlib

from faults import MEBI, SANITIZED, FaultTest, Server, all_traces, new_trace_id, parse, request, span
from harness import TIMEOUT_S, field, json_request

BODY_MAX = 32 << 10  # within one window of HTTP/2, so that curl has sent all before it is refused
RESOURCE_EXHAUSTED = 8


def body_of(size, trace_id):
    """A request of one span that is exactly so long."""
    fill = size
    while len(body := request(span(trace_id, attributes={"fill": "x" * fill}))) > size:
        fill -= len(body) - size
    return body


def zstd_bomb(size):
    """A zstd frame (RFC 8878) of blocks that each repeat one byte 128 Ki times."""
    blocks, block_size = size // (128 << 10), 128 << 10
    out = b"\x28\xb5\x2f\xfd\x00\x38"  # no content size, a window of 128 KiB
    for number in range(blocks):
        out += struct.pack("<I", (number == blocks - 1) | 1 << 1 | block_size << 3)[:3] + b"\0"
    return out


def bombs(size):
    """Name -> encoding and body; each is `size` zeros."""
    mebibyte = bytes(MEBI)
    deflater = zlib.compressobj()
    deflated = b"".join(deflater.compress(mebibyte) for _ in range(size // MEBI)) + deflater.flush()
    gzipped = zlib.compressobj(wbits=31)
    return {
        "gzip": ("gzip", b"".join(gzipped.compress(mebibyte) for _ in range(size // MEBI)) + gzipped.flush()),
        "gzip of many members": ("gzip", gzip.compress(mebibyte) * (size // MEBI)),
        "gzip that lies about its size": ("gzip", gzip.compress(mebibyte)[:-4] + b"\xff\xff\xff\xff"),
        "deflate": ("deflate", deflated),
        "zstd": ("zstd", zstd_bomb(size)),
    }


class BodySize(FaultTest):
    options = ("--max-body", "32KiB")

    def send_chunked(self, body):
        def pieces():
            for at in range(0, len(body), 6000):
                yield body[at:at + 6000]

        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=TIMEOUT_S)
        try:
            connection.request("POST", "/v1/traces", pieces(), {"Content-Type": "application/x-protobuf"},
                               encode_chunked=True)
            return connection.getresponse().status
        finally:
            connection.close()

    def test_a_body_of_exactly_the_limit_is_taken_however_it_comes(self):
        trace_id = new_trace_id()
        body = body_of(BODY_MAX, trace_id)
        self.assertEqual(len(body), BODY_MAX)
        self.assertEqual(self.server.send_otlp(body).status, 200)
        self.assertEqual(self.send_chunked(body), 200)
        self.assertEqual(self.server.export_grpc(body)[0], 0)
        for name, pack in (("gzip", gzip.compress), ("deflate", zlib.compress)):
            self.assertEqual(self.server.send_otlp(pack(body), Content_Encoding=name).status, 200)
        self.assertEqual(self.server.export_grpc(gzip.compress(body), True, grpc_encoding="gzip")[0], 0)
        text = json_request(trace_id)
        text += b" " * (BODY_MAX - len(text))
        self.assertEqual(self.server.send_otlp(text, "application/json").status, 200)
        found = self.server.trace(trace_id).json["spans"]
        self.assertTrue(any(len(one.get("attributes", {}).get("fill", "")) > BODY_MAX - 1000 for one in found))

    def test_one_byte_more_is_refused_however_it_comes(self):
        trace_id = new_trace_id()
        body = body_of(BODY_MAX + 1, trace_id)
        answer = self.server.send_otlp(body)
        self.assertEqual(answer.status, 413, answer)
        self.assertEqual(parse(answer.body)[1], [RESOURCE_EXHAUSTED])
        self.assertEqual(self.send_chunked(body), 413)
        self.assertEqual(self.server.export_grpc(body)[0], RESOURCE_EXHAUSTED)
        for name, pack in (("gzip", gzip.compress), ("deflate", zlib.compress)):
            answer = self.server.send_otlp(pack(body), Content_Encoding=name)
            self.assertEqual((answer.status, parse(answer.body)[1]), (413, [RESOURCE_EXHAUSTED]))
        self.assertEqual(self.server.export_grpc(gzip.compress(body), True, grpc_encoding="gzip")[0],
                         RESOURCE_EXHAUSTED)
        text = json_request(trace_id)
        text += b" " * (BODY_MAX + 1 - len(text))
        answer = self.server.send_otlp(text, "application/json")
        self.assertEqual((answer.status, answer.json["code"]), (413, RESOURCE_EXHAUSTED))
        self.assertEqual(self.server.span_count(trace_id), 0)


class Bombs(FaultTest):
    options = ("--max-body", "16MiB", "--memory", "64MiB")
    MEMORY_MAX = 400 * MEBI  # what four workers unpack at once, and the budget

    def test_a_body_that_unpacks_beyond_the_limit_is_413_and_memory_stays_bounded(self):
        for name, (encoding, body) in bombs(256 * MEBI).items():
            with self.subTest(name):
                answers = []

                def send(encoding=encoding, body=body, answers=answers):
                    answers.append(self.server.send_otlp(body, Content_Encoding=encoding).status)

                threads = [threading.Thread(target=send) for _ in range(4)]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
                self.assertEqual(set(answers), {400 if "lies" in name else 413})
        if not SANITIZED:
            self.assertLess(self.server.memory_peak(), self.MEMORY_MAX)

    def test_over_grpc_a_bomb_is_resource_exhausted(self):
        for encoding, body in (bombs(32 * MEBI)["gzip"], bombs(32 * MEBI)["zstd"]):
            self.assertEqual(self.server.export_grpc(body, True, grpc_encoding=encoding)[0], RESOURCE_EXHAUSTED)

    def test_small_bodies_that_unpack_to_masses_of_empty_things_are_taken_or_refused(self):
        trace_id = new_trace_id()
        count = 7 * MEBI
        for name, body in (("attributes", request(span(trace_id) + b"\x4a\x00" * count)),
                           ("spans", field(1, field(2, b"\x12\x00" * count))),
                           ("unknown fields", request(span(trace_id)) + b"\x78\x00" * count),
                           ("arrays", json_request(trace_id).replace(b'"name"', b'"x":[' + b"[]," * count +
                                                                     b'0],"name"')[:16 * MEBI])):
            with self.subTest(name):
                packed = gzip.compress(body, 1)
                answer = self.server.deliver(packed, Content_Encoding="gzip")
                self.assertIn(answer.status, (200, 400, 413))


class HostileShapes(FaultTest):
    options = ("--memory", "64MiB")
    MEMORY_MAX = 400 * MEBI

    def test_an_attribute_of_10_megabytes_comes_back_whole(self):
        trace_id, text = new_trace_id(), "0123456789" * 1_000_000
        body = request(span(trace_id, attributes={"huge": text}))
        answer = self.server.deliver(body)
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(self.server.trace(trace_id).json["spans"][0]["attributes"]["huge"], text)

    def test_a_body_beyond_the_memory_budget_is_taken_once_what_waits_is_sealed(self):
        trace_id = new_trace_id()
        for _ in range(8):
            self.assertEqual(self.server.deliver(request(span(trace_id, attributes={"fill": "x" * MEBI}))).status, 200)
        large = request(span(trace_id, attributes={"huge": "x" * (50 * MEBI)}))
        self.assertEqual(self.server.deliver(large).status, 200)
        self.assertEqual(self.server.span_count(trace_id), 9)

    def test_a_hundred_thousand_attribute_keys_in_one_batch_are_kept_and_found(self):
        trace_id = new_trace_id()
        spans = [span(trace_id, attributes={f"key.{number}.{one}": "x" for one in range(100)})
                 for number in range(1000)]
        self.assertEqual(self.server.deliver(request(*spans)).status, 200)
        self.assertEqual(self.server.span_count(trace_id), 1000)
        found = self.server.get("/api/v1/traces?q=%7B%20span.key.999.99%20%3D%20%22x%22%20%7D").json["traces"]
        self.assertEqual([one["traceId"] for one in found], [trace_id])
        self.assertEqual(self.server.get("/api/v1/tags?prefix=key.500.").status, 200)

    def test_a_hundred_thousand_keys_on_one_span_are_kept(self):
        trace_id = new_trace_id()
        attributes = {f"one.{number}": "x" for number in range(100_000)}
        self.assertEqual(self.server.deliver(request(span(trace_id, attributes=attributes))).status, 200)
        self.assertEqual(self.server.trace(trace_id).json["spans"][0]["attributes"], attributes)


class ManyServices(unittest.TestCase):
    COUNT = 20_000 if SANITIZED else 200_000
    MEMORY_MAX = 500 * MEBI

    def test_two_hundred_thousand_services_are_kept_in_bounded_memory_and_answered(self):
        server = Server("--memory", "64MiB")
        self.addCleanup(server.stop)
        trace_ids, step = [], 2000
        for first in range(0, self.COUNT, step):
            trace_id = new_trace_id()
            body = b"".join(request(span(trace_id, f"{number + 1:016x}"), service=f"service-{number}")
                            for number in range(first, first + step))
            answer = server.deliver(body)
            self.assertEqual(answer.status, 200, answer)
            trace_ids.append(trace_id)
        self.assertEqual(server.span_count(trace_ids[0]), step)
        self.assertEqual(server.span_count(trace_ids[-1]), step)
        self.assertEqual(server.get("/api/v1/services").status, 200)
        self.assertEqual(server.get("/api/v1/services/service-7/operations").json["operations"][0]["spanCount"], 1)
        self.assertEqual(len(all_traces(server)), self.COUNT // step)
        if not SANITIZED:
            self.assertLess(server.memory_peak(), self.MEMORY_MAX)


if __name__ == "__main__":
    unittest.main()
