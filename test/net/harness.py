"""Starts the echo server and asks it; what is said on the wire is in wire.py."""

import contextlib
import json
import os
import socket
import subprocess
import time
import unittest

from wire import *  # noqa: F403  the tests take all they need from here
from wire import PATIENCE, Reader, drain, request

SERVER = os.environ["NET_ECHO_SERVER"]


class Server:
    """One echo server; ends with its standard input."""

    def __init__(self, *options):
        command = [SERVER, "--threads", "2", *map(str, options)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        line = self.process.stdout.readline()
        if not line.startswith("ready "):
            said = self.process.communicate(timeout=PATIENCE)[1]
            raise RuntimeError("the server did not start: " + said)
        self.port = int(line.split()[1])

    def stop(self):
        """Returns the exit status; what a sanitizer says becomes an error."""
        self.process.stdin.close()
        status = self.process.wait(PATIENCE)
        said = self.process.stderr.read()
        self.process.stdout.close()
        self.process.stderr.close()
        if status != 0:
            raise RuntimeError(f"the server ended with {status}: {said}")
        return status

    def connect(self):
        plug = socket.create_connection(("127.0.0.1", self.port), PATIENCE)
        plug.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return plug

    def stats(self):
        return json.loads(request(self, b"GET /stats HTTP/1.1\r\nHost: a\r\n\r\n").body)

    def resident(self):
        """Resident memory in bytes."""
        with open(f"/proc/{self.process.pid}/statm", encoding="ascii") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")



class TestCase(unittest.TestCase):
    """One server for all tests of a class."""

    options = ()

    @classmethod
    def setUpClass(cls):
        cls.server = Server(*cls.options)

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    def eventually(self, what, probe):
        deadline = time.monotonic() + PATIENCE
        while not probe():
            if time.monotonic() > deadline:
                self.fail("never happened: " + what)
            time.sleep(0.02)

    def assert_serves(self):
        """Others are still served."""
        answer = request(self.server, b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertEqual((answer.status, answer.body), (200, b"hello\n"))

    def assert_refused(self, raw, status):
        """The raw bytes get that status, the connection is closed, and that was counted."""
        before = self.server.stats()["refused_total"]
        with self.server.connect() as plug:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                plug.sendall(raw)
            answer = Reader(plug).answer()
            self.assertEqual(answer.status, status, raw[:200])
            self.assertEqual(answer.headers.get(b"connection"), b"close")
            self.assertEqual(drain(plug), b"", "nothing may follow")
        self.assertEqual(self.server.stats()["refused_total"], before + 1)
        self.assert_serves()
        return answer


def sanitized():
    """True when the server is a sanitizer build, whose memory says nothing."""
    with open(SERVER, "rb") as binary:
        content = binary.read()
    return b"__asan_init" in content or b"__tsan_init" in content
