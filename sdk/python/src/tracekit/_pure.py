"""Recording in Python: see `_record`.

A `Tracer` starts spans, a `Record` is what a span holds until it is bytes, and a `Queue` keeps these until they are sent.
"""

from __future__ import annotations

from _thread import RLock
from collections import deque
from contextvars import ContextVar
from struct import Struct
from time import monotonic_ns

from tracekit import _clock, _ids, _log, _otlp
from tracekit._limits import ATTRIBUTES_MAX, BATCH_MAX, BYTES_MAX, EVENTS_MAX, LINKS_MAX, QUEUE_MAX, STRING_BYTES_MAX
from tracekit._otlp import text_of
from tracekit._sampling import samples as samples

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from contextvars import Token
    from types import TracebackType
    from typing import Any

    from tracekit._propagation import SpanContext
    from tracekit._span import Span

SAMPLED, RANDOM = 1, 2
UNSET, OK, ERROR = 0, 1, 2

_FROZEN = frozenset((str, int, bool, float))
_KIND_AND_TIMES = Struct("<BBBQBQ").pack
_FLAGS = Struct("<BBI").pack

current: ContextVar[Span | None] = ContextVar("tracekit-span", default=None)


class Record:
    """A span's identity, and what is recorded of it until it ends."""

    __slots__ = (
        "__weakref__",
        "_attributes",
        "_dropped_attributes",
        "_dropped_events",
        "_dropped_links",
        "_entry",
        "_events",
        "_last_error",
        "_links",
        "_offset",
        "_queue",
        "_remote_parent",
        "_start",
        "_status",
        "_status_message",
        "_token",
        "baggage",
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
        parent: Record | SpanContext | None,
        trace_id: bytes,
        span_id: bytes,
        flags: int,
        tracestate: str,
        queue: Queue | None,
    ) -> None:
        """`queue` takes the ended span's bytes; None: it is not recorded."""
        self.name = name
        self.kind = kind
        self.trace_id = trace_id
        self.span_id = span_id
        self.flags = flags
        self.tracestate = tracestate
        self.baggage = ""
        self.parent_id = b""
        self._entry: Span | None = None
        self._remote_parent = False
        self._queue = queue
        self._token: Token[Span | None] | None = None
        offset: int = 0
        if parent is not None:
            self.parent_id = parent.span_id
            if isinstance(parent, Record):
                self._entry = parent.entry
                offset = parent._offset
            else:
                self._remote_parent = bool(parent.span_id)
                self.baggage = parent.baggage
        if queue is not None:
            self._attributes: dict[str, Any] = {}
            self._events: list[bytes] | tuple[()] = ()
            self._links: list[bytes] | tuple[()] = ()
            self._dropped_attributes = self._dropped_events = self._dropped_links = self._status = 0
            self._status_message = ""
            # Held until the span ends: an id alone is soon the next exception's.
            self._last_error: BaseException | None = None
            now = monotonic_ns()
            self._offset = offset = offset or _clock.unix_offset(now)
            self._start = now + offset
        else:
            self._offset = 0

    @property
    def entry(self) -> Span:
        """The first span of this trace in this process."""
        return self._entry or self  # type: ignore[return-value]

    @property
    def is_recording(self) -> bool:
        return self._queue is not None

    @property
    def failed(self) -> bool:
        return self._queue is not None and self._status == ERROR

    def set_tag(self, key: str, value: object) -> Span:
        """Sets an attribute; one set before gets the new value, with None it is taken away.

        Strings, booleans, numbers, bytes, lists and dictionaries keep their type; any other value is recorded as ``str()``
        prints it. A span has at most 128 attributes, further ones are counted and dropped.
        """
        if self._queue is not None:
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
        return self  # type: ignore[return-value]

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

    def set_tags(self, tags: Mapping[str, object], /) -> Span:
        """Sets several attributes."""
        if self._queue is not None:
            try:
                for key, value in tags.items():
                    self.set_tag(key, value)
            except Exception:  # no mapping
                pass
        return self  # type: ignore[return-value]

    def set_name(self, name: str, /) -> Span:
        if self._queue is not None:
            self.name = text_of(name)
        return self  # type: ignore[return-value]

    def set_status(self, ok: bool, message: str = "") -> Span:
        """Says how the operation went. The message explains an error."""
        if self._queue is not None:
            self._status = OK if ok else ERROR
            self._status_message = "" if ok else text_of(message)
        return self  # type: ignore[return-value]

    def _now(self) -> int:
        """The time of an event, in nanoseconds since 1970."""
        return monotonic_ns() + self._offset

    def _add_event(self, event: bytes) -> None:
        """The message Span.Event."""
        if self._queue is None:
            return
        if len(self._events) >= EVENTS_MAX:
            self._dropped_events += 1
            return
        if type(self._events) is tuple:
            self._events = []
        self._events.append(event)  # type: ignore[union-attr]

    def _add_link(self, link: bytes) -> None:
        """The message Span.Link."""
        if self._queue is None:
            return
        if len(self._links) >= LINKS_MAX:
            self._dropped_links += 1
            return
        self._links = [*self._links, link]

    def end(self) -> None:
        """Finishes the span and hands it over to be sent. Only the first call counts."""
        queue = self._queue
        if queue is not None:
            now = monotonic_ns() + self._offset
            self._queue = None
            self._last_error = None
            try:
                queue.push(self._encoded(now))
            except Exception as error:
                _log.once("encode", f"a span could not be written: {error!r}")

    def __enter__(self) -> Span:
        self._token = current.set(self)  # type: ignore[arg-type]
        return self  # type: ignore[return-value]

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        self.leave()
        # A generator that is closed, a task that is cancelled and a program that exits have not failed.
        if isinstance(error, Exception):
            self.capture_exception(error)  # type: ignore[attr-defined]
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

    def _encoded(self, end: int) -> bytes:
        """A field of ScopeSpans, its own tag and length included."""
        out = [b"\x0a\x10", self.trace_id, b"\x12\x08", self.span_id]
        if self.tracestate:
            out.append(_otlp.message(b"\x1a", self.tracestate.encode()))
        if self.parent_id:
            out += (b"\x22\x08", self.parent_id)
        name = self.name.encode() if self.name.isascii() else _otlp.utf8(self.name)
        out.append(_otlp.message(b"*", name[:STRING_BYTES_MAX]))
        out.append(_KIND_AND_TIMES(0x30, self.kind, 0x39, self._start, 0x41, max(end, self._start)))
        dropped = self._dropped_attributes + _otlp.append_attributes(out, self._attributes)
        if dropped:
            out.append(b"\x50" + _otlp.varint(dropped))
        if self._events or self._dropped_events:
            _otlp.append_list(out, b"\x5a", b"\x60", self._events, self._dropped_events)
        if self._links or self._dropped_links:
            _otlp.append_list(out, b"\x6a", b"\x70", self._links, self._dropped_links)
        if self._status:
            message = _otlp.utf8(self._status_message)
            status = _otlp.message(b"\x12", message) if message else b""
            out.append(_otlp.message(b"\x7a", status + b"\x18" + _otlp.varint(self._status)))
        remote = _otlp.HAS_IS_REMOTE | _otlp.IS_REMOTE if self._remote_parent else _otlp.HAS_IS_REMOTE
        out.append(_FLAGS(0x85, 0x01, self.flags | remote))
        return _otlp.message(b"\x12", b"".join(out))


