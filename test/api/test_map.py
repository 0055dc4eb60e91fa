"""Who calls whom: the service map, over what SDKs send."""

import json
import time
import unittest

from harness import START_NANO, WithServer, new_trace_id

MS = 1_000_000
KINDS = {"internal": 1, "server": 2, "client": 3, "producer": 4, "consumer": 5}
HOUR = f"start={START_NANO}&end={START_NANO + 3600 * 1000 * MS}"


def attributes(values):
    return [{"key": key, "value": {"stringValue": value}} for key, value in values.items()]


def span(number, parent, kind, duration=10, failed=False, **tags):
    """`peer_service` is the attribute peer.service."""
    return {"spanId": f"{number:016x}", "parentSpanId": f"{parent:016x}" if parent else "", "name": "work",
            "kind": KINDS[kind], "endTimeUnixNano": str(START_NANO + duration * MS), "status": {"code": 2 if failed else 0},
            "attributes": attributes({key.replace("_", "."): value for key, value in tags.items()})}


class TheMap(WithServer):
    def setUp(self):
        self.project = f"map-{time.monotonic_ns()}"
        self.server.send_json("POST", "/api/v1/projects", {"name": self.project})
        self.key = self.server.send_json("POST", "/api/v1/keys", {"project": self.project, "kind": "server"}).json["key"]

    def send(self, *programs, at=START_NANO):
        """One trace: programs are (service, span, span...)."""
        trace_id, sent = new_trace_id(), []
        for service, *spans in programs:
            times = [{**one, "traceId": trace_id, "startTimeUnixNano": str(at)} for one in spans]
            sent.append({"resource": {"attributes": attributes({"service.name": service})},
                         "scopeSpans": [{"spans": times}]})
        answer = self.server.send_otlp(json.dumps({"resourceSpans": sent}).encode(), "application/json",
                                       x_api_key=self.key)
        self.assertEqual((answer.status, answer.json.get("partialSuccess")), (200, None), answer)

    def map(self, query=HOUR):
        answer = self.server.get(f"/api/v1/map?{query}&project={self.project}")
        self.assertEqual(answer.status, 200, answer)
        return answer.json

    def calls(self, query=HOUR):
        """{(caller, kind of the callee, callee): (calls, errors)}"""
        found = self.map(query)
        nodes = found["nodes"]
        return {(nodes[call["caller"]]["name"], nodes[call["callee"]]["kind"], nodes[call["callee"]]["name"]):
                (call["callCount"], call["errorCount"]) for call in found["calls"]}

    def test_a_call_is_a_span_whose_parent_is_in_another_service(self):
        for failed in (False, False, True):
            self.send(("web", span(1, 0, "internal"), span(2, 1, "client")),
                      ("api", span(3, 2, "server", 40, failed), span(4, 3, "internal")))
        self.assertEqual(self.calls(), {("web", "service", "api"): (3, 1)})
        found = self.map()
        web, api = found["nodes"]
        self.assertEqual((web["name"], web["callCount"], api["callCount"], api["errorCount"]), ("web", 3, 3, 1))
        self.assertNotIn("attribute", api)
        self.assertAlmostEqual(int(found["calls"][0]["p95Nano"]), 40 * MS, delta=MS)
        self.assertEqual((found["traceCount"], found["spanCount"], found.get("cut")), (3, 12, None))

    def test_a_service_that_calls_itself_is_its_own_caller(self):
        self.send(("api", span(1, 0, "server"), span(2, 1, "client"), span(3, 2, "server")))
        self.assertEqual(self.calls(), {("api", "service", "api"): (1, 0)})

    def test_a_call_that_failed_at_the_caller_has_failed(self):
        self.send(("web", span(1, 0, "client", failed=True)), ("api", span(2, 1, "server")))
        self.assertEqual(self.calls(), {("web", "service", "api"): (1, 1)})

    def test_what_sends_no_spans_is_known_by_the_attributes_of_the_call(self):
        self.send(("api", span(1, 0, "server"),
                   span(2, 1, "client", db_system_name="postgresql"), span(3, 1, "client", db_system="redis"),
                   span(4, 1, "producer", messaging_system="kafka", messaging_destination_name="orders"),
                   span(5, 1, "client", peer_service="billing", server_address="10.0.0.1"),
                   span(6, 1, "client", server_address="pay.test"),
                   span(7, 1, "client", url_full="https://user@mail.test:8443/send?to=x"),
                   span(8, 1, "client")))
        self.assertEqual(self.calls(), {("api", kind, name): (1, 0) for kind, name in (
            ("database", "postgresql"), ("database", "redis"), ("messaging", "orders"), ("external", "billing"),
            ("external", "pay.test"), ("external", "mail.test"))})
        named = {node["name"]: node.get("attribute") for node in self.map()["nodes"]}
        self.assertEqual(named, {"api": None, "postgresql": "db.system.name", "redis": "db.system.name",
                                 "orders": "messaging.destination.name", "billing": "peer.service",
                                 "pay.test": "server.address", "mail.test": "url.full"})

    def test_a_wrapped_call_counts_once(self):
        self.send(("api", span(1, 0, "server"), span(2, 1, "client", db_system_name="postgresql"),
                   span(3, 2, "client", db_system_name="postgresql")))
        self.assertEqual(self.calls(), {("api", "database", "postgresql"): (1, 0)})

    def test_who_takes_from_a_queue_was_called_by_it(self):
        self.send(("shop", span(1, 0, "producer", messaging_destination_name="orders")))
        self.send(("mailer", span(2, 0, "consumer", messaging_destination_name="orders")))
        self.assertEqual(self.calls(), {("shop", "messaging", "orders"): (1, 0), ("orders", "service", "mailer"): (1, 0)})

    def test_a_service_and_a_database_of_one_name_are_two(self):
        self.send(("redis", span(1, 0, "server"), span(2, 1, "client", db_system_name="redis")))
        self.assertEqual(self.calls(), {("redis", "database", "redis"): (1, 0)})

    def test_names_are_told_apart_behind_a_nul(self):
        self.send(("a\0b", span(1, 0, "client")), ("a\0c", span(2, 1, "server")))
        self.assertEqual(self.calls(), {("a\0b", "service", "a\0c"): (1, 0)})

    def test_the_newest_traces_are_counted_and_a_cut_map_says_since_when(self):
        for number in range(5):
            self.send(("web", span(1, 0, "client", 9000)), ("api", span(2, 1, "server", 9000)),
                      at=START_NANO + number * 1000 * MS)
        found = self.map(HOUR + "&limit=2")
        self.assertEqual((found["traceCount"], found["cut"]), (2, "traces"))
        self.assertEqual(int(found["startTimeUnixNano"]), START_NANO + 3000 * MS)
        self.assertEqual(self.map()["traceCount"], 5)
        self.assertEqual(self.map(f"start={START_NANO + 4000 * MS}&end={START_NANO + 9000 * MS}")["traceCount"], 1)
        self.assertEqual(self.map("")["traceCount"], 0)  # of the last hour

    def test_beyond_a_thousand_nodes_the_rest_is_left_out_and_said_so(self):
        spans = [span(number + 2, 1, "client", peer_service=f"host-{number}") for number in range(1000)]
        self.send(("api", span(1, 0, "server"), *spans[:999]))
        found = self.map()
        self.assertEqual((len(found["nodes"]), len(found["calls"]), found.get("cut")), (1000, 999, None))
        self.send(("api", span(1, 0, "server"), *spans))
        found = self.map()
        self.assertEqual((len(found["nodes"]), len(found["calls"]), found["cut"]), (1000, 999, "nodes"))

    def test_spans_that_are_their_own_ancestors_end_the_map_no_less(self):
        self.send(("a", span(1, 2, "client")), ("b", span(2, 1, "server")), ("c", span(3, 3, "server")))
        self.assertEqual(sum(calls for calls, _ in self.calls().values()), 1)

    def test_what_cannot_be_asked_is_refused(self):
        for query in ("limit=0", "limit=100001", "start=tomorrow", f"start={START_NANO}&end={START_NANO}"):
            self.problem(self.server.get(f"/api/v1/map?{query}"), 400)
        self.problem(self.server.get("/api/v1/map?project=nowhere"), 404)
        self.assertEqual(self.server.get("/api/v1/map?limit=100000").status, 200)


class TheValuesOfATag(WithServer):
    def test_values_tell_how_many_spans_failed_and_what_there_is_in_all(self):
        trace_id = new_trace_id()
        spans = [{"traceId": trace_id, "spanId": f"{number + 1:016x}", "name": "work", "kind": 1,
                  "startTimeUnixNano": str(START_NANO), "endTimeUnixNano": str(START_NANO + MS),
                  "status": {"code": 2 if number % 3 == 0 else 0},
                  "attributes": attributes({"map.tier": "gold" if number < 4 else f"other-{number}"})}
                 for number in range(6)]
        self.server.send_otlp(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).encode(),
                              "application/json")
        answer = self.server.get("/api/v1/tags/map.tier/values?limit=1").json
        self.assertEqual(answer, {"values": [{"value": "gold", "type": "string", "count": 4, "errorCount": 2}],
                                  "valueCount": 3, "spanCount": 6, "errorCount": 2})


if __name__ == "__main__":
    unittest.main()
