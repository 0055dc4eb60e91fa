/** Ended spans as OTLP in protobuf. The numbers are those of opentelemetry-proto. */

import { Attributes, cut, SPAN_BYTES_MAX, type Plain, type Tags } from '../../js/attributes.js';
import { flags, KINDS, STATUS, type Scope } from '../../js/otlp.js';
import { NONE } from '../../js/span.js';
import {
  eachField,
  joined,
  varintSize,
  WIRE_BYTES,
  WIRE_FIXED32,
  WIRE_FIXED64,
  WIRE_VARINT,
  Writer,
  type Piece,
} from './protobuf.js';
import { NO_LINKS, type NodeSpan } from './span.js';

const bytes = (field: number): number => (field << 3) | WIRE_BYTES;
const varint = (field: number): number => (field << 3) | WIRE_VARINT;
const fixed64 = (field: number): number => (field << 3) | WIRE_FIXED64;

const REQUEST_RESOURCE_SPANS = bytes(1);
const RESOURCE_SPANS = { resource: bytes(1), scopeSpans: bytes(2) };
const SCOPE_SPANS = { scope: bytes(1), span: bytes(2) };
const RESOURCE_ATTRIBUTE = bytes(1);
const SCOPE = { name: bytes(1), version: bytes(2) };
const TRACE_ID = bytes(1);
const SPAN_ID = bytes(2);
const TRACE_STATE = bytes(3);
const PARENT_SPAN_ID = bytes(4);
const NAME = bytes(5);
const KIND = varint(6);
const START = fixed64(7);
const END = fixed64(8);
const ATTRIBUTE = bytes(9);
const ATTRIBUTES_DROPPED = varint(10);
const EVENT = bytes(11);
const EVENTS_DROPPED = varint(12);
const LINK = bytes(13);
const LINKS_DROPPED = varint(14);
const STATUS_OF = bytes(15);
const FLAGS = (16 << 3) | WIRE_FIXED32;
const EVENT_OF = { time: fixed64(1), name: bytes(2), attribute: bytes(3), dropped: varint(4) };
const LINK_OF = { state: bytes(3), attribute: bytes(4), dropped: varint(5) };
const STATUS_MESSAGE = bytes(2);
const STATUS_CODE = varint(3);
const TAGS = {
  key: bytes(1),
  value: bytes(2),
  string: bytes(1),
  bool: varint(2),
  int: varint(3),
  double: fixed64(4),
};
const ARRAY_VALUE = bytes(5);
const LIST_ITEM = bytes(1);

const writer = new Writer();

function writeValue(tag: number, value: Plain): void {
  const mark = writer.open(tag);
  switch (typeof value) {
    case 'string':
      writer.string(TAGS.string, value);
      break;
    case 'boolean':
      writer.varint(TAGS.bool, value ? 1 : 0);
      break;
    case 'number':
      if (!Number.isSafeInteger(value)) writer.double(TAGS.double, value);
      else if (value >= 0) writer.varint(TAGS.int, value);
      else writer.int64(TAGS.int, BigInt(value));
      break;
    case 'bigint':
      writer.int64(TAGS.int, value);
      break;
    default: {
      const list = writer.open(ARRAY_VALUE);
      for (const item of value) writeValue(LIST_ITEM, item);
      writer.close(list);
    }
  }
  writer.close(mark);
}

/** Returns how many were dropped: those that made the span too long too. */
function writeAttributes(tag: number, { keys, values, dropped }: Attributes): number {
  for (let i = 0; i < keys.length; i++) {
    const before = writer.position;
    const key = keys[i]!;
    const value = values[i]!;
    if (!writer.attribute(tag, key, value, TAGS)) {
      const mark = writer.open(tag);
      writer.string(TAGS.key, key);
      writeValue(TAGS.value, value);
      writer.close(mark);
    }
    if (writer.position > SPAN_BYTES_MAX) {
      writer.rewind(before);
      dropped++;
    }
  }
  return dropped;
}

/** Writes each item, or takes it back and counts it when it makes the span too long. */
function writeAll<T>(tag: number, items: readonly T[], write: (item: T) => void): number {
  let dropped = 0;
  for (const item of items) {
    const before = writer.position;
    const mark = writer.open(tag);
    write(item);
    writer.close(mark);
    if (writer.position > SPAN_BYTES_MAX) {
      writer.rewind(before);
      dropped++;
    }
  }
  return dropped;
}

