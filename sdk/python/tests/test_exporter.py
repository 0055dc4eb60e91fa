"""Delivery: batches, retries, limits, and servers that misbehave."""

import threading
import time

import pytest
from support import DEADLINE, said, until, vectors

import tracekit
from tracekit import _client, _exporter, _limits, _otlp, _record, _sender


@pytest.fixture
def start(sink, monkeypatch):
    """Sets up an SDK that sends to the sink and does not wait long between tries."""
    monkeypatch.setattr(_sender, "DELAY_INITIAL", 0.01)

    def start(**options):
        tracekit.init(**{"api_key": "key", "endpoint": sink.url, "service_name": "test", **options})
        return _client.get_client().exporter

    return start


def spans(count, name="x"):
    for _ in range(count):
        tracekit.start_span(name).end()


def test_a_full_batch_leaves_at_once_and_the_rest_with_the_interval(sink, start, monkeypatch):
    monkeypatch.setattr(_exporter, "INTERVAL", 3600.0)
    start()
    spans(511)
    assert sink.requests == []
    spans(1)
    sink.wait(lambda sink: len(sink.spans) == 512)
    assert len(sink.requests) == 1
    spans(1)
    assert tracekit.flush(DEADLINE)
    assert len(sink.spans) == 513
    assert tracekit.stats() == {"sent": 513, "dropped": 0, "queued": 0}


def test_spans_leave_with_the_interval(sink, start, monkeypatch):
    monkeypatch.setattr(_exporter, "INTERVAL", 0.01)
    start()
    spans(3)
    sink.wait(lambda sink: len(sink.spans) == 3)


def test_no_request_holds_more_than_512_spans(sink, start):
    start()
    spans(1500)
    assert tracekit.flush(DEADLINE)
    assert len(sink.spans) == 1500
    assert all(len(sink_request.body) > 0 for sink_request in sink.requests)
    from support import read

    assert max(len(read(request.body)) for request in sink.requests) <= 512


def test_one_connection_is_kept(sink, start):
    start()
    ports = set()
    sink.answers += [lambda handler: (ports.add(handler.client_address), ok(handler))] * 3
    for _ in range(3):
        spans(1)
        assert tracekit.flush(DEADLINE)
    assert len(ports) == 1


def ok(handler):
    handler.send_response(200)
    handler.send_header("content-length", "0")
    handler.end_headers()


def test_a_server_that_closed_the_kept_connection_costs_no_try(sink, start, capfd):
    def ok_and_close(handler):
        ok(handler)
        handler.close_connection = True

    start()
    sink.answers += [ok_and_close]
    spans(1, "first")
    assert tracekit.flush(DEADLINE)
    spans(1, "second")
    assert tracekit.flush(DEADLINE)
    assert [span.name for span in sink.spans] == ["first", "second"]
    assert said(capfd.readouterr().err) == []


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_server_that_is_busy_is_tried_again(sink, start, status, capfd):
    start()
    sink.answers += [status, (status, {"Retry-After": "0"}, b"busy")]
    spans(2)
    until(lambda: tracekit.flush(0.05) and tracekit.stats()["sent"] == 2)
    assert len(sink.requests) == 3
    assert len({request.body for request in sink.requests}) == 1
    (line,) = said(capfd.readouterr().err)
    assert f"it answered {status}" in line


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 413, 500, 501])
def test_any_other_answer_is_final(sink, start, status):
    start()
    sink.answers += [(status, {"Location": "http://127.0.0.1:1/v1/traces", "Retry-After": "0"}, b"")]
    spans(2)
    assert tracekit.flush(DEADLINE)
    assert len(sink.requests) == 1
    assert tracekit.stats() == {"sent": 0, "dropped": 2, "queued": 0}


def test_a_partial_success_is_never_sent_again(sink, start, capfd):
    case = next(case for case in vectors("retry.json")["outcomes"] if "rejected" in case)
    body = b"\x0a\x0a\x08\x02\x12\x06bad id"
    start()
    sink.answers += [(case["status"], {}, body)] * 2
    for _ in range(2):
        spans(3)
        assert tracekit.flush(DEADLINE)
    assert len(sink.requests) == 2
    assert tracekit.stats() == {"sent": 2, "dropped": 4, "queued": 0}
    (line,) = said(capfd.readouterr().err)
    assert "refused 2 spans of a batch: bad id" in line


def test_five_tries_are_made_and_no_more(sink, start):
    start()
    sink.always = 503
    spans(1)
    until(lambda: tracekit.flush(0.5) and tracekit.stats()["dropped"] == 1)
    assert len(sink.requests) == 5


