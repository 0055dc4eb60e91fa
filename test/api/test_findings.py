"""Why is it not connected?  The findings of a trace and of a project, over what SDKs send."""

import json
import time
import unittest

from harness import START_NANO, Server, WithServer, command, new_key, new_trace_id

MS = 1_000_000
PAGE, CALL, SERVER, CALLEE = "00000000000000a1", "00000000000000a2", "00000000000000b1", "00000000000000c1"
CHROME = "Mozilla/5.0 (X11) Chrome/140"
KINDS = {"internal": 1, "server": 2, "client": 3}


def attributes(values):
    return [{"key": key, "value": {"intValue": value} if isinstance(value, int) else {"stringValue": value}}
            for key, value in values.items()]


def span(trace_id, span_id, parent="", kind="internal", start=0, duration=100, at=START_NANO, **members):
    tags = members.pop("tags", {})
    return {"traceId": trace_id, "spanId": span_id, "parentSpanId": parent, "name": span_id, "kind": KINDS[kind],
            "startTimeUnixNano": str(at + start * MS), "endTimeUnixNano": str(at + (start + duration) * MS),
            "attributes": attributes(tags), **members}


def program(service, language, *spans, sdk="tracekit"):
    resource = {"service.name": service, "telemetry.sdk.language": language, "telemetry.sdk.name": sdk}
    return {"resource": {"attributes": attributes(resource)}, "scopeSpans": [{"spans": spans}]}


def page(trace_id, host, propagation, at=START_NANO):
    """A click on a page that asks a backend, as the browser SDK tells it."""
    call = {"http.request.method": "GET", "url.full": f"http://{host}/api/users?q=1", "http.response.status_code": 200,
            "tracekit.propagation": propagation}
    return program("web", "webjs", span(trace_id, PAGE, duration=120, at=at, tags={"url.full": "http://localhost/"}),
                   span(trace_id, CALL, PAGE, "client", 10, 100, at=at, tags=call))


def backend(trace_id, host, parent="", at=START_NANO, service="api", agent=CHROME):
    name, port = host.split(":")
    asked = {"http.request.method": "GET", "url.path": "/api/users", "server.address": name, "server.port": int(port),
             "user_agent.original": agent}
    return program(service, "nodejs", span(trace_id, SERVER, parent, "server", 20, 60, at=at, tags=asked))


def rules(answer):
    return [finding["rule"] for finding in answer.json["findings"]]


class Sending:
    def send(self, *programs, **headers):
        answer = self.server.send_otlp(json.dumps({"resourceSpans": programs}).encode(), "application/json", **headers)
        self.assertEqual((answer.status, answer.json.get("partialSuccess")), (200, None), answer)

    def findings(self, trace_id, query="", **headers):
        answer = self.server.get(f"/api/v1/traces/{trace_id}/findings{query}", **headers)
        self.assertEqual(answer.status, 200, answer)
        return answer


class OneTrace(Sending, WithServer):
    def test_a_finding_has_evidence_cause_and_cure(self):
        here, there = new_trace_id(), new_trace_id()
        self.send(page(here, "one.test:3001", "not_target"), backend(there, "one.test:3001"))
        answer = self.findings(here).json
        found = answer["findings"].pop()
        self.assertEqual(answer, {"traceId": here, "settled": True, "spanCount": 2, "findings": []})
        self.assertIn("tracePropagationTargets: ['one.test:3001']", found.pop("snippet"))
        for words in ("message", "cause", "fix"):
            self.assertTrue(found.pop(words))
        self.assertEqual(found, {
            "rule": "not-a-target", "severity": "error", "confidence": "certain", "service": "web", "peer": "api",
            "language": "webjs", "docs": "/docs/findings#not-a-target", "spans": [CALL], "spanCount": 1,
            "other": {"traceId": there, "spanId": SERVER, "service": "api"}, "traces": [here], "traceCount": 1,
            "lastSeenUnixNano": str(START_NANO)})
        self.assertEqual(rules(self.findings(there)), [])

    def test_a_connected_trace_has_none(self):
        trace_id = new_trace_id()
        self.send(page(trace_id, "two.test:3001", "sent"), backend(trace_id, "two.test:3001", CALL))
        self.assertEqual(rules(self.findings(trace_id)), [])

    def test_a_trace_that_is_still_arriving_is_not_called_broken(self):
        now, trace_id = time.time_ns(), new_trace_id()
        self.send(backend(trace_id, "three.test:3001", CALL, at=now + 20_000 * MS))
        answer = self.findings(trace_id)
        self.assertFalse(answer.json["settled"])
        self.assertEqual(rules(answer), [])
        self.send(backend(trace_id := new_trace_id(), "three.test:3001", CALL, at=now - 60_000 * MS))
        self.assertEqual(rules(self.findings(trace_id)), ["missing-root"])

    def test_what_cannot_be_asked_is_refused(self):
        self.assertIn("32 hex digits", self.problem(self.server.get("/api/v1/traces/12/findings"), 400))
        self.problem(self.server.get(f"/api/v1/traces/{new_trace_id()}/findings"), 404)
        self.problem(self.server.get(f"/api/v1/traces/{new_trace_id()}/findings?project=nowhere"), 404)
        self.problem(self.server.ask("POST", f"/api/v1/traces/{new_trace_id()}/findings", b""), 405)

    def test_the_document_that_a_finding_links_to_is_there(self):
        answer = self.server.get("/docs/findings")
        self.assertEqual(answer.status, 200)


