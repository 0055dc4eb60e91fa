"""Recording: what every span costs. It is there twice, and behaves the same: in C, on libtracekit, where the package was
built with a compiler (`_core`), and in Python (`_pure`). `TRACEKIT_PURE_PYTHON=1` asks for the latter."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tracekit._pure import (
        Queue,
        Record,
        Tracer,
        Within,
        bind,
        current,
        from_environ,
        from_scope,
        reseed,
        samples,
        start,
        start_span,
        sync_clock,
        use,
    )
else:
    _implementation = None
    if os.environ.get("TRACEKIT_PURE_PYTHON", "") in ("", "0"):
        try:
            from tracekit import _core as _implementation
        except ImportError:
            pass
    if _implementation is None:
        from tracekit import _pure as _implementation
    Queue, Record, Tracer = _implementation.Queue, _implementation.Record, _implementation.Tracer
    Within = _implementation.Within
    start, start_span, current = _implementation.start, _implementation.start_span, _implementation.current
    bind, use, samples = _implementation.bind, _implementation.use, _implementation.samples
    reseed, sync_clock = _implementation.reseed, _implementation.sync_clock
    from_environ, from_scope = _implementation.from_environ, _implementation.from_scope

__all__ = [
    "Queue",
    "Record",
    "Tracer",
    "Within",
    "bind",
    "current",
    "from_environ",
    "from_scope",
    "is_native",
    "reseed",
    "samples",
    "start",
    "start_span",
    "sync_clock",
    "use",
]

#: Whether it is the one in C.
is_native = Record.__module__ == "tracekit._core"
