"""Runs a checkout of github.com/w3c/trace-context against every framework we have an SDK for: ./dev w3c DIR [NAME...].

Each service takes `POST /test` with [{"url", "arguments"}, ...] and posts each one's arguments to its url through the
SDK's traced client; it prints `ready URL`. All are run at SPEC_LEVEL=2 STRICT_LEVEL=2, where there are 41 tests; the
status is 0 when each passes all of them. Nothing of the harness is in this tree: sdk/spec/w3c.json has its cases, by
name, for CI.
"""

import argparse
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TESTS = 41
SECONDS_MAX = 120

C = "cmake --preset release -Wno-dev >/dev/null && cmake --build build/release --target sdk_c_w3c_service >/dev/null"
GO = ["go", "-C", "sdk/go/integration", "run", "./w3c"]
PYTHON = ["env", "PYTHONPATH=sdk/python/src", sys.executable, "sdk/python/tests/apps.py"]

# A framework hooks in with one line: its name, and how its service is started from the root of the tree.
SERVICES = {
    "Express 4": ["node", "test/w3c/service.mjs", "express"],
    "Express 5": ["node", "test/w3c/service.mjs", "express5"],
    "Fastify": ["node", "test/w3c/service.mjs", "fastify"],
    "node:http": ["node", "test/w3c/service.mjs", "http"],
    "net/http": [*GO, "http"],
    "Gin": [*GO, "gin"],
    "Echo": [*GO, "echo"],
    "Flask": [*PYTHON, "flask"],
    "Django": [*PYTHON, "django"],
    "Django, ASGI": [*PYTHON, "django-asgi"],
    "FastAPI": [*PYTHON, "fastapi"],
    "Starlette": [*PYTHON, "starlette"],
    "C": ["sh", "-c", f"{C} && exec build/release/sdk/c/test/sdk_c_w3c_service"],
}


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return str(one.getsockname()[1])


def start(command):
    """The process, in a group of its own, and its URL."""
    environment = {**os.environ, "TRACEKIT_API_KEY": "w3c", "TRACEKIT_ENDPOINT": "http://127.0.0.1:9",
                   "TRACEKIT_SERVICE_NAME": "w3c"}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                               stdin=subprocess.DEVNULL, text=True, start_new_session=True)
    for line in process.stdout:
        found = re.fullmatch(r"ready (http://\S+)", line.strip())
        if found:
            return process, found.group(1)
    return process, None


def stop(process):
    try:
        os.killpg(process.pid, 15)
        process.wait(10)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        process.wait()
    except ProcessLookupError:
        process.wait()


def run(harness, command):
    """How many tests passed, and the names of those that did not."""
    process, url = start(command)
    try:
        if not url:
            return 0, [f"`{' '.join(command)}` is not ready"]
        done = subprocess.run([sys.executable, "test.py", f"{url}/test"], cwd=harness, timeout=SECONDS_MAX,
                              capture_output=True, text=True, stdin=subprocess.DEVNULL,
                              env={**os.environ, "SPEC_LEVEL": "2", "STRICT_LEVEL": "2", "HARNESS_PORT": free_port()})
    except subprocess.TimeoutExpired:
        return 0, [f"no end after {SECONDS_MAX} s"]
    finally:
        stop(process)
    total = re.search(r"^Ran (\d+) tests?", done.stderr, re.M)
    wrong = sorted(set(re.findall(r"^(?:FAIL|ERROR): (\S+)", done.stderr, re.M)))
    if not total:
        return 0, done.stderr.strip().splitlines()[-1:] or ["the harness said nothing"]
    skipped = re.search(r"skipped=(\d+)", done.stderr)
    return int(total.group(1)) - len(wrong) - int(skipped.group(1) if skipped else 0), wrong


def main():
    parser = argparse.ArgumentParser(prog="./dev w3c", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path, metavar="DIR", help="a checkout of github.com/w3c/trace-context")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"only these of {', '.join(SERVICES)}")
    options = parser.parse_args()
    harness = options.checkout.resolve() / "test"
    if not (harness / "test.py").exists():
        parser.error(f"{harness}/test.py is not there: {options.checkout} is no checkout of w3c/trace-context")
    unknown = set(options.names) - set(SERVICES)
    if unknown:
        parser.error(f"no service {', '.join(sorted(unknown))}; there are {', '.join(SERVICES)}")
    whole = True
    for name, command in SERVICES.items():
        if options.names and name not in options.names:
            continue
        passed, wrong = run(harness, command)
        whole = whole and passed == TESTS and not wrong
        print(f"{name:12} {passed:2} of {TESTS}   {', '.join(wrong)}".rstrip(), flush=True)
    return 0 if whole else 1


if __name__ == "__main__":
    sys.exit(main())
