"""The 41 cases of the official harness of W3C Trace Context (SPEC_LEVEL 2, STRICT_LEVEL 2), each by its name there.

A request with the headers under test goes to a framework's server, byte for byte; the application calls back by a traced
client. A case is what is sent, and what the callbacks may carry.
"""

import http.client
import http.server
import json
import threading

import apps
import pytest

import tracekit

TRACE, PARENT = "12345678901234567890123456789012", "1234567890123456"
GOOD = f"00-{TRACE}-{PARENT}-00"
TP, TS = "traceparent", "tracestate"


class Sent:
    """The headers of one callback."""

    def __init__(self, headers):
        values = [value for name, value in headers if name.lower() == TP]
        assert len(values) == 1, values
        self.version, self.trace_id, self.span_id, flags = values[0].split("-")
        self.flags = int(flags, 16)
        assert self.version == "00"
        assert int(self.trace_id, 16)
        assert int(self.span_id, 16)
        members = ",".join(value for name, value in headers if name.lower() == TS)
        self.state = dict(member.split("=", 1) for member in members.split(",")) if members else {}
        self.order = list(self.state)


def parent(value):
    return [(TP, value)]


def state(*values):
    return [(TP, GOOD), *((TS, value) for value in values)]


def same(sent):
    assert sent.trace_id == TRACE
    assert sent.span_id != PARENT


def new(sent):
    assert sent.trace_id not in (TRACE, "0" * 32)
    assert TRACE[:30] not in sent.trace_id
    assert sent.state == {"ot": "th:0"}


def keeps(**members):
    def check(sent):
        same(sent)
        assert sent.state == members
        assert sent.order == list(members)

    return check


def keeps_members(members):
    return keeps(**members)


drops = keeps()
KEY = "abcdefghijklmnopqrstuvwxyz0123456789_-*/"
VALUE = "".join(chr(c) for c in range(0x20, 0x7F) if chr(c) not in ",=")
BARS = {f"bar{i:02}": f"{i:02}" for i in range(1, 34)}


def bars(count):
    members = [f"{key}={value}" for key, value in list(BARS.items())[:count]]
    return state(*(",".join(members[i : i + 10]) for i in range(0, count, 10)))


