"""Writes what a recorded run says into docs/performance.md: ./dev bench --document NAME."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs" / "performance.md"
RIVALS_SIZE = "2M"  # of the store beside rivals; elsewhere the largest that was measured speaks


class Record:
    def __init__(self, path):
        self.path = path
        self.head = [line for line in path.read_text().splitlines()[:3]]
        self.figures = {}
        for line in path.read_text().splitlines():
            cells = [cell.strip() for cell in line.split("|")[1:-1]]
            if len(cells) in (5, 7) and cells[0] != "what" and not cells[0].startswith("-"):
                self.figures[cells[0]] = cells[1]

    def size(self, kind):
        """The largest size of which `kind` was measured, such as 100M."""
        found = [re.match(r"(\d+)([KM]) (.*)", name) for name in self.figures]
        sizes = {(one[2] == "M", int(one[1])): one[1] + one[2] for one in found if one and one[3].startswith(kind)}
        return sizes[max(sizes)] if sizes else None

    def get(self, name):
        """A number as a reader wants it, None when it was not measured, words as they are."""
        text = self.figures.get(name)
        if text is None or not re.fullmatch(r"[\d.]+", text):
            return text
        number = float(text)
        digits = 0 if number >= 100 else 1 if number >= 10 else 2
        return f"{number:,.{digits}f}"

    def pair(self, name):
        both = [self.get(f"{name}: p50 ms"), self.get(f"{name}: p99 ms")]
        return f"{both[0]} / {both[1]}" if None not in both else self.get(name)


def number(text):
    return float(text.replace(",", ""))


def verdict(measured, aim):
    """Whether `measured`, a figure or p50 / p99, is what `aim` says: '>= 500,000', '< 2', 'p99 < 1'."""
    found = re.fullmatch(r"(p99 )?(>=|<) ([\d.,]+)", aim or "")
    if not found:
        return ""
    if not re.fullmatch(r"[\d.,]+( / [\d.,]+)?", measured):
        return "**missed**"
    value, bar = number(measured.split(" / ")[-1 if found.group(1) else 0]), number(found.group(3))
    if value >= bar if found.group(2) == ">=" else value < bar:
        return "met"
    return f"**missed**: {value / bar:.2g} of it" if found.group(2) == ">=" else f"**missed**: {value / bar:.2g} times it"


def rows(record):
    """(what, measured, what was aimed at)"""
    store, load = record.size("store"), record.size("HTTP")
    at = f"{store} store"
    for way, aim in (("HTTP", ">= 500,000"), ("gRPC", ">= 500,000"), ("HTTP gzip", ">= 300,000"), ("HTTP zstd", None),
                     ("gRPC gzip", ">= 300,000"), ("HTTP, 2 cores", None), ("gRPC, 2 cores", None), ("JSON", None)):
        size = record.size(f"{way}:")
        yield f"spans/s acknowledged, {way}, {size}", record.get(f"{size} {way}: spans/s acknowledged"), aim
    yield f"acknowledged after, HTTP, {load}: p50 ms", record.get(f"{load} HTTP: ack p50 ms"), None
    yield f"acknowledged after, HTTP, {load}: p99 ms", record.get(f"{load} HTTP: ack p99 ms"), "< 50"
    yield (f"CPU us/span until the last acknowledgement, HTTP, {load}",
           record.get(f"{load} HTTP: CPU us/span, until the last acknowledgement"), None)
    made = record.size("store: CPU us/span, stored")
    yield (f"CPU us/span stored, sealed and compacted, {made}",
           record.get(f"{made} store: CPU us/span, stored, sealed and compacted"), "< 2.0")
    for size in dict.fromkeys((store, made)):
        yield f"bytes/span on disk, all indexes, {size}", record.get(f"{size} store: bytes/span on disk"), "< 28"
    for question, aim in (("trace by id", "p99 < 1"), ("trace by id, cold", "p99 < 5"), ("absent id", None),
                          ("search, absent value", "< 2"), ("search, rare value (12 traces)", "< 8"),
                          ("search, unique value", None), ("search, common value, newest 20", "< 5"),
                          ("search, newest 20 of all", None), ("search, failed below the gateway, newest 20", None),
                          ("search, duration > 250ms, newest 20", None),
                          ("count by service", "< 100"), ("p95 by service", "< 100"),
                          ("count by service, 60 steps", None), ("durations, 60 steps", None), ("count by name", "< 100"),
                          ("count of errors by service", "< 100"), ("acknowledged to found", "p99 < 50")):
        yield f"{question}, {store}: p50 / p99 ms", record.pair(f"{at}: {question}"), aim
        yield f"{question}, {store}, the first time: ms", record.get(f"{at}: {question}, the first time, ms"), aim
    for what, aim in (("RSS MiB, mean", "< 100"), ("RSS MiB, peak", "< 100"), ("% of a core", "< 3"), ("ack p99 ms", None),
                      ("acknowledged to found p99 ms", "< 50")):
        yield f"10,000 spans/s: {what}", record.get(f"10,000 spans/s: {what}"), aim
    yield "start after kill -9 with 1 GiB of log, seconds", record.get("start after kill -9: seconds"), "< 5"
    yield ("first rows of a trace of 1,000,000 spans, the first time, ms",
           record.get("giant: first rows, the first time: p50 ms"), "< 500")
    yield "the same again: p50 / p99 ms", record.pair("giant: first rows"), None
    yield "its peak RSS MiB, while it is loaded", record.get("giant: peak RSS MiB, loading"), None
    yield "its peak RSS MiB, when it is opened whole", record.get("giant: peak RSS MiB, asked"), None
    yield "start on an empty directory, ms", record.get("start to ready ms, empty directory"), None
    yield "the load alone, against a sink: spans/s", record.get("load alone: spans/s sent"), None


def figures_table(record):
    lines = ["| | measured | aim | |", "|---|---|---|---|"]
    lines += [f"| {what} | {measured} | {aim or ''} | {verdict(measured, aim)} |" for what, measured, aim in rows(record)
              if measured is not None]
    head = " · ".join(record.head)
    return "\n".join([f"From [{record.path.name}](../bench/results/{record.path.name}). {head}", "", *lines])


def sections_table(record):
    store = record.size("store: bytes/span, section")
    prefix = f"{store} store: bytes/span, "
    lines = [f"| section, {store} | bytes/span |", "|---|---|"]
    lines += [f"| {name.removeprefix(prefix).removeprefix('section ')} | {value} |"
              for name, value in record.figures.items() if name.startswith(prefix) and "files" not in name]
    return "\n".join(lines) if len(lines) > 2 else ""


def ours(record):
    store, load = RIVALS_SIZE, record.size("HTTP")
    at = f"{store} store"
    cells = [record.get(f"{load} HTTP: spans/s acknowledged"),
             record.get(f"{at}: CPU us/span, stored, sealed and compacted"), record.get(f"{at}: bytes/span on disk"),
             record.get("10,000 spans/s: RSS MiB, mean"), "yes", record.pair(f"{at}: trace by id"),
             record.pair(f"{at}: absent id"), record.pair(f"{at}: search, rare value (12 traces)"),
             record.pair(f"{at}: search, common value, newest 20"), record.pair(f"{at}: search, absent value"),
             record.get("10,000 spans/s: acknowledged to found p50 ms")]
    return "| **TraceKit** | " + " | ".join("-" if cell is None else str(cell) for cell in cells) + " |"


def replace(text, mark, new):
    begin, end = f"<!-- {mark} -->\n", f"<!-- /{mark} -->"
    if begin not in text or end not in text:
        raise SystemExit(f"bench: {DOCUMENT.name} has no <!-- {mark} -->")
    return text[:text.index(begin) + len(begin)] + new + "\n" + text[text.index(end):]


def document(path):
    record = Record(path)
    text = DOCUMENT.read_text()
    text = replace(text, "figures", figures_table(record))
    text = replace(text, "sections", sections_table(record))
    # A comment may not stand inside a table: the line is known by how it begins.
    text = re.sub(r"^\| \*\*TraceKit\*\*.*$", lambda _: ours(record), text, count=1, flags=re.M)
    DOCUMENT.write_text(text)
