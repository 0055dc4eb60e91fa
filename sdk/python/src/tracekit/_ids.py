"""Random ids: never zero, of a generator that is nobody else's (a program may seed Python's own)."""

from __future__ import annotations

from os import urandom

try:  # the class under random.Random; the module costs ten others
    from _random import Random
except ImportError:  # another Python
    from random import Random  # type: ignore[assignment]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_bits: Callable[[int], int]


def reseed() -> None:
    """Called in a forked child too: it must not draw its parent's ids."""
    global _bits
    _bits = Random(int.from_bytes(urandom(32), "big")).getrandbits


reseed()


def new_trace_id() -> bytes:
    return (_bits(128) or 1).to_bytes(16, "big")


def new_span_id() -> bytes:
    return (_bits(64) or 1).to_bytes(8, "big")


def random() -> float:
    """From 0 to 1."""
    return _bits(32) / (1 << 32)


def new_uuid() -> str:
    """A random UUID (version 4)."""
    data = bytearray(urandom(16))
    data[6] = data[6] & 0x0F | 0x40
    data[8] = data[8] & 0x3F | 0x80
    text = data.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
