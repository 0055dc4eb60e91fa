"""Every test that fits CI, in one run; `./dev test` calls it.

A suite is a list of commands, run one after the other from the root of the tree, and a way to read how many tests
passed, failed and were skipped from what they print. Output goes to build/test/<suite>.log; only what failed or
was skipped is shown. The last line is `N passed, N failed, N skipped`.
"""

import argparse
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOGS = ROOT / "build" / "test"


@dataclass
class Count:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped


def read_ctest(text):
    count = Count()
    for failed, total in re.findall(r"tests passed, (\d+) tests? failed out of (\d+)", text):
        count.add(Count(int(total) - int(failed), int(failed)))
    skipped = len(re.findall(r"\*\*\*Skipped", text))
    return Count(count.passed - skipped, count.failed, skipped)


def read_unittest(text):
    count = Count()
    for total in re.findall(r"^Ran (\d+) tests?", text, re.M):
        count.passed += int(total)
    for name, number in re.findall(r"(failures|errors|skipped|unexpected successes)=(\d+)", text):
        number = int(number)
        count.passed -= number
        if name == "skipped":
            count.skipped += number
        else:
            count.failed += number
    return count


def read_node(text):
    count = Count()
    for name, number in re.findall(r"^(?:#|ℹ) (pass|fail|cancelled|skipped|todo) (\d+)", text, re.M):
        number = int(number)
        if name == "pass":
            count.passed += number
        elif name in ("fail", "cancelled"):
            count.failed += number
        else:
            count.skipped += number
    return count


def read_go(text):
    outcomes = re.findall(r"^\s*--- (PASS|FAIL|SKIP):", text, re.M)
    return Count(outcomes.count("PASS"), outcomes.count("FAIL"), outcomes.count("SKIP"))


