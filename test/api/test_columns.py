"""A trace as binary columns (docs/formats/columns.md): the same rows as the JSON, in any window."""

import gzip
import json
import random
import secrets
import struct
import unittest

from harness import START_NANO, WithServer, new_trace_id

KINDS = ["", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"]


def unzigzag(number):
    return number >> 1 ^ -(number & 1)


class Columns:
    """Reads the format, column by column, as its description says."""

    def __init__(self, data, ids=False):
        self.data, self.at = data, 64
        (magic, version, self.span_count, self.error_count, self.row_total, self.first, count, self.start,
         self.duration, services, texts, self.broken, zero) = struct.unpack("<8s6I2Q4I", data[:64])
        assert magic == b"TKCOL\r\n\x1a" and version == 2 and zero == 0
        table = [(self.varint(), self.varint(), self.varint()) for _ in range(services)]
        self.texts = [self.bytes(self.varint()).decode() for _ in range(texts)]
        self.services = [(self.texts[name], spans, errors) for name, spans, errors in table]
        self.columns = [self.column() for _ in range(12 if ids else 11)]
        assert self.at == len(data)
        self.rows = self.read_rows(count, ids)

    def varint(self, shift=0, value=0):
        while True:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def bytes(self, size):
        self.at += size
        return self.data[self.at - size:self.at]

    def column(self):
        (size,) = struct.unpack("<I", self.bytes(4))
        return self.bytes(size)

    def numbers(self, column):
        self.data, self.at, numbers = column, 0, []
        while self.at < len(column):
            numbers.append(self.varint())
        return iter(numbers)

    def read_rows(self, count, ids):
        flags = self.columns[0]
        assert len(flags) == count
        columns = [self.numbers(column) for column in self.columns[1:11]]
        depth, service, name, span, parent, start, duration, own, own_start, own_duration = columns
        ids = iter(struct.unpack(f"<{len(self.columns[11]) // 8}Q", self.columns[11])) if ids else None
        rows, position, at = [], 0, self.start
        for flag in flags:
            row = {"type": "span" if flag & 3 else "service", "depth": next(depth),
                   "service": self.services[next(service)][0], "name": self.texts[next(name)], "span": None}
            if not flag & 128:
                position += unzigzag(next(span))
                up = next(parent)
                row.update(span=position, parent=position - up if up else None, self=next(own),
                           error=bool(flag & 4), orphan=bool(flag & 8), kind=KINDS[flag >> 4 & 7])
                if ids:
                    row["id"] = f"{next(ids):016x}"
            at += unzigzag(next(start))
            row.update(start=at, duration=next(duration), own=None)
            if row["type"] == "service" and row["span"] is not None:
                row["own"] = at + next(own_start), next(own_duration)
            rows.append(row)
        assert all(next(numbers, None) is None for numbers in columns)
        return rows


def random_trace(seed, spans):
    """Services that call each other, siblings that start together, orphans, errors, every kind."""
    chance = random.Random(seed)
    trace_id, known, by_service = new_trace_id(), [], {}
    for i in range(spans):
        parent = chance.choice(known) if known and chance.random() < 0.95 else None
        start = START_NANO + chance.randrange(50) * 1000
        one = {"traceId": trace_id, "spanId": f"{i + 1:016x}", "name": chance.choice(["GET /", "SELECT", "größer", "a", "web"]),
               "kind": chance.randrange(6), "startTimeUnixNano": str(start),
               "endTimeUnixNano": str(start + chance.randrange(10 ** 6)), "status": {"code": chance.randrange(3)}}
        if parent is not None:
            one["parentSpanId"] = parent
        elif known and chance.random() < 0.5:
            one["parentSpanId"] = secrets.token_hex(8)
        known.append(one["spanId"])
        by_service.setdefault(chance.choice(["a", "web", "api"]), []).append(one)
    body = {"resourceSpans": [
        {"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": name}}]},
         "scopeSpans": [{"scope": {"name": "lib"}, "spans": some}]} for name, some in by_service.items()]}
    return trace_id, json.dumps(body).encode()


