"""Spans leave before the process does: when the interpreter ends, and on SIGTERM."""

from __future__ import annotations

import atexit
import os
import sys

try:  # the module `signal` imports enum: two milliseconds
    import _signal as signal  # type: ignore[import-not-found]
except ImportError:
    import signal

from tracekit import _client

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType
    from typing import Any

_installed = False


def flush() -> None:
    """Sends what waits. After an interrupt that nobody caught CPython ends as killed by SIGINT, so that a shell's loop ends
    too; but it forgets that as soon as code is evaluated, which the imports of sending do. So it is told again."""
    interrupted = getattr(sys, "last_type", None) is KeyboardInterrupt
    _client.shut_down(_client.EXIT_TIMEOUT)
    if interrupted:
        try:
            exec("raise KeyboardInterrupt")
        except KeyboardInterrupt:
            pass


def install() -> None:
    global _installed
    if _installed:
        return
    _installed = True
    atexit.register(flush)
    util = sys.modules.get("multiprocessing.util")
    if util is not None and sys.modules["multiprocessing"].parent_process() is not None:
        util.Finalize(None, flush, exitpriority=0)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=_flush_in_children)
    try:
        before = signal.getsignal(signal.SIGTERM)
        if before is not None and before is not signal.SIG_IGN:
            signal.signal(signal.SIGTERM, _terminator(before))
    except (ValueError, AttributeError):  # signals are the main thread's, and not every system's
        pass


def _terminator(before: Any) -> Callable[[int, FrameType | None], None]:
    """Flushes, then does what would have happened without it."""

    def terminate(number: int, frame: FrameType | None) -> None:
        client = _client._client
        if callable(before):
            if client is not None and client.exporter is not None:
                client.exporter.flush(_client.EXIT_TIMEOUT)  # the program may go on
            before(number, frame)
            return
        flush()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    return terminate


_registered_with: object = None


def _flush_in_children() -> None:
    """Children of multiprocessing end without atexit; they have finalizers."""
    global _registered_with
    util = sys.modules.get("multiprocessing.util")
    if util is not None and _registered_with is not util:
        _registered_with = util
        util.register_after_fork(_client, lambda _: util.Finalize(None, flush, exitpriority=0))
