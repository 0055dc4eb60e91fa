"""What pipelines say of a trace."""

import unittest

from harness import new_trace_id
from test_query import Query, body, span


class Pipelines(Query):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.trace_id = new_trace_id()
        answer = cls.server.send_json("POST", "/v1/traces", body(
            span(cls.trace_id, 1, "home", 0, 100, service="web"),
            span(cls.trace_id, 2, "list", 10, 20, 1, service="web", tags={"items": 3}),
            span(cls.trace_id, 3, "list", 30, 40, 1, service="web", tags={"items": 4}),
            span(cls.trace_id, 4, "db", 31, 5, 3, service="db")))
        assert answer.status == 200, answer

    def sets(self, q):
        one, = self.search(q)["traces"]
        return one["spanSets"]

    def test_groups_say_what_they_are_and_spans_what_was_selected(self):
        one, = self.sets("{ .items > 0 } | by(name) | max(duration) > 1ms | select(.items, resource.service.name)")
        self.assertEqual((one["values"], one["matched"]), ({"name": "list", "max(duration)": "40000000"}, 2))
        self.assertEqual([(span["spanId"], span["attributes"]) for span in one["spans"]],
                         [(f"{2:016x}", {".items": 3, "resource.service.name": "web"}),
                          (f"{3:016x}", {".items": 4, "resource.service.name": "web"})])
        self.assertEqual((one["spans"][0]["durationNano"], one["spans"][0]["serviceName"]), ("20000000", "web"))

    def test_only_pipelines_have_them(self):
        self.assertNotIn("spanSets", self.search("{ name = \"list\" } > {}")["traces"][0])
        self.assertEqual(len(self.sets(f'{{ trace:id = "{self.trace_id}" }} | by(name)')), 3)

    def test_relations_are_between_spans(self):
        self.assertEqual(len(self.search('{ name = "home" } >> { name = "db" }')["traces"]), 1)
        self.assertEqual(len(self.search('{ name = "home" } > { name = "db" }')["traces"]), 0)

    def test_no_more_sets_and_spans_are_shown_than_fit(self):
        for count in (20, 21):
            trace_id = new_trace_id()
            self.send(*(span(trace_id, i, f"n{i}") for i in range(1, count + 1)))
            both = f'{{ trace:id = "{trace_id}" }} | '
            one, = self.search(both + "by(name)")["traces"]
            self.assertEqual((len(one["spanSets"]), one.get("spanSetCount")), (20, 21 if count == 21 else None))
            one, = self.sets(both + "select(name)")
            self.assertEqual((len(one["spans"]), one["matched"]), (20, count))


if __name__ == "__main__":
    unittest.main()