def test_an_hour_of_429_waits_as_told_keeps_little_and_says_little(sink, start, capfd, monkeypatch):
    waits = []
    clock = [0.0]

    def wait(self, seconds):
        waits.append(seconds)
        clock[0] += seconds
        return not self._hurry

    monkeypatch.setattr(_exporter.Exporter, "_wait", wait)
    exporter = start()
    sink.always = (429, {"Retry-After": "60"}, b"")
    while clock[0] < 3600:
        spans(100)
        tracekit.flush(0.5)
    stats = tracekit.stats()
    assert stats["sent"] == 0
    assert stats["queued"] <= _limits.QUEUE_MAX
    assert exporter.queue.bytes <= _limits.BYTES_MAX
    assert set(waits) == {60.0}
    assert len(said(capfd.readouterr().err)) <= 2
    sink.always = 200
    spans(1, "well again")
    until(lambda: tracekit.flush(0.5) and any(span.name == "well again" for span in sink.spans))


def test_a_failure_is_said_once_until_it_is_well_again(sink, start, capfd):
    start()
    for status in (500, 500, 200, 500, 500):
        sink.answers += [status]
        spans(1)
        assert tracekit.flush(DEADLINE)
    assert len(said(capfd.readouterr().err)) == 2


def garbage(handler):
    handler.wfile.write(b"\x00\x01\x02 no HTTP at all\r\n\r\n")
    handler.close_connection = True


def silence(handler):
    handler.close_connection = True


def endless_head(handler):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 1000 + b"\r\n")
    handler.close_connection = True


def cut_off(handler):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc")
    handler.close_connection = True


def nonsense(handler):
    handler.send_response(200)
    handler.send_header("content-length", "6")
    handler.end_headers()
    handler.wfile.write(b"\xff\xff\xff\xff\xff\xff")


@pytest.mark.parametrize("answer", [garbage, silence, endless_head, cut_off, nonsense])
def test_a_server_that_answers_garbage_harms_nothing(sink, start, answer):
    start()
    sink.always = answer
    spans(1)
    until(lambda: tracekit.flush(0.5) and tracekit.stats()["queued"] == 0)
    sink.always = 200
    spans(1, "well again")
    assert tracekit.flush(DEADLINE)
    assert any(span.name == "well again" for span in sink.spans)


def test_a_huge_answer_is_not_read_to_its_end(sink, start):
    def huge(handler):
        handler.send_response(200)
        handler.send_header("content-length", str(1 << 40))
        handler.end_headers()
        try:
            while True:
                handler.wfile.write(b"x" * (1 << 20))
        except OSError:
            pass

    start()
    sink.answers += [huge]
    spans(1)
    assert tracekit.flush(DEADLINE)
    assert tracekit.stats()["sent"] == 1


def test_an_answer_that_drips_is_given_up(sink, start, monkeypatch):
    monkeypatch.setattr(_sender, "REQUEST_TIMEOUT", 0.1)

    def drip(handler):
        handler.send_response(200)
        handler.send_header("content-length", "1000000")
        handler.end_headers()
        try:
            while True:
                handler.wfile.write(b"x")
                time.sleep(0.01)
        except OSError:
            pass

    start()
    sink.always = drip
    spans(1)
    until(lambda: tracekit.flush(0.5) and tracekit.stats()["dropped"] == 1)


def test_a_slow_server_holds_up_nobody_and_the_queue_is_bounded_from_both_sides(sink, start, capfd):
    release = threading.Event()

    def slow(handler):
        release.wait(60)
        ok(handler)

    sink.always = slow
    start()
    spans(512)
    until(lambda: len(sink.requests) == 1)
    spans(_limits.QUEUE_MAX - 512)
    assert tracekit.stats() == {"sent": 0, "dropped": 0, "queued": _limits.QUEUE_MAX}
    spans(3)
    assert tracekit.stats() == {"sent": 0, "dropped": 3, "queued": _limits.QUEUE_MAX}
    assert not tracekit.flush(0.01)
    assert len([line for line in said(capfd.readouterr().err) if "queue is full" in line]) == 1
    release.set()
    assert tracekit.flush(DEADLINE)
    assert tracekit.stats() == {"sent": _limits.QUEUE_MAX, "dropped": 3, "queued": 0}


def test_big_spans_are_bounded_in_bytes(sink, start):
    release = threading.Event()
    sink.always = lambda handler: (release.wait(60), ok(handler))
    exporter = start()
    for _ in range(100):
        tracekit.start_span("big").set_tags({f"x{i}": "x" * 32_000 for i in range(8)}).end()
    assert _limits.BYTES_MAX - 250_000 < exporter.queue.bytes < _limits.BYTES_MAX + 260_000
    assert tracekit.stats()["dropped"] > 30
    release.set()
    assert tracekit.flush(DEADLINE)
    assert exporter.queue.bytes == 0


