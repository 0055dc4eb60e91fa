"""Recording: what every span costs. It is there twice, and behaves the same: in C, on libtracekit, where the package was
built with a compiler (`_core`), and in Python (`_pure`). `TRACEKIT_PURE_PYTHON=1` asks for the latter."""

from __future__ import annotations

import os

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
    _names = [name for name in __all__ if name != "is_native"]
    _implementation = None
    if os.environ.get("TRACEKIT_PURE_PYTHON", "") in ("", "0"):
        try:
            from tracekit import _core as _implementation
        except ImportError:
            pass
    if not all(hasattr(_implementation, name) for name in _names):  # not built, or once for an older tree
        from tracekit import _pure as _implementation
    globals().update((name, getattr(_implementation, name)) for name in _names)

#: Whether it is the one in C.
is_native = Record.__module__ == "tracekit._core"
