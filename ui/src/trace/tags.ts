// What the spans of a trace carry, as one text for each, for the search within the trace. The columns
// have names alone: this comes as the trace's JSON, once, when no name has what is looked for.

import type { Attributes, Span, Value } from '../api';
import type { Found } from './find';
import { foundOf } from './find';
import { spanOf, type Trace } from './trace';

/** A trace with more spans is searched by names alone: each is half a kilobyte of JSON. */
export const taggedSpansMax = 10_000;

const shown = (value: Value) => (typeof value === 'string' ? value : JSON.stringify(value));
const linesOf = (attributes: Attributes = {}) =>
  Object.entries(attributes).map(([key, value]) => `${key}=${shown(value)}`);

/** By number of the span: `key=value` of its tags and of its events, their names, its error. */
export function tagTexts(trace: Trace, spans: Span[]): string[] {
  const texts = new Array<string>(trace.spans.count).fill('');
  for (const { spanId, attributes, events = [], status } of spans) {
    const span = spanOf(trace.spans, spanId);
    if (span < 0) continue;
    const told = events.flatMap(({ name, attributes: more }) => [name, ...linesOf(more)]);
    texts[span] = [...linesOf(attributes), status?.message ?? '', ...told].join('\n').toLowerCase();
  }
  return texts;
}

export function findInTags(trace: Trace, texts: string[], wanted: string): Found {
  const needle = wanted.toLowerCase();
  const inSpans = Uint8Array.from(texts, (text) => (text.includes(needle) ? 1 : 0));
  return foundOf(trace, inSpans);
}
