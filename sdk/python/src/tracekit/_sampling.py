"""Which new traces are recorded: OpenTelemetry's consistent probability sampling.

A root is sampled when the last 56 bits of its random trace id reach a threshold, and says the threshold in its tracestate,
so that whoever counts spans knows how many each one stands for. A span with a parent does as its parent did.
"""

from __future__ import annotations

_ALL = 1 << 56


class Sampler:
    __slots__ = ("threshold", "tracestate")

    def __init__(self, rate: float) -> None:
        """The rate is from 0 to 1."""
        self.threshold = _ALL - int(rate * _ALL)
        #: Of a sampled root.
        self.tracestate = f"ot=th:{f'{self.threshold:014x}'.rstrip('0') or '0'}"

    def samples(self, trace_id: bytes) -> bool:
        return int.from_bytes(trace_id[9:], "big") >= self.threshold
