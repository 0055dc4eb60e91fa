"""What is exported imports elsewhere as the same: every field of every span, in each form, with a server and without.

The spans of real SDKs (the corpus beside the tree) are held against what an independent decoder finds in them; a
document made by hand has what those lack; and a store of tens of thousands of generated spans goes round as a whole.
"""

import base64
import gzip
import json
import math
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

from test_cli import BIN, CLEAN, Server

TEST = Path(__file__).resolve().parents[1]
CORPUS = Path(os.environ.get("TRACEKIT_SHARED", TEST.parents[1] / "shared")) / "corpus"
TIMEOUT = 600
SANITIZED = any(name in Path(BIN).read_bytes() for name in (b"__asan_init", b"__tsan_init"))
SPANS = 15_000 if SANITIZED else 40_000  # more than one page of an export, and than one body of an import
ENCODER = json.JSONEncoder(check_circular=False)


def run(*args):
    done = subprocess.run([BIN, *map(str, args)], capture_output=True, timeout=TIMEOUT, env=CLEAN)
    if done.returncode != 0:
        raise AssertionError(f"{args}: {done.returncode}: {done.stderr.decode()}")
    return done.stdout


def number(value):
    value = float(value)
    if math.isnan(value):
        return "NaN"
    return {math.inf: "Infinity", -math.inf: "-Infinity"}.get(value, value)


def typed(value):
    """An AnyValue of OTLP/JSON as the corpus writes one."""
    if not value:
        return {"type": "empty"}
    [(name, inner)] = value.items()
    return {
        "stringValue": lambda: {"type": "string", "value": inner},
        "boolValue": lambda: {"type": "bool", "value": inner},
        "intValue": lambda: {"type": "int", "value": str(inner)},
        "doubleValue": lambda: {"type": "double", "value": number(inner)},
        "bytesValue": lambda: {"type": "bytes", "value": base64.b64decode(inner).hex()},
        "arrayValue": lambda: {"type": "array", "value": [typed(one) for one in inner.get("values", [])]},
        "kvlistValue": lambda: {"type": "map", "value": attributes(inner.get("values", []))},
    }[name]()


def attributes(pairs):
    return [{"key": pair.get("key", ""), **typed(pair.get("value", {}))} for pair in pairs]


def owner(message):
    return {"attributes": attributes(message.get("attributes", [])),
            "dropped_attributes_count": message.get("droppedAttributesCount", 0)}


def spans_of(document):
    """The spans of an OTLP/JSON document in the corpus' form."""
    for of_resource in document["resourceSpans"]:
        resource = {**owner(of_resource.get("resource", {})), "schema_url": of_resource.get("schemaUrl", "")}
        for of_scope in of_resource.get("scopeSpans", []):
            about = of_scope.get("scope", {})
            scope = {"name": about.get("name", ""), "version": about.get("version", ""), **owner(about),
                     "schema_url": of_scope.get("schemaUrl", "")}
            for span in of_scope.get("spans", []):
                status = span.get("status", {})
                yield {
                    "trace_id": span["traceId"].lower(), "span_id": span["spanId"].lower(),
                    "parent_span_id": span.get("parentSpanId", "").lower(), "trace_state": span.get("traceState", ""),
                    "flags": span.get("flags", 0), "name": span.get("name", ""), "kind": span.get("kind", 0),
                    "start_time_unix_nano": str(span["startTimeUnixNano"]),
                    "end_time_unix_nano": str(span["endTimeUnixNano"]),
                    "status": {"code": status.get("code", 0), "message": status.get("message", "")}, **owner(span),
                    "events": [{"time_unix_nano": str(event.get("timeUnixNano", 0)), "name": event.get("name", ""),
                                **owner(event)} for event in span.get("events", [])],
                    "dropped_events_count": span.get("droppedEventsCount", 0),
                    "links": [{"trace_id": link["traceId"], "span_id": link["spanId"],
                               "trace_state": link.get("traceState", ""), "flags": link.get("flags", 0), **owner(link)}
                              for link in span.get("links", [])],
                    "dropped_links_count": span.get("droppedLinksCount", 0), "resource": resource, "scope": scope,
                }


def by_id(spans):
    return {(span["trace_id"], span["span_id"]): json.dumps(span, sort_keys=True) for span in spans}


def read_lines(text):
    return by_id(span for line in text.splitlines() for span in spans_of(json.loads(line)))


