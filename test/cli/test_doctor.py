"""`tracekit doctor` as a person or a script meets it: JSON, advice, exit status, --fix, what it never touches.

The rules one by one: test/doctor/ and test/unit/doctor/.
"""

import json
import os
import pty
import subprocess
import tempfile
import unittest
from pathlib import Path

from test_cli import CLEAN, TIMEOUT, BIN, run

LITERAL = "ctk_0123456789abcdef"
SERVER = """const express = require('express');
const { TraceKit } = require('@tracekit/node');
TraceKit.init({ apiKey: '%s', serviceName: 'api' });
const app = express();
app.use(TraceKit.Handlers.requestHandler());
app.get('/users', (req, res) => res.json([]));
app.listen(3001);
""" % LITERAL
PACKAGE = '{"name":"api","dependencies":{"express":"4.19.2","@tracekit/node":"0.1.0"}}'
PAGE = {"web/package.json": '{"dependencies":{"react":"19.0.0","@tracekit/react":"0.1.0"}}',
        "web/main.jsx": "import { TraceKit } from '@tracekit/react';\nTraceKit.init({ apiKey: process.env.TRACEKIT_API_KEY, "
                        "serviceName: 'web', tracePropagationTargets: ['localhost:3001'] });\n"}


class Project:
    """Files in a folder of their own."""

    def __init__(self, files):
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name)
        for name, text in files.items():
            (self.path / name).parent.mkdir(parents=True, exist_ok=True)
            (self.path / name).write_text(text)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.folder.cleanup()

    def doctor(self, *args, stdin=None):
        return run("doctor", str(self.path), *args, stdin=stdin)

    def json(self):
        done = self.doctor("--json")
        self.status = done.returncode
        return json.loads(done.stdout)


def found(files):
    with Project(files) as project:
        return project.json()


