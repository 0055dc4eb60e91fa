"""A receiver of spans, and spans as a test reads them."""

import contextlib
import gzip
import http.server
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

SDK = Path(__file__).resolve().parent.parent
ROOT = SDK.parent.parent
SPEC = ROOT / "sdk" / "spec"
DEADLINE = 60  # seconds; nothing that works comes near it

INTERNAL, SERVER, CLIENT, PRODUCER, CONSUMER = 1, 2, 3, 4, 5


def vectors(name):
    return json.loads((SPEC / name).read_text())


def plain(value):
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "array_value":
        return [plain(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return {item.key: plain(item.value) for item in value.kvlist_value.values}
    return getattr(value, kind)


def attributes(pairs):
    keys = [pair.key for pair in pairs]
    assert len(keys) == len(set(keys)), f"a key twice: {keys}"
    return {pair.key: plain(pair.value) for pair in pairs}


def read(body):
    """The spans of an OTLP request."""
    found = []
    for group in ExportTraceServiceRequest.FromString(body).resource_spans:
        resource = attributes(group.resource.attributes)
        for scope_spans in group.scope_spans:
            for span in scope_spans.spans:
                found.append(
                    SimpleNamespace(
                        name=span.name,
                        trace_id=span.trace_id.hex(),
                        id=span.span_id.hex(),
                        parent=span.parent_span_id.hex(),
                        kind=span.kind,
                        tracestate=span.trace_state,
                        flags=span.flags,
                        start=span.start_time_unix_nano,
                        end=span.end_time_unix_nano,
                        attributes=attributes(span.attributes),
                        dropped_attributes=span.dropped_attributes_count,
                        events=[
                            SimpleNamespace(
                                name=e.name,
                                time=e.time_unix_nano,
                                attributes=attributes(e.attributes),
                                dropped=e.dropped_attributes_count,
                            )
                            for e in span.events
                        ],
                        dropped_events=span.dropped_events_count,
                        links=[
                            SimpleNamespace(
                                trace_id=link.trace_id.hex(),
                                id=link.span_id.hex(),
                                tracestate=link.trace_state,
                                flags=link.flags,
                                attributes=attributes(link.attributes),
                            )
                            for link in span.links
                        ],
                        dropped_links=span.dropped_links_count,
                        failed=span.status.code == 2,
                        status=span.status.code,
                        message=span.status.message,
                        resource=resource,
                        scope=(scope_spans.scope.name, scope_spans.scope.version),
                    )
                )
    return found


class Sink:
    """Takes OTLP over HTTP. `answers` are what it says next: a status, (status, headers, body), or a function that
    gets the handler and does as it likes; 200 when there are none."""

    def __init__(self):
        self.requests = []
        self.answers = []
        self.always = 200
        sink = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                sink.requests.append(SimpleNamespace(path=self.path, headers=self.headers, body=body, at=time.monotonic()))
                answer = sink.answers.pop(0) if sink.answers else sink.always
                if callable(answer):
                    answer(self)
                    return
                status, headers, text = answer if isinstance(answer, tuple) else (answer, {}, b"")
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                if text:
                    self.wfile.write(text)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, request, client_address):
                pass  # a client that went away

        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    @property
    def spans(self):
        return [span for request in list(self.requests) for span in read(request.body)]

    def named(self, name):
        found = [span for span in self.spans if span.name == name]
        assert len(found) == 1, f"{name}: {[span.name for span in self.spans]}"
        return found[0]

    def wait(self, condition, what="spans"):
        until(lambda: condition(self), lambda: f"no {what}; came: {[span.name for span in self.spans]}")

    def close(self):
        self._server.shutdown()
        self._server.server_close()


def until(condition, message="it did not come to pass"):
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end, message() if callable(message) else message
        time.sleep(0.005)


@contextlib.contextmanager
def receiver():
    sink = Sink()
    try:
        yield sink
    finally:
        sink.close()


def environment(**env):
    """Of a child: nothing of our own settings, nor of the Python that runs the tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TRACEKIT_", "OTEL_", "PYTHON"))}
    if "TRACEKIT_PURE_PYTHON" in os.environ:
        kept["TRACEKIT_PURE_PYTHON"] = os.environ["TRACEKIT_PURE_PYTHON"]
    return {**kept, "PYTHONPATH": f"{SDK / 'src'}{os.pathsep}{SDK / 'tests'}", "PYTHONDONTWRITEBYTECODE": "1", **env}


def run(script, check=True, **env):
    """Runs a program with the SDK; gives what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment(**env), capture_output=True, text=True, timeout=DEADLINE
    )
    assert not check or done.returncode == 0, done.stderr
    return done


def said(text):
    return [line for line in text.splitlines() if line.startswith("[tracekit]")]


class Served:
    """A program that serves; its output is kept, so that nobody waits for a full pipe."""

    def __init__(self, command, ready, cwd=None, **env):
        self.process = subprocess.Popen(
            command, env=environment(**env), cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.lines = []
        threading.Thread(target=self._read, daemon=True).start()
        until(lambda: any(ready in line for line in self.lines) or self.process.poll() is not None)
        assert any(ready in line for line in self.lines), "".join(self.lines)

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(DEADLINE)

    def stop(self, number):
        self.process.send_signal(number)
        return self.process.wait(DEADLINE)
