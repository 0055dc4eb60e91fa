"""A span: one operation of one service.

Its identity is set when it starts; it is recorded until it ends, and is bytes from then on. A span that is not
sampled has an identity and nothing else. No method raises for what it is given: a tracer must not fail the program that
it looks at.
"""

from __future__ import annotations

from contextvars import ContextVar
from time import monotonic_ns

from tracekit import _log, _otlp
from tracekit._clock import unix_offset
from tracekit._ids import new_span_id
from tracekit._otlp import text_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextvars import Token
    from types import TracebackType
    from typing import Any

    from tracekit._propagation import SpanContext

INTERNAL, SERVER, CLIENT, PRODUCER, CONSUMER = 1, 2, 3, 4, 5
UNSET, OK, ERROR = 0, 1, 2

# The limits of OpenTelemetry's SDK specification: of a span, and of an event.
ATTRIBUTES_MAX = 128
EVENTS_MAX = 128
LINKS_MAX = 128
EVENT_ATTRIBUTES_MAX = 128
# Innermost frames of an exception's stack.
FRAMES_MAX = 128

_FROZEN = frozenset((str, int, bool, float))

current: ContextVar[Span | None] = ContextVar("tracekit-span", default=None)


class Span:
    """Made by :func:`tracekit.start_span`. End it, or use it in a ``with`` statement, where it is the current span and
    records the exception that leaves the block."""

    __slots__ = (
        "__weakref__",
        "_attributes",
        "_dropped_attributes",
        "_dropped_events",
        "_dropped_links",
        "_end",
        "_events",
        "_last_error",
        "_links",
        "_offset",
        "_remote_parent",
        "_sink",
        "_start",
        "_status",
        "_status_message",
        "_token",
        "baggage",
        "entry",
        "flags",
        "kind",
        "name",
        "parent_id",
        "span_id",
        "trace_id",
        "tracestate",
    )

    _offset: int

    # The class is made for speed: its making is the greater part of what a span costs.
    def __init__(
        self,
        name: str,
        kind: int,
        parent: Span | SpanContext | None,
        identity: tuple[bytes, int, str],
        sink: Callable[[bytes], None] | None,
    ) -> None:
        """`identity`: trace id, flags and tracestate. `sink` takes the ended span's bytes; None: it is not recorded."""
        self.name = name
        self.kind = kind
        self.trace_id, self.flags, self.tracestate = identity
        self.span_id = new_span_id()
        self.baggage = ""
        self.entry = self  #: The first span of this trace in this process.
        self.parent_id = b""
        self._remote_parent = False
        self._sink = sink
        self._token: Token[Span | None] | None = None
        offset: int = 0
        if parent is not None:
            self.parent_id = parent.span_id
            if isinstance(parent, Span):
                self.entry = parent.entry
                offset = parent._offset
            else:
                self._remote_parent = bool(parent.span_id)
                self.baggage = parent.baggage
        if sink is not None:
            self._attributes: dict[str, Any] = {}
            self._events: list[bytes] | tuple[()] = ()
            self._links: list[bytes] | tuple[()] = ()
            self._dropped_attributes = self._dropped_events = self._dropped_links = self._status = 0
            self._status_message = ""
            # Held until the span ends: an id alone is soon the next exception's.
            self._last_error: BaseException | None = None
            now = monotonic_ns()
            self._offset = offset or unix_offset(now)
            self._start = now
        else:
            self._offset = 0

    @property
    def is_recording(self) -> bool:
        return self._sink is not None

    @property
    def trace_id_hex(self) -> str:
        """To write into a log, or to show to a user. Empty when there is no trace."""
        return self.trace_id.hex()

    @property
    def span_id_hex(self) -> str:
        return self.span_id.hex()

    def set_tag(self, key: str, value: object) -> Span:
        """Sets an attribute; one set before gets the new value, with None it is taken away.

        Strings, booleans, numbers, bytes, lists and dictionaries keep their type; any other value is recorded as ``str()``
        prints it. A span has at most 128 attributes, further ones are counted and dropped.
        """
        if self._sink is not None:
            attributes = self._attributes
            if (
                type(key) is str
                and type(value) in _FROZEN
                and key
                and (len(attributes) < ATTRIBUTES_MAX or key in attributes)
            ):
                attributes[key] = value
            else:
                self._set_other(key, value)
        return self

    def _set_other(self, key: object, value: object) -> None:
        name = key if type(key) is str else text_of(key)
        attributes = self._attributes
        if not name:
            return
        if value is None:
            attributes.pop(name, None)
        elif len(attributes) >= ATTRIBUTES_MAX and name not in attributes:
            self._dropped_attributes += 1
        else:
            attributes[name] = value if type(value) in _FROZEN else _otlp.frozen(value)

    def set_tags(self, tags: Mapping[str, object]) -> Span:
        if self._sink is not None:
            for key, value in tags.items():
                self.set_tag(key, value)
        return self

    # OpenTelemetry's names for the same things.
    set_attribute = set_tag
    set_attributes = set_tags

    def set_name(self, name: str) -> Span:
        if self._sink is not None:
            self.name = text_of(name)
        return self

    def set_status(self, ok: bool, message: str = "") -> Span:
        """Says how the operation went. The message explains an error."""
        if self._sink is not None:
            self._status = OK if ok else ERROR
            self._status_message = "" if ok else text_of(message)
        return self

    def set_error(self, message: str = "") -> Span:
        """Marks the span as failed."""
        return self.set_status(False, message)

    def add_event(self, name: str, attributes: Mapping[str, object] | None = None) -> Span:
        """Notes that something happened, now."""
        if self._sink is None:
            return self
        if len(self._events) >= EVENTS_MAX:
            self._dropped_events += 1
            return self
        pairs = _pairs(attributes)
        dropped = max(len(pairs) - EVENT_ATTRIBUTES_MAX, 0)
        event = _otlp.event(text_of(name), monotonic_ns() + self._offset, pairs[:EVENT_ATTRIBUTES_MAX], dropped)
        if type(self._events) is tuple:
            self._events = []
        self._events.append(event)  # type: ignore[union-attr]
        return self

    def add_link(self, other: Span, attributes: Mapping[str, object] | None = None) -> Span:
        """Notes that another span, of this trace or of another, has to do with this one."""
        if self._sink is None or not other.trace_id:
            return self
        if len(self._links) >= LINKS_MAX:
            self._dropped_links += 1
            return self
        pairs = _pairs(attributes)[:EVENT_ATTRIBUTES_MAX]
        link = _otlp.link(other.trace_id, other.span_id, other.tracestate, other.flags | _otlp.HAS_IS_REMOTE, pairs)
        self._links = [*self._links, link]
        return self

    def capture_exception(self, error: BaseException) -> Span:
        """Records the exception as an event, with its stack, and marks the span as failed. The same one counts once."""
        if self._sink is None or error is self._last_error:
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

    def end(self) -> None:
        """Finishes the span and hands it over to be sent. Only the first call counts."""
        sink = self._sink
        if sink is not None:
            self._end = monotonic_ns()
            self._sink = None
            self._last_error = None
            try:
                sink(_otlp.encode_span(self))
            except Exception as error:
                _log.once("encode", f"a span could not be written: {error!r}")

    finish = end

    def __enter__(self) -> Span:
        self._token = current.set(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        self.leave()
        # A generator that is closed, a task that is cancelled and a program that exits have not failed.
        if isinstance(error, Exception):
            self.capture_exception(error)
        self.end()

    def leave(self) -> None:
        """Makes the span that was the current one before ``with`` the current one again."""
        token, self._token = self._token, None
        if token is not None:
            try:
                current.reset(token)
            except ValueError:  # left in another context than entered, as generators of async frameworks are
                if current.get() is self:
                    current.set(None)

    def __repr__(self) -> str:
        return f"<Span {self.name!r} trace {self.trace_id_hex} span {self.span_id_hex}>"


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
