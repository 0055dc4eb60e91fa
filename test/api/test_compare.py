"""Why did the second trace take longer?  GET /api/v1/compare."""

import json
import unittest

from harness import START_NANO, WithServer, new_trace_id

MS = 1_000_000
CLICK, CALL, QUERY = "00000000000000a1", "00000000000000b1", "00000000000000c1"


def span(trace_id, span_id, parent, name, start, duration):
    return {"traceId": trace_id, "spanId": span_id, "parentSpanId": parent, "name": name,
            "startTimeUnixNano": str(START_NANO + start * MS), "endTimeUnixNano": str(START_NANO + (start + duration) * MS)}


def program(service, *spans):
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]}
    return {"resource": resource, "scopeSpans": [{"spans": spans}]}


class Compare(WithServer):
    def send(self, query_ms):
        """A click that calls a service, which asks a database for so long."""
        trace_id, call_ms = new_trace_id(), query_ms + 20
        body = [program("web", span(trace_id, CLICK, "", "click", 0, call_ms + 30)),
                program("api", span(trace_id, CALL, CLICK, "GET /", 10, call_ms), span(trace_id, QUERY, CALL, "SELECT", 20, query_ms))]
        answer = self.server.send_otlp(json.dumps({"resourceSpans": body}).encode(), "application/json")
        self.assertEqual((answer.status, answer.json.get("partialSuccess")), (200, None))
        return trace_id

    def ask(self, first, second, more=""):
        answer = self.server.get(f"/api/v1/compare?first={first}&second={second}{more}")
        self.assertEqual(answer.status, 200, answer)
        return answer.json

    def test_the_operation_that_took_longer_stands_first_and_the_changes_add_up(self):
        fast, slow = self.send(100), self.send(350)
        told = self.ask(fast, slow)
        self.assertEqual((told["first"], told["second"]), ({"traceId": fast, "durationNano": str(150 * MS)},
                                                           {"traceId": slow, "durationNano": str(400 * MS)}))
        changes = [(one.get("serviceName"), one.get("name"), int(one["second"]["pathNano"]) - int(one["first"]["pathNano"]))
                   for one in told["operations"]]
        self.assertEqual(changes[0], ("api", "SELECT", 250 * MS))
        self.assertEqual(sum(change for _, _, change in changes), 250 * MS)
        self.assertIn((None, None, 0), changes)

    def test_a_span_stands_for_what_is_below_it(self):
        fast, slow = self.send(100), self.send(350)
        told = self.ask(fast, slow, f"&first_span={CALL}&second_span={CALL}")
        self.assertEqual(told["second"], {"traceId": slow, "spanId": CALL, "durationNano": str(370 * MS)})
        self.assertEqual({one.get("name") for one in told["operations"]}, {None, "GET /", "SELECT"})
        for side, whole in (("first", 120), ("second", 370)):
            self.assertEqual(sum(int(one[side]["pathNano"]) for one in told["operations"]), whole * MS)

    def test_what_cannot_be_compared_is_refused(self):
        known = self.send(1)
        for query, status, word in (("", 400, "first"), (f"first={known}", 400, "second"),
                                    (f"first={known}&second=12", 400, "32 hex digits"),
                                    (f"first={known}&second={known}&second_span=xyz", 400, "second_span"),
                                    (f"first={known}&second={new_trace_id()}", 404, "second"),
                                    (f"first={known}&first_span={'9' * 16}&second={known}", 404, "first")):
            with self.subTest(query):
                self.assertIn(word, self.problem(self.server.get("/api/v1/compare?" + query), status))


if __name__ == "__main__":
    unittest.main()
