"""What is asked: latencies over a store at rest, through the HTTP API, and whether the answers are right."""

import json
import random
import statistics
import tempfile
import urllib.parse

from ingest import bytes_by_section, bytes_per_span, size_name
from server import Directory, Server, load, output, tool

NEEDLES = 12
NEEDLE = "user-00000042"
ABSENT = "user-00000043"
SERVICE = "gateway"
IDS = 2000
COLD_IDS = 200
REPEATS = 30
BUDGET_SECONDS = 20  # of one kind of question; slow ones are asked less often


class Wrong(Exception):
    """An answer that is not what was stored."""


class Unanswered(Exception):
    """No answer with status 200: the figure says so."""


def ask(server, targets, seconds=BUDGET_SECONDS, cold=None, statuses=(200,), header=None):
    """[(target, milliseconds, body)]"""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("".join(f"{target}\n" for target in targets))
        file.flush()
        out = output(tool("bench_query", "--server", server.url, "--targets", file.name, "--seconds", seconds,
                          *(["--cold", cold] if cold else []), *(["--header", header] if header else [])))
    answers, at = [], 0
    while at < len(out):
        end = out.index(b"\n", at)
        status, milliseconds, size = out[at:end].split()
        body = out[end + 1:end + 1 + int(size)]
        at = end + 2 + int(size)
        if int(status) not in statuses:
            raise Unanswered(f"{int(status)}: {body[:100].decode(errors='replace')}")
        answers.append((targets[len(answers)], float(milliseconds), body))
    return answers


