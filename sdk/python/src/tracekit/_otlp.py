"""OTLP's protobuf messages, written by hand: no tree of message objects stands between a span and its bytes.

The numbers are those of opentelemetry-proto's trace.proto, common.proto and resource.proto. A field begins with its tag,
`number << 3 | wire type`; the tags stand here as the bytes they are. Everything returns bytes and nothing raises: what
cannot be written as it is becomes text, and text that is no Unicode is mended, since a receiver may refuse a whole request
for one bad character.
"""

from __future__ import annotations

from struct import Struct

from tracekit._limits import ARRAY_ITEMS_MAX, SPAN_BYTES_MAX, STRING_BYTES_MAX, VALUE_DEPTH_MAX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

HAS_IS_REMOTE = 0x100
IS_REMOTE = 0x200

_ONE_BYTE = tuple(bytes((n,)) for n in range(128))
# The beginning of an attribute of a span whose length is one byte.
_SPAN_ATTRIBUTE = tuple(b"J" + length for length in _ONE_BYTE)
# What stands between a key and a short text: the value's tag and length, the string's tag and length.
_SHORT_TEXT = tuple(bytes((0x12, n + 2, 0x0A, n)) for n in range(126))
_TRUE = b"\x12\x02\x10\x01"
_FALSE = b"\x12\x02\x10\x00"
_SMALL_INT = tuple(b"\x12\x02\x18" + one for one in _ONE_BYTE)

_DOUBLE = Struct("<d").pack
_FIXED64 = Struct("<Q").pack

# Keys repeat: the field `key` of an attribute, by key. Cleared when somebody makes keys up. Long texts are not kept, here
# and below: a request's sender could fill the memory with them.
_CACHED_TEXT_MAX = 256
_KEYS_MAX = 2048
_keys: dict[str, bytes] = {}
_TOO_DEEP = b"\x0a\x03..."


def utf8(text: str) -> bytes:
    text = text[:STRING_BYTES_MAX]
    try:
        data = text.encode()
    except UnicodeEncodeError:  # lone surrogates
        data = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()
    if len(data) > STRING_BYTES_MAX:
        data = data[:STRING_BYTES_MAX].decode("utf-8", "ignore").encode()
    return data


def varint(n: int) -> bytes:
    if n < 0x80:
        return _ONE_BYTE[n]
    if n < 0x4000:
        return bytes((n & 0x7F | 0x80, n >> 7))
    out = bytearray()
    while n >= 0x80:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def message(tag: bytes, body: bytes) -> bytes:
    """A field of bytes: a message, a text, an id."""
    return tag + varint(len(body)) + body


def _key(key: str) -> bytes:
    field = _keys.get(key)
    if field is None:
        field = message(b"\x0a", utf8(key))
        if len(key) <= _CACHED_TEXT_MAX:
            if len(_keys) >= _KEYS_MAX:
                _keys.clear()
            _keys[key] = field
    return field


def _integer(value: int) -> bytes:
    """The fields of an AnyValue."""
    if -(1 << 63) <= value < 1 << 63:
        return b"\x18" + varint(value & 0xFFFFFFFFFFFFFFFF)
    return message(b"\x0a", str(value).encode()) if value.bit_length() < 1 << 12 else message(b"\x0a", b"...")


def text_of(value: object) -> str:
    """How the value prints; a `__str__` that raises is the value's affair."""
    try:
        return str(value)
    except Exception:
        return f"<unprintable {type(value).__name__}>"


def any_value(value: object, depth: int = 0, room: int = SPAN_BYTES_MAX) -> bytes:
    """The fields of an AnyValue: whatever OTLP has a kind for keeps it, everything else is what str() says."""
    if value is None:
        return b""
    if value is True:
        return b"\x10\x01"
    if value is False:
        return b"\x10\x00"
    try:  # isinstance already runs code of the user's: a lazy object looks itself up
        if isinstance(value, str):
            # Of a subclass (an Enum, say) the text itself.
            return message(b"\x0a", utf8(str.__str__(value)))
        if isinstance(value, int):
            return _integer(int.__index__(value))
        if isinstance(value, float):
            return b"\x21" + _DOUBLE(value)
        if isinstance(value, (bytes, bytearray, memoryview)):
            return message(b"\x3a", bytes(value[:STRING_BYTES_MAX]))
        if isinstance(value, dict):
            return _map(value.items(), depth, room)
        if isinstance(value, (list, tuple, set, frozenset)):
            return _array(value, depth, room)
        if hasattr(value, "isoformat"):
            return any_value(str(value.isoformat()))
        if hasattr(value, "__index__"):  # the integers of other libraries
            return _integer(int(value.__index__()))
    except Exception:  # a class of the user's own, which may do anything
        pass
    return any_value(text_of(value))


def _array(items: Iterable[object], depth: int, room: int) -> bytes:
    if depth >= VALUE_DEPTH_MAX:
        return _TOO_DEEP
    out = bytearray()
    for count, item in enumerate(items):
        if count == ARRAY_ITEMS_MAX or len(out) > room:
            break
        out += message(b"\x0a", any_value(item, depth + 1, room - len(out)))
    return message(b"\x2a", bytes(out))


def _map(items: Iterable[tuple[object, object]], depth: int, room: int) -> bytes:
    if depth >= VALUE_DEPTH_MAX:
        return _TOO_DEEP
    out = bytearray()
    for count, (key, value) in enumerate(items):
        if count == ARRAY_ITEMS_MAX or len(out) > room:
            break
        out += message(b"\x0a", key_value(text_of(key), value, depth + 1, room - len(out)))
    return message(b"\x32", bytes(out))


