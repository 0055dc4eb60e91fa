"""Spans are timed by the monotonic clock, which cannot jump while a span is open.

Its distance to the wall clock is kept beside it, and measured anew every few seconds: a machine's time is set, and a laptop
sleeps. All spans of a request share one distance, so that they stay in order.
"""

from __future__ import annotations

from time import monotonic_ns, time_ns

_SYNC_EVERY_NS = 5_000_000_000

_offset = 0
_next_sync = 0


def sync() -> None:
    """The next span measures it anew."""
    global _next_sync
    _next_sync = 0


def unix_offset(now: int) -> int:
    """Unix time less monotonic, in nanoseconds."""
    global _offset, _next_sync
    if now >= _next_sync:
        _offset = time_ns() - monotonic_ns()
        _next_sync = now + _SYNC_EVERY_NS
    return _offset
