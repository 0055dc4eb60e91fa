"""A span: one operation of one service.

Its identity is set when it starts; it is recorded until it ends, and is bytes from then on. A span that is not
sampled has an identity and nothing else. No method raises for what it is given: a tracer must not fail the program that
it looks at.
"""

from __future__ import annotations

from tracekit import _clock, _otlp
from tracekit._limits import EVENT_ATTRIBUTES_MAX
from tracekit._otlp import text_of
from tracekit._record import Record, bind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

INTERNAL, SERVER, CLIENT, PRODUCER, CONSUMER = 1, 2, 3, 4, 5

# Innermost frames of an exception's stack.
FRAMES_MAX = 128


class Span(Record):
    """Made by :func:`tracekit.start_span`. End it, or use it in a ``with`` statement, where it is the current span and
    records the exception that leaves the block."""

    __slots__ = ()

    @property
    def trace_id_hex(self) -> str:
        """To write into a log, or to show to a user. Empty when there is no trace."""
        return self.trace_id.hex()

    @property
    def span_id_hex(self) -> str:
        return self.span_id.hex()

    # OpenTelemetry's names for the same things.
    set_attribute = Record.set_tag
    set_attributes = Record.set_tags
    finish = Record.end

    def set_error(self, message: str = "") -> Span:
        """Marks the span as failed."""
        return self.set_status(False, message)

    def add_event(self, name: str, attributes: Mapping[str, object] | None = None) -> Span:
        """Notes that something happened, now."""
        if self.is_recording:
            pairs = _pairs(attributes)
            dropped = max(len(pairs) - EVENT_ATTRIBUTES_MAX, 0)
            self._add_event(_otlp.event(text_of(name), self._now(), pairs[:EVENT_ATTRIBUTES_MAX], dropped))
        return self

    def add_link(self, other: Span, attributes: Mapping[str, object] | None = None) -> Span:
        """Notes that another span, of this trace or of another, has to do with this one."""
        if self.is_recording and other.trace_id:
            pairs = _pairs(attributes)[:EVENT_ATTRIBUTES_MAX]
            flags = other.flags | _otlp.HAS_IS_REMOTE
            self._add_link(_otlp.link(other.trace_id, other.span_id, other.tracestate, flags, pairs))
        return self

    def capture_exception(self, error: BaseException) -> Span:
        """Records the exception as an event, with its stack, and marks the span as failed. The same one counts once."""
        if not self.is_recording or error is self._last_error:
            return self
        self._last_error = error
        name = type_name(error)
        message = text_of(error)
        self.set_tag("error.type", name)
        self.set_status(False, message)
        return self.add_event(
            "exception",
            {"exception.type": name, "exception.message": message, "exception.stacktrace": _stack(error)},
        )

    def __repr__(self) -> str:
        return f"<Span {self.name!r} trace {self.trace_id_hex} span {self.span_id_hex}>"


bind(span=Span, any_value=_otlp.any_value, text_of=text_of, utf8=_otlp.utf8, clock=_clock)


def _pairs(attributes: Mapping[str, object] | None) -> list[tuple[str, object]]:
    return [(text_of(key), value) for key, value in (attributes or {}).items() if value is not None]


def type_name(error: BaseException) -> str:
    kind = type(error)
    module = kind.__module__
    return kind.__qualname__ if module in ("builtins", "__main__") else f"{module}.{kind.__qualname__}"


def _stack(error: BaseException) -> str | None:
    try:
        from traceback import format_exception

        return "".join(format_exception(type(error), error, error.__traceback__, limit=-FRAMES_MAX))
    except Exception:  # an exception's own __str__ or source may fail
        return None
