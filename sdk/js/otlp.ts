/**
 * Ended spans as an OTLP/JSON request body, written as text at once. Members that hold OTLP's
 * default value are left out.
 */

import { Attributes, jsonText, type Tags } from './attributes.js';
import type { Span, SpanEvent, SpanKind, StatusCode } from './span.js';
import { traceFlags } from './traceparent.js';

const KINDS: Record<SpanKind, number> = {
  INTERNAL: 1,
  SERVER: 2,
  CLIENT: 3,
  PRODUCER: 4,
  CONSUMER: 5,
};
const STATUS: Record<StatusCode, number> = { UNSET: 0, OK: 1, ERROR: 2 };
const PARENT_REMOTE_IS_KNOWN = 0x100;
const PARENT_IS_REMOTE = 0x200;

export interface Scope {
  name: string;
  version: string;
}

function flags(span: Span): number {
  return traceFlags(span) | PARENT_REMOTE_IS_KNOWN | (span.parentIsRemote ? PARENT_IS_REMOTE : 0);
}

/** `,"name":[items]`, if there are any. */
function list(name: string, items: string): string {
  return items && `,"${name}":[${items}]`;
}

/** `,"name":value`, unless the value is what a reader takes for a missing one. */
function member(name: string, value: string | number | undefined): string {
  if (!value) return '';
  return `,"${name}":${typeof value === 'string' ? jsonText(value) : value}`;
}

function otlpEvent({ name, micros, attributes }: SpanEvent): string {
  return (
    `{"timeUnixNano":"${micros}000","name":${jsonText(name)}` +
    `${list('attributes', attributes.json())}}`
  );
}

function otlpStatus(span: Span): string {
  const code = STATUS[span.status];
  return code ? `,"status":{"code":${code}${member('message', span.statusMessage)}}` : '';
}

function otlpSpan(span: Span): string {
  return (
    `{"traceId":"${span.traceId}","spanId":"${span.spanId}","flags":${flags(span)}` +
    member('traceState', span.tracestate) +
    member('parentSpanId', span.parentSpanId) +
    `,"name":${jsonText(span.name)},"kind":${KINDS[span.kind]}` +
    `,"startTimeUnixNano":"${span.startMicros}000","endTimeUnixNano":"${span.endMicros}000"` +
    list('attributes', span.attributes.json()) +
    member('droppedAttributesCount', span.attributes.dropped) +
    list('events', span.events.map(otlpEvent).join()) +
    member('droppedEventsCount', span.eventsDropped) +
    `${otlpStatus(span)}}`
  );
}

/** Returns the function that encodes batches of one service. */
export function otlpEncoder(resource: Tags, scope: Scope): (spans: readonly Span[]) => string {
  const attributes = new Attributes();
  attributes.setAll(resource);
  const head =
    `{"resourceSpans":[{"resource":{"attributes":[${attributes.json()}]},` +
    `"scopeSpans":[{"scope":${JSON.stringify(scope)},"spans":[`;
  return (spans) => `${head}${spans.map(otlpSpan).join()}]}]}]}`;
}
