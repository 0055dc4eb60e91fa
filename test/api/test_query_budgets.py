"""The budgets of a query: memory, time and steps, and what the answer says when one is used up."""

import subprocess
import unittest
from urllib.parse import quote

from harness import BINARY, TIMEOUT_S, Server, WithServer, environment, new_trace_id
from test_query import EPOCH, body, span


class Budgets(WithServer):
    @classmethod
    def setUpClass(cls):
        cls.server = Server("--query-memory", "1MiB")

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    def ask(self, path):
        return self.server.get("/api/v1" + path)

    def test_memory_is_refused_by_name_where_it_does_not_suffice(self):
        deep, times = quote("{} >> {} | by(span:id)"), f"start={EPOCH}&end={EPOCH + 1000 * 10**9}"
        paths = [f"/traces?q={deep}", f"/metrics?q={deep + quote(' | rate()')}&{times}", f"/services?q={deep}",
                 f"/services/shop/operations?q={deep}", "/tags/many/values?q={}&limit=1", "/tags/many/values?limit=1",
                 f"/metrics?{times}&step={{}}s&by=span:id"]
        trace_id = new_trace_id()
        for size, step in ((20, 100), (20000, 1)):
            spans = [span(trace_id, i, "x", parent=i - 1 or None, tags={"many": i}) for i in range(1, size + 1)]
            self.assertEqual(self.server.send_json("POST", "/v1/traces", body(*spans)).status, 200)
            for path in paths:
                answer = self.ask(path.format(step) if "step" in path else path)
                with self.subTest(path, size=size):
                    if size == 20:
                        self.assertEqual(answer.status, 200, answer)
                        continue
                    self.problem(answer, 400)
                    self.assertEqual((answer.json["budget"], answer.json["limit"]), ("memory", str(1 << 20)))
        for path in ("/traces", "/services", "/services/shop/operations", "/tags", "/metrics?step=10s&by=name"):
            self.assertEqual(self.ask(path).status, 200, path)

    def test_a_costly_expression_is_refused_by_name(self):
        name = "a" * 40 + "c"
        sent = self.server.send_json("POST", "/v1/traces", body(span(new_trace_id(), 1, name)))
        self.assertEqual(sent.status, 200)
        answer = self.ask(f"/traces?q={quote('{ name =~ `(a+)+[bd]` }')}")
        self.problem(answer, 400)
        self.assertEqual(answer.json["budget"], "steps")

    def test_time_is_refused_by_name(self):
        server = Server("--query-timeout", "1ns")
        self.addCleanup(server.stop)
        trace = new_trace_id()
        self.assertEqual(server.send_json("POST", "/v1/traces", body(span(trace, 1, "x"))).status, 200)
        for path in ("/traces", "/metrics", f"/compare?first={trace}&second={trace}"):
            answer = server.get("/api/v1" + path)
            self.problem(answer, 503)
            self.assertEqual((answer.json["budget"], answer.json["limit"]), ("time", "1"))
            self.assertIn("retry-after", answer.headers)

    def test_a_server_takes_no_budget_in_which_nothing_fits(self):
        for size, status in (("1048575B", 2), ("1MiB", 5)):  # 5: the next thing it looks at is a file
            serve = subprocess.run([BINARY, "serve", "--query-memory", size, "--data", __file__, "--listen", "127.0.0.1:0"],
                                   capture_output=True, env=environment(), timeout=TIMEOUT_S)
            self.assertEqual(serve.returncode, status, serve.stderr)


class BudgetsOfWholeStores(unittest.TestCase):
    """What counts all that there is: each test has a server of its own."""

    problem = WithServer.problem

    def setUp(self):
        self.server = Server("--query-memory", "1MiB")
        self.addCleanup(self.server.stop)

    def send(self, *spans):
        self.assertEqual(self.server.send_json("POST", "/v1/traces", body(*spans)).status, 200)

    def test_a_map_of_long_names_says_that_it_is_cut(self):
        trace_id = new_trace_id()
        spans = [span(trace_id, n + 1, "call", kind=3, tags={"peer.service": f"{n}" + "h" * 20000}) for n in range(100)]
        self.send(*spans)
        answer = self.server.get(f"/api/v1/map?start={EPOCH}&end={EPOCH + 1000 * 10**9}")
        self.assertEqual((answer.status, answer.json["cut"]), (200, "memory"), answer)

    def test_differences_of_too_many_values_are_refused_by_name(self):
        trace_id = new_trace_id()
        spans = [span(trace_id, n + 1, "x", tags={f"k{k}": f"{n} {'v' * 200}" for k in range(20)}) for n in range(500)]
        self.send(*spans)
        answer = self.server.get("/api/v1/differences?q=" + quote("{}"))
        self.problem(answer, 400)
        self.assertEqual(answer.json["budget"], "memory")

    def test_the_budget_that_the_rest_ran_out_of_is_named(self):
        self.send(span(new_trace_id(), 1, "a" * 40 + "c"))
        answer = self.server.get(f"/api/v1/differences?q={quote('{ name = `y` }')}&rest={quote('{ name =~ `(a+)+[bd]` }')}")
        self.problem(answer, 400)
        self.assertEqual(answer.json["budget"], "steps")


if __name__ == "__main__":
    unittest.main()
