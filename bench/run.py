"""Measures the release build on this machine. ./dev bench [WHAT...]; bench/README.md says what each figure is.

The server runs on one core, the load on the other. Each figure is the median of several runs, beside its smallest and
largest, and the newest recorded run of the same machine that has it (bench/results/), and the share of the machine that
others had meanwhile. Nothing passes or fails here, but for wrong answers: a figure is a fact about a machine and a moment.
"""

import argparse
import os
import platform
import re
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import doctor
import giant
import ingest
import page
import queries
import sdks
from document import document
from server import ROOT

RESULTS = ROOT / "bench" / "results"
MEASUREMENTS = {**ingest.MEASUREMENTS, **queries.MEASUREMENTS, **giant.MEASUREMENTS, **sdks.MEASUREMENTS,
                **page.MEASUREMENTS, **doctor.MEASUREMENTS}
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


def rows_of(path):
    """The lines of a recorded table by figure."""
    lines = path.read_text().splitlines() if path.exists() else []
    return {line.split("|")[1].strip(): line for line in lines if line.startswith("| ") and "| median |" not in line}


def busy_seconds():
    """CPU seconds of all cores that went to anybody, this program and its ended children included."""
    with open("/proc/stat") as file:
        user, nice, system, _idle, _wait, irq, softirq, steal = map(int, file.readline().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def own_seconds():
    taken = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in taken)


class Others:
    """How much of the machine others had while something was measured: figures from a busy one say little."""

    def __init__(self):
        self.begin, self.busy, self.own = time.monotonic(), busy_seconds(), own_seconds()

    def percent(self):
        seconds = (time.monotonic() - self.begin) * os.cpu_count()
        others = busy_seconds() - self.busy - (own_seconds() - self.own)
        return max(0.0, others / seconds * 100)


def last_recorded(but):
    """Every figure's median in the newest result of this machine that has it; `but` is the one being made."""
    figures = {}
    for path in sorted(RESULTS.glob("*.md")):
        if path == but or f"Machine: {machine()}" not in path.read_text():
            continue
        for name, line in rows_of(path).items():
            if re.fullmatch(r"[\d.]+", line.split("|")[2].strip()):
                figures[name] = float(line.split("|")[2])
    return figures


def shown(value):
    digits = 0 if value >= 1000 else 2 if value >= 1 else 3
    return f"{value:.{digits}f}"


def rows(figures, others, last):
    for name, values in figures.items():
        if isinstance(values[0], str):
            yield name, f"| {name} | {values[0]} | | | | | {others[name]:.0f} |"
            continue
        median = statistics.median(values)
        before = [shown(last[name]), f"{median / last[name]:.3g}x" if last[name] else "-"] if name in last else ["-", "-"]
        cells = [name, *map(shown, (median, min(values), max(values))), *before, f"{others[name]:.0f}"]
        yield name, f"| {' | '.join(cells)} |"


def knobs(options):
    """Those that decide what a figure means, as they would be given."""
    told = f"--runs {options.runs} --seed {options.seed} --seconds {options.seconds} --connections {options.connections}"
    return told + "".join(f" --{name}='{value}'" for name, value in (("serve", options.serve), ("load", options.load)) if value)


def table(lines, options):
    return "\n".join([
        f"Machine: {machine()}, Linux {platform.release()}",
        f"Commit: {commit()}. {time.strftime('%Y-%m-%d %H:%M')}.",
        f"Knobs: {knobs(options)}", "",
        "| what | median | smallest | largest | last recorded | ratio | others % |", "|---|---|---|---|---|---|---|", *lines]) + "\n"


def check_same(record):
    """A table is of one machine and one commit."""
    head = record.read_text().splitlines()[:2] if record.exists() else None
    if head and (f"Machine: {machine()}," not in head[0] or f"Commit: {commit()}." not in head[1]):
        raise SystemExit(f"bench: {record.name} is of another machine or commit: give this one another name")


def main():
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    about = "\n".join(f"  {name:10} {measure.__doc__.splitlines()[0]}" for name, measure in MEASUREMENTS.items())
    parser.epilog = f"WHAT, by default {' '.join(USUAL)}:\n{about}"
    parser.add_argument("what", nargs="*", metavar="WHAT")
    parser.add_argument("--spans", type=count_of, default="1M", help="of a load and of the store asked: 1M, 10M, 100M")
    parser.add_argument("--runs", type=int, default=3, help="of each but `fill`, `queries`, `crash`, `giant` and `ui` [3]")
    parser.add_argument("--seed", type=int, default=1, help="of the spans [1]")
    parser.add_argument("--seconds", type=int, default=60, help="of `quiet` [60]")
    parser.add_argument("--connections", type=int, default=8, help="of the load [8]")
    parser.add_argument("--serve", default="", metavar="ARGS", help="more arguments of the server: --serve='--memory 64MiB'")
    parser.add_argument("--load", default="", metavar="ARGS", help="more knobs of the spans: --load='--services 300 --batch 50'")
    parser.add_argument("--store", type=Path, metavar="DIR", help="where `queries` keeps its store, or has it already")
    parser.add_argument("--record", metavar="NAME", help="keep the table as bench/results/DATE-NAME.md; more runs of a day add to it")
    parser.add_argument("--document", metavar="NAME", help="measure nothing: write results/NAME.md into docs/performance.md")
    options = parser.parse_args()
    if options.document:
        return document(RESULTS / f"{options.document}.md")
    if (os.cpu_count() or 1) < 2:
        parser.error("load and server need a core each")
    unknown = set(options.what) - set(MEASUREMENTS)
    if unknown:
        parser.error(f"{', '.join(sorted(unknown))}: choose from {', '.join(MEASUREMENTS)}")
    options.what = options.what or USUAL
    record = RESULTS / f"{time.strftime('%Y-%m-%d')}-{options.record}.md"
    if options.record:
        check_same(record)
    figures, others = {}, {}
    for what in options.what:
        measure = MEASUREMENTS[what]
        for _ in range(1 if getattr(measure, "once", False) else options.runs):
            watch = Others()
            measured = measure(options)
            percent = watch.percent()
            for name, value in measured.items():
                figures.setdefault(name, []).append(value)
                others[name] = max(percent, others.get(name, 0))
                print(f"  {name}: {value if isinstance(value, str) else shown(value)}", file=sys.stderr, flush=True)
    new = dict(rows(figures, others, last_recorded(record)))
    sys.stdout.write(table(new.values(), options))
    if options.record:
        RESULTS.mkdir(exist_ok=True)
        record.write_text(table({**rows_of(record), **new}.values(), options))


if __name__ == "__main__":
    main()
