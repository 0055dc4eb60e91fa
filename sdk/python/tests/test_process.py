"""How the SDK behaves in a process of its own: environment, loud lines, forks, the end."""

import os
import signal
import subprocess
import sys

import pytest
from support import DEADLINE, Served, environment, read, run, said, until

KEY = {"TRACEKIT_API_KEY": "from-environment"}
ONE_SPAN = "import tracekit; tracekit.start_span('one').end()"


def test_the_environment_alone_sets_everything_up_and_code_beats_it(sink):
    env = {
        **KEY,
        "TRACEKIT_ENDPOINT": sink.url,
        "TRACEKIT_SERVICE_NAME": "from env",
        "TRACEKIT_ENVIRONMENT": "staging",
        "TRACEKIT_RELEASE": "1.2.3",
        "OTEL_RESOURCE_ATTRIBUTES": "team=blue,service.name=otel,process.pid=x",
    }
    run(ONE_SPAN, **env)
    run(f"import tracekit; tracekit.init(service_name='from code', api_key='k', environment=''); {ONE_SPAN}", **env)
    first, second = (span.resource for span in sink.spans)
    assert (
        first.items()
        >= {
            "service.name": "from env",
            "deployment.environment.name": "staging",
            "service.version": "1.2.3",
            "telemetry.sdk.name": "tracekit",
            "telemetry.sdk.language": "python",
            "process.runtime.name": "cpython",
            "team": "blue",
        }.items()
    )
    assert len(first["service.instance.id"]) == 36
    assert first["process.pid"] > 0
    assert second.items() >= {"service.name": "from code", "deployment.environment.name": "staging"}.items()
    assert [request.headers["x-api-key"] for request in sink.requests] == ["from-environment", "k"]
    assert sink.requests[0].headers["content-type"] == "application/x-protobuf"
    assert sink.requests[0].path == "/v1/traces"


def test_opentelemetrys_environment_is_fallen_back_on(sink):
    done = run(
        ONE_SPAN,
        OTEL_EXPORTER_OTLP_ENDPOINT=sink.url,
        OTEL_EXPORTER_OTLP_HEADERS="x-api-key=otel%20key,other=1",
        OTEL_SERVICE_NAME="otel name",
        OTEL_RESOURCE_ATTRIBUTES="service.version=9,deployment.environment.name=prod",
    )
    resource = sink.spans[0].resource
    assert resource["service.name"] == "otel name"
    assert resource["service.version"] == "9"
    assert resource["deployment.environment.name"] == "prod"
    assert sink.requests[0].headers["x-api-key"] == "otel key"
    assert sink.requests[0].headers["other"] == "1"
    assert said(done.stderr) == []


@pytest.mark.parametrize(
    ("sampler", "argument", "sent"),
    [("always_off", "", 0), ("parentbased_traceidratio", "0", 0), ("", "0", 0), ("always_on", "0", 1)],
)
def test_opentelemetrys_samplers_are_understood(sink, sampler, argument, sent):
    env = {**KEY, "OTEL_EXPORTER_OTLP_ENDPOINT": sink.url}
    run(ONE_SPAN, **env, OTEL_TRACES_SAMPLER=sampler, OTEL_TRACES_SAMPLER_ARG=argument)
    assert len(sink.spans) == sent


def test_a_service_without_a_name_is_called_after_its_program(sink, tmp_path):
    run(ONE_SPAN, **KEY, TRACEKIT_ENDPOINT=sink.url)
    assert sink.spans[0].resource["service.name"] == "unknown_service:-c"


def test_bad_values_are_a_loud_line_each_and_no_harm(sink):
    done = run(
        "import re, tracekit; tracekit.init(trace_propagation_targets=['ok', 7, re.compile(b'x')]); "
        + ONE_SPAN
        + "; assert tracekit._client.get_client().targets == ('ok',)",
        **KEY,
        TRACEKIT_ENDPOINT=sink.url,
        TRACEKIT_SAMPLE_RATE="half",
    )
    assert len(said(done.stderr)) == 2
    assert "sample rate 'half'" in done.stderr
    assert "trace_propagation_targets" in done.stderr
    assert len(sink.spans) == 1
    done = run("import tracekit; tracekit.init(endpoint='ftp://x', debug=True)", **KEY)
    assert "endpoint 'ftp://x' is not" in said(done.stderr)[0]


