"""Celery: the trace goes from who asks for a task to the process that runs it."""

import signal
import sys
import time

import pytest
from support import CONSUMER, PRODUCER, Served, run

import tracekit

JOBS = """
import tracekit
from celery import Celery
from tracekit.integrations import celery as tracekit_celery

tracekit.init(service_name="jobs")
app = Celery("jobs", broker="filesystem://", task_ignore_result=True)
app.conf.broker_transport_options = {{name: {folder!r} for name in ("data_folder_in", "data_folder_out")}}
app.conf.control_folder = app.conf.broker_transport_options["control_folder"] = {folder!r}
tracekit_celery.trace(app)

@app.task(name="jobs.add")
def add(a, b):
    with tracekit.start_span("adding"):
        tracekit.set_tag("sum", a + b)

@app.task(name="jobs.fail")
def fail():
    raise ValueError("no")
"""


def test_a_prefork_workers_tasks_belong_to_who_asked_for_them(sink, tmp_path):
    (tmp_path / "jobs.py").write_text(JOBS.format(folder=str(tmp_path / "queue")))
    (tmp_path / "queue").mkdir()
    env = {"TRACEKIT_API_KEY": "k", "TRACEKIT_ENDPOINT": sink.url}
    run(
        f"""
import sys; sys.path.insert(0, {str(tmp_path)!r})
import jobs, tracekit
with tracekit.start_span("request"):
    jobs.add.delay(1, 2)
    jobs.fail.delay()
""",
        **env,
    )
    command = [sys.executable, "-m", "celery", "-A", "jobs", "worker", "--pool", "prefork", "--concurrency", "1"]
    options = ["--without-mingle", "--without-gossip", "--without-heartbeat", "--loglevel", "INFO"]
    with Served(command + options, " ready.", cwd=tmp_path, **env) as worker:
        end = time.monotonic() + 60
        while sum("succeeded in" in line or "raised unexpected" in line for line in worker.lines) < 2:
            assert time.monotonic() < end, "".join(worker.lines)
            time.sleep(0.01)
        assert worker.stop(signal.SIGTERM) == 0
    request, publish, ran, adding = (sink.named(n) for n in ("request", "send jobs.add", "process jobs.add", "adding"))
    assert (publish.kind, publish.parent) == (PRODUCER, request.id)
    assert (ran.kind, ran.parent, ran.flags & 0x300) == (CONSUMER, publish.id, 0x300)
    assert (adding.parent, adding.attributes) == (ran.id, {"sum": 3})
    assert (
        ran.attributes.items() >= {"sum": 3, "messaging.system": "celery", "messaging.destination.name": "jobs.add"}.items()
    )
    failed = sink.named("process jobs.fail")
    assert (failed.failed, failed.message) == (True, "no")
    assert {span.trace_id for span in sink.spans} == {request.trace_id}
    assert ran.resource["process.pid"] != request.resource["process.pid"]


def test_a_task_that_is_run_where_it_is_asked_for_is_a_child(recorded):
    from celery import Celery

    from tracekit.integrations.celery import trace

    app = trace(Celery("eager", broker="memory://"))
    app.conf.task_always_eager = True

    @app.task(name="eager.retry", bind=True, max_retries=1, default_retry_delay=0)
    def retry(self):
        if not self.request.retries:
            raise self.retry()
        tracekit.set_tag("tried", "again")

    with tracekit.start_span("request"):
        retry.delay()
    request = recorded.named("request")
    runs = [span for span in recorded.spans if span.kind == CONSUMER]
    assert {span.trace_id for span in runs} == {request.trace_id}
    assert request.attributes == {"tried": "again"}
    assert tracekit.current_span() is None
    assert any(event.name == "retry" for span in runs for event in span.events)


@pytest.fixture(autouse=True)
def _disconnected():
    yield
    celery = sys.modules.get("tracekit.integrations.celery")
    if celery is not None:
        celery._running.clear()
