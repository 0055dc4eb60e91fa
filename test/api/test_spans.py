"""Spans come in: what api.md promises under "Ingest"."""

import gzip
import http.client
import json
import secrets
import struct
import unittest
import zlib

from harness import (START_NANO, TIMEOUT_S, Server, WithServer, command, json_request, new_key, new_trace_id, parse,
                     request, span, varint, wait_for)


def zstd_stored(body):
    """A zstd frame (RFC 8878) of one raw block."""
    return (b"\x28\xb5\x2f\xfd\xa0" + struct.pack("<I", len(body)) +
            struct.pack("<I", len(body) << 3 | 1)[:3] + body)


class Otlp(WithServer):
    def assert_stored(self, trace_id, count=1):
        answer = self.server.trace(trace_id)
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(answer.json["spanCount"], count)

    def test_protobuf_is_answered_in_protobuf_and_the_span_is_found_at_once(self):
        trace_id = new_trace_id()
        answer = self.server.send_otlp(request(span(trace_id)))
        self.assertEqual((answer.status, answer.body), (200, b""), answer)
        self.assertEqual(answer.header("content-type"), "application/x-protobuf")
        self.assert_stored(trace_id)

    def test_json_is_answered_in_json(self):
        trace_id = new_trace_id()
        answer = self.server.send_otlp(json_request(trace_id), "application/json; charset=utf-8")
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(answer.header("content-type"), "application/json")
        self.assertEqual(answer.json.get("partialSuccess", {}), {})
        self.assert_stored(trace_id)

    def test_gzip_deflate_and_zstd_are_unpacked_and_identity_is_none(self):
        raw = zlib.compressobj(wbits=-15)
        packers = {
            "gzip": gzip.compress,
            "GZIP": gzip.compress,
            "deflate": zlib.compress,
            "identity": lambda body: body,
            "zstd": zstd_stored,
        }
        for name, pack in packers.items():
            for kind in ("application/x-protobuf", "application/json"):
                with self.subTest(encoding=name, kind=kind):
                    trace_id = new_trace_id()
                    body = json_request(trace_id) if kind.endswith("json") else request(span(trace_id))
                    answer = self.server.send_otlp(pack(body), kind, Content_Encoding=name)
                    self.assertEqual(answer.status, 200, answer)
                    self.assert_stored(trace_id)
        trace_id = new_trace_id()
        body = raw.compress(request(span(trace_id))) + raw.flush()
        self.assertEqual(self.server.send_otlp(body, Content_Encoding="deflate").status, 200)
        self.assert_stored(trace_id)

    def test_a_large_body_takes_the_same_way(self):
        trace_id = new_trace_id()
        spans = [span(trace_id, attributes={"fill": "x" * 900}) for _ in range(2000)]
        self.assertEqual(self.server.send_otlp(request(*spans)).status, 200)
        self.assert_stored(trace_id, 2000)
        trace_id = new_trace_id()
        spans = [span(trace_id, attributes={"fill": secrets.token_hex(100)}) for _ in range(2000)]
        self.assertEqual(self.server.send_otlp(gzip.compress(request(*spans)), Content_Encoding="gzip").status, 200)
        self.assert_stored(trace_id, 2000)

    def test_an_empty_request_is_good(self):
        self.assertEqual(self.server.send_otlp(b"").status, 200)
        self.assertEqual(self.server.send_otlp(b"{}", "application/json").status, 200)
        self.assertEqual(self.server.send_otlp(b'{"resourceSpans":[]}', "application/json").status, 200)
        self.assertEqual(self.server.send_otlp(request()).status, 200)

    def test_a_bad_span_is_rejected_alone_and_counted(self):
        trace_id = new_trace_id()
        bad = span(trace_id, start=START_NANO + 1, end=START_NANO)
        answer = self.server.send_otlp(request(span(trace_id), bad, span("00" * 16)))
        self.assertEqual(answer.status, 200, answer)
        partial = parse(parse(answer.body)[1][0])
        self.assertEqual(partial[1], [2])
        self.assertTrue(partial[2][0])
        self.assert_stored(trace_id)

    def test_a_request_of_nothing_but_bad_spans_is_a_partial_success(self):
        answer = self.server.send_otlp(json_request(new_trace_id(), startTimeUnixNano="0"), "application/json")
        self.assertEqual(answer.status, 200, answer)
        partial = answer.json["partialSuccess"]
        self.assertEqual(str(partial["rejectedSpans"]), "1")
        self.assertTrue(partial["errorMessage"])

    def test_what_cannot_be_decoded_is_400_with_the_place_in_the_requests_encoding(self):
        wrong = request(span(new_trace_id()) + varint(5 << 3) + varint(1))  # name as a number
        answer = self.server.send_otlp(wrong)
        self.assertEqual(answer.status, 400, answer)
        self.assertEqual(answer.header("content-type"), "application/x-protobuf")
        status = parse(answer.body)
        self.assertEqual(status[1], [3])
        self.assertIn(b"byte", status[2][0])
        self.assertEqual(self.server.send_otlp(request(span(new_trace_id()))[:-1]).status, 400)
        answer = self.server.send_otlp(b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":7}]}]}]}',
                                       "application/json")
        self.assertEqual(answer.status, 400, answer)
        self.assertEqual(answer.header("content-type"), "application/json")
        self.assertEqual(answer.json["code"], 3)
        self.assertTrue(answer.json["message"])

    def test_json_that_is_not_otlp_is_400_and_not_silently_nothing(self):
        others = [
            {"trace_id": "a", "span_id": "b", "name": "test", "timestamp": 1, "duration": 2, "service": {"name": "s"}},
            {"error": {"message": "boom"}, "request": {"path": "/"}, "context": {}},
            [1, 2], "text", 7, None,
        ]
        for body in others:
            with self.subTest(body=body):
                for encoding in ("identity", "gzip"):
                    data = json.dumps(body).encode()
                    answer = self.server.send_otlp(gzip.compress(data) if encoding == "gzip" else data,
                                                   "application/json", Content_Encoding=encoding)
                    self.assertEqual(answer.status, 400, answer)

    def test_a_body_that_does_not_unpack_is_400(self):
        packed = gzip.compress(request(span(new_trace_id())))
        for body in (packed[:-4], b"not gzip", packed[:10]):
            self.assertEqual(self.server.send_otlp(body, Content_Encoding="gzip").status, 400)

    def test_other_content_types_and_encodings_are_415(self):
        for kind in ("text/plain", "application/xml", "application/octet-stream", "", "application/jsonx"):
            answer = self.server.send_otlp(b"{}", kind)
            self.assertEqual(answer.status, 415, kind)
            self.assertIn("send application/x-protobuf or application/json", answer.json["message"])
        self.assertEqual(self.server.ask("POST", "/v1/traces", b"{}").status, 415)
        for encoding in ("br", "compress", "gzip, gzip"):
            answer = self.server.send_otlp(b"{}", "application/json", Content_Encoding=encoding)
            self.assertEqual(answer.status, 415, encoding)
            self.assertIn("send gzip, deflate, zstd or none", answer.json["message"])

    def test_what_is_not_taken_yet_is_told_what_is(self):
        for path, kind, instead in (("/api/v1/spans", "application/json", "/api/v2/spans"),
                                    ("/api/traces", "application/x-thrift", "/v1/traces"),
                                    ("/v1/metrics", "application/json", "/v1/traces"),
                                    ("/v1/logs", "application/json", "/v1/traces")):
            answer = self.server.ask("POST", path, b"[]", {"Content-Type": kind})
            self.assertEqual(answer.status, 404, path)
            self.assertIn(instead, answer.json["detail"])

    def test_other_methods_are_405_and_say_which_are_right(self):
        for method in ("GET", "PUT", "DELETE"):
            answer = self.server.ask(method, "/v1/traces")
            self.assertEqual(answer.status, 405)
            self.assertIn("POST", answer.header("allow"))

    def test_a_retried_request_does_not_double_its_spans(self):
        trace_id = new_trace_id()
        body = request(span(trace_id), span(trace_id))
        for _ in range(3):
            self.assertEqual(self.server.send_otlp(body).status, 200)
        self.assert_stored(trace_id, 2)

    def test_clients_that_double_the_path_are_understood(self):
        trace_id = new_trace_id()
        self.assertEqual(self.server.send_otlp(request(span(trace_id)), path="/v1/traces/v1/traces").status, 200)
        self.assert_stored(trace_id)


