"""`tracekit verify`: applications with one fault each, and what it says of them; nothing of the repaired one."""

import http.server
import json
import secrets
import tempfile
import threading
import time
import unittest
import urllib.request

from test_cli import TIMEOUT, Server, run

PAGE = "http://page.example:3000"


def attribute(key, value):
    return {"key": key, "value": {"stringValue": value}}


def otlp_span(now, trace_id, span_id, parent_id, name, kind, **attributes):
    return {"traceId": trace_id, "spanId": span_id, "parentSpanId": parent_id, "name": name, "kind": kind,
            "startTimeUnixNano": str(now), "endTimeUnixNano": str(now + 5_000_000),
            "attributes": [attribute(key.replace("_", "."), value) for key, value in attributes.items()]}


class App(http.server.BaseHTTPRequestHandler):
    """Two services in one: `shop` answers and calls `stock`. `faults` says what each gets wrong."""

    faults = frozenset()
    cors = {}
    preflight_status = 204
    server_url = ""
    calls = []

    def send_spans(self, service, *spans):
        if service + " is silent" in self.faults:
            return
        body = {"resourceSpans": [{"resource": {"attributes": [attribute("service.name", service)]},
                                   "scopeSpans": [{"spans": spans}]}]}
        request = urllib.request.Request(self.server_url + "/v1/traces", json.dumps(body).encode(),
                                         {"Content-Type": "application/json"})
        urllib.request.urlopen(request, timeout=TIMEOUT).close()

    def answer(self, status, headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_OPTIONS(self):
        self.calls.append(("OPTIONS", dict(self.headers)))
        self.answer(self.preflight_status, self.cors)

    def do_GET(self):
        self.calls.append(("GET", dict(self.headers)))
        self.send_all()
        self.answer(200, self.cors)  # by now all is there, so that a test need not wait for what never comes

    def send_all(self):
        _, trace_id, parent_id, _ = self.headers["traceparent"].split("-")
        if "shop reads no traceparent" in self.faults:
            trace_id, parent_id = secrets.token_hex(16), ""
        now = time.time_ns()  # of all: sending takes a while, and clocks that differ are a finding
        served, call = secrets.token_hex(8), secrets.token_hex(8)
        propagation = "not_target" if "stock is no target" in self.faults else "sent"
        self.send_spans("stock", otlp_span(now, *((secrets.token_hex(16), secrets.token_hex(8), "")
                                                  if self.faults & {"stock reads no traceparent", "stock is no target"}
                                                  else (trace_id, secrets.token_hex(8), call)), "GET /stock", 2))
        if "the call is lost" in self.faults:
            self.send_spans("shop", otlp_span(now, trace_id, served, parent_id, "GET /orders", 2, url_path="/orders"))
            return
        self.send_spans("shop", otlp_span(now, trace_id, served, parent_id, "GET /orders", 2, url_path="/orders"),
                        otlp_span(now, trace_id, call, served, "GET", 3, url_full="http://stock:8080/stock",
                                  tracekit_propagation=propagation))

    def log_message(self, *words):
        pass


class Verify(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.server = Server(folder.name + "/data", "--dev")
        cls.addClassCleanup(cls.server.stop)

    def setUp(self):
        self.app = type("OneApp", (App,), {"server_url": self.server.url, "calls": []})
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self.app)
        thread = threading.Thread(target=self.http.serve_forever)
        thread.start()
        self.addCleanup(lambda: (self.http.shutdown(), thread.join(), self.http.server_close()))
        self.url = f"http://127.0.0.1:{self.http.server_port}/orders"

    def verify(self, *args, faults=(), timeout="60s"):
        self.app.faults = frozenset(faults)
        return run("verify", self.url, "--server", self.server.url, "--timeout", timeout, *args)

    def rules(self, *args, faults, timeout="100ms"):
        done = self.verify("--json", *args, faults=faults, timeout=timeout)
        self.assertEqual(done.returncode, 1, done.stderr)
        told = json.loads(done.stdout)
        self.assertFalse(told["connected"])
        for finding in told["findings"]:
            self.assertTrue(finding["fix"])
        return {finding["rule"]: finding["message"] for finding in told["findings"]}

    def test_a_connected_trace_is_drawn_and_is_exit_status_0(self):
        done = self.verify("--services", "shop,stock", "--expect", "service:shop > service:stock")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("connected: ", done.stdout)
        for word in ("shop", "stock", "GET /orders", "GET /stock", "|=", "was answered 200"):
            self.assertIn(word, done.stdout)
        self.assertNotIn("its parent was not received", done.stdout)
        told = json.loads(self.verify("--services", "stock", "--json").stdout)
        self.assertEqual((told["connected"], told["status"], told["findings"]), (True, 200, []))
        self.assertIn("stock", told["services"])
        self.assertEqual(run("trace", told["traceId"], "--server", self.server.url).returncode, 0)

    def test_without_names_it_waits_until_nothing_more_comes(self):
        done = self.verify()
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("stock", done.stdout)

    def test_the_header_is_version_00_and_sampled_and_new_each_time(self):
        self.verify("--services", "stock")
        self.verify("--services", "stock", "--header", "Authorization: Bearer x")
        first, second = (headers["traceparent"] for _, headers in self.app.calls)
        self.assertRegex(first, r"^00-[0-9a-f]{32}-[0-9a-f]{16}-03$")
        self.assertNotEqual(first, second)
        self.assertEqual(self.app.calls[1][1]["Authorization"], "Bearer x")

    def test_a_service_that_reads_no_traceparent_is_named_with_the_trace_it_began(self):
        found = self.rules("--services", "shop,stock", faults=["stock reads no traceparent"])
        self.assertRegex(found["not-extracted"], r"^stock began a trace of its own \([0-9a-f]{32}\)")
        self.assertIn("http://stock:8080/stock", found["unanswered-call"])
        self.assertIn("shop", found["unanswered-call"])

    def test_the_first_service_that_reads_no_traceparent_is_found_by_its_path(self):
        found = self.rules(faults=["shop reads no traceparent"])
        self.assertIn("shop began a trace of its own", found["not-extracted"])

    def test_a_url_that_is_no_target_is_named(self):
        found = self.rules("--services", "stock", faults=["stock is no target"])
        self.assertIn("tracePropagationTargets", found["header-not-sent"])

    def test_a_service_that_sends_nothing_is_named(self):
        found = self.rules("--services", "shop,stock,mail", faults=[])
        self.assertEqual(set(found), {"missing-service"})
        self.assertIn("mail", found["missing-service"])

    def test_a_trace_that_somebody_else_asked_for_just_before_is_not_taken_for_one_begun_instead(self):
        before = otlp_span(time.time_ns(), secrets.token_hex(16), secrets.token_hex(8), secrets.token_hex(8), "GET /", 2)
        self.server.post({"resourceSpans": [{"resource": {"attributes": [attribute("service.name", "till")]},
                                             "scopeSpans": [{"spans": [before]}]}]})
        found = self.rules("--services", "shop,stock,till", faults=[])
        self.assertEqual(set(found), {"missing-service"})
        self.assertIn("till", found["missing-service"])

    def test_an_application_that_sends_nothing_is_told(self):
        self.url = self.url.replace("/orders", "/never-seen-before")
        found = self.rules(faults=["shop is silent", "stock is silent"])
        self.assertEqual(set(found), {"missing-service"})

    def test_a_parent_that_was_lost_is_told(self):
        found = self.rules("--services", "shop,stock", faults=["the call is lost"])
        self.assertIn("GET /stock", found["broken-parent"])

    def test_a_hop_the_other_way_round_is_missing(self):
        found = self.rules("--expect", "service:stock > service:shop", faults=[])
        self.assertIn("no span of shop is below one of stock", found["missing-hop"])

    GOOD = {"Access-Control-Allow-Origin": PAGE, "Access-Control-Allow-Headers": "Content-Type, Traceparent,tracestate"}

    def test_a_browser_is_let_through_by_a_right_set_up(self):
        for cors in (self.GOOD, {"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Headers": "*"}):
            self.app.cors = cors
            done = self.verify("--browser", PAGE, "--services", "stock")
            self.assertEqual(done.returncode, 0, done.stdout)
        method, headers = self.app.calls[0]
        self.assertEqual((method, headers["Origin"], headers["Access-Control-Request-Headers"]),
                         ("OPTIONS", PAGE, "traceparent,tracestate"))
        self.assertNotIn("traceparent", headers)

    def test_what_a_browser_would_refuse_is_named(self):
        origin, allowed = "Access-Control-Allow-Origin", "Access-Control-Allow-Headers"
        for cors, rule, words in (
                ({}, "cors-origin", "has no Access-Control-Allow-Origin"),
                ({**self.GOOD, origin: "http://other.example"}, "cors-origin", "http://other.example"),
                ({**self.GOOD, origin: PAGE + ", *"}, "cors-origin", "more than one"),
                ({**self.GOOD, allowed: "Content-Type, traceparent"}, "cors-headers", "tracestate"),
                ({**self.GOOD, origin: "*", "Access-Control-Allow-Credentials": "true"}, "cors-credentials", "`*`"),
                ({**self.GOOD, allowed: "*", "Access-Control-Allow-Credentials": "true"}, "cors-headers", "*")):
            with self.subTest(cors):
                self.app.cors = cors
                found = self.rules("--browser", PAGE, "--services", "stock", faults=[])
                self.assertIn(words, found[rule])
        self.app.cors, self.app.preflight_status = self.GOOD, 401
        self.assertIn("401", self.rules("--browser", PAGE, "--services", "stock", faults=[])["cors-preflight"])

    def test_a_page_of_the_same_origin_asks_nothing(self):
        done = self.verify("--browser", self.url.removesuffix("/orders"), "--services", "stock")
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertEqual([method for method, _ in self.app.calls], ["GET"])

    def test_whoever_cannot_be_reached_is_named_and_exit_status_3(self):
        done = run("verify", "http://127.0.0.1:1/x", "--server", self.server.url)
        self.assertEqual(done.returncode, 3)
        self.assertIn("127.0.0.1:1/x", done.stderr)
        done = run("verify", self.url, "--server", "http://127.0.0.1:1")
        self.assertEqual(done.returncode, 3)
        self.assertEqual(self.app.calls, [])

    def test_an_expectation_of_another_form_is_a_usage_error(self):
        for hop in ("shop", "> shop", "shop >", "a > > b"):
            done = self.verify("--expect", hop)
            self.assertEqual(done.returncode, 2, hop)
            self.assertIn("service:a > service:b", done.stderr)

    def test_what_is_no_url_no_origin_or_no_header_is_a_usage_error(self):
        for args, told in [(["--browser", "localhost:3000"], "http://localhost:3000"), (["--browser", "https://"], "origin"),
                           (["--header", "Authorization"], "'Name: value'")]:
            done = self.verify(*args)
            self.assertEqual(done.returncode, 2, args)
            self.assertIn(told, done.stderr)
        done = run("verify", "ftp://localhost/orders")
        self.assertEqual(done.returncode, 2)
        self.assertIn("http://", done.stderr)
        self.assertEqual(self.app.calls, [])

    def test_at_most_64_services_may_be_named(self):
        names = [f"s{number}" for number in range(65)]
        self.assertEqual(self.verify("--services", ",".join(names)).returncode, 2)
        self.assertEqual(set(self.rules("--services", ",".join(names[:64]), faults=[])), {"missing-service"})


if __name__ == "__main__":
    unittest.main()
