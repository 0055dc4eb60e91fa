"""The rules that all SDKs share, sdk/spec."""

import re
from datetime import datetime

import pytest
import support
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest as Request
from support import vectors

import tracekit
from tracekit import (
    _client,
    _exporter,
    _http,
    _limits,
    _otlp,
    _propagation,
    _record,
    _sampling,
    _sender,
    _server,
    _span,
    _sql,
)
from tracekit._options import Options, checked_rate, traces_url
from tracekit._propagation import RANDOM, SAMPLED, SpanContext, extract, inject, parse_tracestate
from tracekit._redact import redact_query, redact_url
from tracekit._span import Span
from tracekit._targets import is_target


def cases(file, *path):
    found = vectors(file)
    for key in path:
        found = found[key]
    return pytest.mark.parametrize("case", found, ids=[case.get("name", str(case)) for case in found])


def joined(members):
    return ",".join("=".join(member) for member in members)


def made(trace_id="", span_id="", flags=0, tracestate=""):
    span = Span("x", 1, None, bytes.fromhex(trace_id), bytes.fromhex(span_id), flags, tracestate, None)
    return span


def sent(span, headers=()):
    headers = dict(headers)
    inject(span, headers)
    return headers


@cases("traceparent.json", "parse")
def test_traceparent(case):
    context = extract(case["headers"], [], [])
    if case["expect"] is None:
        assert context is None
        return
    got = {
        "traceId": context.trace_id.hex(),
        "parentId": context.span_id.hex(),
        "sampled": bool(context.flags & SAMPLED),
        "random": bool(context.flags & RANDOM),
    }
    assert got == case["expect"]
    assert context.flags <= SAMPLED | RANDOM


@cases("traceparent.json", "parse")
def test_traceparent_of_headers_joined_by_a_comma(case):
    if not case["headers"]:
        return
    context = extract([",".join(case["headers"])], [], [])
    assert (context is None) == (case["expect"] is None)


@cases("tracestate.json", "parse")
def test_tracestate(case):
    assert parse_tracestate(case["headers"]) == joined(case["members"])
    assert parse_tracestate([",".join(case["headers"])]) == joined(case["members"])


@cases("tracestate.json", "make")
def test_tracestate_made(case):
    headers = sent(made("ab" * 16, "cd" * 8, 1, joined(case["members"])), {"tracestate": "of=the-caller"})
    assert headers.get("tracestate") == case["header"]


@cases("headers.json", "make")
def test_headers_made(case):
    span = case["span"]
    flags = SAMPLED * span["sampled"] | RANDOM * span["random"]
    headers = sent(made(span["traceId"], span["spanId"], flags, joined(span["tracestate"])))
    assert headers.get("traceparent") == case["expect"]["traceparent"]
    assert headers.get("tracestate") == case["expect"]["tracestate"]


@cases("headers.json", "continue")
def test_headers_continued(case, recorded):
    client = tracekit.get_client()
    incoming = extract(case["incoming"]["traceparent"], case["incoming"]["tracestate"], [])
    with client.start("GET /", _span.SERVER, incoming):
        headers = sent(client.start("GET", _span.CLIENT, tracekit.current_span()))
    version, trace_id, span_id, flags = headers["traceparent"].split("-")
    same = any(value.strip()[3:35] == trace_id for value in case["incoming"]["traceparent"])
    expect = case["expect"]
    assert (version, same, flags, headers.get("tracestate")) == (
        "00",
        expect["sameTrace"],
        expect["flags"],
        expect["tracestate"],
    )
    assert all(span_id not in value for value in case["incoming"]["traceparent"])


def targets_of(case):
    if case["targets"] is None:
        return None
    return [
        one if isinstance(one, str) else re.compile(one["regexp"], re.IGNORECASE if "i" in one["flags"] else 0)
        for one in case["targets"]
    ]


@cases("targets.json", "absolute")
def test_targets(case):
    if case["targets"] is not None:  # unset is the same origin in a browser only
        assert is_target(case["url"], targets_of(case)) == (case["expect"] == "sent")


