"""The command line as a person or a script meets it: words, exit codes, what goes to stdout and what to stderr."""

import gzip
import json
import os
import pty
import re
import signal
import subprocess
import tempfile
import time
import unittest
import urllib.request
from pathlib import Path

BIN = os.environ.get("TRACEKIT_BIN") or str(Path(__file__).resolve().parents[2] / "build/release/tracekit")
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CLEAN = {key: value for key, value in os.environ.items() if not key.startswith("TRACEKIT_")}
TIMEOUT = 60


def run(*args, env=None, stdin=None):
    return subprocess.run([BIN, *args], capture_output=True, text=True, timeout=TIMEOUT, input=stdin,
                          env={**CLEAN, **(env or {})})


def otlp(trace_id=TRACE, service="shop", name="GET /", count=2):
    spans = [{"traceId": trace_id, "spanId": f"{i + 1:016x}", "parentSpanId": "" if i == 0 else f"{1:016x}",
              "name": name if i == 0 else f"step {i}", "kind": 2 if i == 0 else 1,
              "startTimeUnixNano": str(1760000000000000000 + i * 1000000),
              "endTimeUnixNano": str(1760000000000000000 + 420000000 - i * 1000000),
              "attributes": [{"key": "order.id", "value": {"intValue": "42"}}]} for i in range(count)]
    return {"resourceSpans": [{"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]},
                               "scopeSpans": [{"spans": spans}]}]}


