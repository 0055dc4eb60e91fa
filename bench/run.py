"""Measures the release build on this machine. ./dev bench [WHAT...]; bench/README.md says what each figure is.

The server runs on one core, the load on the other. Each figure is the median of several runs, beside its smallest and
largest, and as a ratio to the newest recorded run of the same machine that has it (bench/results/). Nothing passes or
fails here, but for wrong answers: a figure is a fact about a machine and a moment.
"""

import argparse
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

import giant
import ingest
import queries
from server import ROOT

RESULTS = ROOT / "bench" / "results"
MEASUREMENTS = {**ingest.MEASUREMENTS, **queries.MEASUREMENTS, **giant.MEASUREMENTS}
USUAL = ["start", "decode", "ingest", "quiet", "queries"]


def machine():
    with open("/proc/cpuinfo") as file:
        cpu = re.search(r"model name\s*:\s*(.*)", file.read())
    return f"{cpu.group(1) if cpu else platform.machine()}, {os.cpu_count()} cores"


def commit():
    done = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True)
    return done.stdout.strip() or "unknown"


def count_of(text):
    found = re.fullmatch(r"(\d+)([KM]?)", text)
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is not like 500K, 1M, 100M")
    return int(found.group(1)) * {"": 1, "K": 1000, "M": 1000000}[found.group(2)]


def last_recorded():
    """Every figure's median in the newest result of this machine that has it."""
    figures = {}
    for path in sorted(RESULTS.glob("*.md")):
        text = path.read_text()
        if f"Machine: {machine()}" in text:
            figures.update((name, float(median))
                           for name, median in re.findall(r"^\| ([^|]+?) \| ([\d.]+) \|", text, re.M))
    return figures


def table(figures, options, load_before):
    last = last_recorded()
    lines = [f"Machine: {machine()}, Linux {platform.release()}", f"Commit: {commit()}. {time.strftime('%Y-%m-%d %H:%M')}.",
             f"Knobs: {' '.join(options.what)} --spans {options.spans} --runs {options.runs}. "
             f"Load average before: {load_before:.1f}.", "",
             "| what | median | smallest | largest | to last recorded |", "|---|---|---|---|---|"]
    for name, values in figures.items():
        if isinstance(values[0], str):
            lines.append(f"| {name} | {values[0]} | - | - | - |")
            continue
        median = statistics.median(values)
        ratio = f"{median / last[name]:.2f}x" if last.get(name) else "-"
        digits = 0 if median >= 1000 else 2 if median >= 1 else 3
        lines.append(f"| {name} | {median:.{digits}f} | {min(values):.{digits}f} | {max(values):.{digits}f} | {ratio} |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    about = "\n".join(f"  {name:10} {measure.__doc__.splitlines()[0]}" for name, measure in MEASUREMENTS.items())
    parser.epilog = f"WHAT, by default {' '.join(USUAL)}:\n{about}"
    parser.add_argument("what", nargs="*", metavar="WHAT")
    parser.add_argument("--spans", type=count_of, default="1M", help="of a load and of the store asked: 1M, 10M, 100M")
    parser.add_argument("--runs", type=int, default=3, help="of each but `queries`, `crash` and `giant` [3]")
    parser.add_argument("--seed", type=int, default=1, help="of the spans [1]")
    parser.add_argument("--store", type=Path, metavar="DIR", help="where `queries` keeps its store, or has it already")
    parser.add_argument("--record", metavar="NAME", help="keep the table as bench/results/DATE-NAME.md")
    options = parser.parse_args()
    if (os.cpu_count() or 1) < 2:
        parser.error("load and server need a core each")
    unknown = set(options.what) - set(MEASUREMENTS)
    if unknown:
        parser.error(f"{', '.join(sorted(unknown))}: choose from {', '.join(MEASUREMENTS)}")
    options.what = options.what or USUAL
    load_before = os.getloadavg()[0]
    figures = {}
    for what in options.what:
        measure = MEASUREMENTS[what]
        for _ in range(1 if getattr(measure, "once", False) else options.runs):
            for name, value in measure(options).items():
                figures.setdefault(name, []).append(value)
                shown = value if isinstance(value, str) else f"{value:.3f}"
                print(f"  {name}: {shown}", file=sys.stderr, flush=True)
    text = table(figures, options, load_before)
    sys.stdout.write(text)
    if options.record:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"{time.strftime('%Y-%m-%d')}-{options.record}.md").write_text(text)


if __name__ == "__main__":
    main()
