"""What the black-box tests of the server share: starting it, asking it, making OTLP bodies.

The binary is the one that TRACEKIT_BIN names, by default the release build. Only Python's own library and curl
(for HTTP/2) are used.
"""

import http.client
import json
import os
import secrets
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import time
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BINARY = os.environ.get("TRACEKIT_BIN", str(ROOT / "build/release/tracekit"))
TIMEOUT_S = 120  # until something that must happen is given up on; never a measure
START_NANO = 1_700_000_000_000_000_000


def environment(**more):
    """The process environment without what would set the server up."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TRACEKIT_")}
    return {**kept, **more}


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def header(self, name):
        return self.headers.get(name.lower())

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.headers} {self.body[:500]!r}"


class Server:
    """`tracekit serve` on a fresh directory and a free port of 127.0.0.1."""

    def __init__(self, *options, dev=True, data=None, env=None):
        self._own = data is None
        self.data = data or tempfile.mkdtemp(prefix="tracekit-api-")
        command = [BINARY, "serve", "--data", self.data, "--listen", "127.0.0.1:0", *options]
        self.process = subprocess.Popen(command + (["--dev"] if dev else []), stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, env=environment(**(env or {})))
        self.log = []
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()
        ready = self.process.stdout.readline()
        if not ready.startswith("tracekit ready "):
            self.process.kill()
            self._reader.join(TIMEOUT_S)
            raise RuntimeError("the server did not start: " + "".join(self.log))
        self.url = ready.split()[-1]
        self.port = int(self.url.rsplit(":", 1)[1])

    def _read_log(self):
        for line in self.process.stderr:
            self.log.append(line)

    def stop(self):
        self.process.terminate()
        try:
            status = self.process.wait(TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        self._reader.join(TIMEOUT_S)
        self.process.stdout.close()
        self.process.stderr.close()
        if self._own:
            shutil.rmtree(self.data, ignore_errors=True)
        if status != 0:
            raise AssertionError(f"the server ended with {status}:\n" + "".join(self.log))

    def ask(self, method, path, body=None, headers=None, host=None):
        """One request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_S)
        try:
            connection.putrequest(method, path, skip_host=host is not None, skip_accept_encoding=True)
            if host is not None:
                connection.putheader("Host", host)
            for name, value in (headers or {}).items():
                connection.putheader(name, value)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, found, response.read())
        finally:
            connection.close()

    def get(self, path, **headers):
        return self.ask("GET", path, headers=with_dashes(headers))

    def send_json(self, method, path, value, **headers):
        return self.ask(method, path, json.dumps(value).encode(),
                        {"Content-Type": "application/json", **with_dashes(headers)})

    def send_otlp(self, body, kind="application/x-protobuf", path="/v1/traces", **headers):
        return self.ask("POST", path, body, {"Content-Type": kind, **with_dashes(headers)})

    def export_grpc(self, message, compressed=False, path=None, **headers):
        """A unary gRPC call by curl: (grpc-status, trailers and headers, message)."""
        path = path or "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
        with tempfile.TemporaryDirectory() as folder:
            body, out, head = (os.path.join(folder, name) for name in ("body", "out", "head"))
            Path(body).write_bytes(struct.pack(">BI", compressed, len(message)) + message)
            command = ["curl", "--silent", "--show-error", "--max-time", str(TIMEOUT_S),
                       "--http2-prior-knowledge", "--data-binary", "@" + body, "-D", head, "-o", out, self.url + path]
            sent = {"content-type": "application/grpc", "te": "trailers", **with_dashes(headers)}
            for name, value in sent.items():
                command += ["-H", f"{name}: {value}"]
            subprocess.run(command, check=True, timeout=TIMEOUT_S + 5, env=environment())
            found = {}
            for line in Path(head).read_text().splitlines():
                name, colon, value = line.partition(":")
                if colon:
                    found[name.strip().lower()] = value.strip()
            reply = Path(out).read_bytes() if os.path.exists(out) else b""
        return int(found["grpc-status"]), found, reply[5:]

    def trace(self, trace_id, **headers):
        return self.get(f"/api/v1/traces/{trace_id}", **headers)


def with_dashes(headers):
    return {name.replace("_", "-"): value for name, value in headers.items()}


def command(*words, **env):
    """Runs `tracekit ...`; returns what it printed."""
    done = subprocess.run([BINARY, *words], capture_output=True, text=True, timeout=TIMEOUT_S, env=environment(**env))
    if done.returncode != 0:
        raise AssertionError(f"tracekit {' '.join(words)}: {done.returncode}: {done.stderr}")
    return done.stdout.strip()


def new_key(data, kind, project="default", *origins):
    options = [word for origin in origins for word in ("--origin", origin)]
    return command("key", "create", "--data", data, "--project", project, "--kind", kind, *options)


def wait_for(condition, what):
    """Polls until it holds; for what is promised soon, not at once."""
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited in vain for {what}")
        time.sleep(0.02)


class WithServer(unittest.TestCase):
    """A test class that shares one server; `options`, `dev`, `env` say which."""

    options, dev, env = (), True, None

    @classmethod
    def setUpClass(cls):
        cls.server = Server(*cls.options, dev=cls.dev, env=cls.env)
        cls.addClassCleanup(cls.server.stop)

    def problem(self, answer, status):
        """Asserts RFC 9457."""
        self.assertEqual(answer.status, status, answer)
        self.assertEqual(answer.header("content-type"), "application/problem+json")
        self.assertEqual(answer.json["status"], status)
        self.assertTrue(answer.json["title"])
        return answer.json.get("detail", "")


# ---- OTLP, by hand (opentelemetry-proto trace.proto) ----


def varint(number):
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(out + bytes([number]))


def field(number, value):
    """A length-delimited field."""
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def fixed64(number, value):
    return varint(number << 3 | 1) + struct.pack("<Q", value)


def attribute(key, value):
    return field(1, key) + field(2, field(1, value))


def new_trace_id():
    return secrets.token_hex(16)


def span(trace_id, span_id=None, name="work", start=START_NANO, end=START_NANO + 1000, attributes=None):
    body = field(1, bytes.fromhex(trace_id)) + field(2, bytes.fromhex(span_id or secrets.token_hex(8)))
    body += field(5, name) + fixed64(7, start) + fixed64(8, end)
    return body + b"".join(field(9, attribute(key, value)) for key, value in (attributes or {}).items())


def request(*spans, service="shop"):
    """An ExportTraceServiceRequest of spans of one service."""
    resource = field(1, field(1, attribute("service.name", service)))
    return field(1, resource + field(2, b"".join(field(2, one) for one in spans)))


def json_request(*trace_ids, service="shop", **span_members):
    spans = [{"traceId": trace_id, "spanId": secrets.token_hex(8), "name": "work",
              "startTimeUnixNano": str(START_NANO), "endTimeUnixNano": str(START_NANO + 1000), **span_members}
             for trace_id in trace_ids]
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]}
    return json.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans}]}]}).encode()


def parse(message):
    """The fields of a protobuf message: number -> list of values."""
    out, at = {}, 0

    def read():
        nonlocal at
        number = shift = 0
        while True:
            byte = message[at]
            at += 1
            number |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return number

    while at < len(message):
        tag = read()
        if tag & 7 == 0:
            value = read()
        elif tag & 7 == 2:
            size = read()
            value = message[at:at + size]
            at += size
        else:
            raise ValueError(f"wire type {tag & 7}")
        out.setdefault(tag >> 3, []).append(value)
    return out


def open_socket(server):
    return socket.create_connection(("127.0.0.1", server.port), timeout=TIMEOUT_S)