def latencies(name, answers):
    times = sorted(milliseconds for _, milliseconds, _ in answers)
    return {f"{name}: p50 ms": statistics.median(times), f"{name}: p99 ms": times[-(-len(times) * 99 // 100) - 1]}


def traces(**parameters):
    return "/api/v1/traces?" + urllib.parse.urlencode(parameters)


def metrics(query, bounds, steps):
    start, end = bounds
    return "/api/v1/metrics?" + urllib.parse.urlencode(
        {"q": query, "start": start, "end": end, "step": f"{(end - start) // steps // 10**9}s"})


def by_id(server, sent, cold=None):
    """Traces that are there; every span of each must come. Warm: all of them were asked before, once."""
    picked = random.Random(1).sample(sent, min(COLD_IDS if cold else IDS, len(sent)))
    targets = [f"/api/v1/traces/{trace_id}" for trace_id, _ in picked]
    if not cold:
        targets = targets[:len(ask(server, targets))]
    answers = ask(server, targets, cold=cold)
    for (trace_id, spans), (_, _, body) in zip(picked, answers):
        got = json.loads(body)
        if got["traceId"] != trace_id or got["spanCount"] != spans or len(got["spans"]) != spans:
            raise Wrong(f"trace {trace_id}: {got['spanCount']} of {spans} spans")
    return answers


def absent_ids(server, cold=None):
    ids = random.Random(2)
    count = COLD_IDS if cold else IDS
    return ask(server, [f"/api/v1/traces/{ids.getrandbits(128):032x}" for _ in range(count)], cold=cold,
               statuses=(404,))


def search(server, query, count, limit=20):
    """The same question often; the answer is checked each time."""
    answers = ask(server, [traces(q=query, limit=limit)] * REPEATS)
    for _, _, body in answers:
        found = json.loads(body)["traces"]
        order = [(-int(t["startTimeUnixNano"]), t["traceId"]) for t in found]
        if len(found) != count or order != sorted(order):
            raise Wrong(f"{query}: {len(found)} of {count} traces, {'in' if order == sorted(order) else 'out of'} order")
    return answers


def newest(server):
    """A common value's newest 20; those of a search bounded to their time must be the same."""
    query = f'{{ resource.service.name = "{SERVICE}" && span.http.request.method = "GET" }}'
    answers = search(server, query, 20)
    found = json.loads(answers[0][2])["traces"]
    again = json.loads(ask(server, [traces(q=query, limit=20, start=found[-1]["startTimeUnixNano"])])[0][2])["traces"]
    if [t["traceId"] for t in again] != [t["traceId"] for t in found]:
        raise Wrong("the newest 20 are not the newest 20")
    return answers


def unique_value(server, sent):
    """The request id of some trace, which no other has."""
    targets, wanted = [], []
    for trace_id, _ in random.Random(3).sample(sent, min(REPEATS, len(sent))):
        spans = server.get_json(f"/api/v1/traces/{trace_id}")["spans"]
        value = next(v for s in spans if (v := s["attributes"].get("http.request.header.x-request-id")))
        targets.append(traces(q=f'{{ span.http.request.header.x-request-id = "{value}" }}', limit=20))
        wanted.append(trace_id)
    answers = ask(server, targets)
    for trace_id, (_, _, body) in zip(wanted, answers):
        if [t["traceId"] for t in json.loads(body)["traces"]] != [trace_id]:
            raise Wrong(f"a request id of trace {trace_id} does not find it alone")
    return answers


def grouped(server, query, bounds, spans=None, steps=1):
    """A metric over all spans; counts must add up."""
    answers = ask(server, [metrics(query, bounds, steps)] * REPEATS)
    if spans is not None:
        series = json.loads(answers[0][2])["series"]
        total = sum(value or 0 for one in series for value in one["values"])
        if total != spans:
            raise Wrong(f"{query}: {total} of {spans} spans")
    return answers


def fresh(server, name, store, made):
    """Spans that come while all the others are there: how soon they are found. The store has them from then on."""
    try:
        found = load(server, "--rate", 1000, "--seconds", 8, "--batch", 100, "--probes", 50)
    except SystemExit:
        made.unlink(missing_ok=True)  # how many came is not known
        return {f"{name}: acknowledged to found": "not found within ten seconds"}
    made.write_text(json.dumps({**store, "spans": store["spans"] + found["spans"] + found["probes"]}))
    return {f"{name}: acknowledged to found: p50 ms": found["foundP50Ms"],
            f"{name}: acknowledged to found: p99 ms": found["foundP99Ms"]}


def time_bounds(server):
    """Around all that is stored: from 23 h before the newest trace to an hour after it."""
    found = server.get_json(traces(q="{ }", limit=1))["traces"][0]
    newest_second = int(found["startTimeUnixNano"]) // 10**9
    return (newest_second - 82800) * 10**9, (newest_second + 3600) * 10**9


def build(options, directory, name):
    """A store with `options.spans` spans, sealed and compacted: what is in it, and the figures of its making."""
    server = Server(directory / "data", options)
    got = load(server, "--spans", options.spans, "--seed", options.seed, "--run", 1, "--needles", NEEDLES,
               "--traces", directory / "traces")
    settling = server.settle()
    server.stop()
    if got["needles"] != NEEDLES or got["failed"]:
        raise SystemExit(f"bench: {got}")
    figures = {f"{name}: spans/s while filling": got["spansPerSecond"],
               f"{name}: ack p99 ms while filling": got["ackP99Ms"],
               f"{name}: CPU us/span, stored, sealed and compacted": server.cpu_at_stop / got["spans"] * 1e6,
               f"{name}: seconds until nothing was left to do": settling,
               **bytes_per_span(directory / "data", name, got["spans"]),
               **bytes_by_section(directory / "data", name, got["spans"])}
    sent = [(line.split()[0], int(line.split()[1])) for line in (directory / "traces").read_text().splitlines()]
    return {"sent": sent, "spans": got["spans"], "figures": figures}


def built(options, directory, name):
    """The same, from an earlier run with --store if there is one."""
    made = directory / "made.json"
    if made.exists():
        return {**json.loads(made.read_text()), "figures": {}}
    directory.mkdir(parents=True, exist_ok=True)
    store = build(options, directory, name)
    made.write_text(json.dumps(store))
    return store


def ask_all(server, directory, name, sent, spans):
    bounds = time_bounds(server)
    questions = {
        "trace by id, cold": lambda: by_id(server, sent, cold=directory),
        "absent id, cold": lambda: absent_ids(server, cold=directory),
        "trace by id": lambda: by_id(server, sent),
        "absent id": lambda: absent_ids(server),
        "search, absent value": lambda: search(server, f'{{ span.enduser.id = "{ABSENT}" }}', 0),
        f"search, rare value ({NEEDLES} traces)": lambda: search(server, f'{{ span.enduser.id = "{NEEDLE}" }}', NEEDLES),
        "search, unique value": lambda: unique_value(server, sent),
        "search, common value, newest 20": lambda: newest(server),
        "search, newest 20 of all": lambda: search(server, "{ }", 20),
        "search, failed below the gateway, newest 20":
            lambda: search(server, f'{{ resource.service.name = "{SERVICE}" }} >> {{ status = error }}', 20),
        "search, duration > 250ms, newest 20": lambda: search(server, "{ duration > 250ms }", 20),
    }
    numbers = {
        "count by service": lambda: grouped(server, "{ } | count_over_time() by (resource.service.name)", bounds, spans),
        "p95 by service":
            lambda: grouped(server, "{ } | quantile_over_time(duration, .95) by (resource.service.name)", bounds),
        "count by service, 60 steps":
            lambda: grouped(server, "{ } | count_over_time() by (resource.service.name)", bounds, spans, 60),
        "durations, 60 steps": lambda: grouped(server, "{ } | histogram_over_time(duration)", bounds, steps=60),
        "count by name": lambda: grouped(server, "{ } | count_over_time() by (name)", bounds, spans),
        "count of errors by service":
            lambda: grouped(server, "{ status = error } | count_over_time() by (resource.service.name)", bounds),
    }
    figures = {}
    for question, asked in {**questions, **numbers}.items():
        try:
            answers = asked()
            if question in numbers:  # what was counted is remembered
                figures[f"{name}: {question}, the first time, ms"] = answers.pop(0)[1]
            figures.update(latencies(f"{name}: {question}", answers))
        except Unanswered as why:
            figures[f"{name}: {question}"] = f"not answered ({why})".replace("|", "/").replace("\n", " ")
        except Wrong as why:
            raise SystemExit(f"bench: wrong answer: {why}") from why
    return figures


def measure(options, directory):
    name = f"{size_name(options.spans)} store"
    store = built(options, directory, name)
    figures = store["figures"]
    server = Server(directory / "data", options)
    figures[f"{name}: start seconds"] = server.ready_seconds
    server.settle()
    figures[f"{name}: RSS MiB, started"] = server.status_mib("VmRSS")
    figures.update(ask_all(server, directory / "data", name, store["sent"], store["spans"]))
    figures.update(fresh(server, name, store, directory / "made.json"))
    figures[f"{name}: RSS MiB, after all questions"] = server.status_mib("VmRSS")
    server.stop()
    return figures


def queries(options):
    """a store of --spans at rest: by id, searches, metrics; checked for being right"""
    if options.store:
        return measure(options, options.store)
    with Directory() as directory:
        return measure(options, directory)


def fill(options):
    """only make the store that `queries --store DIR` will ask"""
    if not options.store:
        raise SystemExit("bench: fill: say --store DIR")
    return built(options, options.store, f"{size_name(options.spans)} store")["figures"]


fill.once = queries.once = True
MEASUREMENTS = {"fill": fill, "queries": queries}
