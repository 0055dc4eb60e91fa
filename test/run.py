"""Every test that fits CI, in one run; `./dev test` calls it.

A suite is a list of commands, run one after the other from the root of the tree (those that are `together`: one on
each core), and a way to read how many tests passed, failed and were skipped from what they print. Output goes to
build/test/<suite>.log; only what failed or was skipped is shown, and the seconds that a suite took. The last line is `N passed, N failed, N skipped`.
"""

import argparse
import os
import re
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOGS = ROOT / "build" / "test"
SHOWING = threading.Lock()


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


def read_pytest(text):
    count = Count()
    for number, outcome in re.findall(r"(\d+) (passed|failed|errors?|skipped|xfailed|xpassed)\b(?=.* in [\d.]+s)", text):
        if outcome in ("passed", "xpassed"):
            count.passed += int(number)
        elif outcome in ("skipped", "xfailed"):
            count.skipped += int(number)
        else:
            count.failed += int(number)
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


def together(*commands):
    """Commands that use one core each, and do not need each other."""
    return commands


def build(preset, target="all"):
    return [["cmake", "--preset", preset, "-Wno-dev"], ["cmake", "--build", f"build/{preset}", "--target", target]]


def ctest(preset, *options):
    return ["ctest", "--test-dir", f"build/{preset}", "--output-on-failure", "--no-tests=error",
            "--parallel", "3", *options]


PYTHON = sys.executable


def sim(preset):
    return f"build/{preset}/test/sim/sim"

# TSan needs its addresses where it expects them: some kernels move them too far.
TSAN = ["env", f"TSAN_OPTIONS=suppressions={ROOT}/test/tsan.supp", "setarch", "-R"]
# Tests of what one thread does alone: minutes under TSan, and nothing for it to find. ASan has them all.
ONE_THREAD = "^(query|wire)/|^store/test_(count|counts|filters|segment_merge|value_index)$"

SUITES = [
    Suite("tree", "floors, names, sizes: the rules of the house", read_unittest,
          [[PYTHON, "-m", "unittest", "discover", "-v", "-s", "test/tree"]]),
    Suite("release", "the C tests and black-box tests on what users run", read_ctest,
          build("release") + [ctest("release")]),
    Suite("debug", "the same under ASan and UBSan", read_ctest,
          build("debug") + [ctest("debug", "-LE", "crash|bench")]),
    Suite("tsan", "what has threads under TSan", read_ctest,
          build("tsan") + [TSAN + ctest("tsan", "-LE", "crash|bench", "-E", ONE_THREAD)]),
    Suite("sim", "the store on a simulated disk, scheduler and clock, from thousands of seeds", read_plain,
          build("release", "sim") + build("debug", "sim") +
          [together([sim("release"), "--oom", "--step", "19"], [sim("release"), "--seeds", "2500"],
                    [sim("debug"), "--oom", "--step", "99"], [sim("debug"), "--from", "1000000", "--seeds", "100"],
                    [sim("debug"), "--oom-answers", "--step", "3"], [sim("release"), "--oom-answers"])],
          env={"ASAN_OPTIONS": "detect_leaks=0"}),
    Suite("lint", "formatters, linters and type checkers of every language", read_plain,
          build("release") + [["node", "sdk/js/build.mjs"], [PYTHON, "tools/lint.py"]]),
    Suite("page", "the page, in a real browser", read_node, [["npm", "test", "-w", "ui"]]),
    Suite("js", "the browser, React and Node SDKs", read_node,
          [["node", "sdk/js/build.mjs"],
           together(*(["npm", "test", "--ignore-scripts", "-w", f"sdk/{name}"] for name in ("node", "browser", "react")))]),
    Suite("go", "the Go SDK; the document's Go blocks, a real SQLite, chi, gRPC, pgx", read_go,
          [["go", "test", "-v", "-race", "./..."],
           ["go", "test", "-v", "-tags", "tracekit_nolabels", "./tracekit"],
           ["go", "test", "-v", "-run", "Allocation", "./tracekit"],
           ["go", "-C", "integration", "test", "-v", "./..."],
           ["go", "-C", "tracekitchi", "test", "-v", "./..."],
           ["go", "-C", "tracekitgrpc", "test", "-v", "./..."],
           ["go", "-C", "tracekitpgx", "test", "-v", "./..."]], folder="sdk/go"),
    Suite("python", "the Python SDK, in real frameworks; the document's Python blocks", read_pytest,
          build("release", "tracekit") +
          [[PYTHON, "sdk/python/setup.py", "--quiet", "build_ext", "--inplace"],
           together([PYTHON, "-m", "pytest", "sdk/python"],
                    # The same, recorded in Python; packing it knows of no such wish.
                    ["env", "TRACEKIT_PURE_PYTHON=1", PYTHON, "-m", "pytest", "sdk/python", "-k", "not install"])]),
    Suite("e2e", "the three-service example in a browser; OpenTelemetry's SDKs as clients and as a hop",
          read_node, [["node", "sdk/js/build.mjs"], ["npm", "test", "-w", "test/e2e"]]),
    Suite("fuzz", "every reader's fuzz target, 20 seconds each", read_plain,
          build("fuzz", "fuzz_targets") + [[PYTHON, "tools/fuzz.py", "--seconds", "20", "--seed", "1"]], minutes=25),
]