function writeDropped(tag: number, count: number): void {
  if (count) writer.varint(tag, count);
}

function writeEvents(span: NodeSpan): void {
  const dropped = writeAll(EVENT, span.events, ({ name, micros, attributes }) => {
    writer.nanos(EVENT_OF.time, micros);
    writer.string(EVENT_OF.name, name);
    writeDropped(EVENT_OF.dropped, writeAttributes(EVENT_OF.attribute, attributes));
  });
  writeDropped(EVENTS_DROPPED, span.eventsDropped + dropped);
}

function writeLinks(span: NodeSpan): void {
  const dropped = writeAll(LINK, span.links, ({ context, attributes }) => {
    writer.hex(TRACE_ID, context.traceId);
    writer.hex(SPAN_ID, context.spanId);
    if (context.tracestate) writer.string(LINK_OF.state, context.tracestate);
    writeDropped(LINK_OF.dropped, writeAttributes(LINK_OF.attribute, attributes));
  });
  writeDropped(LINKS_DROPPED, span.linksDropped + dropped);
}

function writeStatus(span: NodeSpan): void {
  const mark = writer.open(STATUS_OF);
  if (span.statusMessage) writer.string(STATUS_MESSAGE, cut(span.statusMessage));
  writer.varint(STATUS_CODE, STATUS.indexOf(span.status));
  writer.close(mark);
}

/** One span, as a field of ScopeSpans. */
export function protobufSpan(span: NodeSpan): Piece {
  writer.rewind(0); // what a span left that could not be written
  const long = span.attributes.keys.length > 1 || span.events !== NONE;
  const mark = long ? writer.openLong(SCOPE_SPANS.span) : writer.open(SCOPE_SPANS.span);
  writer.id(TRACE_ID, span.trace);
  writer.id(SPAN_ID, span.id);
  if (span.tracestate) writer.string(TRACE_STATE, span.tracestate);
  if (span.parent) writer.id(PARENT_SPAN_ID, span.parent);
  writer.string(NAME, cut(span.name));
  writer.varint(KIND, KINDS.indexOf(span.kind));
  writer.nanos(START, span.startMicros);
  writer.nanos(END, span.endMicros);
  writeDropped(ATTRIBUTES_DROPPED, writeAttributes(ATTRIBUTE, span.attributes));
  if (span.events !== NONE || span.eventsDropped) writeEvents(span);
  if (span.links !== NO_LINKS) writeLinks(span);
  if (span.status !== 'UNSET') writeStatus(span);
  writer.fixed32(FLAGS, flags(span));
  if (long) writer.closeLong(mark);
  else writer.close(mark);
  return writer.piece();
}

function copyOf({ slab, start, length }: Piece): Buffer {
  return Buffer.from(slab.subarray(start, start + length));
}

/** Returns the function that makes a request body of spans of one service. */
export function protobufRequest(resource: Tags, scope: Scope): (spans: readonly Piece[]) => Buffer {
  const attributes = new Attributes();
  attributes.setAll(resource);
  const mark = writer.open(RESOURCE_SPANS.resource);
  writeAttributes(RESOURCE_ATTRIBUTE, attributes);
  writer.close(mark);
  const resourceField = copyOf(writer.piece());
  const scopeMark = writer.open(SCOPE_SPANS.scope);
  writer.string(SCOPE.name, scope.name);
  writer.string(SCOPE.version, scope.version);
  writer.close(scopeMark);
  const scopeField = copyOf(writer.piece());

  return (spans) => {
    let length = scopeField.length;
    for (const span of spans) length += span.length;
    // Tag, length, contents.
    const resourceSpans = resourceField.length + 1 + varintSize(length) + length;
    writer.varint(REQUEST_RESOURCE_SPANS, resourceSpans);
    const outer = copyOf(writer.piece());
    writer.varint(RESOURCE_SPANS.scopeSpans, length);
    const inner = copyOf(writer.piece());
    return joined(Buffer.concat([outer, resourceField, inner, scopeField]), spans);
  };
}

/** What an answer's partial success says. Whatever cannot be read is none. */
export function protobufRejected({ body }: { body?: Uint8Array }): [count: number, message: string] {
  let rejected = 0;
  let message = '';
  eachField(body ?? new Uint8Array(), (field, _value, partial) => {
    if (field !== 1) return;
    eachField(partial, (inner, count, text) => {
      if (inner === 1) rejected = count;
      if (inner === 2) message = Buffer.from(text).toString();
    });
  });
  return [rejected, message];
}