@cases("targets.json", "server")
def test_targets_of_a_server(case):
    assert is_target(case["url"], targets_of(case)) == (case["expect"] == "sent")


@cases("targets.json", "browser")
def test_targets_of_resolved_urls(case):
    if case["targets"] is not None and "://" in case["url"]:
        assert is_target(case["url"], targets_of(case)) == (case["expect"] == "sent")


@cases("sampling.json", "thresholds")
def test_thresholds(case):
    threshold = _sampling.threshold_of(case["rate"])
    if case["th"] is None:
        assert not _record.samples(threshold, b"\xff" * 16)
    else:
        assert _sampling.tracestate_of(threshold) == f"ot=th:{case['th']}"


@cases("sampling.json", "decisions")
def test_decisions(case):
    threshold = _sampling.threshold_of(case["rate"])
    assert _record.samples(threshold, bytes.fromhex(case["traceId"])) == case["sampled"]


@pytest.mark.parametrize("rate", [*vectors("sampling.json")["invalidRates"], float("nan"), "half", None, []])
def test_a_rate_that_is_none_is_said_and_taken_as_1(rate, capfd):
    assert checked_rate(rate) == 1
    assert capfd.readouterr().err.count("\n") == 1


@cases("retry.json", "outcomes")
def test_outcomes(case):
    assert _sender.outcome_of(case["status"]) == case["outcome"]


@cases("retry.json", "delays")
def test_delays(case):
    now = datetime.fromisoformat(case["now"].replace("Z", "+00:00")).timestamp()
    expect = case["delayMs"] if isinstance(case["delayMs"], list) else [case["delayMs"]] * 2
    for _ in range(100):
        ms = _sender.retry_delay(case["attempt"], case["retryAfter"], now) * 1000
        assert expect[0] <= ms <= expect[1]


def test_the_constants_of_retry():
    spec = vectors("retry.json")
    assert spec["attemptsMax"] == _sender.ATTEMPTS_MAX
    assert spec["delayMsInitial"] == _sender.DELAY_INITIAL * 1000
    assert spec["delayMsMax"] == _sender.DELAY_MAX * 1000


@cases("endpoint.json", "cases")
def test_endpoints(case):
    assert traces_url(case["endpoint"]) == case["url"]


@cases("redaction.json", "urls")
def test_redaction(case):
    assert redact_url(case["url"]) == case["expect"]
    query, expect = (url.partition("#")[0].partition("?")[2] for url in (case["url"], case["expect"]))
    assert redact_query(query) == expect


def value_of(typed):
    ((kind, value),) = typed.items()
    if kind == "int":
        return int(value)
    if kind == "double":
        return float(value)
    return [value_of(item) for item in value] if kind == "array" else value


def pairs_of(pairs):
    return [(key, value_of(value)) for key, value in pairs]


@cases("otlp.json", "cases")
def test_otlp(case):
    spans, queue = [], _record.Queue(print, print)
    for described in case["spans"]:
        flags = SAMPLED | (RANDOM if described.get("random") else 0)
        trace_id, span_id = bytes.fromhex(described["traceId"]), bytes.fromhex(described["spanId"])
        parent = None
        if "parentSpanId" in described:
            parent_id = bytes.fromhex(described["parentSpanId"])
            parent = SpanContext(trace_id, parent_id, flags)
            if not described.get("parentIsRemote", False):
                parent = Span("", 1, None, trace_id, parent_id, flags, "", None)
        kind, tracestate = getattr(_span, described["kind"]), described.get("traceState", "")
        span = Span(described["name"], kind, parent, trace_id, span_id, flags, tracestate, queue)
        span._start = int(described["startTimeUnixNano"])
        for key, value in pairs_of(described.get("attributes", [])):
            span.set_tag(key, value)
        span._dropped_attributes = described.get("droppedAttributesCount", 0)
        for event in described.get("events", []):
            span._add_event(_otlp.event(event["name"], int(event["timeUnixNano"]), pairs_of(event.get("attributes", []))))
        span._dropped_events = described.get("droppedEventsCount", 0)
        status = described.get("status", {"code": "UNSET"})
        if status["code"] != "UNSET":
            span.set_status(status["code"] == "OK", status.get("message", ""))
        spans.append(span._encoded(int(described["endTimeUnixNano"])))
    scope = _otlp.scope(case["scope"]["name"], case["scope"]["version"])
    body = _otlp.request(_otlp.resource(pairs_of(case["resource"])), scope, b"".join(spans))
    # Fields may stand in any order: in libtracekit's they do not stand as in the vector.
    assert Request.FromString(body) == Request.FromString(bytes.fromhex(case["protobufHex"]))
    assert _record.is_native or body.hex() == case["protobufHex"]


