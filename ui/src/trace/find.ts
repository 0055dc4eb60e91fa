// Search within a trace: names of spans and of services that contain the words, in any case. All
// names are one long text, made when first asked, so that a million of them are one indexOf.

import { spanOf, type Trace } from './trace';

interface Haystack {
  /** Every text in lower case, each behind a line feed. */
  text: string;
  /** Where each text's line feed is. */
  starts: Uint32Array;
}

const lineFeed = 10;
const haystacks = new WeakMap<Trace, Haystack>();

function haystackOf(trace: Trace): Haystack {
  let haystack = haystacks.get(trace);
  if (haystack) return haystack;
  const { bytes, bounds } = trace.texts;
  const count = bounds.length / 2;
  const lines = new Uint8Array(bytes.length);
  // Before each text there is its length, at least a byte: one becomes the line feed.
  for (let i = 0; i < count; i++) {
    const [from, to] = [bounds[2 * i]!, bounds[2 * i + 1]!];
    const gap = from - (i === 0 ? 0 : bounds[2 * i - 1]!);
    lines.fill(32, from - gap, from);
    lines[from - gap] = lineFeed;
    for (let at = from; at < to; at++) lines[at] = bytes[at] === lineFeed ? 32 : bytes[at]!;
  }
  const text = new TextDecoder().decode(lines).toLowerCase();
  const starts = new Uint32Array(count);
  for (let i = 0, at = -1; i < count; i++) starts[i] = at = text.indexOf('\n', at + 1);
  haystack = { text, starts };
  haystacks.set(trace, haystack);
  return haystack;
}

/** 1 for each text that contains `wanted`. */
export function matchingTexts(trace: Trace, wanted: string): Uint8Array {
  const { text, starts } = haystackOf(trace);
  const matches = new Uint8Array(starts.length);
  const needle = wanted.toLowerCase().replaceAll('\n', ' ');
  let which = 0;
  for (let at = text.indexOf(needle); at >= 0;) {
    while (which + 1 < starts.length && starts[which + 1]! <= at) which++;
    matches[which] = 1;
    const next = starts[which + 1];
    at = next === undefined ? -1 : text.indexOf(needle, next);
  }
  return matches;
}

export interface Found {
  /** 1 for each span; and for each visit, whose row has the name of its service. */
  spans: Uint8Array;
  visits: Uint8Array;
  /** Rows that match, in the layout of services and in the tree. */
  rowCount: number;
  spanCount: number;
}

/** Spans by their ids: what is not here is left out. */
export function findSpans(trace: Trace, ids: string[]): Found {
  const inSpans = new Uint8Array(trace.spans.count);
  for (const id of ids) {
    const span = spanOf(trace.spans, id);
    if (span >= 0) inSpans[span] = 1;
  }
  return foundOf(trace, inSpans);
}

/** These spans, and the visits whose row they folded into. */
export function foundOf({ visits }: Trace, inSpans: Uint8Array): Found {
  const inVisits = new Uint8Array(visits.count);
  for (let visit = 0; visit < visits.count; visit++) {
    const folded = visits.folded[visit]!;
    if (folded >= 0) inVisits[visit] = inSpans[folded]!;
  }
  const count = inSpans.reduce((sum, one) => sum + one, 0);
  return { spans: inSpans, visits: inVisits, rowCount: count, spanCount: count };
}

export function find(trace: Trace, wanted: string): Found {
  const { spans, visits, services } = trace;
  const inSpans = new Uint8Array(spans.count);
  const inVisits = new Uint8Array(visits.count);
  const texts = matchingTexts(trace, wanted);
  const needle = wanted.toLowerCase();
  const inService = services.map(({ name }) => name.toLowerCase().includes(needle));
  let spanCount = 0;
  for (let span = 0; span < spans.count; span++) {
    spanCount += inSpans[span] = texts[spans.name[span]!]!;
  }
  let rowCount = spanCount;
  for (let visit = 0; visit < visits.count; visit++) {
    if (!inService[visits.service[visit]!]) continue;
    inVisits[visit] = 1;
    // A span that folded into the row has the same name, and is counted.
    if (visits.folded[visit]! < 0) rowCount++;
  }
  return { spans: inSpans, visits: inVisits, rowCount, spanCount };
}
