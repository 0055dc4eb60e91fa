"""What is special about the spans that a query selects?  GET /api/v1/differences."""

import json
import math
import unittest
from urllib.parse import urlencode

from harness import START_NANO, WithServer, new_trace_id

MS = 1_000_000


def attributes(values):
    kinds = {str: "stringValue", int: "intValue", bool: "boolValue", float: "doubleValue"}
    return [{"key": key, "value": {kinds[type(value)]: value}} for key, value in values.items()]


def score(selected, selected_all, rest, rest_all):
    p, q = (selected + 1) / (selected_all + 2), (rest + 1) / (rest_all + 2)
    return p - q - 1.96 * math.sqrt(p * (1 - p) / (selected_all + 2) + q * (1 - q) / (rest_all + 2))


class Differences(WithServer):
    @classmethod
    def setUpClass(cls):
        """A hundred requests; those of one tenant are slow, and come late."""
        super().setUpClass()
        spans = []
        for number in range(100):
            slow = number >= 80
            tags = {"tenant": "acme" if slow else f"t{number % 4}", "order.id": number, "shard": number % 3}
            if not slow:
                tags["cache.hit"] = True
            spans.append({"traceId": new_trace_id(), "spanId": f"{number + 1:016x}", "name": "GET /",
                          "startTimeUnixNano": str(START_NANO + number * MS), "kind": 2, "attributes": attributes(tags),
                          "endTimeUnixNano": str(START_NANO + (number + (900 if slow else 10)) * MS)})
        resource = {"attributes": attributes({"service.name": "api"})}
        cls.server.send_otlp(json.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans}]}]}).encode(),
                             "application/json")

    def ask(self, **params):
        answer = self.server.get("/api/v1/differences?" + urlencode(params))
        self.assertEqual(answer.status, 200, answer)
        return answer.json

    def test_what_is_special_stands_first_and_what_is_alike_or_unique_does_not_stand_at_all(self):
        told = self.ask(q="{ duration > 500ms }")
        self.assertEqual(told["selected"], {"query": "{ duration > 500ms }", "spanCount": 20, "cut": False})
        self.assertEqual((told["rest"]["spanCount"], told["rest"]["cut"]), (80, False))
        found = [(one["scope"], one["key"], one["value"], one["selectedCount"], one["restCount"]) for one in told["differences"]]
        self.assertEqual(found, [("span", "cache.hit", None, 20, 0), ("span", "tenant", "acme", 20, 0)])
        self.assertAlmostEqual(told["differences"][0]["score"], score(20, 20, 0, 80), 12)

    def test_a_selection_in_time_is_compared_with_all_of_the_time(self):
        told = self.ask(start=START_NANO + 80 * MS, rest_start=START_NANO, rest_end=START_NANO + 90 * MS)
        self.assertEqual((told["selected"]["spanCount"], told["rest"]["spanCount"]), (20, 80))
        self.assertEqual(told["differences"][1]["value"], "acme")
        fewer = self.ask(q="{ duration > 500ms }", rest="{ .shard = 1 }")
        self.assertEqual(fewer["rest"]["spanCount"], sum(1 for number in range(80) if number % 3 == 1))
        self.assertIn(("shard", 0), {(one["key"], one["value"]) for one in fewer["differences"]})

    def test_nothing_on_a_side_proves_nothing(self):
        for params in ({"q": "{ name = `none` }"}, {"q": "{}"}, {"start": 2, "end": 1}):
            with self.subTest(params):
                self.assertEqual(self.ask(**params)["differences"], [])

    def test_the_limit_is_the_greatest_scores(self):
        self.assertEqual([one["key"] for one in self.ask(q="{ duration > 500ms }", limit=1)["differences"]], ["cache.hit"])

    def test_what_cannot_be_asked_is_refused(self):
        for query, word in (("q=%7B", "end"), ("rest=%7B", "end"), ("rest=%7B%7D%7Crate()", "numbers over time"),
                            ("rest_start=never", "rest_start"), ("limit=0", "limit"), ("limit=201", "limit")):
            with self.subTest(query):
                self.assertIn(word, self.problem(self.server.get("/api/v1/differences?" + query), 400))


if __name__ == "__main__":
    unittest.main()
