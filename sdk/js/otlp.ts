/** Ended spans as OTLP/JSON. Members that hold OTLP's default value are left out. */

import { Attributes, SPAN_BYTES_MAX, type Plain, type Tags } from './attributes.js';
import type { Span, SpanKind, StatusCode } from './span.js';
import { traceFlags } from './traceparent.js';

/** OTLP's numbers: the place in the list. */
export const KINDS: readonly (SpanKind | '')[] = [
  '',
  'INTERNAL',
  'SERVER',
  'CLIENT',
  'PRODUCER',
  'CONSUMER',
];
export const STATUS: readonly StatusCode[] = ['UNSET', 'OK', 'ERROR'];
const PARENT_REMOTE_IS_KNOWN = 0x100;
const PARENT_IS_REMOTE = 0x200;

export interface Scope {
  name: string;
  version: string;
}

export function flags(span: Span): number {
  return traceFlags(span) | PARENT_REMOTE_IS_KNOWN | (span.parentIsRemote ? PARENT_IS_REMOTE : 0);
}

/** As JSON; lone surrogates are replaced, since they are not Unicode. */
function json(value: unknown): string {
  return JSON.stringify(value, (_key, one: unknown) =>
    typeof one === 'string' ? one.replace(/[\ud800-\udfff]/gu, '\ufffd') : one,
  );
}

function anyValue(value: Plain): object {
  if (typeof value === 'string') return { stringValue: value };
  if (typeof value === 'boolean') return { boolValue: value };
  if (typeof value === 'object') return { arrayValue: { values: value.map(anyValue) } };
  if (typeof value === 'bigint' || Number.isSafeInteger(value)) return { intValue: `${value}` };
  return { doubleValue: Number.isFinite(value) ? value : `${value}` };
}

/** `,"name":[items]`, if there are any, and how many were dropped: those beyond `room` too. */
function list(name: string, items: string[], dropped: number, room = SPAN_BYTES_MAX): string {
  const kept = items.filter((item) => item.length < room && (room -= item.length));
  dropped += items.length - kept.length;
  return (
    (kept.length ? `,"${name[0]!.toLowerCase()}${name.slice(1)}":[${kept}]` : '') +
    (dropped ? `,"dropped${name}Count":${dropped}` : '')
  );
}

/** `facts` and, in the same object, `attributes`; open at its end. */
function withAttributes(facts: object, { keys, values, dropped }: Attributes): string {
  const items = values.map((value, index) => json({ key: keys[index], value: anyValue(value) }));
  return json(facts).slice(0, -1) + list('Attributes', items, dropped);
}

/** One span. */
export function jsonSpan(span: Span): string {
  const code = STATUS.indexOf(span.status);
  const facts = {
    traceId: span.traceId,
    spanId: span.spanId,
    flags: flags(span),
    traceState: span.tracestate || undefined,
    parentSpanId: span.parentSpanId || undefined,
    name: span.name,
    kind: KINDS.indexOf(span.kind),
    startTimeUnixNano: `${span.startMicros}000`,
    endTimeUnixNano: `${span.endMicros}000`,
    status: code ? { code, message: span.statusMessage || undefined } : undefined,
  };
  const text = withAttributes(facts, span.attributes);
  const events = span.events.map(
    ({ name, micros, attributes }) =>
      `${withAttributes({ timeUnixNano: `${micros}000`, name }, attributes)}}`,
  );
  return `${text}${list('Events', events, span.eventsDropped, SPAN_BYTES_MAX - text.length)}}`;
}

/** Returns the function that makes a request body of spans of one service. */
export function jsonRequest(resource: Tags, scope: Scope): (spans: readonly string[]) => string {
  const attributes = new Attributes();
  attributes.setAll(resource);
  const head = withAttributes({}, attributes).replace(',', '');
  return (spans) =>
    `{"resourceSpans":[{"resource":${head}},` +
    `"scopeSpans":[{"scope":${json(scope)},"spans":[${spans}]}]}]}`;
}

/** What an answer's partial success says. */
export function jsonRejected({ text }: { text: string }): [count: number, message: string] {
  try {
    const partial = JSON.parse(text).partialSuccess ?? {};
    return [Number(partial.rejectedSpans ?? 0), String(partial.errorMessage ?? '')];
  } catch {
    return [0, ''];
  }
}