class Limits(WithServer):
    options = ("--max-body", "64KiB")

    def test_a_body_of_exactly_the_limit_is_taken_and_one_byte_more_is_413(self):
        trace_id = new_trace_id()
        least = len(request(span(trace_id), span(trace_id, attributes={"fill": "x" * 60000})))
        fits = request(span(trace_id), span(trace_id, attributes={"fill": "x" * (60000 + 65536 - least)}))
        self.assertEqual(len(fits), 65536)
        self.assertEqual(self.server.send_otlp(fits).status, 200)
        answer = self.server.send_otlp(fits + b"\x00")
        self.assertEqual(answer.status, 413, answer)
        self.assertEqual(answer.header("content-type"), "application/x-protobuf")
        self.assertEqual(parse(answer.body)[1], [8])

    def test_the_limit_is_after_decompression(self):
        bomb = gzip.compress(b"\x00" * 10_000_000)
        self.assertLess(len(bomb), 65536)
        self.assertEqual(self.server.send_otlp(bomb, Content_Encoding="gzip").status, 413)
        code, _, _ = self.server.export_grpc(bomb, compressed=True, grpc_encoding="gzip")
        self.assertEqual(code, 8)

    def test_a_chunked_body_beyond_the_limit_is_413(self):
        def chunks():
            for _ in range(80):
                yield b"x" * 1024

        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=TIMEOUT_S)
        try:
            connection.request("POST", "/v1/traces", chunks(), {"Content-Type": "application/x-protobuf"},
                               encode_chunked=True)
            self.assertEqual(connection.getresponse().status, 413)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the server may close while the rest is still being sent
        finally:
            connection.close()