class Server:
    """A server on a directory of its own; `url` once it is ready."""

    def __init__(self, data, *args, env=None):
        self.process = subprocess.Popen([BIN, "serve", "--data", str(data), "--listen", "127.0.0.1:0", *args],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                        env={**CLEAN, **(env or {})})
        line = self.process.stdout.readline()
        if not line.startswith("tracekit ready "):
            raise AssertionError(line + self.process.stderr.read())
        self.url = line.split()[2]

    def post(self, body, key=None):
        request = urllib.request.Request(self.url + "/v1/traces", json.dumps(body).encode(),
                                         {"Content-Type": "application/json", **({"X-API-Key": key} if key else {})})
        with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
            return json.load(response)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            _, err = self.process.communicate(timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        return self.process.returncode, err


class Words(unittest.TestCase):
    def test_help_and_version_go_to_stdout_and_are_good(self):
        self.assertEqual(run("--version").returncode, 0)
        self.assertRegex(run("--version").stdout, r"^tracekit \d+\.\d+\.\d+\n$")
        overview = run("--help")
        self.assertEqual(overview.returncode, 0)
        for command in re.findall(r"^  (\w+) ", overview.stdout, re.M):
            told = run(command, "--help")
            self.assertEqual(told.returncode, 0, command)
            self.assertIn("usage: tracekit " + command, told.stdout)
            self.assertIn("--config FILE", told.stdout)
            self.assertEqual(told.stderr, "")

    def test_mistakes_are_usage_errors_that_help(self):
        for args, words in [(["sreve"], "did you mean `serve`"), (["serve", "--dta", "x"], "did you mean --data"),
                            (["trace"], "usage: tracekit trace"), ([], "usage: tracekit"),
                            (["serve", "--fsync", "never"], "always|group|async"),
                            (["serve", "--memory", "1MiB"], "64MiB"),
                            (["serve", "--tls-cert", "x"], "--tls-key"),
                            (["serve", "--listen", "here"], "HOST:PORT"),
                            (["serve", "--listen", "127.0.0.1:65536"], "HOST:PORT"),
                            (["serve", "--config", "/"], "cannot be read"), (["--verson"], "did you mean `--version`"),
                            (["key", "create", "--kind", "root"], "server|browser|read|admin")]:
            done = run(*args)
            self.assertEqual(done.returncode, 2, args)
            self.assertIn(words, done.stderr, args)
            self.assertEqual(done.stdout, "")

    def test_a_store_that_is_not_built_in_is_refused_wherever_it_is_named(self):
        store = "clickhouse://user@host:8123/db"
        with tempfile.NamedTemporaryFile("w", suffix=".conf") as config:
            config.write(f"store = {store}\n")
            config.flush()
            for args, env in ((["--store", store], {}), ([], {"TRACEKIT_STORE": store}), (["--config", config.name], {})):
                done = run("serve", "--data", config.name + "-data", "--listen", "127.0.0.1:0", *args, env=env)
                self.assertEqual((done.returncode, done.stdout), (2, ""), args)
                self.assertIn(store, done.stderr)
                self.assertIn("leave --store out", done.stderr)
            self.assertFalse(Path(config.name + "-data").exists())

    def test_a_mistaken_data_directory_is_not_made_by_who_only_looks(self):
        with tempfile.TemporaryDirectory() as folder:
            data = folder + "/mistaken"
            for args in (["export"], ["project", "list"], ["project", "delete", "shop"], ["key", "list"],
                         ["key", "revoke", "1"], ["signin"]):
                done = run(*args, "--data", data)
                self.assertEqual((done.returncode, done.stdout), (2, ""), args)
                self.assertIn(data, done.stderr)
            self.assertFalse(Path(data).exists())
            self.assertEqual(run("project", "create", "shop", "--data", data).returncode, 0)

    def test_a_server_that_is_not_there_is_exit_status_3(self):
        done = run("search", "--server", "http://127.0.0.1:1")
        self.assertEqual(done.returncode, 3)
        self.assertIn("127.0.0.1", done.stderr)


class Size(unittest.TestCase):
    def test_the_program_with_its_page_and_the_doctors_grammars_is_small(self):
        if "release" not in BIN:
            self.skipTest("sanitizers make it large: only the release build is what users run")
        with tempfile.NamedTemporaryFile() as stripped:
            subprocess.run(["strip", "-o", stripped.name, BIN], check=True)
            self.assertLess(Path(stripped.name).stat().st_size, 16 << 20)  # 11 MiB of it are grammars


class CannotStart(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.TemporaryDirectory()
        self.addCleanup(self.dir.cleanup)
        self.data = Path(self.dir.name) / "data"

    def test_a_port_in_use_is_said_and_exit_status_5(self):
        server = Server(self.data, "--dev")
        self.addCleanup(server.stop)
        done = run("serve", "--data", self.dir.name + "/other", "--listen", server.url.removeprefix("http://"))
        self.assertEqual(done.returncode, 5)
        self.assertIn(server.url.rsplit(":", 1)[1], done.stderr)
        self.assertEqual(done.stdout, "")

    def test_a_second_server_on_one_directory_is_refused_and_told_by_whom(self):
        server = Server(self.data, "--dev")
        self.addCleanup(server.stop)
        done = run("serve", "--data", str(self.data), "--listen", "127.0.0.1:0")
        self.assertEqual(done.returncode, 5)
        self.assertIn(str(server.process.pid), done.stderr)

    def test_a_directory_that_cannot_be_made_is_exit_status_5(self):
        (Path(self.dir.name) / "file").write_text("")
        done = run("serve", "--data", self.dir.name + "/file/data", "--listen", "127.0.0.1:0")
        self.assertEqual(done.returncode, 5)
        self.assertIn(self.dir.name + "/file", done.stderr)


class Accounts(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.TemporaryDirectory()
        self.addCleanup(self.dir.cleanup)
        self.data = self.dir.name + "/data"

    def test_the_first_start_shows_the_key_once_and_a_sign_in_link_on_stderr(self):
        server = Server(self.data)
        status, err = server.stop()
        self.assertEqual(status, 0)
        self.assertEqual(len(re.findall(r"TRACEKIT_API_KEY=\S{20,}", err)), 1)
        self.assertRegex(err, r"http://127\.0\.0\.1:\d+/signin\?token=\S{43}")
        server = Server(self.data)
        status, err = server.stop()
        self.assertEqual(status, 0)
        self.assertNotIn("TRACEKIT_API_KEY=", err)

    def test_a_key_given_by_the_environment_is_the_projects(self):
        server = Server(self.data, env={"TRACEKIT_API_KEY": "given-key-0123456789"})
        self.assertEqual(server.post(otlp(), "given-key-0123456789"), {})
        status, err = server.stop()
        self.assertNotIn("given-key-0123456789", err)

    def test_keys_are_made_listed_and_revoked_beside_a_running_server(self):
        server = Server(self.data)
        self.addCleanup(server.stop)
        self.assertEqual(run("project", "create", "shop", "--data", self.data).returncode, 0)
        self.assertIn("shop", run("project", "list", "--data", self.data).stdout.split())
        made = run("key", "create", "--project", "shop", "--kind", "read", "--name", "me", "--data", self.data)
        self.assertEqual(made.returncode, 0, made.stderr)
        key = made.stdout.strip()
        self.assertRegex(made.stdout, r"^\S{20,}\n$")
        search = ["search", "--server", server.url]
        self.assertEqual(run(*search).returncode, 4)
        self.assertEqual(run(*search, env={"TRACEKIT_API_KEY": key}).returncode, 1)  # good, and nothing there
        listed = json.loads(run("key", "list", "--data", self.data, "--json").stdout)["keys"]
        mine = next(k for k in listed if k["name"] == "me")
        self.assertEqual((mine["kind"], mine["project"], mine["revoked"]), ("read", "shop", False))
        self.assertNotIn(key, json.dumps(listed))
        self.assertEqual(run("key", "revoke", str(mine["id"]), "--data", self.data).returncode, 0)
        deadline = time.monotonic() + 20
        while run(*search, env={"TRACEKIT_API_KEY": key}).returncode != 4:
            self.assertLess(time.monotonic(), deadline, "a revoked key is still taken")
            time.sleep(0.1)

    def segments(self):
        return len(list(Path(self.data).rglob("*.seg")))

    def import_spans(self, project="default", **more):
        with tempfile.NamedTemporaryFile(suffix=".json") as file:
            file.write(json.dumps(otlp(**more)).encode())
            file.flush()
            done = run("import", file.name, "--data", self.data, "--project", project)
            self.assertEqual(done.returncode, 0, done.stderr)

    def wait_for_segments(self, count):
        deadline = time.monotonic() + TIMEOUT
        while self.segments() != count:
            self.assertLess(time.monotonic(), deadline, f"{self.segments()} segments")
            time.sleep(0.05)

    def test_a_deleted_project_takes_its_spans_along(self):
        for name in ("shop", "blog"):
            self.assertEqual(run("project", "create", name, "--data", self.data).returncode, 0)
            self.import_spans(name)
        self.assertEqual(self.segments(), 2)
        self.assertEqual(run("project", "delete", "shop", "--data", self.data).returncode, 0)
        self.assertEqual(self.segments(), 1)
        server = Server(self.data, "--dev")
        self.addCleanup(server.stop)
        server.post(otlp())  # not sealed
        self.assertEqual(self.segments(), 1)
        beside = run("project", "delete", "blog", "--data", self.data)
        self.assertEqual(beside.returncode, 0)
        self.assertIn("its spans", beside.stderr)
        self.wait_for_segments(0)
        trace = ["trace", TRACE, "--server", server.url]
        self.assertEqual(run(*trace).returncode, 0)
        self.assertEqual(run("project", "delete", "default", "--data", self.data).returncode, 0)
        self.assertEqual(run("project", "create", "default", "--data", self.data).returncode, 0)
        deadline = time.monotonic() + TIMEOUT
        while run(*trace).returncode != 1:
            self.assertLess(time.monotonic(), deadline, "the spans of a deleted project are still there")
            time.sleep(0.05)

    def test_what_is_kept_of_a_project_is_set_beside_a_running_server(self):
        for name in ("brief", "long"):
            self.assertEqual(run("project", "create", name, "--data", self.data).returncode, 0)
            self.import_spans(name)
        kept = run("project", "set", "long", "--retention", "none", "--disk", "1GiB", "--data", self.data)
        self.assertEqual((kept.returncode, kept.stdout), (0, "long retention=none disk=1GiB\n"))
        server = Server(self.data)
        self.addCleanup(server.stop)
        self.assertEqual(self.segments(), 2)
        self.assertEqual(run("project", "set", "brief", "--retention", "1d", "--data", self.data).returncode, 0)
        self.wait_for_segments(1)
        listed = json.loads(run("project", "list", "--json", "--data", self.data).stdout)["projects"]
        self.assertEqual([(p["name"], p["retention"], p["disk"]) for p in listed],
                         [("brief", "1d", "default"), ("default", "default", "default"), ("long", "none", "1GiB")])
        for wrong in (["brief"], ["brief", "--disk", "7d"], ["brief", "--retention", "0"], ["nothing", "--disk", "1GiB"]):
            self.assertEqual(run("project", "set", *wrong, "--data", self.data).returncode, 2, wrong)

    def test_spans_older_than_the_retention_go_but_not_those_of_a_project_that_keeps_its_own(self):
        self.assertEqual(run("project", "create", "long", "--data", self.data).returncode, 0)
        self.assertEqual(run("project", "set", "long", "--retention", "none", "--data", self.data).returncode, 0)
        self.import_spans()
        self.import_spans("long")
        Server(self.data).stop()
        self.assertEqual(self.segments(), 2)
        Server(self.data, env={"TRACEKIT_RETENTION": "30000d"}).stop()
        self.assertEqual(self.segments(), 2)
        Server(self.data, "--retention", "1d").stop()
        self.assertEqual([path.parent.name for path in Path(self.data).rglob("*.seg")], ["p2"])
        Server(self.data, "--disk", "4MiB").stop()
        self.assertEqual(self.segments(), 1)
        for wrong in (["--disk", "4MB"], ["--disk", "1"], ["--retention", "15"]):
            self.assertEqual(run("serve", "--data", self.data, *wrong).returncode, 2, wrong)

    def test_old_traces_are_thinned_but_for_those_that_the_rule_keeps(self):
        traces = {trace_id: otlp(trace_id) for trace_id in ("0" * 24 + "00000001", "1" * 24 + "00000002", "f" * 32)}
        failed = "2" * 24 + "00000003"
        traces[failed] = otlp(failed, name="POST /pay")
        with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
            file.writelines(json.dumps(trace) + "\n" for trace in traces.values())
            file.flush()
            done = run("import", file.name, "--data", self.data)
            self.assertEqual(done.returncode, 0, done.stderr)
        for wrong in (["--thin", "0.1"], ["--thin", "2@1d"], ["--keep", "error"],
                      ["--thin", "0.1@1d", "--keep", "error ||"]):
            refused = run("serve", "--data", self.data, *wrong)
            self.assertEqual(refused.returncode, 2, wrong)
            self.assertIn(wrong[-2], refused.stderr)
        server = Server(self.data, "--dev", "--thin", "0.5@1d", "--keep", "error || name=\"POST /pay\"")
        self.addCleanup(server.stop)
        deadline = time.monotonic() + TIMEOUT
        while run("trace", "0" * 24 + "00000001", "--server", server.url).returncode == 0:
            self.assertLess(time.monotonic(), deadline, "nothing was thinned")
            time.sleep(0.05)
        left = [trace for trace in traces if run("trace", trace, "--server", server.url).returncode == 0]
        self.assertEqual(left, ["f" * 32, failed])

    def test_a_project_that_is_there_or_not_there_is_said(self):
        self.assertEqual(run("project", "create", "Bad Name", "--data", self.data).returncode, 2)
        self.assertEqual(run("project", "create", "a", "--data", self.data).returncode, 0)
        self.assertEqual(run("project", "create", "a", "--data", self.data).returncode, 2)
        self.assertEqual(run("project", "delete", "b", "--data", self.data).returncode, 2)
        self.assertEqual(run("key", "create", "--project", "b", "--kind", "read", "--data", self.data).returncode, 2)


class Reading(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.TemporaryDirectory()
        cls.server = Server(cls.dir.name + "/data", "--dev")
        cls.server.post(otlp())
        cls.env = {"TRACEKIT_ENDPOINT": cls.server.url}

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        cls.dir.cleanup()

    def test_a_trace_is_drawn_as_a_waterfall(self):
        done = run("trace", TRACE, env=self.env)
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = done.stdout.splitlines()
        self.assertIn(TRACE, lines[0])
        self.assertRegex(lines[1], r"^Service +Timeline +Duration$")
        self.assertRegex(lines[2], r"^shop +\|=+\| +420ms$")
        self.assertRegex(lines[3], r"^  GET / +\|=+\| +420ms$")
        self.assertRegex(lines[4], r"^    step 1 +\|=+ *\| +418ms$")
        self.assertNotIn("\x1b", done.stdout)

    def test_colour_is_for_terminals_only_and_no_color_is_honoured(self):
        try:
            for end in pty.openpty():
                os.close(end)
        except OSError as error:
            self.skipTest(f"this machine gives no terminal: {error}")

        def on_terminal(env):
            master, slave = pty.openpty()
            done = subprocess.run([BIN, "trace", TRACE], stdout=slave, stderr=subprocess.PIPE, timeout=TIMEOUT,
                                  env={**CLEAN, **self.env, "TERM": "xterm", **env})
            os.close(slave)
            text = os.read(master, 1 << 16).decode()
            os.close(master)
            self.assertEqual(done.returncode, 0)
            return text

        self.assertIn("\x1b[", on_terminal({}))
        self.assertNotIn("\x1b[", on_terminal({"NO_COLOR": "1"}))

    def test_json_is_the_apis_answer(self):
        trace = json.loads(run("trace", TRACE, "--json", env=self.env).stdout)
        self.assertEqual(trace["traceId"], TRACE)
        found = json.loads(run("search", "order.id=42", "--json", env=self.env).stdout)
        self.assertEqual([t["traceId"] for t in found["traces"]], [TRACE])

    def test_the_groups_of_a_pipeline_stand_below_their_trace(self):
        done = run("search", "{} | by(resource.service.name) | count() > 0 | select(name)", env=self.env)
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = done.stdout.splitlines()
        self.assertIn(TRACE, lines[1])
        self.assertRegex(lines[2], r"^  \d+ spans?  resource\.service\.name=shop  count\(\)=\d+$")
        self.assertRegex(lines[3], r"^ +\S+s  shop: .*  name=")

    def test_numbers_over_time_are_a_line_for_each_series(self):
        times = ["--start", "1970-01-01T00:00:01Z", "--end", "2100-01-01T00:00:00Z", "--step", "9000d"]
        done = run("search", "{} | count_over_time() by (resource.service.name)", *times, env=self.env)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"(?m)^count_over_time by resource\.service\.name +OVER TIME +MIN +MEAN +MAX +LAST$")
        self.assertRegex(done.stdout, r"(?m)^shop .* 2 +\S+$")
        filtered = run("search", "service:shop", "--by", "name", *times, env=self.env).stdout
        for series in ("rate", "errors", "p50", "p95", "p99", "histogram"):
            self.assertRegex(filtered, rf"(?m)^{series}  ")
        found = json.loads(run("search", "{} | rate()", "--json", *times, env=self.env).stdout)
        self.assertEqual(found["series"][0]["name"], "rate")

    def test_numbers_that_are_not_there_or_not_right_are_exit_status_1_and_2(self):
        self.assertEqual(run("search", "{ false } | rate()", env=self.env).returncode, 1)
        self.assertEqual(run("search", "{} | rate() by (1)", env=self.env).returncode, 2)

    def test_an_unknown_trace_and_an_empty_search_are_exit_status_1(self):
        self.assertEqual(run("trace", "0" * 31 + "1", env=self.env).returncode, 1)
        self.assertEqual(run("search", "order.id=43", env=self.env).returncode, 1)
        done = run("search", "order.id=43", "--json", env=self.env)
        self.assertEqual((done.returncode, json.loads(done.stdout)["traces"]), (1, []))

    def test_a_bad_query_is_exit_status_2_and_shows_the_place(self):
        done = run("search", "{ span.order.id = }", env=self.env)
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr, r"character \d+")

    def test_services_and_tags_are_listed(self):
        self.assertRegex(run("services", env=self.env).stdout, r"2 +0 .*shop")
        self.assertIn("order.id", run("tags", env=self.env).stdout)

    def test_what_is_exported_imports_elsewhere_as_the_same(self):
        exported = run("export", env=self.env)
        self.assertEqual(exported.returncode, 0, exported.stderr)
        lines = exported.stdout.splitlines()
        self.assertTrue(lines)
        with tempfile.TemporaryDirectory() as other:
            file = Path(other) / "spans.jsonl.gz"
            file.write_bytes(gzip.compress(exported.stdout.encode()))
            data = other + "/data"
            for _ in range(2):  # the second time doubles nothing
                done = run("import", str(file), "--data", data)
                self.assertEqual(done.returncode, 0, done.stderr)
            again = run("export", "--data", data)
            self.assertEqual(again.returncode, 0, again.stderr)
            self.assertEqual([json.loads(line) for line in again.stdout.splitlines()],
                             [json.loads(line) for line in lines])
            checked = run("check", data)
            self.assertEqual(checked.returncode, 0, checked.stdout)
            self.assertIn("all is well", checked.stdout)

    def test_a_file_that_is_no_otlp_is_refused_with_its_name(self):
        with tempfile.NamedTemporaryFile(suffix=".json") as file:
            file.write(b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"name": 5}]}]}]}')
            file.flush()
            done = run("import", file.name, env=self.env)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(file.name, done.stderr)


