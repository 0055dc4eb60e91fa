"""Traces go out: what api.md promises under "Query"."""

import itertools
import json
import secrets
import unittest
from urllib.parse import quote

from harness import WithServer, new_trace_id, parse

MS = 1_000_000
EPOCH = 1_700_000_000_000_000_000


def value(plain):
    """An AnyValue of OTLP/JSON; a dict is one already."""
    if isinstance(plain, dict):
        return plain
    if isinstance(plain, bool):
        return {"boolValue": plain}
    if isinstance(plain, int):
        return {"intValue": str(plain)}
    if isinstance(plain, float):
        return {"doubleValue": plain}
    return {"stringValue": plain}


def attributes(plain):
    return [{"key": key, "value": value(one)} for key, one in plain.items()]


def span(trace_id, span_id, name, start_ms=0, duration_ms=1, parent=None, service="shop", tags=None, **members):
    """(service, span of OTLP/JSON); times in ms behind EPOCH."""
    one = {"traceId": trace_id, "spanId": f"{span_id:016x}", "name": name,
           "startTimeUnixNano": str(EPOCH + int(start_ms * MS)),
           "endTimeUnixNano": str(EPOCH + int((start_ms + duration_ms) * MS)),
           "attributes": attributes(tags or {}), **members}
    if parent is not None:
        one["parentSpanId"] = f"{parent:016x}"
    return service, one


def body(*spans):
    by_service = {}
    for service, one in spans:
        by_service.setdefault(service, []).append(one)
    return {"resourceSpans": [{"resource": {"attributes": attributes({"service.name": service})},
                               "scopeSpans": [{"spans": some}]} for service, some in by_service.items()]}


class Query(WithServer):
    """Every test has its own corner: a time of its own, or a tag that no other test uses."""

    def send(self, *spans):
        answer = self.server.send_json("POST", "/v1/traces", body(*spans))
        self.assertEqual(answer.status, 200, answer)

    def get(self, path, **headers):
        answer = self.server.get("/api/v1" + path, **headers)
        self.assertEqual(answer.status, 200, answer)
        return answer.json

    def search(self, q, **terms):
        more = "".join(f"&{name}={quote(str(term))}" for name, term in terms.items())
        return self.get(f"/traces?q={quote(q)}{more}")

    def found(self, q, **terms):
        return [one["traceId"] for one in self.search(q, **terms)["traces"]]


