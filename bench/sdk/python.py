"""What the Python SDK costs, beside OpenTelemetry's in the same run: `./dev bench sdk`, or this file alone.

CPU time of the whole process, the exporter's thread included, so that what else runs disturbs little; medians.
OpenTelemetry's middleware is measured where `opentelemetry-instrumentation-flask`, `-django` and `-fastapi` are installed.

- span: started, attributes set one by one, ended; OTLP bytes ready, 512 a batch, nothing sent
- request: what tracing adds to `GET /users/7` with a `traceparent` and a small JSON answer, called in process
- start: a process that imports, sets up and makes one span, less one that does nothing
"""

from __future__ import annotations

import asyncio
import importlib.util
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SRC = str(Path(__file__).resolve().parent.parent.parent / "sdk" / "python" / "src")
sys.path.insert(0, SRC)

import tracekit
from tracekit import _client, _sender

ATTRIBUTES = [
    ("http.request.method", "GET"),
    ("http.route", "/api/users/{id}"),
    ("url.path", "/api/users/1234"),
    ("http.response.status_code", 200),
    ("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"),
    ("server.address", "api.yourapp.com"),
    ("server.port", 8080),
    ("sampling.ratio", 0.25),
    ("cache.hit", True),
    ("client.address", "192.0.2.17"),
]
CALLER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
BATCH, RUNS = 512, 15


def median_cpu(work, count, runs=RUNS):
    """CPU microseconds of one of the `count` things that `work` does; the first run warms up."""
    took = []
    for _ in range(runs + 1):
        begin = time.process_time()
        work()
        took.append((time.process_time() - begin) / count * 1e6)
    return statistics.median(took[1:])


# ---- spans -------------------------------------------------------------------------------------


def discard(self, spans, count, wait):
    from tracekit import _otlp

    _otlp.request(self._resource, self._scope, spans)
    return 0


def ours():
    _sender.Sender.send = discard
    tracekit.init(api_key="none", service_name="bench", endpoint="http://127.0.0.1:1")


def spans_of_ours(attributes):
    def work():
        for _ in range(BATCH):
            span = tracekit.start_span("GET /api/users/{id}")
            for key, value in attributes:
                span.set_tag(key, value)
            span.end()
        assert tracekit.flush(60)

    dropped = tracekit.stats()["dropped"]
    result = median_cpu(work, BATCH)
    assert tracekit.stats()["dropped"] == dropped
    return result


def opentelemetry_provider():
    from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

    class Discard(SpanExporter):
        def export(self, spans):
            encode_spans(spans).SerializeToString()
            return SpanExportResult.SUCCESS

    provider = TracerProvider(resource=Resource.create({"service.name": "bench"}))
    provider.add_span_processor(BatchSpanProcessor(Discard()))
    return provider


def spans_of_opentelemetry(provider, attributes):
    tracer = provider.get_tracer("bench")

    def work():
        for _ in range(BATCH):
            span = tracer.start_span("GET /api/users/{id}")
            for key, value in attributes:
                span.set_attribute(key, value)
            span.end()
        provider.force_flush()

    return median_cpu(work, BATCH)


# ---- requests ----------------------------------------------------------------------------------

REQUESTS = 500