class Grpc(WithServer):
    dev = False

    def setUp(self):
        self.key = new_key(self.server.data, "server")
        self.read = new_key(self.server.data, "read")

    def test_an_export_is_answered_ok_and_stored(self):
        for packed in (False, True):
            trace_id = new_trace_id()
            message = request(span(trace_id))
            code, headers, reply = self.server.export_grpc(gzip.compress(message) if packed else message, packed,
                                                           x_api_key=self.key, grpc_encoding="gzip")
            self.assertEqual((code, reply), (0, b""), headers)
            self.assertEqual(self.server.trace(trace_id, x_api_key=self.read).status, 200)

    def test_a_partial_success_is_said(self):
        code, _, reply = self.server.export_grpc(request(span("00" * 16)), authorization="Bearer " + self.key)
        self.assertEqual(code, 0)
        self.assertEqual(parse(parse(reply)[1][0])[1], [1])

    def test_errors_have_the_codes_of_the_specification(self):
        good = request(span(new_trace_id()))
        self.assertEqual(self.server.export_grpc(good)[0], 16)
        self.assertEqual(self.server.export_grpc(good, x_api_key="wrong")[0], 16)
        self.assertEqual(self.server.export_grpc(good, x_api_key=self.read)[0], 7)
        self.assertEqual(self.server.export_grpc(good[:-1], x_api_key=self.key)[0], 3)
        code, headers, _ = self.server.export_grpc(good, True, x_api_key=self.key, grpc_encoding="snappy")
        self.assertEqual(code, 12, headers)
        for path in ("/opentelemetry.proto.collector.trace.v1.TraceService/Import",
                     "/opentelemetry.proto.collector.logs.v1.LogsService/Export", "/v1/traces"):
            self.assertEqual(self.server.export_grpc(good, path=path, x_api_key=self.key)[0], 12, path)

    def test_the_grpc_path_takes_no_other_content_type(self):
        answer = self.server.send_otlp(request(), path="/opentelemetry.proto.collector.trace.v1.TraceService/Export",
                                       x_api_key=self.key)
        self.assertEqual(answer.status, 415)


