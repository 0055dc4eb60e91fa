"""The headers that carry a trace: W3C Trace Context level 2, https://www.w3.org/TR/trace-context-2/, and W3C Baggage."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, MutableMapping

    from tracekit._span import Span

SAMPLED = 1
RANDOM = 2

STATE_MEMBERS_MAX = 32
STATE_TEXT_MAX = 256  # of a key, and of a value
BAGGAGE_MEMBERS_MAX = 64
BAGGAGE_BYTES_MAX = 8192

_HEX = "0123456789abcdef"
_NO_TRACE, _NO_SPAN = "0" * 32, "0" * 16
# What two hexadecimal digits say of the flags that are known. Upper case says nothing.
_FLAGS = {f"{flags:02x}": flags & (SAMPLED | RANDOM) for flags in range(256)}
_STATE_KEY_FIRST = "abcdefghijklmnopqrstuvwxyz0123456789"
_STATE_KEY = _STATE_KEY_FIRST + "_-*/@"
_STATE_VALUE = "".join(chr(c) for c in range(0x20, 0x7F) if chr(c) not in ",=")
# What RFC 9110 calls a token, and W3C Baggage allows in a value as it is.
_TOKEN = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~"
_BAGGAGE_PLAIN = frozenset(chr(c) for c in range(0x21, 0x7F) if chr(c) not in ',;\\"%')


class SpanContext:
    """What a request carries of its sender's span."""

    __slots__ = ("baggage", "flags", "span_id", "trace_id", "tracestate")

    def __init__(self, trace_id: bytes, span_id: bytes, flags: int, tracestate: str = "", baggage: str = "") -> None:
        self.trace_id = trace_id
        self.span_id = span_id
        self.flags = flags
        self.tracestate = tracestate
        self.baggage = baggage


def parse_traceparent(value: str) -> SpanContext | None:
    """Section 3.2. Several headers, joined by a comma as servers do it, are no valid one."""
    value = value.strip(" \t")
    if len(value) != 55:
        # A higher version may have more behind a dash.
        if len(value) < 55 or value[55] != "-" or value[:2] == "00":
            return None
        value = value[:55]
    parts = value.split("-")
    if len(parts) != 4:
        return None
    version, trace_id, span_id, flags = parts
    known = _FLAGS.get(flags)
    if known is None or len(trace_id) != 32 or len(span_id) != 16 or version not in _FLAGS or version == "ff":
        return None
    # strip() takes the digits from both ends: nothing is left exactly if there is nothing else.
    if (trace_id + span_id).strip(_HEX) or trace_id == _NO_TRACE or span_id == _NO_SPAN:
        return None
    return SpanContext(bytes.fromhex(trace_id), bytes.fromhex(span_id), known)


def parse_tracestate(values: Iterable[str]) -> str:
    """All headers as one valid list, or nothing: one bad member, or one too many, discards all of them.

    Of members with the same key the first stays.
    """
    members: dict[str, str] = {}
    seen = 0
    for value in values:
        for member in value.split(","):
            member = member.strip(" \t")
            if not member:
                continue
            seen += 1
            key, equals, text = member.partition("=")
            if not equals or seen > STATE_MEMBERS_MAX or not _valid_state(key, text):
                return ""
            members.setdefault(key, member)
    return ",".join(members.values())


def _valid_state(key: str, value: str) -> bool:
    return (
        0 < len(key) <= STATE_TEXT_MAX
        and key[0] in _STATE_KEY_FIRST
        and not key.strip(_STATE_KEY)
        and 0 < len(value) <= STATE_TEXT_MAX
        and value[-1] != " "
        and not value.strip(_STATE_VALUE)
    )


def extract(traceparents: list[str], tracestates: list[str], baggage: list[str]) -> SpanContext | None:
    """Of every value of the headers, in the order received. None: the trace starts anew."""
    context = parse_traceparent(traceparents[0]) if len(traceparents) == 1 else None
    if context is None:
        # Baggage stands for itself: it says nothing of the trace.
        return SpanContext(b"", b"", 0, "", join_baggage(baggage)) if baggage else None
    if tracestates:
        context.tracestate = parse_tracestate(tracestates)
    if baggage:
        context.baggage = join_baggage(baggage)
    return context


def inject(span: Span, headers: MutableMapping[str, str]) -> None:
    """Writes the headers of a request that `span` makes, over whatever was there."""
    for name in ("traceparent", "tracestate"):
        headers.pop(name, None)
    if span.trace_id:
        headers["traceparent"] = f"00-{span.trace_id.hex()}-{span.span_id.hex()}-{span.flags:02x}"
        if span.tracestate:
            headers["tracestate"] = span.tracestate
    baggage = span.entry.baggage
    if baggage:
        headers["baggage"] = baggage


# ---- baggage -----------------------------------------------------------------------------------


def join_baggage(values: Iterable[str]) -> str:
    """The headers as one list within the limits; what goes beyond them is cut off at a member."""
    kept: list[str] = []
    size = 0
    for value in values:
        for member in value.split(","):
            member = member.strip(" \t")
            if not _valid_baggage(member):
                continue
            size += len(member) + 1
            if len(kept) == BAGGAGE_MEMBERS_MAX or size > BAGGAGE_BYTES_MAX + 1:
                return ",".join(kept)
            kept.append(member)
    return ",".join(kept)


def _valid_baggage(member: str) -> bool:
    key, equals, value = member.partition("=")
    key = key.rstrip(" \t")
    return bool(equals and key) and not key.strip(_TOKEN) and value.isascii() and value.isprintable()


def parse_baggage(header: str) -> dict[str, str]:
    """Keys and values, decoded; properties behind a semicolon are not read."""
    found: dict[str, str] = {}
    for member in header.split(","):
        key, equals, value = member.partition("=")
        if equals:
            found[key.strip(" \t")] = _unquote(value.partition(";")[0].strip(" \t"))
    return found


def with_baggage(header: str, changes: Mapping[str, str | None]) -> str:
    """The list with some values set anew, or with None taken away; others stay as they came, properties included."""
    members = [one for one in header.split(",") if one and one.partition("=")[0].strip(" \t") not in changes]
    members += [f"{key}={_quote(value)}" for key, value in changes.items() if value is not None]
    return join_baggage(members)


def _quote(text: str) -> str:
    if _BAGGAGE_PLAIN.issuperset(text):
        return text
    return "".join(
        char if char in _BAGGAGE_PLAIN else "".join(f"%{byte:02X}" for byte in char.encode("utf-8", "replace"))
        for char in text
    )


def _unquote(text: str) -> str:
    if "%" not in text:
        return text
    out = bytearray()
    first, *rest = text.split("%")
    out += first.encode()
    for part in rest:
        try:
            out += bytes.fromhex(part[:2]) + part[2:].encode() if part[:2].isalnum() else b"%" + part.encode()
        except ValueError:
            out += b"%" + part.encode()
    return out.decode("utf-8", "replace")