def read_plain(text):
    count = Count()
    for passed, failed, skipped in re.findall(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$", text, re.M):
        count.add(Count(int(passed), int(failed), int(skipped or 0)))
    return count


@dataclass
class Suite:
    name: str
    about: str
    read: object
    commands: list
    folder: str = "."
    minutes: int = 15
    env: dict = field(default_factory=dict)


def build(preset, target="all"):
    return [["cmake", "--preset", preset, "-Wno-dev"], ["cmake", "--build", f"build/{preset}", "--target", target]]


def ctest(preset, *options):
    return ["ctest", "--test-dir", f"build/{preset}", "--output-on-failure", "--no-tests=error",
            "--parallel", "3", *options]


PYTHON = sys.executable


def sim(preset):
    return f"build/{preset}/test/sim/sim"

# TSan needs its addresses where it expects them: some kernels move them too far.
TSAN = ["setarch", "-R"]

SUITES = [
    Suite("tree", "floors, names, sizes: the rules of the house", read_unittest,
          [[PYTHON, "-m", "unittest", "discover", "-v", "-s", "test/tree"]]),
    Suite("release", "the C tests and black-box tests on what users run", read_ctest,
          build("release") + [ctest("release")]),
    Suite("debug", "the same under ASan and UBSan", read_ctest,
          build("debug") + [ctest("debug", "-LE", "crash")]),
    Suite("tsan", "the same under TSan", read_ctest,
          build("tsan") + [TSAN + ctest("tsan", "-LE", "crash")]),
    Suite("sim", "the store on a simulated disk, scheduler and clock, from thousands of seeds", read_plain,
          build("release", "sim") + [[sim("release"), "--seeds", "4000"], [sim("release"), "--oom"],
                              [sim("release"), "--oom-answers"]] +
          build("debug", "sim") + [[sim("debug"), "--from", "1000000", "--seeds", "150"], [sim("debug"), "--oom", "--step", "9"],
                            [sim("debug"), "--oom-answers", "--step", "3"]],
          env={"ASAN_OPTIONS": "detect_leaks=0"}),
    Suite("lint", "formatters, linters and type checkers of every language", read_plain,
          build("release") + [["node", "sdk/js/build.mjs"], [PYTHON, "tools/lint.py"]]),
    Suite("page", "the page, in a real browser", read_node, [["npm", "test", "-w", "ui"]]),
    Suite("js", "the browser, React and Node SDKs", read_node,
          [["node", "sdk/js/build.mjs"]] +
          [["npm", "test", "-w", f"sdk/{name}"] for name in ("browser", "react", "node")]),
    Suite("go", "the Go SDK; the document's Go blocks and a real SQLite", read_go,
          [["go", "test", "-v", "-race", "./..."],
           ["go", "test", "-v", "-tags", "tracekit_nolabels", "./tracekit"],
           ["go", "-C", "integration", "test", "-v", "./..."]], folder="sdk/go"),
    Suite("e2e", "the three-service example in a browser; OpenTelemetry's SDKs as clients and as a hop",
          read_node, [["node", "sdk/js/build.mjs"], ["npm", "test", "-w", "test/e2e"]]),
    Suite("fuzz", "every reader's fuzz target, 50 seconds each", read_plain,
          build("fuzz") + [[PYTHON, "tools/fuzz.py", "--seconds", "50", "--seed", "1"]], minutes=25),
]


def run(suite):
    """Runs a suite's commands; what they print goes to its log."""
    log_path = LOGS / f"{suite.name}.log"
    deadline = time.monotonic() + suite.minutes * 60
    broken = None
    with open(log_path, "wb") as log:
        for command in suite.commands:
            log.write(f"$ {' '.join(command)}\n".encode())
            log.flush()
            try:
                left = max(deadline - time.monotonic(), 1)
                status = subprocess.run(command, cwd=ROOT / suite.folder, stdout=log, stderr=subprocess.STDOUT,
                                        stdin=subprocess.DEVNULL, timeout=left,
                                        env={**os.environ, **suite.env}).returncode
            except subprocess.TimeoutExpired:
                status = f"no end after {suite.minutes} minutes"
            except OSError as error:
                status = str(error)
            if status != 0:
                broken = f"`{' '.join(command)}`: {status}"
                break
    text = log_path.read_text(errors="replace")
    count = suite.read(text)
    if broken and count.failed == 0:
        count.failed = 1  # did not build, crashed, hung: the runner had no chance to count it
    if not broken and count.passed == 0 and count.failed == 0:
        broken, count.failed = "no test ran", 1
    return count, broken, text


def replay(seed):
    """One seed of the simulation, told as it goes: every operation, file call, answer and log line."""
    for command in build("release", "sim"):
        subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    return subprocess.run([sim("release"), "--seed", str(seed)], cwd=ROOT).returncode


def show(suite, count, broken, text, seconds):
    print(f"{suite.name:8} {count.passed:5} passed {count.failed:3} failed {count.skipped:3} skipped "
          f"{seconds:6.0f} s   {suite.about}", flush=True)
    if count.skipped:
        for line in text.splitlines():
            if re.search(r"skip", line, re.I) and not re.search(r"(skipped 0|0 skipped)", line):
                print(f"    {line.strip()[:200]}")
    if broken or count.failed:
        print(f"    {broken or 'failed'}; the end of build/test/{suite.name}.log:")
        for line in text.splitlines()[-120:]:
            print(f"    | {line[:300]}")


def main():
    parser = argparse.ArgumentParser(prog="./dev test", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suites", nargs="*", metavar="SUITE", help="only these")
    parser.add_argument("--list", action="store_true", help="name the suites")
    parser.add_argument("--seed", type=int, metavar="N", help="replay one seed of `sim`, with its story")
    options = parser.parse_args()
    if options.seed is not None:
        return replay(options.seed)
    if options.list:
        for suite in SUITES:
            print(f"{suite.name:8} {suite.about}")
        return 0
    unknown = set(options.suites) - {suite.name for suite in SUITES}
    if unknown:
        parser.error(f"no suite {', '.join(sorted(unknown))}; --list names them")
    LOGS.mkdir(parents=True, exist_ok=True)
    total = Count()
    for suite in SUITES:
        if options.suites and suite.name not in options.suites:
            continue
        begin = time.monotonic()
        count, broken, text = run(suite)
        show(suite, count, broken, text, time.monotonic() - begin)
        total.add(count)
    print(f"{total.passed} passed, {total.failed} failed, {total.skipped} skipped")
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
