"""Bodies that nobody should send: each gets an exact answer with the place, the rest of the batch is kept."""

import json
import secrets
import unittest

from faults import FaultTest, new_trace_id, request, span
from harness import START_NANO, field, fixed64, json_request, varint

DEEP = 100_000
IN_SPAN = "resource_spans[0].scope_spans[0].spans[0]"
IN_JSON_SPAN = "resourceSpans[0].scopeSpans[0].spans[0]"


def tag(number, wire_type):
    return varint(number << 3 | wire_type)


def nested(levels):
    """An AnyValue of arrays in arrays."""
    value = field(1, "x")
    for _ in range(levels):
        value = field(5, field(1, value))
    return value


class Protobuf(FaultTest):
    def assert_span_refused(self, tail, *words):
        """The tail, behind a good span's fields, makes the body undecodable; the byte is where the tail begins."""
        trace_id = new_trace_id()
        good = request(span(trace_id))
        body = request(span(trace_id) + tail)
        message = self.assert_400(self.server.send_otlp(body), *words)
        begin = int(message.split(":")[0].removeprefix("byte "))
        self.assertTrue(len(good) <= begin <= len(body), message)
        self.assertEqual(self.server.span_count(trace_id), 0, "nothing of an undecodable body is kept")

    def test_a_body_cut_at_any_byte_is_400_and_names_a_byte_of_it(self):
        trace_id = new_trace_id()
        body = request(span(trace_id, attributes={"order.id": "42"}))
        for size in range(1, len(body)):
            message = self.assert_400(self.server.send_otlp(body[:size]), "byte ")
            self.assertLess(int(message.split(":")[0].removeprefix("byte ")), len(body))
        self.assertEqual(self.server.span_count(trace_id), 0)

    def test_a_known_field_of_a_wrong_wire_type_is_named(self):
        for number, wire_type, name, expected in (
                (1, 0, "trace_id", "a length (2) is expected"), (5, 0, "name", "a length (2) is expected"),
                (6, 1, "kind", "a varint (0) is expected"),
                (7, 0, "start_time_unix_nano", "64 bits (1) are expected"),
                (8, 5, "end_time_unix_nano", "64 bits (1) are expected"),
                (9, 0, "attributes[0]", "a length (2) is expected"), (16, 0, "flags", "32 bits (5) are expected")):
            with self.subTest(name):
                self.assert_span_refused(tag(number, wire_type) + bytes(8), f"{IN_SPAN}.{name}: ",
                                         "wrong wire type: " + expected)

    def test_tags_and_groups_that_protobuf_does_not_have_are_refused(self):
        for tail, words in ((b"\x00\x00", "field number out of range"), (tag(20, 7), "unknown wire type"),
                            (tag(20, 6), "unknown wire type"), (tag(20, 4), "end of a group that was not begun"),
                            (tag(20, 3), "group without an end"), (tag(20, 3) + tag(21, 4), "end of another group"),
                            (tag(6, 0) + b"\xff" * 10 + b"\x01", "varint beyond 64 bits")):
            with self.subTest(words):
                self.assert_span_refused(tail, IN_SPAN, words)

    def test_unknown_fields_of_every_wire_type_are_skipped(self):
        trace_id = new_trace_id()
        unknown = tag(100, 0) + b"\x01" + fixed64(101, 7) + field(102, b"\xff") + tag(103, 3) + tag(103, 4)
        self.assertEqual(self.server.send_otlp(request(span(trace_id) + unknown + tag(104, 5) + b"1234")).status, 200)
        self.assertEqual(self.server.span_count(trace_id), 1)

    def test_lengths_past_the_end_are_refused_however_large(self):
        for length in (b"\x02", b"\x7f", varint((1 << 31) - 1), varint(1 << 32), varint((1 << 64) - 1)):
            with self.subTest(length):
                self.assert_span_refused(tag(5, 2) + length + b"a", IN_SPAN + ".name: length goes past the end")

    def test_nesting_of_64_levels_is_kept_and_65_are_refused(self):
        def deep(levels):
            return field(9, field(1, "deep") + field(2, nested(levels)))

        trace_id = new_trace_id()
        self.assertEqual(self.server.send_otlp(request(span(trace_id) + deep(64))).status, 200)
        value = self.server.trace(trace_id).json["spans"][0]["attributes"]["deep"]
        levels = 0
        while isinstance(value, list):
            value, levels = value[0], levels + 1
        self.assertEqual((levels, value), (64, "x"))
        self.assert_span_refused(deep(65), IN_SPAN + ".attributes[0].value.array_value.values[0]")

    def test_nesting_of_a_hundred_thousand_levels_is_refused(self):
        # From the inside out the lengths would take minutes to compute; a hostile client does not compute either.
        claimed = (field(5, field(1, b""))[:1] + varint(1 << 20)) * DEEP
        self.assert_400(self.server.send_otlp(request(span(new_trace_id()) + field(9, field(2, claimed)))), "byte ")
        for body in (request(span(new_trace_id()) + tag(20, 3) * DEEP), tag(20, 3) * DEEP):
            self.assert_400(self.server.send_otlp(body), "groups nested too deep")
        self.assert_400(self.server.send_otlp(request(
            span(new_trace_id()) + field(9, field(1, "deep") + field(2, nested(5000))))), "byte ")

    def test_invalid_utf8_is_named_where_it_lies(self):
        for tail, where in ((field(5, b"a\xffb"), ".name"), (field(3, b"\xc0\x80"), ".trace_state"),
                            (field(9, field(1, b"\xff") + field(2, field(1, "x"))), ".attributes[0].key"),
                            (field(9, field(1, "k") + field(2, field(1, b"\xed\xa0\x80"))),
                             ".attributes[0].value.string_value")):
            with self.subTest(where):
                self.assert_span_refused(tail, IN_SPAN + where + ": invalid UTF-8")

    def test_of_a_field_that_comes_twice_the_last_one_counts(self):
        first, last = new_trace_id(), new_trace_id()
        body = request(span(first, name="first") + field(1, bytes.fromhex(last)) + field(5, "last"))
        self.assertEqual(self.server.send_otlp(body).status, 200)
        self.assertEqual(self.server.span_count(first), 0)
        self.assertEqual(self.server.trace(last).json["spans"][0]["name"], "last")

    def test_ids_of_a_wrong_length_or_zero_cost_only_their_span(self):
        good = new_trace_id()
        for bad, reason in ((span("00" * 16), "trace_id is all zero"), (span("ab" * 15), "trace_id is not 16 bytes"),
                            (span("ab" * 17), "trace_id is not 16 bytes"), (span(""), "trace_id"),
                            (span(good, "00" * 8), "span_id is all zero"),
                            (span(good, "ab" * 7), "span_id is not 8 bytes"),
                            (span(good, "ab" * 9), "span_id is not 8 bytes"),
                            (span(good) + field(4, b"abc"), "parent_span_id is not 8 bytes")):
            with self.subTest(reason):
                before = self.server.span_count(good)
                answer = self.server.send_otlp(request(span(good), bad, span(good)))
                self.assert_partial(answer, 1, "resource_spans[0].scope_spans[0].spans[1]: " + reason)
                self.assertEqual(self.server.span_count(good), before + 2)

    def test_bad_times_cost_only_their_span(self):
        good, largest = new_trace_id(), (1 << 63) - 1
        for start, end in ((0, 1), (START_NANO, START_NANO - 1), (largest + 1, largest + 2), (1, (1 << 64) - 1)):
            before = self.server.span_count(good)
            answer = self.server.send_otlp(request(span(good, start=start, end=end), span(good)))
            self.assert_partial(answer, 1, IN_SPAN, "time")
            self.assertEqual(self.server.span_count(good), before + 1)
        for start, end in ((1, 1), (largest, largest), (1, largest)):
            trace_id = new_trace_id()
            self.assertEqual(self.server.send_otlp(request(span(trace_id, start=start, end=end))).status, 200)
            found = self.server.trace(trace_id).json
            self.assertEqual((found["startTimeUnixNano"], found["durationNano"]), (str(start), str(end - start)))

    def test_every_rejected_span_is_counted_and_the_first_one_is_told(self):
        good = new_trace_id()
        spans = [span(good), *(span("00" * 16) for _ in range(1000)), span(good)]
        before = self.server.metric("spans_rejected_total")
        self.assert_partial(self.server.send_otlp(request(*spans)), 1000, "spans[1]:")
        self.assertEqual(self.server.span_count(good), 2)
        self.assertEqual(self.server.metric("spans_rejected_total"), before + 1000)

    def test_over_grpc_what_is_undecodable_is_invalid_argument_with_the_place(self):
        code, headers, _ = self.server.export_grpc(request(span(new_trace_id()) + tag(5, 0) + b"\x01"))
        self.assertEqual(code, 3)
        self.assertIn("byte ", headers["grpc-message"])
        self.assertIn(IN_SPAN + ".name", headers["grpc-message"].replace("%5B", "[").replace("%5D", "]"))