def test_a_missing_key_is_one_line_and_the_program_runs(sink):
    done = run(
        """
import tracekit
tracekit.init(service_name="api")
with tracekit.start_span("x") as span:
    span.set_tag("a", 1)
    tracekit.capture_exception(ValueError())
    tracekit.set_tag("b", 2)
    assert tracekit.inject_headers() == {}
assert tracekit.flush() and tracekit.shutdown()
print("still here", tracekit.stats())
""",
        TRACEKIT_ENDPOINT=sink.url,
    )
    assert done.stdout == "still here {'sent': 0, 'dropped': 0, 'queued': 0}\n"
    assert said(done.stderr) == ["[tracekit] TRACEKIT_API_KEY is not set: spans are not sent"]
    assert sink.requests == []


def test_without_a_key_the_callers_headers_are_handed_on_as_they_came():
    run("""
import tracekit
from tracekit import _client
from tracekit._propagation import extract
caller = extract(["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"], ["foo=1"], ["a=b"])
with _client.get_client().start("GET", 2, caller), tracekit.start_span("inner"):
    assert tracekit.inject_headers() == {
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "tracestate": "foo=1", "baggage": "a=b"}, tracekit.inject_headers()
""")


def test_disabled_is_silent(sink):
    for script, env in (
        ("import tracekit; tracekit.init(enabled=False); " + ONE_SPAN, {}),
        (ONE_SPAN, {"OTEL_SDK_DISABLED": "true"}),
    ):
        done = run(script, **KEY, TRACEKIT_ENDPOINT=sink.url, **env)
        assert done.stderr == ""
    assert sink.requests == []


def test_debug_says_endpoint_service_sampler_and_the_first_export(sink):
    done = run(ONE_SPAN, **KEY, TRACEKIT_ENDPOINT=sink.url, TRACEKIT_DEBUG="1", TRACEKIT_SERVICE_NAME="svc")
    lines = said(done.stderr)
    assert lines == [
        f"[tracekit] service 'svc', endpoint {sink.url}/v1/traces, sample rate 1, sending: True",
        f"[tracekit] {sink.url}/v1/traces takes our spans",
    ]


def test_what_is_said_goes_to_the_log_where_one_is_set_up():
    done = run("import logging; logging.basicConfig(format='LOG %(name)s %(message)s'); " + ONE_SPAN)
    assert done.stderr == "LOG tracekit TRACEKIT_API_KEY is not set: spans are not sent\n"


def test_a_dead_server_is_one_line_however_many_spans_are_lost():
    done = run(
        """
import tracekit
for _ in range(2):
    for _ in range(3000): tracekit.start_span("x").end()
    tracekit.flush(0.3)
tracekit.shutdown(3)
print(tracekit.stats())
""",
        **KEY,
        TRACEKIT_ENDPOINT="http://127.0.0.1:1",
    )
    assert done.stdout == "{'sent': 0, 'dropped': 6000, 'queued': 0}\n"
    lines = said(done.stderr)
    assert sum("cannot send spans to http://127.0.0.1:1/v1/traces: Connect" in line for line in lines) == 1
    assert len(lines) <= 2  # the other says that the queue is full


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no disk that is always full here")
def test_what_cannot_be_said_for_want_of_disk_harms_nothing(sink):
    script = "import sys, tracekit; tracekit.init(debug=True); " + ONE_SPAN + "; tracekit.flush(); sys.exit(7)"
    with open("/dev/full", "w") as full:
        env = environment(**KEY, TRACEKIT_ENDPOINT=sink.url)
        done = subprocess.run([sys.executable, "-c", script], env=env, stderr=full, timeout=DEADLINE)
    assert done.returncode == 7
    assert len(sink.spans) == 1


def test_without_a_stderr_nothing_is_said_on_stdout():
    script = "import tracekit; tracekit.init(); print('data')"
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" 2>&-', "sh", sys.executable, "-c", script],
        env=environment(),
        stdout=subprocess.PIPE,
        timeout=DEADLINE,
    )
    assert (done.returncode, done.stdout) == (0, b"data\n")


def test_a_refused_key_is_one_line(sink):
    sink.always = 401
    done = run(ONE_SPAN, **KEY, TRACEKIT_ENDPOINT=sink.url)
    (line,) = said(done.stderr)
    assert "it answered 401 Unauthorized; is TRACEKIT_API_KEY this server's?" in line


def test_spans_leave_when_the_program_ends_or_fails(sink):
    env = {**KEY, "TRACEKIT_ENDPOINT": sink.url}
    run("import tracekit, sys; tracekit.start_span('exit').end(); sys.exit(0)", **env)
    run("import tracekit; tracekit.start_span('raise').end(); raise SystemError", check=False, **env)
    run("import tracekit, atexit; tracekit.init(); atexit.register(lambda: tracekit.start_span('late').end())", **env)
    assert [span.name for span in sink.spans] == ["exit", "raise", "late"]


