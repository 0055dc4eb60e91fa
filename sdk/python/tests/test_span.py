"""Spans, their tags and limits, the current span."""

import asyncio
import enum
import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

import pytest
from support import INTERNAL

import tracekit
from tracekit import _clock, _limits, _otlp, _record, _server, _sql


def test_a_span_in_a_with_statement_is_the_current_one_and_ends_with_it(recorded):
    with tracekit.start_span("outer") as outer:
        assert tracekit.current_span() is outer
        with tracekit.start_span("inner"):
            pass
        assert tracekit.current_span() is outer
    assert tracekit.current_span() is None
    inner, outer = recorded.spans
    assert (inner.name, inner.parent, inner.trace_id, inner.kind) == ("inner", outer.id, outer.trace_id, INTERNAL)
    assert outer.parent == ""
    assert outer.tracestate == inner.tracestate == "ot=th:0"
    assert outer.start <= inner.start <= inner.end <= outer.end
    assert (outer.flags, inner.flags) == (0x103, 0x103)


def test_a_span_without_with_is_a_child_that_is_not_current(recorded):
    with tracekit.start_span("outer") as outer:
        child = tracekit.start_span("child", {"rows": 12})
        assert tracekit.current_span() is outer
        child.finish()
        child.end()
    assert recorded.named("child").attributes == {"rows": 12}
    assert recorded.named("child").parent == recorded.named("outer").id


def test_a_transaction_is_a_trace_of_its_own(recorded):
    with tracekit.start_span("request"):
        tracekit.start_transaction("nightly", {"job": 7}).end()
    nightly = recorded.named("nightly")
    assert nightly.trace_id != recorded.named("request").trace_id
    assert (nightly.parent, nightly.attributes) == ("", {"job": 7})


def test_an_exception_that_leaves_the_block_is_recorded_with_its_stack(recorded):
    def deep():
        raise ValueError("no such user")

    with pytest.raises(ValueError, match="no such user"), tracekit.start_span("work"):
        deep()
    span = recorded.only
    assert (span.failed, span.message, span.attributes["error.type"]) == (True, "no such user", "ValueError")
    (event,) = span.events
    assert (event.name, event.attributes["exception.type"]) == ("exception", "ValueError")
    assert event.attributes["exception.message"] == "no such user"
    assert "in deep" in event.attributes["exception.stacktrace"]
    assert span.start <= event.time <= span.end


def test_the_same_exception_counts_once(recorded):
    error = KeyError("x")
    with tracekit.start_span("work"):
        tracekit.capture_exception(error)
        tracekit.capture_exception(error)
    assert len(recorded.only.events) == 1


def test_capture_exception_takes_the_one_that_is_being_handled_and_needs_no_span(recorded):
    tracekit.capture_exception()  # none: nothing
    try:
        raise asyncio.TimeoutError("late")
    except asyncio.TimeoutError:
        tracekit.capture_exception()
    span = recorded.only
    assert (span.name, span.failed) == ("exception", True)
    assert span.events[0].attributes["exception.message"] == "late"


def test_capture_message_is_an_event(recorded):
    with tracekit.start_span("work"):
        tracekit.capture_message("cache rebuilt")
    tracekit.capture_message("alone", "warning")
    assert recorded.named("work").events[0].attributes == {"message": "cache rebuilt", "level": "info"}
    assert recorded.named("message").events[0].attributes == {"message": "alone", "level": "warning"}


def test_set_tag_tags_the_current_span_and_the_one_of_the_request(recorded):
    with tracekit.start_span("request"), tracekit.start_span("middle"), tracekit.start_span("inner"):
        tracekit.set_tag("order.id", "42")
        tracekit.set_tags({"tenant.id": 7})
    assert recorded.named("inner").attributes == recorded.named("request").attributes == {"order.id": "42", "tenant.id": 7}
    assert recorded.named("middle").attributes == {}
    tracekit.set_tag("nowhere", 1)


class Color(str, enum.Enum):
    RED = "red"


class Number(enum.IntEnum):
    SEVEN = 7


class Index:
    def __index__(self):
        return 12


class Throws:
    def __str__(self):
        raise RuntimeError("no")

    __repr__ = __str__


class Lazy:
    """As Django's and Werkzeug's: to ask for its class looks it up, which may fail."""

    @property
    def __class__(self):
        raise RuntimeError("no")

    def __str__(self):
        return "lazy"


