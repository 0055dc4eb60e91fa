/** Ended spans as an OTLP/JSON request body. */

import { Attributes, type Tags } from './attributes.js';
import type { Span, SpanKind, StatusCode } from './span.js';
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

const nanos = (micros: number): string => micros + '000';

/** JSON leaves out what is undefined; members that hold OTLP's default value are. */
function otlpSpan(span: Span): object {
  const code = STATUS[span.status];
  return {
    traceId: span.traceId,
    spanId: span.spanId,
    traceState: span.tracestate || undefined,
    parentSpanId: span.parentSpanId || undefined,
    flags:
      traceFlags(span) | PARENT_REMOTE_IS_KNOWN | (span.parentIsRemote ? PARENT_IS_REMOTE : 0),
    name: span.name,
    kind: KINDS[span.kind],
    startTimeUnixNano: nanos(span.startMicros),
    endTimeUnixNano: nanos(span.endMicros),
    attributes: span.attributes,
    droppedAttributesCount: span.attributes.dropped || undefined,
    events: span.events.length
      ? span.events.map(({ name, micros, attributes }) => ({
          timeUnixNano: nanos(micros),
          name,
          attributes,
        }))
      : undefined,
    droppedEventsCount: span.eventsDropped || undefined,
    status: code ? { message: span.statusMessage, code } : undefined,
  };
}

/** Returns the function that encodes batches of one service. */
export function otlpEncoder(resource: Tags, scope: Scope): (spans: readonly Span[]) => string {
  const attributes = new Attributes();
  attributes.setAll(resource);
  return (spans) =>
    JSON.stringify({
      resourceSpans: [
        { resource: { attributes }, scopeSpans: [{ scope, spans: spans.map(otlpSpan) }] },
      ],
    });
}
