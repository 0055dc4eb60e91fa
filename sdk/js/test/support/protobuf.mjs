/**
 * OTLP in protobuf as the JSON that stands for the same, for tests: a decoder of its own, that
 * shares nothing with the encoder under test. What it does not know is an error.
 */

const KEY_VALUES = { list: true, name: 'attributes', read: keyValue };
const text = (name) => ({ name, read: (bytes) => bytes.toString() });
const hex = (name) => ({ name, read: (bytes) => bytes.toString('hex') });
const decimal = (name) => ({ name, read: (number) => String(number) });
const whole = (name) => ({ name, read: Number });
const message = (name, fields, list = false) => ({ name, list, read: (bytes) => decode(bytes, fields) });
const ints = (number) => String(BigInt.asIntN(64, number));

const DOUBLE = (bits) => new Float64Array(new BigUint64Array([bits]).buffer)[0];
const doubleText = (value) => (Number.isFinite(value) ? value : String(value));

const VALUE = {
  1: text('stringValue'),
  2: { name: 'boolValue', read: Boolean },
  3: { name: 'intValue', read: ints },
  4: { name: 'doubleValue', read: (bits) => doubleText(DOUBLE(bits)) },
  5: { name: 'arrayValue', read: (bytes) => decode(bytes, ARRAY) },
};
const ARRAY = { 1: message('values', VALUE, true) };
const EVENT = { 1: decimal('timeUnixNano'), 2: text('name'), 3: KEY_VALUES, 4: whole('droppedAttributesCount') };
const LINK = { 1: hex('traceId'), 2: hex('spanId'), 3: text('traceState'), 4: KEY_VALUES, 5: whole('droppedAttributesCount') };
const SPAN = {
  1: hex('traceId'), 2: hex('spanId'), 3: text('traceState'), 4: hex('parentSpanId'),
  5: text('name'), 6: whole('kind'), 7: decimal('startTimeUnixNano'), 8: decimal('endTimeUnixNano'),
  9: KEY_VALUES, 10: whole('droppedAttributesCount'), 11: message('events', EVENT, true),
  12: whole('droppedEventsCount'), 13: message('links', LINK, true), 14: whole('droppedLinksCount'),
  15: message('status', { 2: text('message'), 3: whole('code') }), 16: whole('flags'),
};
const SCOPE_SPANS = { 1: message('scope', { 1: text('name'), 2: text('version') }), 2: message('spans', SPAN, true) };
const RESOURCE_SPANS = { 1: message('resource', { 1: KEY_VALUES }), 2: message('scopeSpans', SCOPE_SPANS, true) };

function keyValue(bytes) {
  return decode(bytes, { 1: text('key'), 2: message('value', VALUE) });
}

/** Numbers are BigInts until a field says otherwise. */
function decode(bytes, fields) {
  const out = {};
  let at = 0;
  const varint = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++];
      if (byte === undefined) throw new Error('a varint without an end');
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  const taken = (length) => {
    if (at + length > bytes.length) throw new Error('a field longer than its message');
    return bytes.subarray(at, (at += length));
  };
  const readers = {
    0: varint,
    1: () => taken(8).readBigUInt64LE(),
    2: () => taken(Number(varint())),
    5: () => taken(4).readUInt32LE(),
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    const field = fields[tag >> 3];
    if (!field) throw new Error(`no field ${tag >> 3} among ${Object.keys(fields)}`);
    const value = field.read(readers[tag & 7]());
    if (field.list) (out[field.name] ??= []).push(value);
    else out[field.name] = value;
  }
  return out;
}

/** An ExportTraceServiceRequest. */
export const decodeRequest = (bytes) => decode(bytes, { 1: message('resourceSpans', RESOURCE_SPANS, true) });

const field = (number, contents) => Buffer.concat([Buffer.from([(number << 3) | 2, contents.length]), contents]);

/** An ExportTraceServiceResponse; its texts and numbers are short. */
export function encodeAnswer({ partialSuccess }) {
  if (!partialSuccess) return Buffer.alloc(0);
  const { rejectedSpans, errorMessage } = partialSuccess;
  const rejected = Buffer.from([1 << 3, Number(rejectedSpans)]);
  return field(1, Buffer.concat([rejected, field(2, Buffer.from(errorMessage))]));
}