class Queue:
    """Ended spans until they are sent: at most QUEUE_MAX and BYTES_MAX bytes; what finds no room is counted as dropped.

    `pushed(n)` is called when n spans wait: for the first, and for each full batch. `full()` is called for the first that
    is dropped. `push` is called in the program's own threads, signal handlers and finalizers: it takes no lock that these
    could find taken by themselves.
    """

    def __init__(self, pushed: Callable[[int], None], full: Callable[[], None]) -> None:
        self._pushed = pushed
        self._full = full
        self._spans: deque[bytes] = deque()
        self._lock = RLock()
        self._under_way_bytes = 0
        self._closed = False
        self.sent = self.dropped = self.under_way = self.bytes = 0

    @property
    def waiting(self) -> int:
        return len(self._spans)

    def push(self, span: bytes) -> None:
        """Takes an ended span."""
        with self._lock:
            waiting = len(self._spans) + 1
            taken = not (self._closed or waiting + self.under_way > QUEUE_MAX or self.bytes >= BYTES_MAX)
            if taken:
                self._spans.append(span)
                self.bytes += len(span)
            else:
                self.dropped += 1
                first_drop = self.dropped == 1 and not self._closed
        if not taken:
            if first_drop:
                self._full()
        elif waiting == 1 or waiting % BATCH_MAX == 0:
            self._pushed(waiting)

    def take(self) -> tuple[bytes, int]:
        """The oldest spans, a batch at most, and their number. They are under way until `done`."""
        with self._lock:
            count = min(len(self._spans), BATCH_MAX)
            batch = b"".join([self._spans.popleft() for _ in range(count)])
            self.under_way = count
            self._under_way_bytes = len(batch)
            return batch, count

    def done(self, lost: int) -> None:
        """The batch was delivered or given up; so many of its spans are lost."""
        with self._lock:
            self.bytes -= self._under_way_bytes
            self.sent += self.under_way - lost
            self.dropped += lost
            self.under_way = self._under_way_bytes = 0

    def close(self) -> None:
        """What waits, and what is pushed from now on, is dropped."""
        with self._lock:
            self._closed = True
            self.dropped += len(self._spans)
            self.bytes = self._under_way_bytes
            self._spans.clear()

    def abandon(self) -> None:
        """The same in a forked child, where another thread may have held the lock: what waits is the parent's."""
        self._lock = RLock()
        self._closed = True
        self._spans.clear()