def test_os_exit_waits_for_nobody_and_what_was_shut_down_before_it_has_left(sink):
    env = {**KEY, "TRACEKIT_ENDPOINT": sink.url}
    started = "import os, tracekit; tracekit.start_span('{}').end(); "
    assert run(started.format("lost") + "os._exit(5)", check=False, **env).returncode == 5
    assert run(started.format("kept") + "assert tracekit.shutdown(60); os._exit(6)", check=False, **env).returncode == 6
    assert [span.name for span in sink.spans] == ["kept"]


def test_a_server_that_never_answers_holds_the_end_up_for_seconds_only(sink):
    sink.always = lambda handler: until(lambda: False)
    run(ONE_SPAN, **KEY, TRACEKIT_ENDPOINT=sink.url, IMPATIENT="1")  # within the deadline of run


def serving(sink, more=""):
    script = f"""
import signal, sys, time, tracekit
tracekit.init()
{more}
tracekit.start_span("last words").end()
print("ready", flush=True)
while True: time.sleep(0.05)
"""
    return Served([sys.executable, "-c", script], "ready", **KEY, TRACEKIT_ENDPOINT=sink.url)


def test_sigterm_sends_what_is_queued_and_ends_the_program_as_it_would_have(sink):
    with serving(sink) as program:
        assert program.stop(signal.SIGTERM) == -signal.SIGTERM
    assert sink.named("last words")


def test_an_interrupt_that_nobody_catches_ends_the_program_as_it_would_have(sink):
    # Who was started by a shell in the background is born with interrupts ignored, and so are these tests' programs then.
    with serving(sink, "signal.signal(signal.SIGINT, signal.default_int_handler)") as program:
        assert program.stop(signal.SIGINT) == -signal.SIGINT
    assert sink.named("last words")


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_handler_of_the_programs_own_is_called(sink, when):
    # Not print: the signal may come while it prints that it is ready.
    handler = "signal.signal(signal.SIGTERM, lambda *_: (os.write(1, b'stopping\\n'), sys.exit(7)))"
    setup = f"{handler}; tracekit.init()" if when == "before" else handler
    script = f"import os, signal, sys, time, tracekit; {setup}; tracekit.start_span('x').end(); print('ready', flush=True)\n"
    command = [sys.executable, "-c", script + "while True: time.sleep(0.05)"]
    with Served(command, "ready", **KEY, TRACEKIT_ENDPOINT=sink.url) as program:
        assert program.stop(signal.SIGTERM) == 7
        until(lambda: "stopping\n" in program.lines)
    assert sink.named("x")


def test_a_signal_that_is_ignored_stays_ignored(sink):
    done = run(
        """
import os, signal, tracekit
signal.signal(signal.SIGTERM, signal.SIG_IGN)
tracekit.init()
os.kill(os.getpid(), signal.SIGTERM)
print(signal.getsignal(signal.SIGTERM) is signal.SIG_IGN)
""",
        **KEY,
        TRACEKIT_ENDPOINT=sink.url,
    )
    assert done.stdout == "True\n"


def test_init_in_a_thread_does_not_need_signals(sink):
    run("import threading, tracekit; t = threading.Thread(target=tracekit.init); t.start(); t.join(); " + ONE_SPAN, **KEY)


def test_sigterm_in_the_middle_of_recording_never_hangs(sink):
    for _ in range(3):
        busy = "for _ in range(10**9):\n  if _ == 2000: print('ready', flush=True)\n  tracekit.start_span('x').end()"
        command = [sys.executable, "-c", "import tracekit; tracekit.init()\n" + busy]
        with Served(command, "ready", **KEY, TRACEKIT_ENDPOINT=sink.url) as program:
            assert program.stop(signal.SIGTERM) == -signal.SIGTERM


# ---- forks -------------------------------------------------------------------------------------

FORK = """
import os, tracekit
tracekit.init()
with tracekit.start_span("parent"):
    tracekit.start_span("before").end()
    pid = os.fork()
    if pid == 0:
        with tracekit.start_span("child"):
            pass
        tracekit.start_transaction("child root").end()
        assert tracekit.stats()["queued"] == 2, tracekit.stats()
        tracekit.flush()
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    tracekit.start_transaction("parent root").end()
"""