# Suites that wait for browsers and servers more than they compute: the lanes run side by side, each in its order.
LANES = [["page"], ["js", "python", "e2e"]]


def run_command(suite, command, log_path, deadline):
    """Writes what a command of the suite prints; returns what is wrong with how it ended, None when nothing is."""
    begin = time.monotonic()
    with open(log_path, "wb") as log:
        log.write(f"$ {' '.join(command)}\n".encode())
        log.flush()
        try:
            status = subprocess.run(command, cwd=ROOT / suite.folder, stdout=log, stderr=subprocess.STDOUT,
                                    stdin=subprocess.DEVNULL, timeout=max(deadline - begin, 1),
                                    env={**os.environ, **suite.env}).returncode
        except subprocess.TimeoutExpired:
            status = f"no end after {suite.minutes} minutes"
        except OSError as error:
            status = str(error)
    with open(log_path, "ab") as log:
        log.write(f"$ took {time.monotonic() - begin:.0f} s\n".encode())
    return None if status == 0 else f"`{' '.join(command)}`: {status}"


def run(suite):
    """Runs a suite's commands until one is wrong; what they print goes to its log."""
    deadline = time.monotonic() + suite.minutes * 60
    text, broken = "", None
    for step in suite.commands:
        commands = step if isinstance(step, tuple) else (step,)
        paths = [LOGS / f"{suite.name}.{number}.log" for number in range(len(commands))]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            wrong = list(pool.map(lambda command, path: run_command(suite, command, path, deadline), commands, paths))
        text += "".join(path.read_text(errors="replace") for path in paths)
        (LOGS / f"{suite.name}.log").write_text(text)
        for path in paths:
            path.unlink()
        broken = next(filter(None, wrong), None)
        if broken:
            break
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


def telling(lines):
    """The numbers of the lines that tell what failed: 60 from where each failure begins, and the last 30."""
    begins = [number for number, line in enumerate(lines)
              if re.search(r"\*\*\*(Failed|Timeout|Exception|Not Run)|^(FAIL|ERROR): |^\s*--- FAIL: |^\s*(not ok|✖) "
                           r"|runtime error: |^SUMMARY: |^WARNING: ThreadSanitizer|: error: "
                           r"|generated asynchronous activity", line)]
    kept = set(range(max(len(lines) - 30, 0), len(lines)))
    for begin in begins[:6]:
        kept.update(range(begin, min(begin + 60, len(lines))))
    return sorted(kept)


def show(suite, count, broken, text, seconds):
    print(f"{suite.name:8} {count.passed:5} passed {count.failed:3} failed {count.skipped:3} skipped "
          f"{seconds:5.0f} s   {suite.about}", flush=True)
    if count.skipped:
        for line in text.splitlines():
            if re.search(r"skip", line, re.I) and not re.search(r"(skipped 0|0 skipped)", line):
                print(f"    {line.strip()[:200]}")
    if broken or count.failed:
        print(f"    {broken or 'failed'}; of build/test/{suite.name}.log:")
        lines, last = text.splitlines(), -1
        for number in telling(lines):
            if number != last + 1:
                print("    | ...")
            print(f"    | {lines[number][:300]}")
            last = number


def run_and_show(suites):
    """Runs suites in their order; returns what they counted together."""
    total = Count()
    for suite in suites:
        begin = time.monotonic()
        count, broken, text = run(suite)
        with SHOWING:
            show(suite, count, broken, text, time.monotonic() - begin)
        total.add(count)
    return total


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
    chosen = [suite for suite in SUITES if not options.suites or suite.name in options.suites]
    lanes = [[suite for suite in chosen if suite.name in names] for names in LANES]
    total = run_and_show(suite for suite in chosen if not any(suite in lane for lane in lanes))
    with ThreadPoolExecutor(len(lanes)) as pool:
        for count in pool.map(run_and_show, lanes):
            total.add(count)
    print(f"{total.passed} passed, {total.failed} failed, {total.skipped} skipped")
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