class Detection(unittest.TestCase):
    def test_every_manifest_and_name_of_the_document_and_of_today_is_known(self):
        npm, composer = '{"dependencies":{"%s":"1.0.0"}}', '{"require":{"%s":"^1.0"}}'
        pom = "<project><dependencies><dependency><groupId>dev.tracekit</groupId><artifactId>%s</artifactId></dependency></dependencies></project>"
        csproj = '<Project><ItemGroup><PackageReference Include="%s" Version="1.0.0" /></ItemGroup></Project>'
        rows = [("package.json", npm, f"@tracekit/{name}", "frontend", "javascript")
                for name in ("browser", "react", "vue", "angular", "nextjs", "nuxt")]
        rows += [("package.json", npm, name, "backend", "javascript") for name in ("@tracekit/node", "@tracekit/node-apm")]
        rows += [
            ("go.mod", "module x\n\nrequire %s v0.1.0\n", "github.com/Tracekit-Dev/go-sdk", "backend", "go"),
            ("requirements.txt", "flask\n%s[all]>=1 ; python_version > '3'\n", "tracekit-apm", "backend", "python"),
            ("requirements-prod.txt", "%s\n", "tracekit-apm", "backend", "python"),
            ("pyproject.toml", '[project]\ndependencies = ["%s>=1"]\n', "tracekit-apm", "backend", "python"),
            ("pyproject.toml", '[tool.poetry.dependencies]\n%s = "^1"\n', "tracekit-apm", "backend", "python"),
            ("Pipfile", '[packages]\n%s = "*"\n', "tracekit-apm", "backend", "python"),
            ("setup.py", "setup(install_requires=['%s>=1'])\n", "tracekit-apm", "backend", "python"),
            ("composer.json", composer, "tracekit/php-apm", "backend", "php"),
            ("composer.json", composer, "tracekit/laravel-apm", "backend", "php"),
            ("pom.xml", pom, "tracekit-java", "backend", "java"),
            ("pom.xml", pom, "tracekit-core", "backend", "java"),
            ("build.gradle", "dependencies { implementation 'dev.tracekit:%s:1.0.0' }\n", "tracekit-java", "backend", "java"),
            ("build.gradle.kts", 'dependencies { implementation("dev.tracekit:%s:1.0.0") }\n', "tracekit-spring-boot-starter", "backend", "java"),
            ("Billing.csproj", csproj, "TraceKit.AspNetCore", "backend", "csharp"),
            ("packages.config", '<packages><package id="%s" version="1.0.0" /></packages>', "TraceKit.AspNetCore", "backend", "csharp"),
            ("Gemfile", "gem '%s', '~> 1.0'\n", "tracekit", "backend", "ruby"),
            ("shop.gemspec", "Gem::Specification.new do |s|\n  s.add_dependency '%s', '~> 1'\nend\n", "tracekit", "backend", "ruby"),
        ]
        files = {f"s{i:02}/{manifest}": text % name for i, (manifest, text, name, _, _) in enumerate(rows)}
        services = {service["dir"]: service for service in found(files)["services"]}
        self.assertEqual(len(services), len(rows))
        for i, (manifest, _, name, kind, language) in enumerate(rows):
            service = services[f"s{i:02}"]
            self.assertEqual((service["sdk"], service["kind"], service["language"], service["manifest"]),
                             (name, kind, language, f"s{i:02}/{manifest}"))
            self.assertIsNone(service["serviceName"])

    def test_names_that_only_look_alike_are_not_taken(self):
        self.assertEqual(found({
            "a/package.json": '{"dependencies":{"@tracekit/browser-extras":"1"},"peerDependencies":{"@tracekit/react":"1"}}',
            "b/requirements.txt": "tracekit-apm-tools\n# tracekit-apm\n",
            "c/go.mod": "module github.com/Tracekit-Dev/go-sdk\n\nrequire github.com/Tracekit-Dev/go-sdk v1 // indirect\n",
            "d/pom.xml": "<project><artifactId>tracekit-java</artifactId></project>",
            "e/Gemfile": "# gem 'tracekit'\ngem 'tracekit-rails-x'\n",
        })["services"], [])

    def test_the_advice_is_what_the_document_says_and_names_the_sdk_that_fits(self):
        empty = found({"api/package.json": '{"dependencies":{"fastify":"5"}}', "web/package.json": '{"dependencies":{"vue":"3"}}'})
        self.assertEqual(empty["advice"], "install-sdk")
        self.assertEqual([(s["dir"], s["sdk"]) for s in empty["suggestions"]], [("api", "@tracekit/node"), ("web", "@tracekit/vue")])
        page = found({**PAGE, "users/go.mod": "module users\n", "orders/pyproject.toml": '[project]\ndependencies = ["django"]\n'})
        self.assertEqual(page["advice"], "install-backend")
        self.assertEqual([(s["dir"], s["sdk"], s["because"]) for s in page["suggestions"]],
                         [("orders", "tracekit-apm", "django"), ("users", "github.com/Tracekit-Dev/go-sdk", "go.mod")])
        backend = found({"api/package.json": PACKAGE, "site/package.json": '{"dependencies":{"@angular/core":"19"}}'})
        self.assertEqual(backend["advice"], "install-frontend")
        self.assertEqual([s["sdk"] for s in backend["suggestions"]], ["@tracekit/angular"])
        both = found({**PAGE, "api/package.json": PACKAGE})
        self.assertEqual((both["advice"], both["suggestions"]), ("proceed", []))

    def test_one_package_with_both_sdks_is_two_services_told_apart_by_their_files(self):
        report = found({
            "package.json": '{"dependencies":{"@tracekit/node":"0.1.0","@tracekit/react":"0.1.0"}}',
            "server.js": SERVER.replace(f"'{LITERAL}'", "process.env.TRACEKIT_API_KEY"), "src/main.jsx": PAGE["web/main.jsx"]})
        self.assertEqual([(s["dir"], s["sdk"], s["serviceName"]) for s in report["services"]],
                         [(".", "@tracekit/node", "api"), (".", "@tracekit/react", "web")])
        self.assertEqual(report["findings"], [])


