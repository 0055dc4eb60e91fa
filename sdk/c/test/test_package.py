"""The library as its users get it: installed, found by pkg-config and by CMake, as one file; its examples and the guide's
blocks as they stand, against the real server."""

import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

SDK = Path(__file__).resolve().parents[1]
ROOT = SDK.parents[1]
sys.path.insert(0, str(ROOT / "test" / "api"))
from harness import TIMEOUT_S, Server, environment  # noqa: E402

KEY = "tk_test_0123456789abcdef0123456789abcdef"
OUTSIDE = """cmake_minimum_required(VERSION 3.21)
project(outside LANGUAGES C CXX)
find_package(tracekit 0.1 REQUIRED)
add_executable(outside main.cpp)
target_link_libraries(outside PRIVATE tracekit::tracekit)
"""
CPP = """#include <tracekit.hpp>
#include <cstdio>
#include <stdexcept>
static_assert(!std::is_copy_constructible<tracekit::span>::value, "a span has one owner");
int main()
{
    tracekit_options options = {};
    options.service_name = "cpp";
    if (tracekit_init(&options) != TRACEKIT_OK)
        return 1;
    {
        tracekit::span outer("outer");
        outer.set("text", std::string("a")).set("int", 7).set("size", sizeof outer).set("double", 0.5f).set("bool", true);
        tracekit::span inner("inner");
        try {
            throw std::runtime_error("boom");
        } catch (const std::exception &error) {
            inner.error(error).event("caught");
        }
        tracekit::span moved(std::move(inner));
        char id[33];
        tracekit_trace_id(moved.get(), id);
        std::puts(id);
    }
    return tracekit_current() != nullptr;
}
"""


def blocks(language):
    """The guide's code blocks in a language."""
    return re.findall(rf"^```{language}(?: [^\n]*)?\n(.*?)^```$", (ROOT / "docs" / "sdk" / "c.md").read_text(), re.M | re.S)