def test_as_many_spans_as_threads_can_make_are_sent_or_counted(sink, start):
    exporter = start()
    made = [0] * 4
    stop = threading.Event()

    def make(n):
        while not stop.is_set():
            spans(100)
            made[n] += 100

    threads = [threading.Thread(target=make, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    until(lambda: sum(made) >= 30_000)
    stop.set()
    for thread in threads:
        thread.join()
    assert tracekit.flush(DEADLINE)
    stats = tracekit.stats()
    assert stats["sent"] + stats["dropped"] == sum(made)
    assert stats["sent"] == len(sink.spans)
    assert exporter.queue.bytes == 0


def test_a_million_spans_in_a_row_are_sent_or_counted_in_bounded_memory(sink, start):
    exporter = start()
    encoded = b"\x12\x02\x2a\x00"
    for _ in range(1_000_000):
        exporter.queue.push(encoded)
    assert exporter.queue.waiting <= _limits.QUEUE_MAX
    assert exporter.queue.bytes <= _limits.QUEUE_MAX * len(encoded)
    assert tracekit.flush(DEADLINE)
    stats = tracekit.stats()
    assert stats["sent"] + stats["dropped"] == 1_000_000


def test_shutdown_tries_once_more_and_drops_what_ends_later(sink, start):
    sink.always = 503
    exporter = start()
    spans(3)
    assert tracekit.shutdown(DEADLINE)
    assert len(sink.requests) == 1
    spans(2)
    assert exporter.stats() == {"sent": 0, "dropped": 5, "queued": 0}
    assert tracekit.shutdown(DEADLINE)
    until(lambda: all(thread.name != "tracekit-exporter" for thread in threading.enumerate()))


def test_shutdown_breaks_off_a_wait_of_a_minute(sink, start):
    sink.always = (429, {"Retry-After": "60"}, b"")
    start()
    spans(1)
    assert not tracekit.flush(0.2)
    assert tracekit.shutdown(DEADLINE)


def test_a_second_init_sends_what_the_first_recorded(sink, start):
    start(service_name="first")
    open_span = tracekit.start_span("open")
    spans(1, "one")
    start(service_name="second")
    spans(1, "two")
    open_span.end()
    assert tracekit.flush(DEADLINE)
    sink.wait(lambda sink: any(span.name == "one" for span in sink.spans))
    assert sink.named("two").resource["service.name"] == "second"
    assert sink.named("one").resource["service.name"] == "first"


def exporter_threads():
    return [thread for thread in threading.enumerate() if thread.name == "tracekit-exporter"]


def test_a_second_init_ends_the_thread_of_the_first(sink, start):
    first = start(service_name="first")
    open_span = tracekit.start_span("late")
    spans(3)
    start(service_name="second")
    until(lambda: not exporter_threads())
    assert first.stats() == {"sent": 3, "dropped": 0, "queued": 0}
    open_span.end()  # of the set-up before: it leaves at once, and the thread that sends it ends as well
    until(lambda: first.stats()["sent"] == 4 and not exporter_threads())
    spans(1)
    assert len(exporter_threads()) == 1


def test_the_end_sends_what_an_earlier_set_up_has_left(sink, start, monkeypatch):
    monkeypatch.setattr(_exporter.Exporter, "_start", lambda self: None)  # flush sends by itself
    start(service_name="first")
    spans(3)
    start(service_name="second")
    spans(2)
    assert tracekit.shutdown(DEADLINE)
    assert len(sink.spans) == 5


def test_a_proxy_of_the_environment_is_used(sink, start, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", sink.url)
    monkeypatch.setenv("http_proxy", sink.url)
    start(endpoint="http://traces.example:1234")
    spans(1)
    assert tracekit.flush(DEADLINE)
    assert sink.requests[0].path == "http://traces.example:1234/v1/traces"


def test_a_password_in_the_endpoint_is_sent_and_not_said(sink, start, capfd):
    sink.always = 404
    start(endpoint=sink.url.replace("//", "//me:secret@"), debug=True)
    spans(1)
    assert tracekit.flush(DEADLINE)
    assert sink.requests[0].headers["authorization"] == "Basic bWU6c2VjcmV0"
    assert "secret" not in capfd.readouterr().err


def test_when_no_thread_is_to_be_had_flush_sends_by_itself(sink, start, monkeypatch):
    start_thread = threading.Thread.start

    def no_thread(thread):
        if thread.name == "tracekit-exporter":
            raise RuntimeError("can't start new thread")
        start_thread(thread)

    monkeypatch.setattr(threading.Thread, "start", no_thread)
    start()
    spans(2)
    assert tracekit.flush(DEADLINE)
    assert len(sink.spans) == 2


if not _record.is_native:

    def test_an_encoder_that_fails_is_said_and_harms_nothing(sink, start, monkeypatch, capfd):
        start()
        with monkeypatch.context() as patched:
            patched.setattr(_otlp, "append_attributes", lambda out, attributes: 1 / 0)
            spans(2)
        assert len(said(capfd.readouterr().err)) == 1
        spans(1)
        assert tracekit.flush(DEADLINE)
        assert len(sink.spans) == 1
