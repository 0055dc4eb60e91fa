"""A trace of a million spans: in, and open."""

import gzip

from queries import BUDGET_SECONDS, Unanswered, Wrong, ask, latencies
from server import Directory, Server, load

SPANS = 1000000
SCREEN_ROWS = 100
REPEATS = 20
SPAN_COUNT_AT = 12  # in the answer: docs/formats/columns.md


def columns(server, trace_id, parameters, repeats):
    answers = ask(server, [f"/api/v1/traces/{trace_id}/columns?{parameters}"] * repeats, seconds=BUDGET_SECONDS,
                  header="Accept-Encoding: gzip")
    for _, _, body in answers:
        plain = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
        if int.from_bytes(plain[SPAN_COUNT_AT:SPAN_COUNT_AT + 4], "little") != SPANS:
            raise Wrong(f"the trace of {SPANS} spans has another number of them")
    return answers


def giant(options):
    """a trace of 1,000,000 spans: the first rows of its waterfall, all of them, its span by search"""
    with Directory() as directory:
        server = Server(directory / "data", options)
        got = load(server, "--spans", SPANS, "--trace-spans", SPANS, "--seed", options.seed, "--run", 1,
                   "--traces", directory / "traces")
        load(server, "--spans", 100000, "--seed", options.seed, "--run", 2)
        trace_id = (directory / "traces").read_text().split()[0]
        server.settle()
        figures = {"giant: spans/s acknowledged": got["spansPerSecond"],
                   "giant: peak RSS MiB, loading": server.status_mib("VmHWM")}
        server.stop()
        server = Server(directory / "data", options)
        server.settle()
        questions = {"giant: first rows, the first time": lambda: columns(server, trace_id, f"limit={SCREEN_ROWS}", 1),
                     "giant: first rows": lambda: columns(server, trace_id, f"limit={SCREEN_ROWS}", REPEATS),
                     "giant: all rows": lambda: columns(server, trace_id, "limit=0", 3)}
        for name, asked in questions.items():
            try:
                answers = asked()
                figures.update(latencies(name, answers))
                figures[f"{name}: bytes"] = len(answers[0][2])
            except Unanswered as why:
                figures[name] = f"not answered ({why})".replace("|", "/").replace("\n", " ")
            except Wrong as why:
                raise SystemExit(f"bench: wrong answer: {why}") from why
        figures["giant: peak RSS MiB, asked"] = server.status_mib("VmHWM")
        server.stop()
        return figures


giant.once = True
MEASUREMENTS = {"giant": giant}