def test_a_forked_child_has_ids_a_queue_and_an_instance_of_its_own(sink):
    run(FORK, **KEY, TRACEKIT_ENDPOINT=sink.url)
    names = sorted(span.name for span in sink.spans)
    assert names == ["before", "child", "child root", "parent", "parent root"]  # none twice
    parent, child = sink.named("parent"), sink.named("child")
    assert (child.parent, child.trace_id) == (parent.id, parent.trace_id)
    assert child.resource["service.instance.id"] != parent.resource["service.instance.id"]
    assert child.resource["process.pid"] != parent.resource["process.pid"]
    assert sink.named("parent root").trace_id != sink.named("child root").trace_id


def test_a_fork_while_the_exporter_is_at_work_leaves_a_child_that_works(sink):
    run(
        """
import os, tracekit
tracekit.init()
for _ in range(5):
    for _ in range(400): tracekit.start_span("busy").end()
    pid = os.fork()
    if pid == 0:
        tracekit.start_span("child").end()
        os._exit(0 if tracekit.flush() else 1)
    assert os.waitpid(pid, 0)[1] == 0
""",
        **KEY,
        TRACEKIT_ENDPOINT=sink.url,
    )
    names = [span.name for span in sink.spans]
    assert (names.count("child"), names.count("busy")) == (5, 2000)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_children_of_multiprocessing_flush_when_they_end(sink, tmp_path, method):
    (tmp_path / "job.py").write_text(
        f"""
import multiprocessing, tracekit

def work(n):
    tracekit.start_span(f"work {{n}}").end()

if __name__ == "__main__":
    tracekit.init()
    children = [multiprocessing.get_context("{method}").Process(target=work, args=(n,)) for n in range(2)]
    [child.start() for child in children]
    [child.join() for child in children]
    tracekit.start_span("main").end()
"""
    )
    run(f"import runpy; runpy.run_path({str(tmp_path / 'job.py')!r}, run_name='__main__')" if method == "fork" else
        f"import subprocess, sys; subprocess.run([sys.executable, {str(tmp_path / 'job.py')!r}], check=True)",
        **KEY, TRACEKIT_ENDPOINT=sink.url)  # fmt: skip
    assert sorted(span.name for span in sink.spans) == ["main", "work 0", "work 1"]


# ---- costs -------------------------------------------------------------------------------------


def test_importing_and_starting_loads_nothing_big():
    done = run(
        """
import sys
before = set(sys.modules)
import tracekit
tracekit.init(service_name="x")
span = tracekit.start_span("x").set_tag("a", 1)  # the exporter's thread starts when it ends
print(*{name.partition(".")[0] for name in set(sys.modules) - before})
""",
        **KEY,
    )
    small = "__future__ _collections _contextvars _functools _heapq _operator _random _struct _weakrefset atexit collections"
    small += " contextvars functools heapq itertools keyword operator reprlib struct types warnings zlib tracekit"
    assert set(done.stdout.split()) <= set(small.split())


def test_spans_are_recorded_in_c_where_that_was_built_and_in_python_when_asked_to():
    which = "import tracekit; print(tracekit._record.Record.__module__, tracekit._record.is_native)"
    asked = os.environ.get("TRACEKIT_PURE_PYTHON", "")
    assert run(which).stdout.split() == (["tracekit._pure", "False"] if asked else ["tracekit._core", "True"])
    assert run(which, TRACEKIT_PURE_PYTHON="1").stdout.split() == ["tracekit._pure", "False"]
    missing = "import sys; sys.modules['tracekit._core'] = None; " + which
    assert run(missing).stdout.split() == ["tracekit._pure", "False"]
    older = "import sys; sys.modules['tracekit._core'] = type(sys)('tracekit._core'); " + which
    assert run(older).stdout.split() == ["tracekit._pure", "False"]


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="Python's own http.client crashes in a second interpreter")
def test_another_interpreter_in_the_process_records_in_python(sink):
    run(
        """
import tracekit, _xxsubinterpreters as interpreters
tracekit.start_span("main").end()
other = interpreters.create()
interpreters.run_string(other, '''
import tracekit
assert not tracekit._record.is_native
with tracekit.start_span("other") as span:
    span.set_tag("a", 1)
assert tracekit.shutdown(60)
''')
tracekit.start_span("main").end()
""",
        **KEY,
        TRACEKIT_ENDPOINT=sink.url,
    )
    assert sorted(span.name for span in sink.spans) == ["main", "main", "other"]


def test_an_export_is_valid_otlp(sink):
    run(ONE_SPAN, **KEY, TRACEKIT_ENDPOINT=sink.url)
    (span,) = read(sink.requests[0].body)
    assert span.scope == ("tracekit", "0.1.0")
    assert sink.requests[0].headers["content-encoding"] == "gzip"
    assert sink.requests[0].headers["user-agent"] == "tracekit-python/0.1.0"