class Report(unittest.TestCase):
    def test_the_json_is_the_contracts(self):
        with Project({"api/package.json": PACKAGE, "api/server.js": SERVER}) as project:
            self.assertEqual(project.json(), {
                "services": [{"dir": "api", "sdk": "@tracekit/node", "version": "0.1.0", "kind": "backend",
                              "language": "javascript", "serviceName": "api", "port": 3001,
                              "manifest": "api/package.json", "line": 1}],
                "findings": [{"rule": "api-key-literal", "severity": "error", "confidence": "certain",
                              "file": "api/server.js", "line": 3,
                              "message": "the API key is written into the code: whoever reads it can use it",
                              "fix": "read it from the environment: process.env.TRACEKIT_API_KEY; and revoke the one "
                                     "that was written here", "fixable": True}],
                "advice": "install-frontend", "suggestions": []})
            self.assertEqual(project.status, 1)

    def test_the_key_itself_is_not_repeated(self):
        with Project({"api/package.json": PACKAGE, "api/server.js": SERVER}) as project:
            for args in [], ["--json"]:
                self.assertNotIn(LITERAL, project.doctor(*args).stdout)

    def test_exit_status_is_1_for_an_error_0_for_less_and_2_for_no_folder(self):
        with Project({"api/package.json": PACKAGE}) as project:
            self.assertEqual(project.doctor().returncode, 0)  # nothing starts the SDK: a warning
            self.assertEqual(len(project.json()["findings"]), 1)
        absent = run("doctor", "/nowhere/at/all")
        self.assertEqual((absent.returncode, absent.stdout), (2, ""))
        self.assertIn("No such file", absent.stderr)

    def test_the_text_names_place_rule_and_cure_without_colours_into_a_pipe(self):
        with Project({"api/package.json": PACKAGE, "api/server.js": SERVER}) as project:
            out = project.doctor().stdout
        self.assertIn("error  api/server.js:3  api-key-literal\n", out)
        self.assertIn("fix: read it from the environment", out)
        self.assertIn("1 error, 0 warnings, 0 hints", out)
        self.assertNotIn("\033", out)
        self.assertLessEqual(max(map(len, out.splitlines())), 110)

    def test_names_from_files_cannot_drive_the_terminal(self):
        with Project({"api/package.json": PACKAGE, "api/server.js": SERVER.replace("'api'", "'a\x1b[31mb'")}) as project:
            self.assertNotIn("\x1b", project.doctor().stdout)


    def test_services_without_a_name_are_said_to_have_none(self):
        with Project({"api/package.json": PACKAGE}) as project:
            self.assertIn("  backend   (no name)  api     @tracekit/node\n", project.doctor().stdout)


class Fix(unittest.TestCase):
    FILES = {"api/package.json": PACKAGE, "api/server.js": SERVER}

    def test_shows_the_diff_and_writes_with_yes(self):
        with Project(self.FILES) as project:
            server = project.path / "api/server.js"
            server.chmod(0o640)
            done = project.doctor("--fix", "--yes")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("--- a/api/server.js\n+++ b/api/server.js\n@@ -1,5 +1,5 @@\n", done.stdout)
            self.assertIn("\n+TraceKit.init({ apiKey: process.env.TRACEKIT_API_KEY, serviceName: 'api' });\n", done.stdout)
            self.assertEqual(server.read_text(), SERVER.replace(f"'{LITERAL}'", "process.env.TRACEKIT_API_KEY"))
            self.assertEqual(server.stat().st_mode & 0o777, 0o640)
            self.assertEqual(sorted(path.name for path in server.parent.iterdir()), ["package.json", "server.js"])

    def test_where_json_is_asked_for_the_diff_does_not_stand_in_front_of_it(self):
        with Project(self.FILES) as project:
            done = project.doctor("--fix", "--yes", "--json")
            self.assertEqual(json.loads(done.stdout)["findings"], [])
            self.assertIn("--- a/api/server.js\n", done.stderr)

    def test_the_diff_is_one_that_git_applies(self):
        with Project(self.FILES) as project:
            shown = project.doctor("--fix", stdin="").stdout
            subprocess.run(["git", "apply", "--unsafe-paths", f"--directory={project.path}", "-"], input=shown, text=True,
                           cwd="/", check=True, timeout=TIMEOUT)
            self.assertNotIn(LITERAL, (project.path / "api/server.js").read_text())

    def test_writes_nothing_when_there_is_nobody_to_ask(self):
        with Project(self.FILES) as project:
            done = project.doctor("--fix", stdin="y\n")
            self.assertEqual(done.returncode, 2)
            self.assertIn("--yes", done.stderr)
            self.assertEqual((project.path / "api/server.js").read_text(), SERVER)

    def test_asks_on_a_terminal(self):
        for answer, written in [("n\n", False), ("y\n", True)]:
            with Project(self.FILES) as project:
                ours, theirs = pty.openpty()
                child = subprocess.Popen([BIN, "doctor", str(project.path), "--fix"], stdin=theirs, stdout=subprocess.PIPE,
                                         stderr=subprocess.PIPE, text=True, env=CLEAN)
                os.write(ours, answer.encode())
                _, err = child.communicate(timeout=TIMEOUT)
                os.close(ours)
                os.close(theirs)
                self.assertIn("[y/N]", err)
                self.assertEqual((project.path / "api/server.js").read_text() != SERVER, written)

    def test_a_file_that_changes_while_it_asks_is_left_alone(self):
        with Project(self.FILES) as project:
            server, changed = project.path / "api/server.js", SERVER.replace("TraceKit.init", "// later\nTraceKit.init")
            ours, theirs = pty.openpty()
            child = subprocess.Popen([BIN, "doctor", str(project.path), "--fix"], stdin=theirs, stdout=subprocess.PIPE,
                                     stderr=subprocess.PIPE, env=CLEAN)
            asked = b""
            while b"[y/N]" not in asked:
                asked += os.read(child.stderr.fileno(), 4096) or self.fail(asked)
            server.write_text(changed)
            os.write(ours, b"y\n")
            _, err = child.communicate(timeout=TIMEOUT)
            os.close(ours)
            os.close(theirs)
            self.assertNotEqual(changed, SERVER)
            self.assertNotEqual(child.returncode, 0)
            self.assertIn(b"api/server.js has changed meanwhile", err)
            self.assertEqual(server.read_text(), changed)