def key_value(key: str, value: object, depth: int = 0, room: int = SPAN_BYTES_MAX) -> bytes:
    return _key(key) + message(b"\x12", any_value(value, depth, room))


class Encoded(bytes):
    """The AnyValue of what may change after it was set: it is written down when it is."""

    __slots__ = ()


def frozen(value: object) -> object:
    """The value as a span keeps it: as it is when it cannot change, else as its bytes."""
    return Encoded(any_value(value))


def _value(value: Any) -> bytes:
    """The field KeyValue.value."""
    kind = type(value)
    if kind is int:
        return _SMALL_INT[value] if 0 <= value < 128 else message(b"\x12", _integer(value))
    if kind is bool:
        return _TRUE if value else _FALSE
    if kind is float:
        return b"\x12\x09\x21" + _DOUBLE(value)
    if kind is str:
        return message(b"\x12", message(b"\x0a", utf8(value)))
    return message(b"\x12", value)  # Encoded


def append_attributes(out: list[bytes], attributes: dict[str, Any]) -> int:
    """Appends the fields Span.attributes; gives how many found no room. Short ones always find some."""
    dropped = 0
    keys = _keys
    for key, value in attributes.items():
        kind = type(value)
        head = keys.get(key) or _key(key)
        if kind is str and len(value) < 128:
            try:
                text = value.encode()
            except UnicodeEncodeError:
                text = utf8(value)
            n = len(text)
            size = len(head) + n + 4
            if size < 128:
                out += (_SPAN_ATTRIBUTE[size], head, _SHORT_TEXT[n], text)
                continue
        rest = _value(value)
        size = len(head) + len(rest)
        if size < 128:
            out += (_SPAN_ATTRIBUTE[size], head, rest)
        elif not append_field(out, b"J", head + rest):
            dropped += 1
    return dropped


# What stands behind attributes, events and links: counts of what was dropped, status, flags.
_TAIL = 64


def append_field(out: list[bytes], tag: bytes, body: bytes) -> bool:
    """Appends a field if the span has room for it."""
    field = message(tag, body)
    if sum(map(len, out)) + len(field) + _TAIL > SPAN_BYTES_MAX:
        return False
    out.append(field)
    return True


def event(name: str, unix_nano: int, attributes: Iterable[tuple[str, object]], dropped: int = 0) -> bytes:
    """The message Span.Event."""
    out = bytearray(b"\x09" + _FIXED64(unix_nano) + message(b"\x12", utf8(name)))
    for key, value in attributes:
        out += message(b"\x1a", key_value(key, value))
    if dropped:
        out += b"\x20" + varint(dropped)
    return bytes(out)


def link(trace_id: bytes, span_id: bytes, tracestate: str, flags: int, attributes: Iterable[tuple[str, object]]) -> bytes:
    """The message Span.Link."""
    out = bytearray(b"\x0a\x10" + trace_id + b"\x12\x08" + span_id)
    if tracestate:
        out += message(b"\x1a", utf8(tracestate))
    for key, value in attributes:
        out += message(b"\x22", key_value(key, value))
    return bytes(out) + b"\x35" + flags.to_bytes(4, "little")


def append_list(out: list[bytes], tag: bytes, dropped_tag: bytes, messages: Iterable[bytes], dropped: int) -> None:
    for one in messages:
        if not append_field(out, tag, one):
            dropped += 1
    if dropped:
        out.append(dropped_tag + varint(dropped))


def resource(attributes: Iterable[tuple[str, object]]) -> bytes:
    """The message Resource. What is empty is left out."""
    return b"".join(message(b"\x0a", key_value(key, value)) for key, value in attributes if value not in ("", None))


def scope(name: str, version: str) -> bytes:
    """The message InstrumentationScope."""
    return message(b"\x0a", utf8(name)) + message(b"\x12", utf8(version))


def request(resource: bytes, scope: bytes, spans: bytes) -> bytes:
    """The message ExportTraceServiceRequest, of spans as a queue gives them."""
    begin = message(b"\x0a", scope)
    begin = message(b"\x0a", resource) + b"\x12" + varint(len(begin) + len(spans)) + begin
    return b"".join((b"\x0a", varint(len(begin) + len(spans)), begin, spans))


def partial_success(answer: bytes) -> tuple[int, str]:
    """Of an ExportTraceServiceResponse: how many spans were refused, and why.

    What cannot be read is taken for a full success, as the server said 200.
    """
    rejected, why = 0, ""
    for number, contents in _fields(answer):
        if number == 1 and isinstance(contents, bytes):
            for inner, value in _fields(contents):
                if inner == 1 and isinstance(value, int):
                    rejected = value
                elif inner == 2 and isinstance(value, bytes):
                    why = value.decode("utf-8", "replace")
    return rejected, why


def _fields(data: bytes) -> Iterable[tuple[int, int | bytes]]:
    """The varint and the length-delimited fields of a message, up to what is neither."""
    at = 0
    try:
        while at < len(data):
            tag, at = _read_varint(data, at)
            value, at = _read_varint(data, at)
            if tag & 7 == 0:
                yield tag >> 3, value
            elif tag & 7 == 2 and at + value <= len(data):
                yield tag >> 3, data[at : at + value]
                at += value
            else:
                return
    except IndexError:
        return


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise IndexError
