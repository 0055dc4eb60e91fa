"""Keeps ended spans until the server has them.

Invariants: at most QUEUE_MAX spans and BYTES_MAX bytes wait; a span that finds no room, or whose batch is given up, is
counted as dropped. One batch is under way at a time, and never again once the server took it, in whole or in part.

A thread of its own sends; it starts with the first span, and never keeps a program from ending. `add` is called in the
program's own threads, signal handlers and finalizers, so it takes no lock that these could find taken by themselves.
"""

from __future__ import annotations

from _thread import RLock, allocate_lock
from collections import deque
from time import monotonic

from tracekit import _log

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _thread import LockType

    from tracekit._sender import Sender

QUEUE_MAX = 2048
BYTES_MAX = 16 << 20
BATCH_MAX = 512
INTERVAL = 5.0


class Signal:
    """Wakes one thread. Unlike threading.Event it may be set in a signal handler that interrupts setting it."""

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = allocate_lock()
        self._lock.acquire()

    def set(self) -> None:
        try:
            self._lock.release()
        except RuntimeError:  # set already
            pass

    def wait(self, seconds: float) -> bool:
        return self._lock.acquire(timeout=max(seconds, 0.0))


class Exporter:
    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._queue: deque[bytes] = deque()
        self._lock = RLock()
        self._bytes = 0
        self._sent = 0
        self._dropped = 0
        self._under_way = 0
        self._started = False
        self._closed = False
        self._hurry = False  # no waits, no more tries than one
        self._wake = Signal()  # the thread from its sleep
        self._retry = Signal()  # the thread from the wait before another try
        self._exporting: LockType = allocate_lock()
        self._waiting: deque[Signal] = deque()

    def stats(self) -> dict[str, int]:
        with self._lock:
            return {"sent": self._sent, "dropped": self._dropped, "queued": len(self._queue) + self._under_way}

    def add(self, span: bytes) -> None:
        """Takes an ended span."""
        with self._lock:
            waiting = len(self._queue)
            if self._closed or waiting + self._under_way >= QUEUE_MAX or self._bytes >= BYTES_MAX:
                self._dropped += 1
                first_drop = self._dropped == 1 and not self._closed
            else:
                self._queue.append(span)
                self._bytes += len(span)
                first_drop = False
        if (waiting + 1) % BATCH_MAX == 0:
            self._wake.set()
        if not self._started:
            self._start()
        if first_drop:
            _log.once("full", "the queue is full: spans are being dropped (tracekit.stats() counts them)")

    def _start(self) -> None:
        self._started = True
        try:
            from threading import Thread

            Thread(target=self._run, name="tracekit-exporter", daemon=True).start()
        except RuntimeError:  # no thread is to be had, or the interpreter ends: flush sends them
            self._started = False

    def _run(self) -> None:
        while not self._closed:
            self._wake.wait(INTERVAL)
            waiting = len(self._waiting)
            try:
                with self._exporting:
                    self._export()
            except Exception as error:
                _log.once("export", f"spans could not be sent: {error!r}")
            for _ in range(waiting):
                self._waiting.popleft().set()

    def _take(self) -> list[bytes]:
        with self._lock:
            count = min(len(self._queue), BATCH_MAX)
            batch = [self._queue.popleft() for _ in range(count)]
            self._under_way = count
            return batch

    def _export(self) -> None:
        """Sends what is there now. One thread at a time."""
        batches = -(-len(self._queue) // BATCH_MAX)
        for _ in range(batches):
            batch = self._take()
            lost = len(batch)
            try:
                lost = self._sender.send(batch, self._wait)
            finally:
                with self._lock:
                    self._under_way = 0
                    self._bytes -= sum(map(len, batch))
                    self._sent += len(batch) - lost
                    self._dropped += lost

    def _wait(self, seconds: float) -> bool:
        if self._hurry:
            return False
        self._retry.wait(seconds)
        return not self._hurry

    def flush(self, timeout: float) -> bool:
        """Sends what is queued; True when all of it was delivered or given up within the time."""
        if not self._queue and not self._under_way:
            return True
        if not self._started:
            self._start()
        if not self._started:
            return self._flush_here(timeout)
        done = Signal()
        self._waiting.append(done)
        self._retry.set()
        self._wake.set()
        return done.wait(timeout)

    def _flush_here(self, timeout: float) -> bool:
        if not self._exporting.acquire(timeout=max(timeout, 0.0)):
            return False
        try:
            self._export()
            return True
        finally:
            self._exporting.release()

    def shutdown(self, timeout: float) -> bool:
        """Sends what is queued, each batch once more at most. What is left, and spans that end later, are dropped."""
        if self._closed:
            return True
        deadline = monotonic() + timeout
        self._hurry = True
        done = self.flush(timeout)
        with self._lock:
            self._closed = True
            self._dropped += len(self._queue)
            self._queue.clear()
        self._wake.set()
        if self._exporting.acquire(timeout=max(min(deadline - monotonic(), 0.1), 0.0)):
            self._sender.close()
            self._exporting.release()
        return done

    def abandon(self) -> None:
        """In a forked child: the queue is the parent's, and so is the connection. Spans of before end nowhere."""
        self._closed = True
        self._lock = RLock()
        self._sender.forget()
