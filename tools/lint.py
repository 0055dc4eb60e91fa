"""Formatters, linters and type checkers of every language in the tree. Each is one check; the last line counts them."""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def files(*patterns):
    out = subprocess.run(["git", "ls-files", "--", *patterns], cwd=ROOT, capture_output=True, check=True, text=True)
    return [name for name in out.stdout.splitlines() if (ROOT / name).is_file()]


def run(command, cwd="."):
    done = subprocess.run(command, cwd=ROOT / cwd, capture_output=True, text=True, errors="replace")
    return done.returncode == 0, done.stdout + done.stderr


def clang_format():
    return run(["clang-format-14", "--dry-run", "-Werror", *files("*.c", "*.h")])


def clang_tidy():
    """Over every compiled file of src/, as the release build compiles it."""
    sources = files("src/*.c")

    def one(source):
        return run(["clang-tidy-14", "--quiet", "-p", "build/release", source])

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(one, sources))
    return all(ok for ok, _ in results), "\n".join(text for ok, text in results if not ok)


def type_check(workspace):
    return lambda: run(["npm", "run", "--silent", "typecheck", "-w", workspace])


def gofmt():
    """Beside the go command's library: not every Go puts it on the path."""
    _, goroot = run(["go", "env", "GOROOT"])
    ok, text = run([f"{goroot.strip()}/bin/gofmt", "-l", "sdk/go", "bench/sdk/go", "examples/three-services/go",
                     "test/e2e/shop/users"])
    return ok and not text.strip(), text


def go_vet(folder):
    return lambda: run(["go", "vet", "./..."], folder)


def python_compiles():
    return run([sys.executable, "-m", "compileall", "-q", *sorted({str(Path(f).parent) for f in files("*.py")})])


def shell_parses():
    return run(["bash", "-n", "dev", ".ci/run"])


def ruff(*command):
    return lambda: run([sys.executable, "-m", "ruff", *command, "."], "sdk/python")


CHECKS = {
    "clang-format": clang_format,
    "clang-tidy": clang_tidy,
    "tsc ui": type_check("ui"),
    "prettier ui": lambda: run(["npx", "--no", "prettier", "--check", "."], "ui"),
    "tsc sdk/browser": type_check("sdk/browser"),
    "tsc sdk/react": type_check("sdk/react"),
    "tsc sdk/node": type_check("sdk/node"),
    "gofmt": gofmt,
    "go vet sdk/go": go_vet("sdk/go"),
    "go vet sdk/go/integration": go_vet("sdk/go/integration"),
    "go vet sdk/go/tracekitchi": go_vet("sdk/go/tracekitchi"),
    "go vet sdk/go/tracekitgrpc": go_vet("sdk/go/tracekitgrpc"),
    "go vet sdk/go/tracekitpgx": go_vet("sdk/go/tracekitpgx"),
    "go vet example": go_vet("examples/three-services/go"),
    "ruff sdk/python": ruff("check", "--no-cache"),
    "ruff format sdk/python": ruff("format", "--check", "--no-cache"),
    "mypy sdk/python": lambda: run([sys.executable, "-m", "mypy"], "sdk/python"),
    "python": python_compiles,
    "bash": shell_parses,
}


def main():
    assert shutil.which("git"), "needs git"
    passed = failed = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # most of them use one core
        results = list(pool.map(lambda check: check(), CHECKS.values()))
    for name, (ok, text) in zip(CHECKS, results):
        print(f"{name}: {'ok' if ok else 'FAILED'}", flush=True)
        if ok:
            passed += 1
        else:
            failed += 1
            print(text, flush=True)
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