class Json(FaultTest):
    def send(self, body):
        return self.server.send_otlp(body, "application/json")

    def test_a_body_cut_at_any_byte_is_400_and_names_a_byte_of_it(self):
        trace_id = new_trace_id()
        body = json_request(trace_id)
        for size in range(len(body)):
            if size == 0:
                continue  # an empty body is an empty request
            message = self.assert_400(self.send(body[:size]), "byte ")
            self.assertLessEqual(int(message.split(":")[0].removeprefix("byte ")), size)
        self.assertEqual(self.server.span_count(trace_id), 0)

    def test_a_known_member_of_a_wrong_type_is_named(self):
        def one(value):
            return {"attributes": [{"key": "k", "value": value}]}

        for members, where in (({"name": 7}, ".name"), ({"kind": "BAD"}, ".kind"), ({"status": 7}, ".status"),
                               ({"startTimeUnixNano": "-1"}, ".startTimeUnixNano"),
                               ({"startTimeUnixNano": 1.5}, ".startTimeUnixNano"),
                               ({"endTimeUnixNano": "1" + "0" * 30}, ".endTimeUnixNano"),
                               ({"attributes": {}}, ".attributes"), (one(7), ".attributes[0].value"),
                               (one({"intValue": "x"}), ".attributes[0].value.intValue"),
                               (one({"intValue": str(1 << 63)}), ".attributes[0].value.intValue"),
                               (one({"bytesValue": "?"}), ".attributes[0].value.bytesValue")):
            with self.subTest(members):
                self.assert_400(self.send(json_request(new_trace_id(), **members)), "byte ", IN_JSON_SPAN + where)

    def test_what_is_not_json_is_refused(self):
        good = json_request(new_trace_id())
        for body in (good + b"x", b"\xef\xbb\xbf" + good, good.replace(b'"work"', b"NaN"), good + good, b"'", b"\x00",
                     good.replace(b'"work"', b'"wo\x01rk"'), good.replace(b'"work"', b'"wo\\xrk"'),
                     good.replace(b", ", b",, ", 1), good.replace(b"]}]}]}", b",]}]}]}"), good.replace(b'"work"', b"01")):
            with self.subTest(body[-60:]):
                self.assert_400(self.send(body), "byte ")

    def test_invalid_utf8_is_named_where_it_lies(self):
        good = json_request(new_trace_id())
        for bad in (b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80"):
            self.assert_400(self.send(good.replace(b"work", b"wo" + bad)), IN_JSON_SPAN + ".name: invalid UTF-8")

    def test_nesting_of_64_levels_is_kept_and_65_are_refused(self):
        def deep(levels):
            value = '{"arrayValue":{"values":[' * levels + '{"stringValue":"x"}' + "]}}" * levels
            return json_request(trace_id, attributes=[{"key": "deep", "value": 0}]).replace(
                b'"value": 0', b'"value":' + value.encode())

        trace_id = new_trace_id()
        self.assert_400(self.send(deep(65)), IN_JSON_SPAN + ".attributes[0].value.arrayValue.values[0]")
        self.assert_400(self.send(deep(DEEP)), IN_JSON_SPAN + ".attributes[0].value.arrayValue.values[0]")
        self.assertEqual(self.send(deep(64)).status, 200)
        self.assertEqual(self.server.span_count(trace_id), 1)

    def test_nesting_of_a_hundred_thousand_levels_is_refused_wherever_it_is(self):
        good = json_request(new_trace_id())
        for body in (b"[" * DEEP, b'{"a":' * DEEP,
                     good.replace(b'"name"', b'"unknown":' + b"[" * DEEP + b"]" * DEEP + b',"name"'),
                     good.replace(b'"name"', b'"unknown":' + b'{"a":' * DEEP + b"0" + b"}" * DEEP + b',"name"')):
            self.assert_400(self.send(body), "byte ")

    def test_of_a_member_that_comes_twice_the_last_one_counts(self):
        trace_id = new_trace_id()
        self.assertEqual(self.send(json_request(trace_id).replace(b'"name": "work"',
                                                                  b'"name":"first","name":"last"')).status, 200)
        self.assertEqual(self.server.trace(trace_id).json["spans"][0]["name"], "last")

    def test_bad_ids_and_times_cost_only_their_span(self):
        good = new_trace_id()
        for members, reason in (({"traceId": "ab" * 15}, "traceId is not 32 hex digits"),
                                ({"traceId": "zz" * 16}, "traceId is not 32 hex digits"),
                                ({"traceId": "0" * 32}, "traceId is all zero"), ({"traceId": ""}, "traceId is missing"),
                                ({"spanId": "7uGbfsPBsXM="}, "spanId is not 16 hex digits"),
                                ({"spanId": "0" * 16}, "spanId is all zero"),
                                ({"parentSpanId": "ab"}, "parentSpanId is not 16 hex digits"),
                                ({"startTimeUnixNano": "0"}, "the start time is 0"),
                                ({"endTimeUnixNano": "1"}, "the end time is before the start time"),
                                ({"endTimeUnixNano": str(1 << 63)}, "a time is beyond 2^63-1 ns")):
            with self.subTest(reason):
                before = self.server.span_count(good)
                body = json.loads(json_request(good, good))
                spans = body["resourceSpans"][0]["scopeSpans"][0]["spans"]
                spans.insert(1, {**spans[0], "spanId": secrets.token_hex(8), **members})
                answer = self.send(json.dumps(body).encode())
                self.assert_partial(answer, 1, "resourceSpans[0].scopeSpans[0].spans[1]: " + reason)
                self.assertEqual(self.server.span_count(good), before + 2)


class Zipkin(FaultTest):
    def send(self, spans):
        body = spans if isinstance(spans, bytes) else json.dumps(spans).encode()
        return self.server.send_otlp(body, "application/json", "/api/v2/spans")

    def test_what_cannot_be_read_is_400_with_the_place(self):
        good = {"traceId": new_trace_id(), "id": "ab" * 8, "timestamp": 1, "name": "get"}
        for body in (b"[", b"{}", [{**good, "tags": 7}], [{**good, "timestamp": "soon"}], b"[" * DEEP,
                     [{**good, "localEndpoint": []}]):
            with self.subTest(body[:60]):
                self.assert_400(self.send(body), "byte ")

    def test_a_bad_span_costs_only_itself(self):
        trace_id = new_trace_id()
        good = {"traceId": trace_id, "id": "ab" * 8, "timestamp": 1, "name": "get"}
        answer = self.send([{**good, "traceId": "xyz"}, good, {**good, "id": "0" * 16}])
        self.assertEqual(answer.status, 202, answer)
        self.assertEqual(int(answer.json["partialSuccess"]["rejectedSpans"]), 2)
        self.assertEqual(self.server.span_count(trace_id), 1)


if __name__ == "__main__":
    unittest.main()