class Package(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="tracekit-c-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.prefix = cls.folder / "prefix"
        cls.server = Server(env={"TRACEKIT_API_KEY": KEY})
        cls.addClassCleanup(cls.server.stop)
        cls.env = environment(TRACEKIT_API_KEY=KEY, TRACEKIT_ENDPOINT=cls.server.url, PREFIX=str(cls.prefix),
                              PKG_CONFIG_PATH=str(cls.prefix / "lib" / "pkgconfig"), CMAKE_GENERATOR="Ninja")
        cls.env.pop("CFLAGS", None)
        install, = [block for block in blocks("sh") if "--install" in block]  # the guide's own commands
        cls.run_command(["bash", "-euc", install.replace("/tmp/libtracekit", str(cls.folder / "build"))], cwd=ROOT)

    @classmethod
    def run_command(cls, command, cwd=None, **more):
        done = subprocess.run(command, cwd=cwd or cls.folder, env={**cls.env, **more}, capture_output=True, text=True,
                              timeout=TIMEOUT_S)
        if done.returncode != 0:
            raise AssertionError(f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def pkg_config(self, *options):
        return self.run_command(["pkg-config", *options, "tracekit"]).split()

    def compile(self, source, *libraries, name=None):
        program = self.folder / (name or Path(source).stem)
        self.run_command(["cc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-o", str(program), str(source),
                          *self.pkg_config("--cflags", "--libs"), *libraries])
        return str(program)

    def trace(self, trace_id, spans):
        """The trace, once it has so many spans."""
        give_up = time.monotonic() + TIMEOUT_S
        while time.monotonic() < give_up:
            answer = self.server.get(f"/api/v1/traces/{trace_id}")
            if answer.status == 200 and answer.json["spanCount"] == spans:
                return answer.json
            time.sleep(0.02)
        self.fail(f"no trace {trace_id} of {spans} spans: {answer}")

    def test_the_examples_are_one_trace_through_curl_and_microhttpd(self):
        client = self.compile(SDK / "examples" / "client.c", "-lcurl")
        server = self.compile(SDK / "examples" / "server.c", "-lmicrohttpd")
        service = subprocess.Popen([server, "0"], env=self.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            url = service.stdout.readline().strip()
            out = self.run_command([client, f"{url}/users/42?sig=secret"])
        finally:
            service.communicate(timeout=TIMEOUT_S)  # the end of its input ends it, and it sends what it has
        self.assertIn('{"id": "42", "tenant": "acme"}', out)
        self.assertEqual(service.returncode, 0)
        trace = self.trace(re.search(r"trace ([0-9a-f]{32})", out).group(1), spans=4)
        found = [(span["serviceName"], span["kind"], span["name"], span["depth"]) for span in trace["spans"]]
        self.assertEqual(found, [("c-client", "INTERNAL", "load user", 0), ("c-client", "CLIENT", "GET", 1),
                                 ("c-server", "SERVER", "GET /users/{id}", 2), ("c-server", "INTERNAL", "query users", 3)])
        self.assertTrue(trace["spans"][1]["attributes"]["url.full"].endswith("/users/42?sig=REDACTED"))
        self.assertEqual(trace["spans"][2]["attributes"]["http.response.status_code"], 200)

    def test_an_outside_project_finds_the_cmake_package_and_has_spans_that_end_with_their_scope(self):
        outside = self.folder / "outside"
        outside.mkdir()
        (outside / "CMakeLists.txt").write_text(OUTSIDE)
        (outside / "main.cpp").write_text(CPP)
        self.run_command(["cmake", "-S", ".", "-B", "build", f"-DCMAKE_PREFIX_PATH={self.prefix}"], cwd=outside)
        self.run_command(["cmake", "--build", "build"], cwd=outside)
        out = self.run_command([str(outside / "build" / "outside")])
        trace = self.trace(out.strip(), spans=2)
        outer, inner = trace["spans"]
        self.assertEqual({key: outer["attributes"][key] for key in ("text", "int", "double", "bool")},
                         {"text": "a", "int": 7, "double": 0.5, "bool": True})
        self.assertEqual((inner["parentSpanId"], inner["status"]["code"]), (outer["spanId"], "ERROR"))
        self.assertEqual([event["name"] for event in inner["events"]], ["exception", "caught"])

    def test_the_guides_programs_run_as_they_stand(self):
        programs = [block for block in blocks("c") if "main(" in block]
        self.assertGreaterEqual(len(programs), 1)
        for number, text in enumerate(programs):
            source = self.folder / f"guide{number}.c"
            source.write_text(text)
            self.run_command([self.compile(source)])
        give_up = time.monotonic() + TIMEOUT_S
        while not self.server.get("/api/v1/traces?q=service:users").json["traces"]:
            self.assertLess(time.monotonic(), give_up)
            time.sleep(0.02)

    def test_the_guides_other_blocks_compile_as_they_stand(self):
        parts = [block for block in blocks("c") if "main(" not in block]
        self.assertGreaterEqual(len(parts), 4)
        within = "\n".join(f"    {{\n{part}\n    }}" for part in parts if not part.startswith("static"))
        outside = "\n".join(part for part in parts if part.startswith("static"))
        source = self.folder / "parts.c"
        source.write_text("#include <signal.h>\n#include <tracekit.h>\n" + outside +
                          "int main(int failed, char **v) { const char *name = v[0], *value = name, *path = name, *url = name;"
                          "int status = 0; signal(SIGTERM, terminate);\n" + within + "(void)name, (void)value; return 0; }\n")
        self.compile(source)
        source = self.folder / "parts.cpp"
        source.write_text("#include <tracekit.hpp>\nint main() {\n" + "".join(blocks("cpp")) + "}\n")
        self.run_command(["c++", "-std=c++11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", *self.pkg_config("--cflags"),
                          str(source)])

    def test_the_one_file_sends_by_a_plain_socket_and_needs_no_other_library(self):
        single = self.folder / "single"
        self.run_command([sys.executable, str(SDK / "amalgamate.py"), str(single)])
        program, = [block for block in blocks("c") if "load user" in block][:1]
        (single / "main.c").write_text(program.replace('"users"', '"single"'))
        self.run_command(["cc", "-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-I.", "-o", "main", "main.c", "tracekit.c",
                          "-pthread", "-lm"], cwd=single)
        needed = self.run_command(["readelf", "-d", "main"], cwd=single)
        self.assertNotIn("libcurl", needed)
        self.assertNotIn("libz", needed)
        self.run_command([str(single / "main")])
        self.assertEqual(len(self.found("service:single")), 1)

    def found(self, query):
        give_up = time.monotonic() + TIMEOUT_S
        while time.monotonic() < give_up:
            traces = self.server.get(f"/api/v1/traces?q={query}").json["traces"]
            if traces:
                return traces
            time.sleep(0.02)
        return []

    def test_a_wrong_key_and_no_server_are_one_line_each_and_the_program_goes_on(self):
        program = self.compile(SDK / "examples" / "client.c", "-lcurl", name="client-alone")
        for more, said in (({"TRACEKIT_API_KEY": "wrong"}, "refuses the API key"),
                           ({"TRACEKIT_ENDPOINT": "http://127.0.0.1:9"}, "is the server running?"),
                           ({"TRACEKIT_API_KEY": ""}, "TRACEKIT_API_KEY is not set")):
            done = subprocess.run([program, self.server.url + "/healthz"], env={**self.env, **more}, capture_output=True,
                                  text=True, timeout=TIMEOUT_S)
            self.assertEqual(done.returncode, 0, done)
            self.assertEqual(len([line for line in done.stderr.splitlines() if said in line]), 1, done.stderr)


if __name__ == "__main__":
    unittest.main()