class Tracer:
    """Starts the spans of one set-up, which go to its queue. Without one nothing is recorded, and this service is not seen
    in the traces that it serves: who it calls are its caller's children."""

    def __init__(self, queue: Queue | None, threshold: int, tracestate: str) -> None:
        """`threshold` and `tracestate`: of new traces, see `_sampling`."""
        self.queue = queue
        self._threshold = threshold
        self._tracestate = tracestate

    def start(self, name: str, kind: int, parent: Span | SpanContext | None) -> Span:
        """Starts a span below `parent`, or at the top of a new trace."""
        queue = self.queue
        known = parent is not None and parent.trace_id
        if queue is None:
            span_id = parent.span_id if parent is not None else b""
            if not known:
                return _span(name, kind, parent, b"", span_id, 0, "", None)
        else:
            span_id = _ids.new_span_id()
        if known:
            flags = parent.flags  # type: ignore[union-attr]
            recorded = queue if flags & SAMPLED else None
            return _span(name, kind, parent, parent.trace_id, span_id, flags, parent.tracestate, recorded)  # type: ignore[union-attr]
        trace_id = _ids.new_trace_id()
        if samples(self._threshold, trace_id):
            return _span(name, kind, parent, trace_id, span_id, SAMPLED | RANDOM, self._tracestate, queue)
        return _span(name, kind, parent, trace_id, span_id, RANDOM, "", None)


_span: Callable[..., Span]
_set_up: Callable[..., Any]
_tracer: Tracer | None = None


def bind(*, span: type[Span] | None = None, set_up: Callable[..., Any] | None = None, **_: object) -> None:
    """What is defined elsewhere: the class of spans, and how to set up when nobody has."""
    global _span, _set_up
    if span is not None:
        _span = span
    if set_up is not None:
        _set_up = set_up


def use(tracer: Tracer | None) -> None:
    """From now on `start` and `start_span` use it; with None they set one up by the environment alone."""
    global _tracer
    _tracer = tracer


def start(name: str, kind: int = 1) -> Span:
    """Starts a child of the current span, or a new trace."""
    tracer = _tracer
    if tracer is None:
        _set_up({})
        tracer = _tracer
        assert tracer is not None
    return tracer.start(name, kind, current.get())


def start_span(name: str, tags: Mapping[str, object] | None = None) -> Span:
    """Starts a child of the current span; a new trace outside of any.

    In a ``with`` statement it is the current span and ends with the block; else whoever started it ends it.
    """
    span = start(name if type(name) is str else text_of(name))
    return span.set_tags(tags) if tags else span


reseed = _ids.reseed
sync_clock = _clock.sync


def from_environ(environ: Mapping[str, Any], path: str | None) -> Any:
    """The span of a request, as `_server` describes it. NotImplemented: that is to make it, as it always is here."""
    return NotImplemented


def from_scope(scope: Mapping[str, Any]) -> Any:
    return NotImplemented


class Within:
    """The parts of a response that is made while it is sent: each is made within the span, and `done` is called when there
    are no more."""

    __slots__ = ("_done", "_parts", "_span", "_whole")

    def __init__(self, parts: Iterable[Any], span: Span, done: Callable[[], None]) -> None:
        self._whole = parts
        self._parts = iter(parts)
        self._span = span
        self._done = done

    def __iter__(self) -> Within:
        return self

    def __next__(self) -> Any:
        span = self._span
        token = current.set(span)
        try:
            return next(self._parts)
        except StopIteration:
            self._done()
            raise
        except Exception as error:
            span.capture_exception(error)
            raise
        finally:
            current.reset(token)