class Waterfall(Query):
    def test_the_documents_trace_has_its_eight_rows(self):
        trace_id = new_trace_id()
        react, node, go = "React Frontend", "Node.js API", "Go Microservice"
        self.send(span(trace_id, 1, react, 0, 420, service=react),
                  span(trace_id, 2, "fetch /api/users", 20, 380, 1, react),
                  span(trace_id, 3, node, 30, 360, 2, node),
                  span(trace_id, 4, "GET /api/users", 40, 300, 3, node),
                  span(trace_id, 5, "validate-auth", 350, 40, 3, node),
                  span(trace_id, 6, "GET /users", 80, 240, 4, go),
                  span(trace_id, 7, "db.Query", 110, 180, 6, go))
        trace = self.get(f"/traces/{trace_id}")
        rows = [(row["depth"], row["name"], int(row["durationNano"]) // MS) for row in trace["rows"]]
        self.assertEqual(rows, [(0, react, 420), (1, "fetch /api/users", 380),
                                (0, node, 360), (1, "GET /api/users", 300), (1, "validate-auth", 40),
                                (0, go, 240), (1, "GET /users", 240), (2, "db.Query", 180)])
        self.assertEqual([one["name"] for one in trace["services"]], [react, node, go])
        self.assertEqual([one["depth"] for one in trace["spans"]], [0, 1, 2, 3, 4, 5, 3])
        self.assertFalse(trace["broken"])
        for row in trace["rows"]:
            if row["span"] is not None:
                self.assertEqual(trace["spans"][row["span"]]["name"], row["name"])
        self.assertIn("gap", {row["type"] for row in self.get(f"/traces/{trace_id}?gaps=1")["rows"]})
        summary = self.search(trace_id)["traces"][0]
        self.assertEqual((summary["rootServiceName"], summary["rootName"], summary["durationNano"]),
                         (react, react, str(420 * MS)))

    def test_a_missing_parent_makes_an_orphan_and_a_broken_trace(self):
        trace_id = new_trace_id()
        self.send(span(trace_id, 1, "root"), span(trace_id, 2, "lost", 5, parent=99))
        trace = self.get(f"/traces/{trace_id}")
        self.assertEqual([(one["name"], one.get("orphan", False)) for one in trace["spans"]],
                         [("root", False), ("lost", True)])
        self.assertTrue(self.search(trace_id)["traces"][0]["broken"])

    def test_a_deep_trace_and_a_cycle_are_shown_whole(self):
        deep, cycle = new_trace_id(), new_trace_id()
        self.send(*(span(deep, i, "x", i, parent=i - 1 or None) for i in range(1, 5001)))
        self.send(span(cycle, 1, "a", parent=2), span(cycle, 2, "b", parent=1))
        self.assertEqual(self.get(f"/traces/{deep}")["spans"][-1]["depth"], 4999)
        self.assertEqual([one["name"] for one in self.get(f"/traces/{cycle}")["spans"]], ["a", "b"])


class OneTrace(Query):
    def test_every_value_is_printed_plainly_and_what_is_unset_is_left_out(self):
        trace_id = new_trace_id()
        tags = {"text": "\u20ac", "bool": False, "int": -7, "big": 2**53 + 1, "double": 0.5, "empty": "",
                "bytes": {"bytesValue": "AAH/"}, "list": {"arrayValue": {"values": [value("x"), value(7)]}},
                "map": {"kvlistValue": {"values": attributes({"k": {"arrayValue": {"values": [value(True)]}}})}}}
        self.send(span(trace_id, 1, "all", tags=tags, kind=2, status={"code": 2, "message": "no"},
                       traceState="ot=th:0", flags=257, droppedAttributesCount=3,
                       events=[{"name": "e", "timeUnixNano": str(EPOCH + 1), "attributes": attributes({"a": 1})}],
                       links=[{"traceId": "ab" * 16, "spanId": "cd" * 8}]))
        one, = self.get(f"/traces/{trace_id}")["spans"]
        self.assertEqual(one["attributes"], {
            "text": "\u20ac", "bool": False, "int": -7, "big": "9007199254740993", "double": 0.5, "empty": "",
            "bytes": "AAH/", "list": ["x", 7], "map": {"k": [True]}})
        self.assertEqual((one["kind"], one["status"]), ("SERVER", {"code": "ERROR", "message": "no"}))
        self.assertEqual((one["traceState"], one["flags"], one["droppedAttributesCount"]), ("ot=th:0", 257, 3))
        self.assertEqual(one["events"], [{"name": "e", "timeUnixNano": str(EPOCH + 1), "attributes": {"a": 1}}])
        self.assertEqual((one["links"][0]["traceId"], one["links"][0]["spanId"]), ("ab" * 16, "cd" * 8))
        for member in ("parentSpanId", "orphan", "droppedEventsCount", "droppedLinksCount"):
            self.assertNotIn(member, one)

    def test_otlp_goes_out_as_it_came_in(self):
        trace_id = new_trace_id()
        tags = {"int": 2**53 + 1, "empty": "", "list": {"arrayValue": {"values": [value(1), value("x")]}}}
        self.send(span(trace_id, 1, "one", tags=tags, kind=3, flags=1))
        path = f"/traces/{trace_id}?format=otlp"
        sent = body(span(trace_id, 1, "one", tags=tags, kind=3, flags=1))["resourceSpans"][0]
        got = self.get(path, Accept="application/json")["resourceSpans"][0]
        self.assertEqual(got["resource"], sent["resource"])
        one = got["scopeSpans"][0]["spans"][0]
        self.assertEqual({name: one.get(name) for name in sent["scopeSpans"][0]["spans"][0]},
                         sent["scopeSpans"][0]["spans"][0])
        for headers, path in (({}, path), ({"Accept": "application/x-protobuf"}, f"/traces/{trace_id}")):
            answer = self.server.get("/api/v1" + path, **headers)
            self.assertEqual(answer.header("content-type"), "application/x-protobuf")
            scope_spans = parse(parse(answer.body)[1][0])[2][0]
            self.assertIn(bytes.fromhex(trace_id), parse_ids(scope_spans))

    def test_unknown_and_bad_ids_are_told_apart(self):
        self.problem(self.server.get(f"/api/v1/traces/{new_trace_id()}"), 404)
        for bad in ("xyz", "0" * 32, "ab" * 15, "ab" * 17, "g" * 32):
            self.problem(self.server.get(f"/api/v1/traces/{bad}"), 400)
        self.problem(self.server.get(f"/api/v1/traces/{new_trace_id()}?format=csv"), 400)


def parse_ids(scope_spans):
    """Trace ids of a ScopeSpans message, whose spans have fixed-width fields that `parse` does not read."""
    at, ids = 0, []
    while at >= 0:
        at = scope_spans.find(b"\x0a\x10", at)
        if at >= 0:
            ids.append(scope_spans[at + 2:at + 18])
            at += 18
    return ids


class Search(Query):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.string, cls.integer, cls.double, cls.split = (new_trace_id() for _ in range(4))
        spans = [
            span(cls.string, 1, "GET /cart", 1000, 300, service="web", tags={"order.id": "42"}, kind=3),
            span(cls.integer, 1, "charge", 2000, 250, service="api", tags={"order.id": 42, "http.status_code": 502},
                 status={"code": 2}, kind=2),
            span(cls.double, 1, "ship", 3000, 5, service="api", tags={"order.id": 42.0, "url.full": "http://x/"}),
            span(cls.split, 1, "root", 4000, 900, service="web", tags={"order.id": 42}),
            span(cls.split, 2, "child", 4001, 1, 1, service="api", status={"code": 2}),
        ]
        answer = cls.server.send_json("POST", "/v1/traces", body(*spans))
        assert answer.status == 200, answer
        cls.names = {cls.string: "string", cls.integer: "integer", cls.double: "double", cls.split: "split"}

    def names_of(self, q):
        return " ".join(self.names.get(one, "?") for one in self.found(q))

    def test_traceql_is_exact_in_types(self):
        self.assertEqual(self.names_of('{ span.order.id = "42" }'), "string")
        self.assertEqual(self.names_of("{ span.order.id = 42 }"), "split double integer")
        self.assertEqual(self.names_of("{ .order.id = 42 && duration < 10ms }"), "double")
        self.assertEqual(self.names_of("{ resource.order.id = 42 }"), "")

    def test_conditions_are_of_one_span_and_spansets_of_one_trace(self):
        self.assertEqual(self.names_of('{ resource.service.name = "web" && status = error }'), "")
        self.assertEqual(self.names_of('{ resource.service.name = "web" } && { status = error }'), "split")
        self.assertEqual(self.names_of("{ kind = client } || { kind = server }"), "integer string")

    def test_intrinsics_and_regular_expressions(self):
        self.assertEqual(self.names_of('{ name =~ "GET.*" }'), "string")
        self.assertEqual(self.names_of('{ name =~ "GET" }'), "")
        self.assertEqual(self.names_of('{ rootName = "root" && name = "child" }'), "split")
        self.assertEqual(self.names_of("{ traceDuration > 250ms && status = error }"), "split")
        self.assertEqual(self.names_of("{ .order.id = nil && status = error }"), "split")
        self.assertEqual(self.names_of("{ span.http.response.status_code = 502 }"), "integer")
        self.assertEqual(self.names_of('{ .http.url = "http://x/" }'), "double")

    def test_shorthand_finds_every_type_and_says_what_it_ran(self):
        self.assertEqual(self.names_of("order.id=42"), "split double integer string")
        self.assertEqual(self.names_of("order.id=42 service:api error duration>200ms"), "integer")
        self.assertEqual(self.names_of('order.id="42"'), "string")
        self.assertEqual(self.names_of("cart"), "string")
        self.assertEqual(self.names_of(self.split), "split")
        self.assertEqual(self.search("service:api error")["query"],
                         '{ resource.service.name = "api" && status = error }')

    def test_a_summary_says_what_a_list_shows(self):
        one, = self.search(self.split)["traces"]
        self.assertEqual(one, {
            "traceId": self.split, "startTimeUnixNano": str(EPOCH + 4000 * MS), "durationNano": str(900 * MS),
            "rootServiceName": "web", "rootName": "root", "spanCount": 2, "errorCount": 1, "broken": False,
            "services": [{"name": "web", "spanCount": 1, "errorCount": 0},
                         {"name": "api", "spanCount": 1, "errorCount": 1}]})

    def test_a_wrong_query_says_where_and_what_would_be_right(self):
        for q, position in (("{ .a = }", 7), ("{ name = 1 }", 9), ('{ .\u00e9 = "\u20ac" ) }', 11), ("a=1 ( b=2", 4),
                            ("{ true } >> true", 12), ("status:500", 7), ('{ .a =~ "(" }', 8)):
            with self.subTest(q=q):
                answer = self.server.get(f"/api/v1/traces?q={quote(q)}")
                self.assertTrue(self.problem(answer, 400))
                self.assertEqual(answer.json["position"], position)
                self.assertIn("expected", answer.json)

    def test_limits_times_and_cursors_are_checked(self):
        for bad in ("limit=0", "limit=1001", "limit=-1", "limit=x", "limit=", "start=yesterday", "end=1.5",
                    "start=2023-02-30T00:00:00Z", "cursor=x", "cursor=" + "0" * 48, "cursor=" + "zz" * 24):
            with self.subTest(bad=bad):
                self.problem(self.server.get(f"/api/v1/traces?{bad}"), 400)
        for good in ("limit=1", "limit=1000", "start=0", "end=2023-11-14T22:13:20.5%2B01:00"):
            self.get(f"/traces?{good}")


class Pages(Query):
    def test_pages_are_newest_first_and_neither_repeat_nor_skip(self):
        ids = sorted(secrets.token_hex(16) for _ in range(23))
        starts = {trace_id: 100_000 + i // 3 for i, trace_id in enumerate(ids)}
        self.send(*(span(trace_id, 1, "page", starts[trace_id], tags={"paged": True}) for trace_id in ids))
        expected = sorted(ids, key=lambda trace_id: (-starts[trace_id], trace_id))
        self.assertEqual(self.found("paged=true", limit=1000), expected)
        for limit in (1, 4, 22, 23):
            got, cursor = [], ""
            for _ in itertools.count():
                answer = self.search("paged=true", limit=limit, cursor=cursor)
                got += [one["traceId"] for one in answer["traces"]]
                cursor = answer["cursor"]
                if cursor is None:
                    break
                self.assertEqual(len(answer["traces"]), limit)
            self.assertEqual(got, expected)
        self.assertIsNone(self.search("paged=true", limit=23)["cursor"])

    def test_the_start_is_within_the_times(self):
        ids = [new_trace_id() for _ in range(3)]
        self.send(*(span(trace_id, 1, "timed", 200_000 + i, 10, tags={"timed": 1}) for i, trace_id in enumerate(ids)))
        begin = EPOCH + 200_000 * MS
        self.assertEqual(self.found("timed=1", start=begin + MS), [ids[2], ids[1]])
        self.assertEqual(self.found("timed=1", end=begin + MS), [ids[0]])
        self.assertEqual(self.found("timed=1", start=begin + MS, end=begin + MS), [])
        self.assertEqual(self.found("timed=1", start="2023-11-14T22:16:40.001Z", end="2023-11-14T22:16:40.002Z"),
                         [ids[1]])
        self.assertEqual(self.found("timed=1", end=0), [])


class Catalog(Query):
    def test_services_and_operations_are_counted(self):
        trace_id = new_trace_id()
        self.send(*(span(trace_id, i, "work", i * 10, i, 1 if i > 1 else None, "counted", kind=2,
                         status={"code": 2 if i == 5 else 0}) for i in range(1, 11)))
        entry, = [one for one in self.get("/services")["services"] if one["name"] == "counted"]
        self.assertEqual(entry, {"name": "counted", "spanCount": 10, "errorCount": 1,
                                 "lastSeenUnixNano": str(EPOCH + 110 * MS)})
        self.assertEqual(self.get("/services/counted/operations")["operations"],
                         [{"name": "work", "kind": "SERVER", "spanCount": 10, "errorCount": 1,
                           "p50Nano": str(5 * MS), "p95Nano": str(10 * MS), "p99Nano": str(10 * MS)}])
        self.assertEqual(self.get("/services/nobody/operations")["operations"], [])

    def test_counts_are_of_the_spans_that_start_within_the_times(self):
        self.send(*(span(new_trace_id(), 1, "now and then", 300_000 + i, 1, service="timed",
                         tags={"timed.number": i}) for i in range(4)))
        begin, end = EPOCH + 300_001 * MS, EPOCH + 300_003 * MS
        times = f"start={begin}&end={end}"
        self.assertEqual([one["spanCount"] for one in self.get(f"/services?{times}")["services"]
                          if one["name"] == "timed"], [2])
        self.assertEqual([one["spanCount"] for one in self.get(f"/services/timed/operations?{times}")["operations"]], [2])
        self.assertEqual([one["value"] for one in self.get(f"/tags/timed.number/values?{times}")["values"]], [1, 2])
        self.assertEqual(self.get(f"/services?start={begin}&end={begin}")["services"], [])
        self.problem(self.server.get("/api/v1/services?start=yesterday"), 400)

    def test_a_service_without_a_name_is_unknown_everywhere(self):
        trace_id = new_trace_id()
        nameless = {"resourceSpans": [{"scopeSpans": [{"spans": [span(trace_id, 1, "nameless")[1]]}]}]}
        self.assertEqual(self.server.send_json("POST", "/v1/traces", nameless).status, 200)
        self.assertIn("unknown_service", [one["name"] for one in self.get("/services")["services"]])
        self.assertIn(trace_id, self.found("service:unknown_service"))
        self.assertEqual(self.get(f"/traces/{trace_id}")["spans"][0]["serviceName"], "unknown_service")

    def test_tags_have_scope_and_type_and_values_their_counts(self):
        tags = ({"tagged.id": "7"}, {"tagged.id": 7}, {"tagged.id": 7}, {"tagged.odd key/é": True})
        self.send(*(span(new_trace_id(), 1, "tagged", tags=one) for one in tags))
        self.assertEqual(self.get("/tags?prefix=tagged.")["tags"], [
            {"key": "tagged.id", "scope": "span", "type": "string"},
            {"key": "tagged.id", "scope": "span", "type": "int"},
            {"key": "tagged.odd key/é", "scope": "span", "type": "bool"}])
        self.assertIn({"key": "service.name", "scope": "resource", "type": "string"}, self.get("/tags")["tags"])
        self.assertEqual(self.get("/tags/tagged.id/values")["values"], [
            {"value": 7, "type": "int", "count": 2, "errorCount": 0},
            {"value": "7", "type": "string", "count": 1, "errorCount": 0}])
        self.assertEqual(len(self.get("/tags/tagged.id/values?limit=1")["values"]), 1)
        self.assertEqual(self.get(f"/tags/{quote('tagged.odd key/é', safe='')}/values")["values"],
                         [{"value": True, "type": "bool", "count": 1, "errorCount": 0}])
        self.assertEqual(self.get("/tags/tagged.none/values")["values"], [])
        self.problem(self.server.get("/api/v1/tags/tagged.id/values?limit=0"), 400)
        self.problem(self.server.get("/api/v1/tags?q=%7B"), 400)


if __name__ == "__main__":
    unittest.main()