@cases("baggage.json", "parse")
def test_baggage(case):
    found = [(key, *pair) for key, pair in _propagation.read_baggage(case["headers"]).items()]
    assert found == [(*member, "")[:3] for member in case["members"]]


@cases("baggage.json", "make")
def test_baggage_made(case):
    members = {key: (value, *(rest or [""])) for key, value, *rest in case["members"]}
    assert (_propagation.write_baggage(members) or None) == case["header"]


@cases("baggage.json", "continue")
def test_baggage_continued(case, recorded):
    client = tracekit.get_client()
    incoming = extract(case["incoming"]["traceparent"], [], case["incoming"]["baggage"])
    with client.start("GET /", _span.SERVER, incoming):
        headers = sent(client.start("GET", _span.CLIENT, tracekit.current_span()))
    assert headers.get("baggage") == case["expect"]


def test_the_limits_are_those_of_all_sdks():
    limits = vectors("limits.json")
    assert {name: value for name, value in limits.items() if isinstance(value, int)} == {
        "attributesMax": _limits.ATTRIBUTES_MAX,
        "eventsMax": _limits.EVENTS_MAX,
        "linksMax": _limits.LINKS_MAX,
        "eventAttributesMax": _limits.EVENT_ATTRIBUTES_MAX,
        "linkAttributesMax": _limits.EVENT_ATTRIBUTES_MAX,
        "stringBytesMax": _limits.STRING_BYTES_MAX,
        "arrayItemsMax": _limits.ARRAY_ITEMS_MAX,
        "depthMax": _limits.VALUE_DEPTH_MAX,
        "spanBytesMax": _limits.SPAN_BYTES_MAX,
        "queueSpansMax": _limits.QUEUE_MAX,
        "queueBytesMax": _limits.BYTES_MAX,
        "batchSpansMax": _limits.BATCH_MAX,
        "batchDelayMs": _exporter.INTERVAL * 1000,
        "requestTimeoutMs": _sender.REQUEST_TIMEOUT * 1000,
        "exitFlushMs": _client.EXIT_TIMEOUT * 1000,
    }


@cases("limits.json", "counts")
def test_counts(case, recorded):
    other = tracekit.start_transaction("other")
    with tracekit.start_span("x") as span:
        for i in range(case.get("attributes", 0)):
            span.set_tag(f"key{i}", i)
        for i in range(case.get("again", 0)):
            span.set_tag(f"key{i}", "again")
        for _ in range(case.get("events", 0)):
            span.add_event("e", {f"key{i}": i for i in range(case.get("eventAttributes", 0))})
        for _ in range(case.get("links", 0)):
            span.add_link(other)
    got = recorded.only
    kept = {"attributes": len(got.attributes), "events": len(got.events), "links": len(got.links)}
    dropped = {"attributes": got.dropped_attributes, "events": got.dropped_events, "links": got.dropped_links}
    if got.events:
        kept["eventAttributes"] = len(got.events[0].attributes)
        dropped["eventAttributes"] = got.events[0].dropped
    assert kept.items() >= case["kept"].items()
    assert dropped.items() >= case["dropped"].items()


@cases("limits.json", "truncation")
def test_truncation(case, recorded):
    text, expect = ("".join(piece * times for piece, times in case[key]) for key in ("text", "expect"))
    with tracekit.start_span("x") as span:
        span.set_tag("tag", text).set_tag("list", [text])
        span.set_tag(text, "key")
    assert recorded.only.attributes == {"tag": expect, "list": [expect], expect: "key"}


