"""Numbers over time: GET /api/v1/metrics."""

import unittest
from urllib.parse import quote

from harness import new_trace_id
from test_query import EPOCH, MS, Query, span

SECOND = 1000 * MS


class Metrics(Query):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.send(cls(), *(span(new_trace_id(), 1, "GET /" if i % 2 else "POST /", i * 1000, i + 1,
                               service="web" if i % 4 else "api", tags={"n": i % 3},
                               status={"code": 2 if i == 5 else 0}) for i in range(10)))

    def metrics(self, q="", start=0, end=10, step="5s", **terms):
        more = "".join(f"&{name}={quote(str(term))}" for name, term in terms.items())
        return self.get(f"/metrics?q={quote(q)}&start={EPOCH + start * SECOND}&end={EPOCH + end * SECOND}"
                        f"&step={step}{more}")

    def wrong(self, **terms):
        more = "&".join(f"{name}={quote(str(term))}" for name, term in terms.items())
        answer = self.server.get(f"/api/v1/metrics?{more}")
        self.problem(answer, 400)
        return answer.json

    def test_a_filter_gives_rate_errors_latencies_and_a_histogram(self):
        answer = self.metrics()
        self.assertEqual(answer["timesUnixNano"], [str(EPOCH), str(EPOCH + 5 * SECOND)])
        self.assertEqual((answer["stepNano"], answer["query"]), (str(5 * SECOND), "{}"))
        series = {one["name"]: one for one in answer["series"]}
        self.assertEqual(list(series), ["rate", "errors", "p50", "p95", "p99", "histogram"])
        self.assertEqual(series["rate"]["values"], [1, 1])
        self.assertEqual(series["errors"]["values"], [0, 0.2])
        self.assertAlmostEqual(series["p50"]["values"][1], 7.5 * MS, delta=MS)
        self.assertEqual(series["p50"]["unit"], "ns")
        self.assertEqual([sum(counts) for counts in series["histogram"]["counts"]], [5, 5])
        self.assertEqual(len(series["histogram"]["bounds"]), len(series["histogram"]["counts"][0]))

    def test_counted_and_read_numbers_are_the_same(self):
        for by in ("service", "name", "kind", "span.n", "service, name", ".n"):
            with self.subTest(by=by):
                counted, read = self.metrics("{}", by=by), self.metrics("{ true }", by=by)
                self.assertEqual(counted["series"], read["series"])
                self.assertGreater(len(read["series"]), 1 if by == "kind" else 6)

    def test_a_function_gives_what_it_says_by_its_keys(self):
        answer = self.metrics("{ resource.service.name != nil } | count_over_time() by (span.n)", step="1m")
        self.assertEqual([(one["labels"], one["values"]) for one in answer["series"]],
                         [({"span.n": 0}, [4]), ({"span.n": 1}, [3]), ({"span.n": 2}, [3])])
        answer = self.metrics("{} | quantile_over_time(duration, .5, .9)")
        self.assertEqual([one["labels"] for one in answer["series"]], [{"quantile": 0.5}, {"quantile": 0.9}])
        answer = self.metrics("{ status = error } | max_over_time(duration)")
        self.assertEqual(answer["series"][0]["values"], [None, 6 * MS])

    def test_times_and_steps_have_defaults(self):
        answer = self.get("/metrics")
        self.assertEqual(int(answer["endTimeUnixNano"]) - int(answer["startTimeUnixNano"]), 3600 * SECOND)
        self.assertEqual((answer["stepNano"], len(answer["timesUnixNano"])), (str(120 * SECOND), 30))
        self.assertEqual(answer["series"], [])

    def test_what_is_wrong_is_said(self):
        self.assertEqual(self.wrong(q="{ .a = }")["position"], 7)
        self.assertEqual(self.wrong(by="name, nothing")["position"], 6)
        self.assertEqual(self.wrong(q="{} | rate()", by="name")["title"], "Bad by")
        for terms in ({"step": "0"}, {"step": "x"}, {"step": "1ns"}, {"start": "5", "end": "5"}, {"start": "x"}):
            with self.subTest(**terms):
                self.wrong(**terms)
        steps = 2000
        self.get(f"/metrics?start=1&end={steps + 1}&step=1")
        self.wrong(start=1, end=steps + 2, step=1)

    def test_traces_are_not_asked_for_with_a_function(self):
        answer = self.server.get(f"/api/v1/traces?q={quote('  {} | rate()')}")
        self.problem(answer, 400)
        self.assertEqual(answer.json["position"], 7)


if __name__ == "__main__":
    unittest.main()