class Bench(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.TemporaryDirectory()
        cls.server = Server(cls.dir.name + "/data", "--dev")

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        cls.dir.cleanup()

    def bench(self, *args):
        done = run("bench", "--server", self.server.url, "--services", "4", "--instances", "2", *args)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_every_span_sent_is_acknowledged_and_its_trace_is_there_whole(self):
        with tempfile.NamedTemporaryFile("r", suffix=".txt") as file:
            for way in ([], ["--protocol", "grpc"], ["--format", "json"], ["--encoding", "gzip"],
                        ["--protocol", "grpc", "--encoding", "gzip"], ["--encoding", "zstd"]):
                told = json.loads(self.bench("--spans", "2000", "--traces", file.name, "--json", *way))
                self.assertEqual((told["failed"], told["refused"]), (0, 0), way)
                file.seek(0)
                listed = [line.split() for line in file]
                self.assertEqual(sum(int(count) for _, count in listed), told["spans"], way)
                for trace, count in listed[:5]:
                    got = json.loads(run("trace", trace, "--json", "--server", self.server.url).stdout)
                    self.assertEqual(got["spanCount"], int(count), way)

    def test_figures_are_words_or_json(self):
        text = self.bench("--seconds", "1", "--rate", "2000", "--probes", "2", "--connections", "2")
        self.assertRegex(text, r"spans acknowledged in [\d.]+ s: \d+ spans/s")
        self.assertRegex(text, r"acknowledged after: p50 [\d.]+ ms, p99")
        self.assertRegex(text, r"found after the acknowledgement: p50 [\d.]+ ms, p99 [\d.]+ ms, .*\(2 probes\)")
        told = json.loads(self.bench("--spans", "1000", "--probes", "1", "--json"))
        self.assertTrue({"spans", "seconds", "spansPerSecond", "ackP50Ms", "ackP99Ms", "foundP50Ms",
                         "foundP99Ms"} <= told.keys())

    def test_needles_are_found_as_often_as_they_were_hidden(self):
        self.bench("--spans", "20000", "--needles", "5")
        found = json.loads(run("search", '{ span.enduser.id = "user-00000042" }', "--json", "--server",
                               self.server.url).stdout)["traces"]
        self.assertEqual(len(found), 5)

    def test_the_same_run_sends_the_same_spans_and_another_does_not(self):
        def traces(number):
            with tempfile.NamedTemporaryFile("r", suffix=".txt") as file:
                self.bench("--spans", "1000", "--run", number, "--traces", file.name)
                return {line.split()[0] for line in file}

        first = traces("5")
        self.assertEqual(traces("5"), first)
        self.assertEqual(traces("6") & first, set())

    def test_what_cannot_be_measured_is_said(self):
        for args, words in [(["--connections", "0"], "1 to 256"), (["--encoding", "gzip"], "say --spans"),
                            (["--protocol", "grpc", "--format", "json"], "protobuf only"),
                            (["--needles", "3"], "say --spans"), (["--batch", "0"], "--batch"),
                            (["--server", "ftp://x"], "not http://HOST:PORT")]:
            done = run("bench", *args)
            self.assertEqual((done.returncode, done.stdout), (2, ""), args)
            self.assertIn(words, done.stderr, args)
        self.assertEqual(run("bench", "--server", "http://127.0.0.1:1", "--spans", "1000").returncode, 3)

    def test_requests_that_are_not_acknowledged_are_a_finding_or_a_refused_key(self):
        with tempfile.TemporaryDirectory() as folder:
            server = Server(folder + "/data")
            try:
                done = run("bench", "--server", server.url, "--spans", "1000")
                self.assertEqual(done.returncode, 4)
                self.assertIn("401", done.stderr)
            finally:
                server.stop()


class Check(unittest.TestCase):
    def test_a_damaged_segment_is_reported_and_exit_status_1(self):
        with tempfile.TemporaryDirectory() as folder:
            server = Server(folder + "/data", "--dev")
            server.post(otlp(count=200))
            self.assertEqual(server.stop()[0], 0)
            self.assertEqual(run("check", folder + "/data").returncode, 0)
            segment = max(Path(folder, "data").rglob("*.seg"), key=lambda path: path.stat().st_size)
            bytes_ = bytearray(segment.read_bytes())
            bytes_[len(bytes_) // 3] ^= 0x55
            segment.write_bytes(bytes_)
            done = run("check", folder + "/data")
            self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
            self.assertIn(segment.name, done.stdout)

    def test_json_tells_where_every_byte_of_the_segments_goes(self):
        with tempfile.TemporaryDirectory() as folder:
            server = Server(folder + "/data", "--dev")
            self.assertEqual(run("bench", "--server", server.url, "--spans", "5000").returncode, 0)
            self.assertEqual(server.stop()[0], 0)
            done = run("check", folder + "/data", "--json")
            self.assertEqual(done.returncode, 0, done.stderr)
            told = json.loads(done.stdout)
            self.assertEqual((told["damagedBlocks"], told["damagedFiles"], told["damage"]), (0, 0, []))
            self.assertGreater(told["spans"], 4000)
            sections = told["sections"]
            self.assertNotIn("lost", sections)
            self.assertTrue({"span id", "trace id", "span.url.path", "index of span.url.path", "resources"} <= set(sections))
            self.assertEqual(sum(sections.values()),
                             sum(path.stat().st_size for path in Path(folder, "data").rglob("*.seg")))

    def test_json_tells_of_damage_too(self):
        with tempfile.TemporaryDirectory() as folder:
            server = Server(folder + "/data", "--dev")
            server.post(otlp(count=200))
            self.assertEqual(server.stop()[0], 0)
            segment = next(Path(folder, "data").rglob("*.seg"))
            segment.write_bytes(segment.read_bytes()[:-1])
            done = run("check", folder + "/data", "--json")
            self.assertEqual(done.returncode, 1, done.stderr)
            told = json.loads(done.stdout)
            self.assertEqual(told["damagedFiles"], 1)
            self.assertIn(segment.name, told["damage"][0])

    def test_a_directory_that_is_not_there_is_a_usage_error(self):
        self.assertEqual(run("check", "/nowhere/at/all").returncode, 2)


if __name__ == "__main__":
    unittest.main()