def raw_lines(text):
    """The same of what this program printed, as it printed it, for many spans."""
    found = {}
    for line in text.splitlines():
        for of_resource in json.loads(line)["resourceSpans"]:
            for of_scope in of_resource.pop("scopeSpans"):
                spans = of_scope.pop("spans")
                about = ENCODER.encode((of_resource, of_scope))
                for span in spans:
                    found[span["traceId"], span["spanId"]] = about + ENCODER.encode(span)
    return found


def corpus():
    """(bytes of a file to import, its spans as an independent decoder found them), for each OTLP body."""
    for headers in sorted(CORPUS.glob("*.headers.json")):
        about = json.loads(headers.read_text())
        stem = headers.name.removesuffix(".headers.json")
        body = (CORPUS / f"{stem}.body").read_bytes()
        if about["path"].endswith("/Export"):
            body = body[5:]  # gRPC's prefix
        elif about["path"] != "/v1/traces":
            continue
        lines = (CORPUS / f"{stem}.expected.jsonl").read_bytes().splitlines()
        yield body, [json.loads(line) for line in lines]


ODD = [  # values of every type, at their ends
    {"stringValue": ""}, {"stringValue": "nul \0 and \u2028 and \U0001f600"}, {"boolValue": False},
    {"intValue": "-9223372036854775808"}, {"intValue": "9223372036854775807"}, {"doubleValue": -0.0},
    {"doubleValue": 5e-324}, {"doubleValue": "NaN"}, {"doubleValue": "-Infinity"}, {}, {"bytesValue": ""},
    {"bytesValue": base64.b64encode(bytes(range(256))).decode()}, {"arrayValue": {"values": []}},
    {"kvlistValue": {"values": []}},
    {"arrayValue": {"values": [{"intValue": "1"}, {}, {"kvlistValue": {"values": [
        {"key": "deep", "value": {"arrayValue": {"values": [{"doubleValue": 1.5}, {"stringValue": ""}]}}},
        {"key": "deep", "value": {"boolValue": True}}, {"key": "", "value": {}}]}}]}},
]
PAIRS = [{"key": f"k{i}", "value": value} for i, value in enumerate(ODD)]
TWICE = [{"key": "same", "value": {"intValue": "2"}}, {"key": "same", "value": {"stringValue": "1"}},
         {"key": "a", "value": {"intValue": "0"}}, {"key": "same", "value": {"intValue": "2"}}]
HAND_MADE = {"resourceSpans": [
    {"scopeSpans": [{"spans": [
        {"traceId": "ff" * 16, "spanId": "0000000000000001", "name": "", "startTimeUnixNano": "1",
         "endTimeUnixNano": "9223372036854775807"},
        {"traceId": "ff" * 16, "spanId": "0000000000000002", "parentSpanId": "00000000000000aa", "name": "n" * 500,
         "startTimeUnixNano": "1760000000123456789", "endTimeUnixNano": "1760000000123456789", "kind": 99,
         "flags": 4294967295, "traceState": "a=1,b=2", "status": {"code": 7, "message": "?"},
         "attributes": PAIRS + TWICE, "droppedAttributesCount": 4294967295, "droppedEventsCount": 4294967295,
         "droppedLinksCount": 4294967295,
         "events": [{"timeUnixNano": "0", "name": ""}, {"timeUnixNano": "18446744073709551615", "name": "e",
                                                        "attributes": PAIRS, "droppedAttributesCount": 3}],
         "links": [{"traceId": "01" * 16, "spanId": "02" * 8, "traceState": "x=y", "flags": 769, "attributes": TWICE,
                    "droppedAttributesCount": 5}, {"traceId": "01" * 16, "spanId": "03" * 8}]}]}]},
    {"resource": {"attributes": PAIRS + TWICE, "droppedAttributesCount": 6}, "schemaUrl": "https://r/1", "scopeSpans": [
        {"schemaUrl": "https://s/1",
         "scope": {"name": "s", "version": "", "attributes": TWICE, "droppedAttributesCount": 7},
         "spans": [{"traceId": "ee" * 16, "spanId": f"{i:016x}", "name": f"span {i}",
                    "startTimeUnixNano": str(1000 + i), "endTimeUnixNano": str(2000 + i)} for i in range(1, 40)]}]}]}