class OneProject(Sending, WithServer):
    def test_equal_findings_are_counted_with_example_traces(self):
        traces = [new_trace_id() for _ in range(7)]
        for number, trace_id in enumerate(traces):
            self.send(page(trace_id, "api.test:80", "not_target", START_NANO + number * 60_000 * MS),
                      backend(new_trace_id(), "api.test:80", at=START_NANO + number * 60_000 * MS))
        window = f"start={START_NANO}&end={START_NANO + 3600 * 1000 * MS}"
        answer = self.server.get(f"/api/v1/findings?{window}").json
        found = answer["findings"]
        self.assertEqual([one["rule"] for one in found], ["not-a-target"])
        self.assertEqual((found[0]["traceCount"], found[0]["traces"]), (7, traces[:1:-1]))
        self.assertEqual(found[0]["lastSeenUnixNano"], str(START_NANO + 6 * 60_000 * MS))
        self.assertEqual((answer["traceCount"], answer["spanCount"], answer.get("cut")), (14, 21, None))
        self.assertEqual(answer["startTimeUnixNano"], str(START_NANO))
        less = self.server.get(f"/api/v1/findings?{window}&limit=3").json
        self.assertEqual((less["traceCount"], less["cut"]), (3, "traces"))
        nothing = self.server.get("/api/v1/findings").json  # of the last hour
        self.assertEqual((nothing["traceCount"], nothing["findings"]), (0, []))
        self.assertEqual(int(nothing["endTimeUnixNano"]) - int(nothing["startTimeUnixNano"]), 3600 * 1000 * MS)

    def test_what_cannot_be_asked_is_refused(self):
        for query, word in (("limit=0", "limit"), ("limit=1001", "limit"), ("start=never", "start"),
                            ("start=2&end=1", "no time")):
            with self.subTest(query):
                self.assertIn(word, self.problem(self.server.get("/api/v1/findings?" + query), 400))


class Projects(Sending, WithServer):
    dev = False

    def signed_in(self):
        link = command("signin", "--data", self.server.data, "--server", self.server.url)
        answer = self.server.get("/signin" + link.split("/signin", 1)[1])
        return answer.header("set-cookie").split(";")[0]

    def test_another_project_is_spoken_of_to_those_alone_who_see_both(self):
        command("project", "create", "--data", self.server.data, "backend")
        send, read = (new_key(self.server.data, kind) for kind in ("server", "read"))
        send_there, read_there = (new_key(self.server.data, kind, "backend") for kind in ("server", "read"))
        trace_id = new_trace_id()
        self.send(page(trace_id, "api.test:80", "sent"), x_api_key=send)
        self.send(backend(trace_id, "api.test:80", CALL), x_api_key=send_there)

        cookie = self.signed_in()
        found = self.findings(trace_id, cookie=cookie).json["findings"]
        self.assertEqual([one["rule"] for one in found], ["continues-in-other-project"])
        self.assertEqual(found[0]["other"],
                         {"traceId": trace_id, "spanId": SERVER, "service": "api", "project": "backend"})
        found = self.findings(trace_id, "?project=backend", cookie=cookie).json["findings"]
        self.assertEqual([one["rule"] for one in found], ["parent-in-other-project"])
        self.assertEqual(found[0]["other"]["project"], "default")

        for key, hidden in ((read, b"backend\""), (read_there, b"default")):
            answer = self.findings(trace_id, x_api_key=key)
            self.assertNotIn("project", {name for one in answer.json["findings"] for name in one.get("other", {})})
            self.assertNotIn(hidden, answer.body)
        self.assertNotIn(b"\"api\"", self.findings(trace_id, x_api_key=read).body)
        self.assertNotIn(b"web", self.findings(trace_id, x_api_key=read_there).body)
        self.problem(self.server.get(f"/api/v1/traces/{trace_id}/findings?project=backend", x_api_key=read), 403)
        self.problem(self.server.get("/api/v1/findings?project=backend", x_api_key=read), 403)
        self.problem(self.server.get("/api/v1/findings", x_api_key=send), 403)
        self.problem(self.server.get("/api/v1/findings"), 401)


class Restarted(Sending, unittest.TestCase):
    def test_what_is_sealed_is_found_as_what_is_open(self):
        import tempfile
        with tempfile.TemporaryDirectory(prefix="tracekit-api-") as data:
            here, there = new_trace_id(), new_trace_id()
            answers = []
            for start in range(2):  # stopping seals
                self.server = Server(data=data)
                try:
                    if start == 0:
                        self.send(page(here, "api.test:3001", "sent"), backend(there, "api.test:3001"))
                    answers.append(self.findings(here).json)
                finally:
                    self.server.stop()
        self.assertEqual([one["rule"] for one in answers[0]["findings"]], ["header-stripped"])
        self.assertEqual(answers[0], answers[1])


class LittleMemory(Sending, WithServer):
    options = ("--query-memory", "4MiB")

    def test_a_trace_beyond_it_is_cut_and_the_answer_says_so(self):
        trace_id = new_trace_id()
        spans = [span(trace_id, f"{number + 1:016x}", f"{number or 99999:016x}", start=number)
                 for number in range(20_000)]
        self.send(program("api", "go", *spans))
        answer = self.findings(trace_id).json
        self.assertEqual((answer["cut"], answer["findings"]), ("memory", []))
        self.assertTrue(0 < answer["spanCount"] < 20_000, answer["spanCount"])


if __name__ == "__main__":
    unittest.main()