class TraceColumns(WithServer):
    def columns(self, trace_id, **params):
        query = "&".join(f"{name}={value}" for name, value in params.items())
        answer = self.server.get(f"/api/v1/traces/{trace_id}/columns?{query}")
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(answer.header("content-type"), "application/vnd.tracekit.columns")
        return Columns(answer.body, "ids" in params)

    def add(self, seed, spans):
        trace_id, body = random_trace(seed, spans)
        self.assertEqual(self.server.send_otlp(body, "application/json").status, 200)
        return trace_id, self.server.trace(trace_id).json

    def assert_same(self, row, expected, trace):
        start = int(trace["startTimeUnixNano"]) + int(expected["offsetNano"])
        self.assertEqual((row["type"], row["depth"], row["service"], row["name"], row["span"], row["start"],
                          row["duration"]),
                         (expected["type"], expected["depth"], expected["service"], expected["name"],
                          expected["span"], start, int(expected["durationNano"])))
        if expected["span"] is not None:
            self.assert_span(row, trace["spans"][expected["span"]], trace)

    def assert_span(self, row, span, trace):
        parent = trace["spans"][row["parent"]]["spanId"] if row["parent"] is not None else None
        self.assertEqual((row["id"], row["kind"], row["self"], row["orphan"], row["error"]),
                         (span["spanId"], span.get("kind", ""), int(span["selfTimeNano"]),
                          span.get("orphan", False), span["status"]["code"] == "ERROR" if "status" in span else False))
        if row["type"] == "service":
            self.assertEqual(row["own"], (int(span["startTimeUnixNano"]), int(span["durationNano"])))
        self.assertEqual(parent, None if span.get("orphan") else span.get("parentSpanId"))

    def test_rows_are_those_of_the_json_for_traces_of_many_shapes(self):
        for seed, spans in ((1, 1), (2, 2), (3, 40), (4, 400), (5, 5000)):
            with self.subTest(seed=seed, spans=spans):
                trace_id, trace = self.add(seed, spans)
                columns = self.columns(trace_id, ids=1)
                self.assertEqual((columns.span_count, columns.error_count, columns.row_total, columns.broken),
                                 (trace["spanCount"], trace["errorCount"], len(trace["rows"]), trace["broken"]))
                self.assertEqual((columns.start, columns.duration),
                                 (int(trace["startTimeUnixNano"]), int(trace["durationNano"])))
                self.assertEqual(columns.services, [(s["name"], s["spanCount"], s["errorCount"])
                                                    for s in trace["services"]])
                self.assertEqual(len(columns.rows), len(trace["rows"]))
                for row, expected in zip(columns.rows, trace["rows"]):
                    self.assert_same(row, expected, trace)

    def test_the_tree_has_one_row_a_span_depth_first(self):
        trace_id, trace = self.add(6, 300)
        columns = self.columns(trace_id, view="tree", ids=1)
        self.assertEqual([row["span"] for row in columns.rows], list(range(300)))
        for row, span in zip(columns.rows, trace["spans"]):
            self.assertEqual((row["depth"], row["name"], row["service"]),
                             (span["depth"], span["name"], span["serviceName"]))
            self.assert_span(row, span, trace)

    def test_windows_join_to_the_whole(self):
        trace_id, _ = self.add(7, 200)
        for view in ("services", "tree"):
            whole = self.columns(trace_id, view=view)
            joined = []
            while len(joined) < whole.row_total:
                part = self.columns(trace_id, view=view, offset=len(joined), limit=37)
                self.assertEqual((part.first, part.row_total), (len(joined), whole.row_total))
                joined += part.rows
            self.assertEqual(joined, whole.rows)
            self.assertEqual(self.columns(trace_id, view=view, offset=whole.row_total + 5).rows, [])

    def test_they_are_gzipped_for_a_client_that_takes_it(self):
        trace_id, _ = self.add(8, 500)
        plain = self.server.get(f"/api/v1/traces/{trace_id}/columns")
        packed = self.server.get(f"/api/v1/traces/{trace_id}/columns", Accept_Encoding="gzip")
        self.assertEqual(packed.header("content-encoding"), "gzip")
        self.assertIsNone(plain.header("content-encoding"))
        self.assertEqual(gzip.decompress(packed.body), plain.body)

    def test_wrong_parameters_and_unknown_traces_are_refused_with_the_reason(self):
        trace_id, _ = self.add(9, 1)
        for query, name in (("view=flame", "view"), ("offset=-1", "offset"), ("limit=4294967296", "limit")):
            answer = self.server.get(f"/api/v1/traces/{trace_id}/columns?{query}")
            self.problem(answer, 400)
            self.assertIn(name, answer.json["detail"])
        self.problem(self.server.get("/api/v1/traces/xyz/columns"), 400)
        self.problem(self.server.get(f"/api/v1/traces/{new_trace_id()}/columns"), 404)


class OneSpan(WithServer):
    def test_one_span_comes_with_its_resource_and_scope(self):
        trace_id, body = random_trace(10, 20)
        self.assertEqual(self.server.send_otlp(body, "application/json").status, 200)
        trace = self.server.trace(trace_id).json
        for span in trace["spans"]:
            one = self.server.get(f"/api/v1/traces/{trace_id}/spans/{span['spanId']}").json
            self.assertEqual(one.pop("resource"), trace["resources"][span["resource"]])
            self.assertEqual(one.pop("scope"), trace["scopes"][span["scope"]])
            for member in ("resource", "scope", "depth", "selfTimeNano", "orphan"):
                span.pop(member, None)
            self.assertEqual(one, span)
        self.problem(self.server.get(f"/api/v1/traces/{trace_id}/spans/{'f' * 16}"), 404)
        self.problem(self.server.get(f"/api/v1/traces/{trace_id}/spans/0"), 400)
        self.problem(self.server.get(f"/api/v1/traces/{new_trace_id()}/spans/{'f' * 16}"), 404)


if __name__ == "__main__":
    unittest.main()