class ThrowingDict(dict):
    def items(self):
        raise RuntimeError("no")


class Whatever:
    def __str__(self):
        return "whatever"


@pytest.mark.parametrize(
    ("value", "expect"),
    [
        ("text", "text"),
        ("", ""),
        ("héllo ☃ 😀", "héllo ☃ 😀"),
        ("half \ud83d of a pair", "half � of a pair"),
        ("a pair \ud83d\ude00", "a pair 😀"),
        (True, True),
        (False, False),
        (0, 0),
        (127, 127),
        (128, 128),
        (-1, -1),
        (2**63 - 1, 2**63 - 1),
        (-(2**63), -(2**63)),
        (2**63, str(2**63)),
        (10**5000, "..."),
        (1.5, 1.5),
        (float("inf"), float("inf")),
        (b"\x00\xff", b"\x00\xff"),
        (bytearray(b"ab"), b"ab"),
        ([1, "a", None, [True]], [1, "a", None, [True]]),
        ((), []),
        ({"a": 1, 2: {"b": b"c"}}, {"a": 1, "2": {"b": b"c"}}),
        (frozenset({"x"}), ["x"]),
        (Color.RED, "red"),
        (Number.SEVEN, 7),
        (Index(), 12),
        (Whatever(), "whatever"),
        (Throws(), "<unprintable Throws>"),
        (ThrowingDict(a=1), "{'a': 1}"),
        ([Throws()], ["<unprintable Throws>"]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_tag_keeps_its_type_and_anything_else_is_text(recorded, value, expect):
    with tracekit.start_span("x") as span:
        span.set_tag("tag", value)
    got = recorded.only.attributes["tag"]
    assert got == expect
    assert type(got) is type(expect)


def test_values_that_cannot_even_be_looked_at_are_text(recorded):
    released = memoryview(b"x")
    released.release()
    with tracekit.start_span("x") as span:
        span.set_tag("lazy", Lazy()).set_tag("released", released)
    assert recorded.only.attributes["lazy"] == "lazy"
    assert recorded.only.attributes["released"].startswith("<released memory")


def test_the_same_exception_counts_once_and_each_other_one_too(recorded):
    with tracekit.start_span("x") as span:
        for number in range(5):
            try:
                raise ValueError(number)
            except ValueError as error:
                span.capture_exception(error).capture_exception(error)
    assert [event.attributes["exception.message"] for event in recorded.only.events] == ["0", "1", "2", "3", "4"]


def test_long_texts_are_not_kept_to_be_written_again(recorded):
    text = "x" * 5000
    with tracekit.start_span("x") as span:
        span.set_tag(text, 1)
        _server._head("GET", "http", "host", text, "1.1")
        _sql.sanitize(text)
    assert text in recorded.only.attributes
    assert not any(text in str(kept) for kept in (_otlp._keys, _server._heads, _sql._shown))


def test_arguments_may_be_given_by_name(recorded):
    with tracekit.start_span(name="x", tags={"a": 1}) as span:
        span.set_tag(key="b", value=2)
        span.set_attribute(key="c", value=3).set_attributes({"d": 4})
        span.set_status(ok=False, message="why")
    for wrong in (lambda: span.set_tag("a"), lambda: span.set_tag("a", 1, 2), lambda: span.set_tag("a", key=1)):
        with pytest.raises(TypeError):
            wrong()
    assert recorded.only.attributes == {"a": 1, "b": 2, "c": 3, "d": 4}
    assert (recorded.only.failed, recorded.only.message) == (True, "why")


def test_tags_that_are_no_dictionary_harm_nothing(recorded):
    from types import MappingProxyType

    class Broken(dict):
        def items(self):
            raise RuntimeError("no")

    with tracekit.start_span("x", MappingProxyType({"a": 1})) as span:
        for wrong in (Broken(b=1), 7, "text", None, ["c"]):
            assert span.set_tags(wrong) is span
    assert recorded.only.attributes.items() >= {"a": 1}.items()


def test_a_span_that_is_never_ended_goes_with_what_it_refers_to(recorded):
    import gc
    import weakref

    def work():
        span = tracekit.start_span("lost")
        with tracekit.start_span("child"), span:
            pass
        span = tracekit.start_span("lost")
        try:
            raise ValueError
        except ValueError as error:
            error.span = span
            span.capture_exception(error)
        return weakref.ref(span)

    gone = work()
    gc.collect()
    assert gone() is None


def test_a_value_that_ends_its_span_while_it_is_written_harms_nothing(recorded):
    class Ends:
        def __init__(self, span):
            self.span = span

        def __str__(self):
            self.span.end()
            return "ended"

    span = tracekit.start_span("x")
    span.set_tag("a", Ends(span)).set_tag(Ends(span), 1).set_name(Ends(span))
    assert recorded.only.name == "x"


def test_dates_are_text_as_iso_8601_has_it(recorded):
    from datetime import date, datetime, timezone

    with tracekit.start_span("x") as span:
        span.set_tags({"at": datetime(2026, 11, 23, 5, tzinfo=timezone.utc), "on": date(2026, 11, 23)})
    assert recorded.only.attributes == {"at": "2026-11-23T05:00:00+00:00", "on": "2026-11-23"}


def test_a_tag_set_again_gets_the_new_value_and_none_takes_it_away(recorded):
    with tracekit.start_span("x") as span:
        span.set_tag("a", 1).set_tag("b", 2).set_tag("a", "new").set_tag("b", None).set_tag("", 3).set_tag(4, 5)
    assert recorded.only.attributes == {"a": "new", "4": 5}


def test_what_happens_to_a_value_after_it_was_set_does_not_change_the_tag(recorded):
    value = {"a": [1]}
    with tracekit.start_span("x") as span:
        span.set_tag("value", value)
        value["a"].append(2)
    assert recorded.only.attributes == {"value": {"a": [1]}}


def test_circular_values_come_to_an_end(recorded):
    ring = []
    ring += [ring, ring]
    circle = {}
    circle.update(self=circle, other=circle)
    with tracekit.start_span("x") as span:
        span.set_tag("ring", ring).set_tag("circle", circle).set_tag("after", 1)
    assert recorded.only.attributes["after"] == 1


def test_what_has_no_room_is_counted_whatever_its_key_is(recorded):
    with tracekit.start_span("x") as span:
        for i in range(128):
            span.set_tag(f"key{i}", i)
        span.set_tag("key0", "again").set_tag(("another",), 1).set_tag("one more", None)
    assert recorded.only.attributes["key0"] == "again"
    assert (len(recorded.only.attributes), recorded.only.dropped_attributes) == (128, 1)


def test_a_span_takes_256_kib_and_what_is_beyond_is_counted(recorded):
    with tracekit.start_span("x") as span:
        for i in range(10):
            span.set_tag(f"big{i}", "x" * 30_000)
        span.set_tag("fits", 1)
        span.add_event("too much as well", {"x": "x" * 30_000})
        span.add_event("fits")
    assert set(recorded.only.attributes) == {*(f"big{i}" for i in range(8)), "fits"}
    assert (recorded.only.dropped_attributes, recorded.only.dropped_events) == (2, 1)
    assert [event.name for event in recorded.only.events] == ["fits"]
    assert len(recorded.bytes) <= _limits.SPAN_BYTES_MAX


def test_a_giant_text_costs_no_more_than_what_is_kept_of_it(recorded):
    with tracekit.start_span("x") as span:
        span.set_tag("giant", "z" * (50 << 20)).set_tag("bytes", bytes(40_000)).set_tag("list", ["y" * 40_000] * 2)
    attributes = recorded.only.attributes
    assert attributes["giant"] == "z" * 32_768
    assert attributes["bytes"] == bytes(32_768)
    assert attributes["list"] == ["y" * 32_768] * 2


def test_a_list_takes_128_items_and_a_depth_of_8(recorded):
    deep = "bottom"
    for _ in range(10):
        deep = [deep]
    with tracekit.start_span("x") as span:
        span.set_tag("long", list(range(129))).set_tag("deep", deep)
    assert recorded.only.attributes["long"] == list(range(128))
    assert str(recorded.only.attributes["deep"]) == "[" * 8 + "'...'" + "]" * 8


def test_a_link_names_another_span(recorded):
    other = tracekit.start_transaction("other")
    with tracekit.start_span("x") as span:
        span.add_link(other, {"why": "retry"})
    other.end()
    (link,) = recorded.named("x").links
    assert (link.trace_id, link.id, link.attributes) == (other.trace_id_hex, other.span_id_hex, {"why": "retry"})
    assert (link.tracestate, link.flags) == ("ot=th:0", 0x103)


def test_a_name_may_be_anything(recorded):
    tracekit.start_span(42).end()
    tracekit.start_span("\ud800").end()
    tracekit.start_span("x" * 200).end()
    assert [span.name for span in recorded.spans] == ["42", "\ufffd", "x" * 200]


def test_nothing_changes_a_span_that_has_ended(recorded):
    span = tracekit.start_span("x")
    span.end()
    span.set_tag("a", 1).set_name("y").set_error("z").add_event("e").capture_exception(ValueError())
    assert (recorded.only.name, recorded.only.attributes, recorded.only.failed) == ("x", {}, False)


def test_status(recorded):
    tracekit.start_span("good").set_status(True, "ignored").end()
    tracekit.start_span("bad").set_error("because").end()
    assert (recorded.named("good").status, recorded.named("good").message) == (1, "")
    assert (recorded.named("bad").failed, recorded.named("bad").message) == (True, "because")


def test_a_span_that_is_not_sampled_has_an_identity_and_nothing_else(recorded):
    recorded.setup(sample_rate=0)
    with tracekit.start_span("x") as span:
        span.set_tag("a", 1).add_event("b").set_error("c").capture_exception(ValueError()).set_name("d")
        with tracekit.start_span("child") as child:
            headers = tracekit.inject_headers()
    assert recorded.spans == []
    assert not span.is_recording
    assert headers == {"traceparent": f"00-{span.trace_id_hex}-{child.span_id_hex}-02"}


def test_about_as_many_traces_are_recorded_as_asked_for(recorded):
    recorded.setup(sample_rate=0.25)
    for _ in range(4000):
        with tracekit.start_span("root"):
            tracekit.start_span("child").end()
    roots = [span for span in recorded.spans if span.name == "root"]
    assert 800 < len(roots) < 1200  # 7 standard deviations
    assert len(recorded.spans) == 2 * len(roots)
    assert {span.tracestate for span in recorded.spans} == {"ot=th:c"}


def test_async_tasks_have_a_current_span_each(recorded):
    async def work(name):
        with tracekit.start_span(name):
            await asyncio.sleep(0)
            with tracekit.start_span(f"{name} child"):
                await asyncio.sleep(0)

    async def main():
        with tracekit.start_span("request"):
            await asyncio.gather(*(work(f"w{i}") for i in range(5)))

    asyncio.run(main())
    for i in range(5):
        assert recorded.named(f"w{i}").parent == recorded.named("request").id
        assert recorded.named(f"w{i} child").parent == recorded.named(f"w{i}").id


def test_a_generator_that_is_closed_elsewhere_leaves_no_current_span(recorded):
    def numbers():
        with tracekit.start_span("numbers"):
            yield 1
            yield 2

    generator = numbers()
    copy_context().run(next, generator)
    generator.close()
    assert tracekit.current_span() is None
    assert not recorded.only.failed


def test_a_thread_has_the_span_of_its_context_if_it_is_given_one(recorded):
    with tracekit.start_span("request"), ThreadPoolExecutor(1) as pool:
        pool.submit(copy_context().run, lambda: tracekit.start_span("with").end()).result()
        pool.submit(lambda: tracekit.start_span("without").end()).result()
    assert recorded.named("with").parent == recorded.named("request").id
    assert recorded.named("without").parent == ""


def test_spans_may_be_used_by_several_threads(recorded):
    with tracekit.start_span("shared") as span:
        threads = [
            threading.Thread(target=lambda n=n: [(span.set_tag(f"t{n}", i), span.add_event("e")) for i in range(1000)])
            for n in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert recorded.only.attributes == {f"t{n}": 999 for n in range(8)}
    assert len(recorded.only.events) >= 128
    assert recorded.only.dropped_events > 0


def test_the_decorator_traces_functions_of_every_kind(recorded):
    @tracekit.trace
    def plain(a, b=1):
        """Adds."""
        return a + b

    @tracekit.trace("an async one")
    async def asynchronous():
        return tracekit.current_span().name

    @tracekit.trace()
    def generator():
        got = yield 1
        return got

    @tracekit.trace
    async def asynchronous_generator():
        yield 1

    async def collect():
        return [item async for item in asynchronous_generator()]

    assert (plain(1, b=2), plain.__doc__) == (3, "Adds.")
    assert asyncio.run(asynchronous()) == "an async one"
    assert list(generator()) == [1]
    assert asyncio.run(collect()) == [1]
    assert [span.name.rpartition(".")[2] for span in recorded.spans] == [
        "plain",
        "an async one",
        "generator",
        "asynchronous_generator",
    ]


def test_a_traced_generator_is_the_current_span_only_while_it_runs(recorded):
    @tracekit.trace("numbers")
    def numbers():
        try:
            got = yield tracekit.current_span().name
            assert got == "sent"
            yield 2
        except KeyError:
            yield tracekit.current_span().name
        return "returned"

    with tracekit.start_span("caller") as caller:
        generator = numbers()
        assert next(generator) == "numbers"
        assert tracekit.current_span() is caller
        with tracekit.start_span("between"):
            assert generator.send("sent") == 2
        assert generator.throw(KeyError()) == "numbers"
        with pytest.raises(StopIteration) as stop:
            next(generator)
        assert stop.value.value == "returned"
        assert tracekit.current_span() is caller
    assert tracekit.current_span() is None
    assert recorded.named("between").parent == recorded.named("caller").id
    assert recorded.named("numbers").parent == recorded.named("caller").id
    assert not recorded.named("numbers").failed


def test_a_traced_asynchronous_generator_is_the_current_span_only_while_it_runs(recorded):
    closed = []

    @tracekit.trace("numbers")
    async def numbers():
        try:
            yield tracekit.current_span().name
            raise ValueError("broken")
        finally:
            closed.append(tracekit.current_span().name)

    async def main():
        with tracekit.start_span("caller") as caller:
            first = numbers()
            assert await first.__anext__() == "numbers"
            assert tracekit.current_span() is caller
            await first.aclose()
            assert tracekit.current_span() is caller
            second = numbers()
            await second.__anext__()
            with pytest.raises(ValueError, match="broken"):
                await second.__anext__()
            assert tracekit.current_span() is caller

    asyncio.run(main())
    assert closed == ["numbers", "numbers"]
    assert [span.failed for span in recorded.spans if span.name == "numbers"] == [False, True]


def test_a_clock_that_jumps_changes_no_duration(recorded, monkeypatch):
    wall = [1_800_000_000_000_000_000]
    monkeypatch.setattr(_clock, "time_ns", lambda: wall[0])
    _record.sync_clock()
    with tracekit.start_span("before") as span:
        wall[0] -= 3600 * 10**9  # set back by an hour, while a request is under way
        _record.sync_clock()
        with tracekit.start_span("child"):
            span.add_event("e")
    with tracekit.start_span("after"):
        pass
    before, child, after = (recorded.named(name) for name in ("before", "child", "after"))
    assert before.start <= child.start <= before.events[0].time <= child.end <= before.end < before.start + 60 * 10**9
    assert 3590 * 10**9 < before.start - after.start < 3610 * 10**9


def test_baggage_goes_with_the_request_and_no_further(recorded):
    with tracekit.start_span("request"):
        tracekit.set_baggage("user.id", "é, 7")
        tracekit.set_baggage("gone", "x")
        with tracekit.start_span("child"):
            tracekit.set_baggage("gone", None)
            tracekit.set_baggage("not allowed", "x")
            assert tracekit.inject_headers()["baggage"] == "user.id=%C3%A9%2C%207"
            assert tracekit.get_baggage() == {"user.id": "é, 7"}
    assert recorded.named("child").attributes == {}
    with tracekit.start_span("next request"):
        assert tracekit.get_baggage() == {}
        assert "baggage" not in tracekit.inject_headers()
    tracekit.set_baggage("outside", "x")
    assert tracekit.inject_headers() == {}


def test_ids_are_never_zero(monkeypatch):
    from tracekit import _ids

    monkeypatch.setattr(_ids, "_bits", lambda bits: 0)
    assert _ids.new_trace_id() == bytes(15) + b"\x01"
    assert _ids.new_span_id() == bytes(7) + b"\x01"


def test_seeding_the_programs_own_random_numbers_does_not_repeat_ids(recorded):
    import random

    for _ in range(2):
        random.seed(1)
        tracekit.start_span("x").end()
    first, second = recorded.spans
    assert first.trace_id != second.trace_id
    assert first.id != second.id
