"""Keeps ended spans until the server has them.

Invariants: a span that finds no room in the queue, or whose batch is given up, is counted as dropped. One batch is under
way at a time, and never again once the server took it, in whole or in part.

A thread of its own sends; it starts with the first span, and never keeps a program from ending.
"""

from __future__ import annotations

from _thread import allocate_lock
from collections import deque
from time import monotonic

from tracekit import _log
from tracekit._limits import BATCH_MAX
from tracekit._record import Queue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _thread import LockType

    from tracekit._sender import Sender

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
        self.queue = Queue(self._pushed, _say_full)
        self._started = False
        self._closed = False
        self._retiring = False  # the thread ends when nothing waits any more
        self._hurry = False  # no waits, no more tries than one
        self._wake = Signal()  # the thread from its sleep
        self._retry = Signal()  # the thread from the wait before another try
        self._exporting: LockType = allocate_lock()
        self._waiting: deque[Signal] = deque()

    def stats(self) -> dict[str, int]:
        queue = self.queue
        return {"sent": queue.sent, "dropped": queue.dropped, "queued": queue.waiting + queue.under_way}

    def _pushed(self, waiting: int) -> None:
        if waiting % BATCH_MAX == 0:
            self._wake.set()
        if not self._started:
            self._start()

    def _start(self) -> None:
        self._started = True
        try:
            from threading import Thread

            Thread(target=self._run, name="tracekit-exporter", daemon=True).start()
        except RuntimeError:  # no thread is to be had, or the interpreter ends: flush sends them
            self._started = False

    def _run(self) -> None:
        while not self._closed:
            if not self._retiring:
                self._wake.wait(INTERVAL)
            waiting = len(self._waiting)
            try:
                with self._exporting:
                    self._export()
            except Exception as error:
                _log.once("export", f"spans could not be sent: {error!r}")
            for _ in range(waiting):
                self._waiting.popleft().set()
            if self._retiring and not self.queue.waiting and not self._waiting:
                self._end()
                return

    def _end(self) -> None:
        """Of a set-up that another one has followed: its thread, and the connection. A span of it that ends after this
        starts another thread."""
        self._sender.close()
        self._started = False
        if self.queue.waiting or self._waiting:  # came in between
            self._start()

    def _export(self) -> None:
        """Sends what is there now. One thread at a time."""
        queue = self.queue
        for _ in range(-(-queue.waiting // BATCH_MAX)):
            spans, lost = queue.take()
            count = lost
            try:
                lost = self._sender.send(spans, count, self._wait)
            finally:
                queue.done(lost)

    def _wait(self, seconds: float) -> bool:
        if self._hurry:
            return False
        self._retry.wait(seconds)
        return not self._hurry

    def flush(self, timeout: float) -> bool:
        """Sends what is queued; True when all of it was delivered or given up within the time."""
        if not self.queue.waiting and not self.queue.under_way:
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
        self._closed = True
        self.queue.close()
        self._wake.set()
        if self._exporting.acquire(timeout=max(min(deadline - monotonic(), 0.1), 0.0)):
            self._sender.close()
            self._exporting.release()
        return done

    def retire(self) -> bool:
        """Another set-up follows: what is queued is sent, by a thread that then ends. Whether there is something."""
        self._retiring = True
        if self._started:
            self._wake.set()
        return bool(self.queue.waiting or self.queue.under_way)

    def abandon(self) -> None:
        """In a forked child: the queue is the parent's, and so is the connection. Spans of before end nowhere."""
        self._closed = True
        self.queue.abandon()
        self._sender.forget()


def _say_full() -> None:
    _log.once("full", "the queue is full: spans are being dropped (tracekit.stats() counts them)")