def described(span, expect, route=""):
    assert span.name == expect["name"].replace("{route}", route)
    assert span.kind == getattr(_span, expect["kind"])
    if "status" in expect:
        assert span.status == ("UNSET", "OK", "ERROR").index(expect["status"])
    attributes = {
        key: value.replace("{route}", route) if key == "http.route" else value for key, value in expect["attributes"].items()
    }
    assert span.attributes.items() >= attributes.items()
    kind = {"SERVER": "server", "CLIENT": "client"}.get(expect["kind"], "messaging")
    names = vectors("semconv.json")["names"][kind if "messaging.system" not in attributes else "messaging"]
    assert span.attributes.keys() <= set(names)


@cases("semconv.json", "server")
@pytest.mark.parametrize("interface", ["wsgi", "asgi"])
def test_server_spans(case, interface, recorded):
    request = case["request"]
    path, _, query = request["target"].partition("?")
    agent = request.get("userAgent")
    if interface == "wsgi":
        environ = {
            "REQUEST_METHOD": request["method"],
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "HTTP_HOST": request["host"],
            "SERVER_PROTOCOL": "HTTP/1.1",
            "wsgi.url_scheme": "http",
        }
        span = _server.from_environ({**environ, **({"HTTP_USER_AGENT": agent} if agent else {})})
    else:
        headers = [(b"host", request["host"].encode())] + [(b"user-agent", (agent or "").encode())] * bool(agent)
        scope = {"method": request["method"], "path": path, "query_string": query.encode(), "headers": headers}
        span = _server.from_scope({**scope, "scheme": "http", "http_version": "1.1"})
    _server.set_route(span, request["method"], case["route"] or "")
    _server.finish(span, case["status"])
    described(recorded.only, case["expect"], case["route"] or "")


@cases("semconv.json", "client")
def test_client_spans(case, recorded):
    span = _http.start_request(case["request"]["method"], case["request"]["url"], {})
    _http.end_request(span, case["status"])
    described(recorded.only, case["expect"])


@cases("semconv.json", "queries")
def test_queries(case):
    assert _sql.sanitize(case["query"], case.get("backslashEscapes", False)) == case["expect"]


def test_systems(recorded):
    for driver, system in vectors("semconv.json")["systems"].items():
        _sql.start(driver, "db.execute", "SELECT 1", False).end()
        assert recorded.spans[-1].attributes["db.system.name"] == system


@cases("semconv.json", "messaging")
def test_messaging(case, recorded):
    if case["system"] != "celery" or case["operation"] == "receive":
        return  # Celery sends and processes
    from types import SimpleNamespace

    from tracekit.integrations import celery

    if case["operation"] == "send":
        celery._publish(case["destination"], {"id": "1"})
        celery._published({"id": "1"})
    else:
        celery._run("1", SimpleNamespace(name=case["destination"], request=SimpleNamespace(get=lambda name: None)))
        celery._ran("1")
    described(recorded.only, case["expect"])


@cases("semconv.json", "exceptions")
def test_exceptions(case, recorded):
    error = {"TypeError": TypeError}[case["type"]](case["message"])
    with tracekit.start_span("x"):
        tracekit.capture_exception(error)
    got, expect = recorded.only, case["expect"]
    assert (len(got.events), got.message, got.attributes["error.type"]) == (
        expect["events"],
        expect["statusMessage"],
        expect["errorType"],
    )
    assert got.status == ("UNSET", "OK", "ERROR").index(expect["status"])
    assert got.events[0].attributes.keys() <= set(vectors("semconv.json")["names"]["exception"])


def test_a_resource_has_the_names_of_all_sdks():
    resource = _client.resource_of(Options({}, service_name="x", release="1", environment="e"))
    spans = support.read(_otlp.request(resource, b"", _otlp.message(b"\x12", b"")))
    assert spans[0].resource.keys() == set(vectors("semconv.json")["names"]["resource"])
