"""`tracekit mcp` byte by byte, and `tracekit compare`; an official client speaks to it in test/e2e/."""

import http.client
import json
import random
import subprocess
import tempfile
import unittest
from pathlib import Path

from test_cli import BIN, CLEAN, TIMEOUT, TRACE, Server, otlp, run

OTHER = "0af7651916cd43dd8448eb211c80319c"


def call(name, _id=1, **arguments):
    return {"jsonrpc": "2.0", "id": _id, "method": "tools/call", "params": {"name": name, "arguments": arguments}}


class WithTraces(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.server = Server(folder.name + "/data", "--dev")
        cls.addClassCleanup(cls.server.stop)
        cls.server.post(otlp())
        slower = otlp(OTHER, count=3)
        spans = slower["resourceSpans"][0]["scopeSpans"][0]["spans"]
        spans[0]["endTimeUnixNano"] = str(int(spans[0]["endTimeUnixNano"]) + 100_000_000)
        spans[1]["name"] = "step 2"  # two of that name, one beside the other
        cls.server.post(slower)


class Lines(WithTraces):
    def talk(self, *messages):
        lines = [message if isinstance(message, str) else json.dumps(message) for message in messages]
        done = subprocess.run([BIN, "mcp", "--server", self.server.url], input="".join(one + "\n" for one in lines),
                              capture_output=True, text=True, timeout=TIMEOUT, env=CLEAN)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return [json.loads(line) for line in done.stdout.splitlines()]

    def text_of(self, message, failed=False):
        [answer] = self.talk(message)
        self.assertEqual(answer["result"]["isError"], failed, answer)
        [content] = answer["result"]["content"]
        self.assertEqual(content["type"], "text")
        return content["text"]

    def test_a_session_begins_with_the_version_asked_for_or_the_newest(self):
        for asked, told in (("2025-03-26", "2025-03-26"), ("1999-01-01", "2025-06-18")):
            params = {"protocolVersion": asked, "capabilities": {}, "clientInfo": {"name": "t", "version": "0"}}
            answers = self.talk({"jsonrpc": "2.0", "id": "a\"b", "method": "initialize", "params": params},
                                {"jsonrpc": "2.0", "method": "notifications/initialized"},
                                {"jsonrpc": "2.0", "id": 7, "method": "ping"})
            self.assertEqual([answer["id"] for answer in answers], ['a"b', 7])
            self.assertEqual(answers[0]["result"]["protocolVersion"], told)
            self.assertEqual(answers[0]["result"]["capabilities"], {"tools": {}})
            self.assertEqual(answers[0]["result"]["serverInfo"]["name"], "tracekit")
            self.assertEqual(answers[1]["result"], {})

    def test_every_tool_says_what_it_takes(self):
        [answer] = self.talk({"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
        tools = {tool["name"]: tool for tool in answer["result"]["tools"]}
        for name in ("search_traces", "get_trace", "compare_traces", "list_services", "list_attributes", "doctor",
                     "verify"):
            self.assertGreater(len(tools[name]["description"]), 40)
        schema = tools["get_trace"]["inputSchema"]
        self.assertEqual((schema["type"], schema["required"], schema["additionalProperties"]),
                         ("object", ["trace_id"], False))
        self.assertEqual(tools["verify"]["inputSchema"]["properties"]["services"]["items"], {"type": "string"})

    def test_tools_search_open_compare_and_list(self):
        self.assertIn(TRACE, self.text_of(call("search_traces", query="order.id=42", limit=5)))
        self.assertIn("GET /", self.text_of(call("get_trace", trace_id=TRACE)))
        self.assertIn("the trace", self.text_of(call("compare_traces", first=TRACE, second=OTHER)))
        self.assertIn("nothing is wrong", self.text_of(call("findings", trace_id=TRACE)))
        self.assertIn("shop", self.text_of(call("list_services")))
        self.assertIn("order.id", self.text_of(call("list_attributes")))
        with tempfile.TemporaryDirectory() as folder:
            manifest = Path(folder) / "package.json"
            manifest.write_text('{"dependencies": {"@tracekit/node": "0.1.0"}}')
            self.assertIn("package.json", self.text_of(call("doctor", dir=folder)))
        self.assertIn("No such trace", self.text_of(call("get_trace", trace_id="1" * 32)))  # an answer, no failure

    def test_a_failure_of_the_tool_is_told_in_its_result(self):
        self.assertIn("character", self.text_of(call("search_traces", query="{ status = }"), failed=True))
        self.assertIn("cannot be reached", self.text_of(call("verify", url="http://127.0.0.1:1/"), failed=True))

    def test_an_argument_is_never_taken_for_an_option(self):
        text = self.text_of(call("get_trace", trace_id="--help"), failed=True)
        self.assertNotIn("usage:", text)
        self.assertIn("nothing found", self.text_of(call("search_traces", query="--server=http://127.0.0.1:1")))

    def test_mistakes_are_errors_of_json_rpc_that_say_what_was_expected(self):
        for message, code, words in (
                ("{", -32700, "byte"), ("[]", -32600, "JSON-RPC"), ({"id": 1, "method": "ping"}, -32600, "2.0"),
                ({"jsonrpc": "2.0", "id": 1, "method": "resources/list"}, -32601, "tools/list"),
                (call("drop_everything"), -32602, "drop_everything"), (call("get_trace"), -32602, "trace_id is missing"),
                (call("get_trace", trace_id=5), -32602, "expected a string"),
                (call("get_trace", trace_id=TRACE, colour="red"), -32602, "no argument colour"),
                (call("verify", url="http://x/", services=[1]), -32602, "services: expected strings"),
                (call("get_trace", trace_id="a\0b"), -32602, "NUL"),
                (call("verify", url="x", services=["s"] * 161), -32602, "more than 160"),
                ('"' + "x" * (4 << 20) + '"', -32700, "at most 4194304 bytes")):
            [answer] = self.talk(message)
            self.assertEqual(answer["error"]["code"], code, answer)
            self.assertIn(words, answer["error"]["message"])


class Http(WithTraces):
    def setUp(self):
        self.process = subprocess.Popen([BIN, "mcp", "--listen", "127.0.0.1:0", "--server", self.server.url],
                                        stdout=subprocess.PIPE, text=True, env=CLEAN)
        self.addCleanup(self.process.stdout.close)
        ready = self.process.stdout.readline()
        self.assertRegex(ready, r"^tracekit mcp ready http://127\.0\.0\.1:\d+/mcp\n$")
        self.port = int(ready.split(":")[-1].split("/")[0])

    def tearDown(self):
        self.process.terminate()
        self.assertEqual(self.process.wait(TIMEOUT), 0)

    def ask(self, method="POST", path="/mcp", body=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT)
        self.addCleanup(connection.close)
        connection.request(method, path, json.dumps(body), {"Content-Type": "application/json", **headers})
        response = connection.getresponse()
        return response.status, response.read()

    def test_a_request_is_answered_and_a_notification_accepted(self):
        status, body = self.ask(body=call("get_trace", trace_id=TRACE))
        self.assertEqual(status, 200)
        self.assertIn("GET /", json.loads(body)["result"]["content"][0]["text"])
        self.assertEqual(self.ask(body={"jsonrpc": "2.0", "method": "notifications/initialized"}), (202, b""))

    def test_only_post_to_mcp_and_only_from_this_machine(self):
        ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
        self.assertEqual(self.ask("GET")[0], 405)
        self.assertEqual(self.ask(path="/", body=ping)[0], 404)
        for headers in ({"Origin": "http://evil.example"}, {"Host": "evil.example"}, {"Origin": "null"},
                        {"Origin": "http://localhost.evil.example"}):
            self.assertEqual(self.ask(body=ping, **headers)[0], 403, headers)
        self.assertEqual(self.ask(body=ping, Origin="http://localhost:6274")[0], 200)


class Findings(WithTraces):
    def test_a_trace_whose_parent_is_missing_is_a_finding_with_its_cure(self):
        trace_id = "c" * 32
        body = otlp(trace_id)
        body["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["parentSpanId"] = "f" * 16
        self.server.post(body)
        done = run("findings", trace_id, "--server", self.server.url)
        self.assertIn("cure: ", done.stdout)
        as_json = run("findings", trace_id, "--server", self.server.url, "--json")
        self.assertEqual(as_json.returncode, done.returncode)
        told = json.loads(as_json.stdout)["findings"]
        for finding in told:
            self.assertIn(f"{finding['severity']} {finding['rule']} ({finding['confidence']})", done.stdout)
            self.assertIn(finding["message"], done.stdout)
        self.assertEqual(done.returncode, 1 if any(one["severity"] == "error" for one in told) else 0)

    def test_of_the_project_it_says_how_many_traces_it_looked_at(self):
        done = run("findings", "--start", "2025-10-01T00:00:00Z", "--server", self.server.url)
        self.assertRegex(done.stdout, r"\n?[1-9]\d* traces were looked at\n$")
        self.assertEqual(run("findings", "1" * 32, "--server", self.server.url).returncode, 1)


class Compare(WithTraces):
    def test_the_changes_add_up_to_the_change_of_the_whole(self):
        told = json.loads(run("compare", TRACE, OTHER, "--server", self.server.url, "--json").stdout)
        for side in ("first", "second"):
            shares = sum(int(one[side]["pathNano"]) for one in told["operations"])
            self.assertEqual(shares, int(told[side]["durationNano"]))
        self.assertEqual(int(told["second"]["durationNano"]) - int(told["first"]["durationNano"]), 100_000_000)
        by_name = {one.get("name"): one for one in told["operations"]}
        self.assertEqual(by_name["step 2"]["second"]["spanCount"], 2)
        self.assertEqual(by_name["step 2"]["first"], {"pathNano": "0", "spanCount": 0})

    def test_they_add_up_whatever_the_spans_look_like(self):
        pick, ids = random.Random(7), []
        for number in range(12):  # children that run beside, after and before their parents, and without one
            body = otlp(f"{number + 1:032x}", count=pick.randrange(1, 60))
            for at, one in enumerate(body["resourceSpans"][0]["scopeSpans"][0]["spans"]):
                start = 1760000000000000000 + pick.randrange(1000)
                one["parentSpanId"] = "" if pick.random() < 0.1 else f"{pick.randrange(at + 2) + 1:016x}"
                one["startTimeUnixNano"], one["endTimeUnixNano"] = str(start), str(start + pick.randrange(500))
            self.server.post(body)
            ids.append(f"{number + 1:032x}")
        for first, second in zip(ids, ids[1:]):
            told = json.loads(run("compare", first, second, "--server", self.server.url, "--json").stdout)
            for side in ("first", "second"):
                shares = sum(int(one[side]["pathNano"]) for one in told["operations"])
                self.assertEqual(shares, int(told[side]["durationNano"]))

    def test_in_words_it_ends_with_the_whole(self):
        done = run("compare", TRACE, OTHER, "--server", self.server.url)
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stdout.splitlines()[-1], r"^ +420ms +520ms +\+100ms +the trace$")
        self.assertIn("shop: step 1", done.stdout)
        self.assertNotIn("others", done.stdout)
        cut = run("compare", TRACE, OTHER, "--server", self.server.url, "--limit", "1").stdout.splitlines()
        self.assertEqual((len(cut), cut[-1]), (4, done.stdout.splitlines()[-1]))
        self.assertRegex(cut[-2], r"\(\d+ others\)$")
        self.assertEqual(run("compare", TRACE, "1" * 32, "--server", self.server.url).returncode, 1)


if __name__ == "__main__":
    unittest.main()
