"""What is said to a server over a socket: raw HTTP/1.1, raw HTTP/2 by frames, curl, TLS.

A server here is anything with a `port` on 127.0.0.1 and a `connect()`.
"""

import contextlib
import os
import shutil
import ssl
import struct
import subprocess
import tempfile
import unittest

PATIENCE = 120  # seconds until something that must happen is given up on; never a measure


def tool(name):
    """The path of a program, or the test is skipped."""
    path = shutil.which(name)
    if path is None:
        raise unittest.SkipTest(f"{name} is not installed")
    return path


def certificate(folder, name="localhost"):
    cert, key = os.path.join(folder, "cert.pem"), os.path.join(folder, "key.pem")
    subprocess.run(
        [tool("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", "2", "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}",
         "-keyout", key, "-out", cert],
        check=True, capture_output=True,
    )  # fmt: skip
    return cert, key


# ---- HTTP/1.1 ----


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body


class Reader:
    """Reads answers off a socket, one after the other."""

    def __init__(self, plug):
        self.plug, self.rest = plug, bytearray()

    def _more(self):
        piece = self.plug.recv(65536)
        if not piece:
            raise EOFError("the connection ended")
        self.rest += piece

    def line(self):
        while b"\r\n" not in self.rest:
            self._more()
        line = bytes(self.rest[: self.rest.index(b"\r\n")])
        del self.rest[: len(line) + 2]
        return line

    def exactly(self, size):
        while len(self.rest) < size:
            self._more()
        piece = bytes(self.rest[:size])
        del self.rest[:size]
        return piece

    def answer(self, head_only=False):
        version, status = self.line().split(b" ", 2)[:2]
        assert version == b"HTTP/1.1", version
        headers = {}
        while line := self.line():
            name, value = line.split(b": ", 1)
            headers[name.lower()] = value
        if head_only or status[:1] == b"1" or status in (b"204", b"304"):
            body = b""
        elif headers.get(b"transfer-encoding") == b"chunked":
            body = b""
            while size := int(self.line(), 16):
                body += self.exactly(size)
                assert self.exactly(2) == b"\r\n"
            assert self.line() == b""
        elif b"content-length" in headers:
            body = self.exactly(int(headers[b"content-length"]))
        else:
            body, self.rest = bytes(self.rest) + drain(self.plug), bytearray()
        return Answer(int(status), headers, body)


def drain(plug):
    """All until the end of the connection."""
    pieces = []
    with contextlib.suppress(ConnectionResetError):
        while piece := plug.recv(65536):
            pieces.append(piece)
    return b"".join(pieces)


def request(server, raw):
    with server.connect() as plug:
        plug.sendall(raw)
        return Reader(plug).answer()


# ---- HTTP/2 ----

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY = range(8)
WINDOW_UPDATE, CONTINUATION = 8, 9
END_STREAM, ACK, END_HEADERS, PADDED = 0x1, 0x1, 0x4, 0x8
NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR = range(4)
REFUSED_STREAM, CANCEL, COMPRESSION_ERROR, ENHANCE_YOUR_CALM = 7, 8, 9, 11


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def literal(name, value):
    """A header without compression (RFC 7541, 6.2.2)."""

    def text(data):
        if len(data) < 127:
            return bytes([len(data)]) + data
        out, left = [127], len(data) - 127
        while left >= 128:
            out.append(left % 128 | 128)
            left //= 128
        return bytes([*out, left]) + data

    return b"\x00" + text(name) + text(value)


def head(method=b"GET", path=b"/hello", *more):
    block = literal(b":method", method) + literal(b":scheme", b"http") + literal(b":path", path)
    block += literal(b":authority", b"a")
    for name, value in more:
        block += literal(name, value)
    return block


DIGITS = {"00000": 0, "00001": 1, "00010": 2, "011001": 3, "011010": 4, "011011": 5,
          "011100": 6, "011101": 7, "011110": 8, "011111": 9}  # fmt: skip


def status_of(block):
    """:status, the first header of an answer, as nghttp2 writes it."""
    known = {8: 200, 9: 204, 10: 206, 11: 304, 12: 400, 13: 404, 14: 500}
    while block[0] & 0xE0 == 0x20:  # a change of the table's size
        block = block[1:]
    if block[0] & 0x80:
        return known[block[0] & 0x7F]
    size = block[1] & 0x7F
    if not block[1] & 0x80:
        return int(block[2 : 2 + size])
    bits = "".join(f"{byte:08b}" for byte in block[2 : 2 + size])
    value = 0
    for _ in range(3):
        code = next(code for code in DIGITS if bits.startswith(code))
        value, bits = value * 10 + DIGITS[code], bits[len(code) :]
    return value


class Frame:
    def __init__(self, kind, flags, stream, payload):
        self.kind, self.flags, self.stream, self.payload = kind, flags, stream, payload

    def code(self):
        """The error code of a GOAWAY or RST_STREAM."""
        return struct.unpack(">I", self.payload[4:8] if self.kind == GOAWAY else self.payload)[0]


class Http2:
    """A client that says just what it is told to."""

    def __init__(self, plug, settings=b"", hello=True):
        self.plug, self.reader = plug, Reader(plug)
        if hello:
            self.send(PREFACE + frame(SETTINGS, payload=settings))

    def send(self, raw):
        """True unless the server has hung up."""
        try:
            self.plug.sendall(raw)
            return True
        except (BrokenPipeError, ConnectionResetError):
            return False

    def read(self):
        """The next frame; None at the end."""
        try:
            prefix = self.reader.exactly(9)
            size = struct.unpack(">I", b"\0" + prefix[:3])[0]
            kind, flags, stream = struct.unpack(">BBI", prefix[3:])
            return Frame(kind, flags, stream, self.reader.exactly(size))
        except (EOFError, ConnectionResetError):
            return None

    def until(self, kind, stream=None):
        """Skips to a frame of that kind; None when the connection ends before."""
        while (got := self.read()) is not None:
            if got.kind == kind and stream in (None, got.stream) and not (
                kind in (SETTINGS, PING) and got.flags & ACK
            ):
                return got
        return None

    def get(self, stream, path=b"/hello"):
        """Status and body of one request."""
        self.send(frame(HEADERS, END_STREAM | END_HEADERS, stream, head(b"GET", path)))
        return self.answer(stream)

    def answer(self, stream):
        status, body = None, b""
        while (got := self.read()) is not None:
            if got.stream != stream:
                continue
            if got.kind == RST_STREAM:
                return status, body, got.code()
            if got.kind == HEADERS and status in (None, 100):
                status = status_of(got.payload)
            if got.kind == DATA:
                body += got.payload
            if got.kind in (HEADERS, DATA) and got.flags & END_STREAM:
                return status, body, None
        return status, body, "closed"


@contextlib.contextmanager
def http2(server, settings=b""):
    with server.connect() as plug:
        yield Http2(plug, settings)


@contextlib.contextmanager
def folder():
    with tempfile.TemporaryDirectory() as path:
        yield path


def curl(server, path, *options, scheme="http", data=None):
    """Runs curl; returns what it printed."""
    command = [tool("curl"), "-sS", "--max-time", str(PATIENCE), "-k", *options]
    if data is not None:
        command += ["--data-binary", "@-"]
    done = subprocess.run(
        [*command, f"{scheme}://127.0.0.1:{server.port}{path}"],
        input=data, capture_output=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise RuntimeError(done.stderr.decode())
    return done.stdout


def tls(server, *protocols):
    """A TLS connection to the server; ALPN offers the protocols, if any."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if protocols:
        context.set_alpn_protocols(list(protocols))
    return context.wrap_socket(server.connect())