class RoundTrip(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.dir = Path(holder.name)

    def import_bodies(self, data, bodies):
        for i, body in enumerate(bodies):
            (self.dir / f"body{i}").write_bytes(body)
        run("import", *(self.dir / f"body{i}" for i in range(len(bodies))), "--data", data)

    def assert_same(self, found, expected):
        self.assertEqual(found.keys(), expected.keys())
        for key, span in expected.items():
            if found[key] != span:
                at = len(os.path.commonprefix([found[key], span]))
                self.fail(f"span {key}: ...{found[key][at - 60:at + 60]} is not ...{span[at - 60:at + 60]}")

    def assert_goes_round(self, data, expected):
        """In each form, from the directory and through a server, into a directory and through a server."""
        self.assert_same(read_lines(run("export", "--data", data)), expected)
        for form in ("jsonl", "json", "pb"):
            here, there = self.dir / f"here.{form}", self.dir / f"there.{form}"
            other, through = self.dir / f"other-{form}", self.dir / f"through-{form}"
            run("export", "--data", data, "--format", form, "--output", here)
            run("import", here, "--data", other)
            self.assert_same(read_lines(run("export", "--data", other)), expected)
            server = Server(through, "--dev")
            try:
                run("import", here, "--server", server.url)
                run("export", "--server", server.url, "--format", form, "--output", there)
            finally:
                server.stop()
            self.assert_same(read_lines(run("export", "--data", through)), expected)
            if form == "json":
                self.assert_same(by_id(spans_of(json.loads(there.read_text()))), expected)
            elif form == "jsonl":
                self.assert_same(read_lines(there.read_bytes()), expected)
            else:
                again = self.dir / "again"
                run("import", there, "--data", again)
                self.assert_same(read_lines(run("export", "--data", again)), expected)

    def test_a_document_with_every_odd_value(self):
        self.import_bodies(self.dir / "data", [json.dumps(HAND_MADE).encode()])
        self.assert_goes_round(self.dir / "data", by_id(spans_of(HAND_MADE)))

    @unittest.skipUnless(CORPUS.is_dir(), f"no corpus at {CORPUS}")
    def test_what_real_sdks_send(self):
        bodies = list(corpus())
        self.assertGreater(len(bodies), 30)
        expected, twice = {}, set()
        for _, spans in bodies:
            for key, span in by_id(spans).items():
                twice |= {key} if expected.setdefault(key, span) != span else set()
        self.assertEqual(twice, set())
        self.import_bodies(self.dir / "data", [body for body, _ in bodies])
        self.assert_goes_round(self.dir / "data", expected)

    def test_tens_of_thousands_of_generated_spans(self):
        data, other = self.dir / "data", self.dir / "other"
        server = Server(data, "--dev")
        try:
            run("bench", "--server", server.url, "--spans", SPANS)
        finally:
            server.stop()
        lines = run("export", "--data", data)
        expected = raw_lines(lines)
        self.assertGreaterEqual(len(expected), SPANS)
        (self.dir / "spans.jsonl.gz").write_bytes(gzip.compress(lines, 1))
        run("import", self.dir / "spans.jsonl.gz", "--data", other)
        self.assert_same(raw_lines(run("export", "--data", other)), expected)
        run("export", "--data", data, "--format", "pb", "--output", self.dir / "spans.pb")
        run("import", self.dir / "spans.pb", "--data", self.dir / "third")
        self.assert_same(raw_lines(run("export", "--data", self.dir / "third")), expected)

    def test_a_part_of_the_time_is_exported(self):
        data = self.dir / "data"
        self.import_bodies(data, [json.dumps(HAND_MADE).encode()])
        all_traces = {key[0] for key in read_lines(run("export", "--data", data))}
        self.assertEqual(len(all_traces), 2)
        for bounds, kept in ((["--start", "2"], {"ee" * 16}), (["--end", "2"], {"ff" * 16}),
                             (["--start", "1", "--end", "1001"], {"ff" * 16}),
                             (["--end", "1970-01-01T00:00:00Z"], set()),
                             (["--start", "1001", "--end", "1002"], {"ee" * 16})):
            found = {key[0] for key in read_lines(run("export", "--data", data, *bounds))}
            self.assertEqual(found, kept, bounds)

    def test_protobuf_cut_short_and_json_cut_short_are_refused_and_what_came_before_is_kept(self):
        data = self.dir / "data"
        line = json.dumps(HAND_MADE).encode()
        whole = self.dir / "whole.pb"
        self.import_bodies(data, [line])
        run("export", "--data", data, "--format", "pb", "--output", whole)
        for content in (line + b"\n" + line[:-9], whole.read_bytes()[:-9]):
            (self.dir / "cut").write_bytes(content)
            other = Path(tempfile.mkdtemp(dir=self.dir))
            done = subprocess.run([BIN, "import", self.dir / "cut", "--data", other], capture_output=True, env=CLEAN,
                                  timeout=TIMEOUT, text=True)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn("cut", done.stderr)
            self.assertTrue(read_lines(run("export", "--data", other)))


if __name__ == "__main__":
    unittest.main()