CASES = {
    "both_traceparent_and_tracestate_missing": [([], new)],
    "traceparent_included_tracestate_missing": [(parent(f"00-{TRACE}-{PARENT}-01"), same)],
    "traceparent_duplicated": [(parent(f"00-{TRACE[:-1]}1-{PARENT}-01") + parent(f"00-{TRACE}-{PARENT}-01"), new)],
    "traceparent_header_name": [([(name, f"00-{TRACE}-{PARENT}-01")], new) for name in ("trace-parent", "trace.parent")],
    "traceparent_header_name_valid_casing": [
        ([(name, f"00-{TRACE}-{PARENT}-01")], same) for name in ("TraceParent", "TrAcEpArEnT", "TRACEPARENT")
    ],
    "traceparent_version_0x00": [
        (parent(f"00-{TRACE}-{PARENT}-01{tail}"), new) for tail in (".", "-what-the-future-will-be-like")
    ],
    "traceparent_version_0xcc": [
        (parent(f"cc-{TRACE}-{PARENT}-01"), same),
        (parent(f"cc-{TRACE}-{PARENT}-01-what-the-future-will-be-like"), same),
        (parent(f"cc-{TRACE}-{PARENT}-01.what-the-future-will-be-like"), new),
    ],
    "traceparent_version_0xff": [(parent(f"ff-{TRACE}-{PARENT}-01"), new)],
    "traceparent_version_illegal_characters": [(parent(f"{v}-{TRACE}-{PARENT}-01"), new) for v in (".0", "0.")],
    "traceparent_version_too_long": [(parent(f"{v}-{TRACE}-{PARENT}-01"), new) for v in ("000", "0000")],
    "traceparent_version_too_short": [(parent(f"0-{TRACE}-{PARENT}-01"), new)],
    "traceparent_trace_id_all_zero": [(parent(f"00-{'0' * 32}-{PARENT}-01"), new)],
    "traceparent_trace_id_illegal_characters": [
        (parent(f"00-{t}-{PARENT}-01"), new) for t in ("." + TRACE[1:], TRACE[:-1] + ".")
    ],
    "traceparent_trace_id_too_long": [(parent(f"00-{TRACE}3-{PARENT}-01"), new)],
    "traceparent_trace_id_too_short": [(parent(f"00-{TRACE[:-1]}-{PARENT}-01"), new)],
    "traceparent_parent_id_all_zero": [(parent(f"00-{TRACE}-{'0' * 16}-01"), new)],
    "traceparent_parent_id_illegal_characters": [
        (parent(f"00-{TRACE}-{p}-01"), new) for p in ("." + PARENT[1:], PARENT[:-1] + ".")
    ],
    "traceparent_parent_id_too_long": [(parent(f"00-{TRACE}-{PARENT}7-01"), new)],
    "traceparent_parent_id_too_short": [(parent(f"00-{TRACE}-{PARENT[:-1]}-01"), new)],
    "traceparent_trace_flags_illegal_characters": [(parent(f"00-{TRACE}-{PARENT}-{f}"), new) for f in (".0", "0.")],
    "traceparent_trace_flags_too_long": [(parent(f"00-{TRACE}-{PARENT}-001"), new)],
    "traceparent_trace_flags_too_short": [(parent(f"00-{TRACE}-{PARENT}-1"), new)],
    "traceparent_ows_handling": [
        (parent(f"{before}00-{TRACE}-{PARENT}-01{after}"), same)
        for before, after in ((" ", ""), ("\t", ""), ("", " "), ("", "\t"), ("\t ", " \t"))
    ],
    "tracestate_included_traceparent_missing": [([(TS, "foo=1")], new), ([(TS, "foo=1,bar=2")], new)],
    "tracestate_included_traceparent_included": [(state("foo=1,bar=2"), keeps(foo="1", bar="2"))],
    "tracestate_header_name": [([(TP, GOOD), (name, "foo=1")], drops) for name in ("trace-state", "trace.state")],
    "tracestate_header_name_valid_casing": [
        ([(TP, GOOD), (name, "foo=1")], keeps(foo="1")) for name in ("TraceState", "TrAcEsTaTe", "TRACESTATE")
    ],
    "tracestate_empty_header": [
        (state(""), drops),
        (state("foo=1", ""), keeps(foo="1")),
        (state("", "foo=1"), keeps(foo="1")),
    ],
    "tracestate_multiple_headers_different_keys": [
        (state("foo=1,bar=2", "rojo=1,congo=2", "baz=3"), keeps(foo="1", bar="2", rojo="1", congo="2", baz="3"))
    ],
    "tracestate_duplicated_keys": [
        (state("foo=1,foo=1"), keeps(foo="1")),
        (state("foo=1,foo=2"), keeps(foo="1")),
        (state("foo=1", "foo=1"), keeps(foo="1")),
        (state("foo=1", "foo=2"), keeps(foo="1")),
    ],
    "tracestate_all_allowed_characters": [
        (state(f"{key}={VALUE}"), keeps_members({key: VALUE})) for key in (KEY, KEY + "@a-z0-9_-*/")
    ],
    "tracestate_ows_handling": [
        (state("foo=1 \t , \t bar=2, \t baz=3"), keeps(foo="1", bar="2", baz="3")),
        (state("foo=1\t \t,\t \tbar=2,\t \tbaz=3"), keeps(foo="1", bar="2", baz="3")),
        *((state(text), keeps(foo="1")) for text in (" foo=1", "\tfoo=1", "foo=1 ", "foo=1\t", "\t foo=1 \t")),
    ],
    "tracestate_key_illegal_characters": [(state(f"{key}=1"), drops) for key in ("foo ", "FOO", "foo.bar")],
    "tracestate_key_illegal_vendor_format": [
        (state("foo@=1,bar=2"), keeps_members({"foo@": "1", "bar": "2"})),
        (state("@foo=1,bar=2"), drops),
        (state("foo@@bar=1,bar=2"), keeps_members({"foo@@bar": "1", "bar": "2"})),
        (state("foo@bar@baz=1,bar=2"), keeps_members({"foo@bar@baz": "1", "bar": "2"})),
    ],
    "tracestate_member_count_limit": [
        (bars(32), keeps_members(dict(list(BARS.items())[:32]))),
        (bars(33), drops),
    ],
    "tracestate_key_length_limit": [
        *(
            (state("foo=1", f"{key}=1"), keeps_members({"foo": "1", key: "1"}))
            for key in ("z" * 256, "t" * 241 + "@" + "v" * 14, "t" * 242 + "@v", "t@" + "v" * 15)
        ),
        (state("foo=1", "z" * 257 + "=1"), drops),
    ],
    "tracestate_value_illegal_characters": [(state("foo=bar=baz"), drops), (state("foo=,bar=3"), drops)],
    "multiple_requests_with_valid_traceparent": [(parent(f"00-{TRACE}-{PARENT}-01"), same)],
    "multiple_requests_without_traceparent": [([], new)],
    "multiple_requests_with_illegal_traceparent": [(parent(f"00-{'0' * 32}-{PARENT}-01"), new)],
    "propagates_random_flag": [
        (parent(f"00-{TRACE}-{PARENT}-02"), lambda sent: (same(sent), check_flags(sent, 2))),
        (parent(f"00-{TRACE}-{PARENT}-01"), lambda sent: (same(sent), check_flags(sent, 1))),
    ],
}


def check_flags(sent, flags):
    assert sent.flags == flags


def test_there_are_41_cases():
    assert len(CASES) == 41


class Callbacks(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.server.received.append(self.headers.items())
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def callbacks():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Callbacks)
    server.received = []
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module", params=["flask", "django", "fastapi"])
def service(request):
    with apps.serve(request.param) as url:
        yield url.partition("//")[2]


@pytest.mark.parametrize("name", CASES)
def test_w3c(name, service, callbacks, recorded):
    count = 3 if name.startswith("multiple_requests") else 1
    body = json.dumps([{"url": f"http://127.0.0.1:{callbacks.server_port}/{i}", "arguments": []} for i in range(count)])
    for headers, check in CASES[name]:
        callbacks.received.clear()
        connection = http.client.HTTPConnection(service, timeout=60)
        connection.putrequest("POST", "/test", skip_accept_encoding=True)
        for key, value in (*headers, ("content-type", "application/json"), ("content-length", str(len(body)))):
            connection.putheader(key, value)
        connection.endheaders(body.encode())
        assert connection.getresponse().status in (200, 204)
        connection.close()
        sent = [Sent(received) for received in callbacks.received]
        assert len(sent) == count
        assert len({one.span_id for one in sent}) == count
        assert len({one.trace_id for one in sent}) == 1
        for one in sent:
            check(one)
    assert tracekit.current_span() is None
