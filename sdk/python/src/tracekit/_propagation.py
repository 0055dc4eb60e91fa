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
_BAGGAGE_RAW = frozenset(chr(c) for c in range(0x21, 0x7F) if chr(c) not in ',;\\"')
_BAGGAGE_PLAIN = _BAGGAGE_RAW - {"%"}
_HEX_ANY = "0123456789abcdefABCDEF"


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


def read_baggage(values: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Values, decoded, and properties, as they came, by key. A member that is not valid is left out alone."""
    found: dict[str, tuple[str, str]] = {}
    for header in values:
        for member in header.split(","):
            pair, _, properties = member.partition(";")
            key, equals, value = pair.partition("=")
            key, value = key.strip(" \t"), value.strip(" \t")
            valid = equals and key and not key.strip(_TOKEN) and _BAGGAGE_RAW.issuperset(value)
            if valid and (key in found or len(found) < BAGGAGE_MEMBERS_MAX):
                found[key] = unquote(value), properties.strip(" \t")
    return found


def write_baggage(members: Mapping[str, tuple[str, str]]) -> str:
    """The header, within the limits: what does not fit is left out."""
    out: list[str] = []
    size = -1
    for key, (value, properties) in members.items():
        if not key or key.strip(_TOKEN):
            continue
        member = f"{key}={_quote(value)}"
        if properties and properties.isascii() and properties.isprintable():
            member += ";" + properties
        if len(out) < BAGGAGE_MEMBERS_MAX and size + 1 + len(member) <= BAGGAGE_BYTES_MAX:
            out.append(member)
            size += 1 + len(member)
    return ",".join(out)


def join_baggage(values: Iterable[str]) -> str:
    """The headers as one, as it goes out again."""
    return write_baggage(read_baggage(values))


def parse_baggage(header: str) -> dict[str, str]:
    return {key: value for key, (value, _) in read_baggage([header]).items()}


def with_baggage(header: str, key: str, value: str | None) -> str:
    """The list with a value set anew, or with None taken away; the others stay as they are."""
    members = read_baggage([header])
    if value is None:
        members.pop(key, None)
    else:
        members[key] = value, ""
    return write_baggage(members)


def _quote(text: str) -> str:
    if _BAGGAGE_PLAIN.issuperset(text):
        return text
    return "".join(char if char in _BAGGAGE_PLAIN else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    return "".join(f"%{byte:02X}" for byte in char.encode("utf-8", "replace"))


def unquote(text: str) -> str:
    if "%" not in text:
        return text
    first, *rest = text.split("%")
    out = bytearray(first.encode())
    for part in rest:
        digits = part[:2]
        if len(digits) == 2 and not digits.strip(_HEX_ANY):
            out += bytes.fromhex(digits) + part[2:].encode()
        else:
            out += b"%" + part.encode()
    return out.decode("utf-8", "replace")