class Harmless(unittest.TestCase):
    def test_symbolic_links_are_not_followed_and_devices_not_read(self):
        with Project({"secret/package.json": PACKAGE, "secret/server.js": SERVER}) as other, Project({"a.txt": ""}) as project:
            (project.path / "linked").symlink_to(other.path / "secret")
            (project.path / "api").mkdir()
            (project.path / "api/package.json").symlink_to(other.path / "secret/package.json")
            os.mkfifo(project.path / "go.mod")
            self.assertEqual(project.json()["services"], [])

    def test_hostile_files_are_neither_crashes_nor_hangs(self):
        deep = "[" * 5000
        with Project({
            "a/package.json": '{"dependencies":' + '{"x":' * 1000, "b/package.json": "\0\xff{",
            "c/pom.xml": "<a>" * 3000, "d/pyproject.toml": f"x = {deep}", "e/Gemfile": "gem '" + "(" * 5000,
            "f/docker-compose.yml": "services:\n" + "".join(" " * i + f"k{i}:\n" for i in range(1, 300)),
            "g/pom.xml": '<!DOCTYPE a [<!ENTITY x "y"><!ENTITY z "&x;&x;&x;">]><a>&z;</a>',
            "api/package.json": PACKAGE, "api/server.js": "TraceKit.init(" + "{a:" * 4000,
            "api/more.js": "tracekit(" * 3000, "api/const.js": "const a = b; const b = a; fetch(`${a}/x`); // tracekit",
        }) as project:
            done = project.doctor("--json")
            self.assertIn(done.returncode, (0, 1), done.stderr)
            broken = {f["file"] for f in json.loads(done.stdout)["findings"] if f["rule"] == "manifest-broken"}
            self.assertLessEqual({"a/package.json", "b/package.json", "c/pom.xml", "d/pyproject.toml"}, broken)

    def test_a_file_that_is_too_large_is_left_out_at_its_limit(self):
        limit = 1 << 20
        padding = limit - len(SERVER) - 2
        for extra, findings in [(0, 1), (1, 0)]:
            with Project({"api/package.json": PACKAGE, "api/server.js": SERVER + "//" + "x" * (padding + extra)}) as project:
                rules = [f["rule"] for f in project.json()["findings"]]
                self.assertEqual(rules.count("api-key-literal"), findings)

    def test_folders_in_folders_are_walked_down_to_the_limit(self):
        for depth, services in [(64, 1), (65, 0)]:
            with Project({"/".join(["d"] * depth) + "/package.json": PACKAGE}) as project:
                self.assertEqual(len(project.json()["services"]), services)


if __name__ == "__main__":
    unittest.main()