class Zipkin(WithServer):
    def test_spans_are_taken_with_202(self):
        trace_id = new_trace_id()
        spans = [{"traceId": trace_id, "id": secrets.token_hex(8), "name": "get", "kind": "SERVER",
                  "timestamp": START_NANO // 1000, "duration": 5, "localEndpoint": {"serviceName": "shop"}}]
        answer = self.server.send_json("POST", "/api/v2/spans", spans)
        self.assertEqual((answer.status, answer.body), (202, b""), answer)
        self.assertEqual(self.server.trace(trace_id).json["services"][0]["name"], "shop")

    def test_what_is_wrong_is_400_and_another_type_415(self):
        self.assertEqual(self.server.send_json("POST", "/api/v2/spans", {"no": "list"}).status, 400)
        for kind in ("text/xml", "application/x-protobuf"):
            answer = self.server.ask("POST", "/api/v2/spans", b"[]", {"Content-Type": kind})
            self.assertEqual(answer.status, 415)
            self.assertIn("send application/json", answer.json["message"])
        self.assertEqual(self.server.send_json("POST", "/api/v2/spans", []).status, 202)


class Keys(WithServer):
    dev = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.keys = {kind: new_key(cls.server.data, kind) for kind in ("server", "read", "admin")}
        cls.body = request(span(new_trace_id()))

    def test_no_key_and_an_unknown_one_are_401_in_the_requests_encoding(self):
        for headers in ({}, {"x_api_key": "unknown"}, {"authorization": "Bearer unknown"}):
            answer = self.server.send_otlp(self.body, **headers)
            self.assertEqual(answer.status, 401, answer)
            self.assertEqual(answer.header("content-type"), "application/x-protobuf")
            self.assertEqual(parse(answer.body)[1], [16])
            answer = self.server.send_otlp(b"{}", "application/json", **headers)
            self.assertEqual((answer.status, answer.json["code"]), (401, 16))

    def test_a_server_key_is_taken_as_header_and_as_bearer(self):
        self.assertEqual(self.server.send_otlp(self.body, x_api_key=self.keys["server"]).status, 200)
        self.assertEqual(self.server.send_otlp(self.body, authorization="Bearer " + self.keys["server"]).status, 200)

    def test_read_and_admin_keys_cannot_send(self):
        for kind in ("read", "admin"):
            answer = self.server.send_otlp(self.body, x_api_key=self.keys[kind])
            self.assertEqual((answer.status, parse(answer.body)[1]), (403, [7]))

    def test_a_server_key_in_the_address_is_403(self):
        answer = self.server.send_otlp(self.body, path="/v1/traces?api_key=" + self.keys["server"])
        self.assertEqual(answer.status, 403)

    def test_the_first_start_takes_the_key_of_the_environment(self):
        server = Server(dev=False, env={"TRACEKIT_API_KEY": "my-own-key"})
        try:
            self.assertEqual(server.send_otlp(self.body, x_api_key="my-own-key").status, 200)
        finally:
            server.stop()

    def test_a_new_key_works_at_once_and_a_revoked_one_stops_within_a_second(self):
        key = new_key(self.server.data, "server")
        self.assertEqual(self.server.send_otlp(self.body, x_api_key=key).status, 200)
        keys = json.loads(command("key", "list", "--data", self.server.data, "--json"))
        found = keys["keys"] if isinstance(keys, dict) else keys
        identity = max(one["id"] for one in found)
        command("key", "revoke", "--data", self.server.data, str(identity))
        wait_for(lambda: self.server.send_otlp(self.body, x_api_key=key).status == 401, "the revocation")


if __name__ == "__main__":
    unittest.main()
