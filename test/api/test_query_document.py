"""Every example of docs/query.md does what the document says of it."""

import json
import re
from urllib.parse import quote

from harness import ROOT, new_trace_id
from test_query import EPOCH, MS, Query, body, span

TEXT = (ROOT / "docs/query.md").read_text()


def tables(first, second):
    """The cells of the rows of all tables with these heads."""
    found = []
    for table in re.findall(r"(?:^\|.*\|\n)+", TEXT, re.M):
        rows = [[cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
                for line in table.splitlines()]
        if rows[0][:2] == [first, second]:
            found += rows[2:]
    return found


def code(cell):
    text, = re.fullmatch(r"`(.*)`", cell).groups()
    return text


class Document(Query):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        client, server, error = 3, 2, {"code": 2}
        trace_id = new_trace_id()
        spans = [
            span(trace_id, 1, "GET /checkout", 0, 500, service="web", kind=client, tags={"order.id": "42"}),
            span(trace_id, 2, "POST /charge", 20, 300, 1, "api", kind=server, tags={"cart.items": 3}),
            span(trace_id, 3, "stock", 30, 40, 2, "api", kind=client, tags={"db.rows": 3}),
            span(trace_id, 4, "price", 80, 60, 2, "api", kind=client, tags={"db.rows": 1}),
            span(trace_id, 5, "pay", 150, 160, 2, "pay", kind=server, status={**error, "message": "card refused"},
                 events=[{"name": "exception", "timeUnixNano": str(EPOCH + 155 * MS)}]),
            span(trace_id, 6, "retry", 160, 20, 5, "pay", kind=1, status=error)]
        answer = cls.server.send_json("POST", "/v1/traces", body(*spans))
        assert answer.status == 200, answer

    def groups(self, q):
        """The names of the selected spans, by group."""
        found = self.search(q)["traces"]
        return [[one["name"] for one in group["spans"]] for group in found[0]["spanSets"]] if found else []

    def test_filters_and_relations_select_the_spans_beside_them(self):
        rows = tables("filter", "spans") + tables("query", "spans")
        self.assertGreater(len(rows), 25)
        for q, names in rows:
            with self.subTest(q):
                expected = [names.split(", ")] if names else []
                self.assertEqual(self.groups(code(q) + " | select(name)"), expected)

    def test_pipelines_leave_the_groups_beside_them(self):
        rows = tables("query", "groups")
        self.assertGreater(len(rows), 6)
        for q, groups in rows:
            with self.subTest(q):
                self.assertEqual(self.groups(code(q)), [one.split(", ") for one in re.findall(r"\[(.*?)\]", groups)])

    def test_numbers_over_time_are_those_beside_them(self):
        rows = tables("query", "series")
        self.assertGreater(len(rows), 9)
        for q, count, values in rows:
            with self.subTest(q):
                answer = self.get(f"/metrics?q={quote(code(q))}&start={EPOCH}&end={EPOCH + 10_000 * MS}&step=10s")
                series = [one for one in answer["series"] if one.get("values") != [None]]
                self.assertEqual(len(series), int(count))
                if values:
                    self.assertEqual(sorted(one["values"][0] for one in series), sorted(map(float, values.split(", "))))

    def test_shorthand_becomes_the_traceql_beside_it(self):
        for words, _, traceql in tables("word", "means"):
            if "…" in traceql:
                continue
            for word in re.findall(r"`([^`]*)`", words):
                with self.subTest(word):
                    expected = code(traceql)
                    if word.startswith('"'):
                        expected = expected.replace("timeout", word.strip('"'))
                    self.assertEqual(self.search(word)["query"], "{ " + expected + " }")

    def test_what_is_refused_is_refused_where_the_document_says(self):
        rows = tables("refused", "at")
        self.assertEqual(len(rows), 5)
        for q, position in rows:
            with self.subTest(q):
                answer = self.server.get(f"/api/v1/traces?q={quote(code(q))}")
                self.problem(answer, 400)
                self.assertEqual(answer.json["position"], int(position))

    def test_the_wrong_query_of_the_document_is_answered_as_shown(self):
        shown = json.loads(re.search(r"```json\n(.*?)```", TEXT, re.S)[1])
        answer = self.server.get(f"/api/v1/traces?q={quote('{ .attribute == 1 }')}")
        self.assertEqual(answer.json, shown)
