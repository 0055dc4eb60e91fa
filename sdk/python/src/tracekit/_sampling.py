"""Which new traces are recorded: OpenTelemetry's consistent probability sampling.

A root is sampled when the last 56 bits of its random trace id reach a threshold, and says the threshold in its tracestate,
so that whoever counts spans knows how many each one stands for. A span with a parent does as its parent did.
"""

from __future__ import annotations

_ALL = 1 << 56


def threshold_of(rate: float) -> int:
    """The rate is from 0 to 1."""
    return _ALL - int(rate * _ALL)


def tracestate_of(threshold: int) -> str:
    """Of a sampled root."""
    return f"ot=th:{f'{threshold:014x}'.rstrip('0') or '0'}"


def samples(threshold: int, trace_id: bytes) -> bool:
    return threshold == 0 or int.from_bytes(trace_id[9:], "big") >= threshold
