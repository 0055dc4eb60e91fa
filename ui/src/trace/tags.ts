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

/** By number of the span: `key=value` of its tags and of its events, their names, its error, a line each. */
export function tagTexts(trace: Trace, spans: Span[]): string[] {
  const texts = new Array<string>(trace.spans.count).fill('');
  for (const { spanId, attributes, events = [], status } of spans) {
    const span = spanOf(trace.spans, spanId);
    if (span < 0) continue;
    const told = events.flatMap(({ name, attributes: more }) => [name, ...linesOf(more)]);
    const lines = ['', ...linesOf(attributes), status?.message ?? '', ...told, ''];
    texts[span] = lines.join('\n').toLowerCase();
  }
  return texts;
}

/** Those with just this tag, `user.id=1` and not `user.id=10`; where there is none, a part of a line does. */
export function findInTags(trace: Trace, texts: string[], wanted: string): Found {
  const needle = wanted.toLowerCase();
  const having = (part: string) => Uint8Array.from(texts, (text) => (text.includes(part) ? 1 : 0));
  const whole = needle.includes('=') ? having(`\n${needle}\n`) : null;
  return foundOf(trace, whole?.includes(1) ? whole : having(needle));
}
