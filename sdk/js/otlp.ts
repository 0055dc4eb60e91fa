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

/** A string in JSON, its lone surrogates replaced, since they are not Unicode. */
function jsonText(value: string): string {
  return JSON.stringify(value.replace(/[\ud800-\udfff]/gu, '\ufffd'));
}

function anyValue(value: Plain): string {
  if (typeof value === 'string') return `{"stringValue":${jsonText(value)}}`;
  if (typeof value === 'boolean') return `{"boolValue":${value}}`;
  if (typeof value === 'object') return `{"arrayValue":{"values":[${value.map(anyValue)}]}}`;
  if (typeof value === 'bigint' || Number.isSafeInteger(value)) return `{"intValue":"${value}"}`;
  return `{"doubleValue":${Number.isFinite(value) ? value : `"${value}"`}}`;
}

/** `,"name":value`, unless the value is what a reader takes for a missing one. */
function member(name: string, value: string | number | undefined): string {
  if (!value) return '';
  return `,"${name}":${typeof value === 'string' ? jsonText(value) : value}`;
}

/** `,"name":[items]`, if there are any, and how many were dropped: those beyond `room` too. */
function list(name: string, items: string[], dropped: number, room = SPAN_BYTES_MAX): string {
  const kept = items.filter((item) => item.length < room && (room -= item.length));
  return (
    (kept.length ? `,"${name[0]!.toLowerCase()}${name.slice(1)}":[${kept}]` : '') +
    member(`dropped${name}Count`, dropped + items.length - kept.length)
  );
}

function attributeList({ keys, values, dropped }: Attributes): string {
  const item = (value: Plain, index: number): string =>
    `{"key":${jsonText(keys[index]!)},"value":${anyValue(value)}}`;
  return list('Attributes', values.map(item), dropped);
}

/** One span. */
export function jsonSpan(span: Span): string {
  const code = STATUS.indexOf(span.status);
  const text =
    `{"traceId":"${span.traceId}","spanId":"${span.spanId}","flags":${flags(span)}` +
    member('traceState', span.tracestate) +
    member('parentSpanId', span.parentSpanId) +
    `,"name":${jsonText(span.name)},"kind":${KINDS.indexOf(span.kind)}` +
    `,"startTimeUnixNano":"${span.startMicros}000","endTimeUnixNano":"${span.endMicros}000"` +
    attributeList(span.attributes);
  const events = span.events.map(
    ({ name, micros, attributes }) =>
      `{"timeUnixNano":"${micros}000","name":${jsonText(name)}${attributeList(attributes)}}`,
  );
  return (
    text +
    list('Events', events, span.eventsDropped, SPAN_BYTES_MAX - text.length) +
    (code ? `,"status":{"code":${code}${member('message', span.statusMessage)}}` : '') +
    '}'
  );
}

/** Returns the function that makes a request body of spans of one service. */
export function jsonRequest(resource: Tags, scope: Scope): (spans: readonly string[]) => string {
  const attributes = new Attributes();
  attributes.setAll(resource);
  const head =
    `{"resourceSpans":[{"resource":{${attributeList(attributes).slice(1)}},` +
    `"scopeSpans":[{"scope":${JSON.stringify(scope)},"spans":[`;
  return (spans) => `${head}${spans.join()}]}]}]}`;
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
