"""Runs the Python SDK's tests under other interpreters than Debian's: ./dev pythons PYTHON...

Each gets an environment of its own in build/pythons, with the newest of test/requirements.txt that runs there, and the
extension compiled for it; the tests run with it, and once more recorded in Python. The status is 0 when all passed.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Of no use to sdk/python's tests.
OTHERS = ("mcp", "mypy", "opentelemetry-exporter-otlp-proto-grpc", "ruff", "types-requests")
SECONDS_MAX = 900


def packages():
    lines = (ROOT / "test" / "requirements.txt").read_text().splitlines()
    names = [line.partition("==")[0] for line in lines if re.match("[a-z]", line)]
    return [name for name in names if name not in OTHERS]


def prepared(interpreter):
    """An interpreter that has what the tests need."""
    version = subprocess.run([interpreter, "-c", "import sys; print(sys.implementation.cache_tag)"],
                             check=True, capture_output=True, text=True).stdout.strip()
    folder = ROOT / "build" / "pythons" / version
    python = str(folder / "bin" / "python")
    subprocess.run([interpreter, "-m", "venv", str(folder)], check=True)
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--upgrade"]
    subprocess.run([*install, *packages()], check=True)
    subprocess.run([python, "-W", "ignore", "setup.py", "--quiet", "build_ext", "--inplace"],
                   cwd=ROOT / "sdk" / "python", check=True)
    return version, python


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    failed = 0
    for interpreter in sys.argv[1:]:
        version, python = prepared(interpreter)
        for how, pure in (("in C", ""), ("in Python", "1")):
            command = [python, "-m", "pytest", "-p", "no:warnings", "-rfE", *(["-k", "not install"] if pure else [])]
            done = subprocess.run(command, cwd=ROOT / "sdk" / "python", env={**env, "TRACEKIT_PURE_PYTHON": pure},
                                  capture_output=True, text=True, timeout=SECONDS_MAX)
            said = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
            print(f"{version}, recorded {how}: {'FAILED' if done.returncode else 'ok'}", *said, sep="\n  ", flush=True)
            failed += done.returncode != 0
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