def call_wsgi(app):
    def start(status, headers, exc_info=None):
        assert status.startswith("200"), status

    def one():
        environ = {
            "REQUEST_METHOD": "GET",
            "SCRIPT_NAME": "",
            "PATH_INFO": "/users/7",
            "QUERY_STRING": "",
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "8000",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_HOST": "localhost:8000",
            "HTTP_USER_AGENT": "bench",
            "HTTP_TRACEPARENT": CALLER,
            "REMOTE_ADDR": "127.0.0.1",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        body = app(environ, start)
        b"".join(body)
        if hasattr(body, "close"):
            body.close()

    return one


def measure_wsgi(app, flush):
    one = call_wsgi(app)

    def work():
        for _ in range(REQUESTS):
            one()
        flush()

    return median_cpu(work, REQUESTS)


def measure_asgi(app, flush):
    headers = [
        (b"host", b"localhost:8000"),
        (b"user-agent", b"bench"),
        (b"traceparent", CALLER.encode()),
    ]

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        assert message.get("status", 200) == 200, message

    async def requests():
        for _ in range(REQUESTS):
            scope = {
                "type": "http",
                "asgi": {"version": "3.0"},
                "http_version": "1.1",
                "method": "GET",
                "scheme": "http",
                "path": "/users/7",
                "raw_path": b"/users/7",
                "query_string": b"",
                "root_path": "",
                "headers": headers,
                "client": ("127.0.0.1", 5000),
                "server": ("127.0.0.1", 8000),
            }
            await app(scope, receive, send)

    loop = asyncio.new_event_loop()

    def work():
        loop.run_until_complete(requests())
        flush()

    return median_cpu(work, REQUESTS)


def make_flask():
    import flask

    app = flask.Flask("bench")
    app.get("/users/<int:number>")(lambda number: {"id": number})
    return app


def make_fastapi():
    from fastapi import FastAPI

    app = FastAPI()

    @app.get("/users/{number}")
    async def users(number: int):
        return {"id": number}

    return app


def make_django(middleware=()):
    import django
    from django.conf import settings

    if not settings.configured:
        settings.configure(SECRET_KEY="x", ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, LOGGING_CONFIG=None)
        django.setup()
        from django.http import JsonResponse
        from django.urls import path

        globals()["urlpatterns"] = [path("users/<int:number>", lambda request, number: JsonResponse({"id": number}))]
    settings.MIDDLEWARE = list(middleware)
    from django.core.handlers.wsgi import WSGIHandler

    return WSGIHandler()


def request(framework, how):
    """Microseconds of a request to `framework`, in a process of its own: bare, ours, or opentelemetry."""
    flush = {"bare": lambda: None, "ours": lambda: tracekit.flush(60)}.get(how)
    if how == "ours":
        ours()
    if how == "opentelemetry":
        provider = opentelemetry_provider()
        flush = provider.force_flush
    if framework == "flask":
        app = make_flask()
        if how == "ours":
            from tracekit.integrations.flask import init_flask_app

            init_flask_app(app)
        if how == "opentelemetry":
            from opentelemetry.instrumentation.flask import FlaskInstrumentor

            FlaskInstrumentor().instrument_app(app, tracer_provider=provider)
        return measure_wsgi(app, flush)
    if framework == "django":
        if how == "opentelemetry":
            from opentelemetry.instrumentation.django import DjangoInstrumentor

            make_django()
            DjangoInstrumentor().instrument(tracer_provider=provider)
            from django.conf import settings

            app = make_django(settings.MIDDLEWARE)
        else:
            app = make_django(["tracekit.integrations.django.TracekitMiddleware"] * (how == "ours"))
        return measure_wsgi(app, flush)
    app = make_fastapi()
    if how == "ours":
        from tracekit.integrations.fastapi import TracekitMiddleware

        app.add_middleware(TracekitMiddleware)
    if how == "opentelemetry":
        from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor

        FastAPIInstrumentor.instrument_app(app, tracer_provider=provider)
    return measure_asgi(app, flush)


# ---- start -------------------------------------------------------------------------------------

STARTS = {
    "nothing": "pass",
    "ours": "import tracekit\ntracekit.init(service_name='x')\ntracekit.start_span('x').end()",
    "opentelemetry": """
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
provider = TracerProvider(resource=Resource.create({"service.name": "x"}))
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)
trace.get_tracer("x").start_span("x").end()
""",
}


def start(script, bytecode):
    """CPU milliseconds and peak MiB; the end, with its flush, is left out. What is imported is compiled already, as pip leaves
    it: to the folder `bytecode`, by a run that is not counted."""
    script += "\nimport os, time; cpu = time.process_time()"
    script += "\npeak = next(line for line in open('/proc/self/status') if line.startswith('VmHWM')).split()[1]"
    script += "\nprint(cpu, peak, flush=True); os._exit(0)"
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    env.update(PYTHONPATH=SRC, PYTHONPYCACHEPREFIX=bytecode, TRACEKIT_API_KEY="x", TRACEKIT_ENDPOINT="http://127.0.0.1:1")
    found = []
    for _ in range(RUNS + 1):
        done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, check=True)
        found.append([float(text) for text in done.stdout.split()])
    return statistics.median(one[0] for one in found[1:]) * 1e3, statistics.median(one[1] for one in found[1:]) / 1024


def in_a_process(*arguments, pure=""):
    env = {**os.environ, "TRACEKIT_PURE_PYTHON": pure}
    done = subprocess.run([sys.executable, __file__, *arguments], env=env, capture_output=True, text=True)
    return json.loads(done.stdout) if done.returncode == 0 else None


def figures():
    """Name, ours, OpenTelemetry's or None, bar or None."""
    setup = str(Path(SRC).parent / "setup.py")
    subprocess.run([sys.executable, setup, "--quiet", "build_ext", "--inplace"], capture_output=True, check=True)
    for count, bar in ((0, 0.3), (5, 0.5), (10, 0.8)):
        mine, theirs = (in_a_process("spans", how, str(count)) for how in ("ours", "opentelemetry"))
        yield f"a span with {count} attributes, us", mine, theirs, bar
        third = theirs / 3 if theirs is not None else None
        yield f"a span with {count} attributes, recorded in Python, us", in_a_process("spans", "ours", str(count), pure="1"), theirs, third
    for framework in ("flask", "django", "fastapi"):
        bare, mine, theirs = (in_a_process("request", framework, how) for how in ("bare", "ours", "opentelemetry"))
        if bare is not None and mine is not None:
            yield f"{framework}, added to {bare:.0f} us, us", mine - bare, theirs and theirs - bare, 20
    with tempfile.TemporaryDirectory() as bytecode:
        nothing, mine = start(STARTS["nothing"], bytecode), start(STARTS["ours"], bytecode)
        theirs = start(STARTS["opentelemetry"], bytecode) if importlib.util.find_spec("opentelemetry") else (None, None)
    for i, (name, bar) in enumerate((("import and start, ms", 15), ("import and start, MiB", 4))):
        yield name, mine[i] - nothing[i], theirs[i] and theirs[i] - nothing[i], bar


def main():
    print(f"Python {sys.version.split()[0]}, load {os.getloadavg()[0]:.1f}")
    for name, mine, theirs, bar in figures():
        print(f"{name:48} {mine:8.2f}  OpenTelemetry {theirs or float('nan'):8.1f}  bar {bar or float('nan'):.1f}", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["spans"]:
        attributes = ATTRIBUTES[: int(sys.argv[3])]
        if sys.argv[2] == "ours":
            ours()
            print(spans_of_ours(attributes))
        else:
            print(spans_of_opentelemetry(opentelemetry_provider(), attributes))
    elif sys.argv[1:2] == ["request"]:
        print(request(sys.argv[2], sys.argv[3]))
        client = _client._client
        if client is not None and client.exporter is not None:
            assert client.exporter.stats()["dropped"] == 0
    else:
        main()
