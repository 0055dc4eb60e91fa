// A trace as the page holds it: arrays by span and by row, never an object for either, so that a
// million spans are some eighty megabytes of numbers and nothing for the garbage collector to walk.
// columns.ts makes it of the server's answer; it can be handed from a worker as it is.
//
// Times are nanoseconds since the trace's start. Spans are numbered as the tree shows them: depth
// first, siblings by start; so a span's descendants are the spans from behind it up to `end`.

import type { ServiceCount } from '../api';

export interface Spans {
  count: number;
  start: Float64Array;
  duration: Float64Array;
  /** Duration without the union of the children's times. */
  self: Float64Array;
  /** -1 at the top. */
  parent: Int32Array;
  depth: Uint32Array;
  end: Uint32Array;
  service: Uint32Array;
  name: Uint32Array;
  /** errorFlag, orphanFlag, and the kind (OTLP's number) from kindShift on. */
  flags: Uint8Array;
  /** What marks.ts and critical.ts found, bits of Mark. */
  marks: Uint8Array;
  /** The row of the span in the waterfall of services. */
  row: Uint32Array;
  /** Two words a span, the less significant one first. */
  id: Uint32Array;
}

/** Visits to services: a span and all below it up to where another service is entered. */
export interface Visits {
  count: number;
  service: Uint32Array;
  row: Uint32Array;
  /** The row behind the last one of all that was called from it. */
  end: Uint32Array;
  /** The envelope of the visit's spans. */
  start: Float64Array;
  duration: Float64Array;
  /** The span that folded into the service's row, or -1. */
  folded: Int32Array;
  /** The span that begins it. */
  entry: Uint32Array;
  /** 1: a span of it failed. */
  failed: Uint8Array;
}

/** Rows of the waterfall of services. */
export interface Rows {
  count: number;
  /** A span, or ~visit: the row of a service. */
  what: Int32Array;
  /** Within the visit; 0: the service's row. */
  depth: Uint32Array;
  /** The row behind the last one that is indented under it. */
  end: Uint32Array;
}

/** Texts, decoded when they are shown. */
export interface Texts {
  bytes: Uint8Array;
  /** Where each begins and ends: two entries a text. */
  bounds: Uint32Array;
}

export interface Trace {
  startNano: bigint;
  durationNano: number;
  spanCount: number;
  errorCount: number;
  /** Rows of the whole waterfall; `rows` may be only the first of them. */
  rowTotal: number;
  isBroken: boolean;
  services: ServiceCount[];
  texts: Texts;
  spans: Spans;
  visits: Visits;
  rows: Rows;
}

export const errorFlag = 4;
export const orphanFlag = 8;
const kindShift = 4;

export enum Kind {
  Unset,
  Internal,
  Server,
  Client,
  Producer,
  Consumer,
}

export enum Mark {
  /** A span somewhere below failed. */
  ErrorBelow = 1,
  /** Began when its parent had ended: nobody waited for it. */
  Late = 2,
  /** Ended well after its parent. */
  Outlives = 4,
  /** Began before its parent: a clock is wrong. */
  Early = 8,
  /** The trace would have been shorter without it. */
  Critical = 16,
}

export const isError = (spans: Spans, span: number) => (spans.flags[span]! & errorFlag) !== 0;
export const isOrphan = (spans: Spans, span: number) => (spans.flags[span]! & orphanFlag) !== 0;
export const kindOf = (spans: Spans, span: number) =>
  ((spans.flags[span]! >> kindShift) & 7) as Kind;
export const endOf = (spans: Spans, span: number) => spans.start[span]! + spans.duration[span]!;

const decoder = new TextDecoder();

export function textOf({ bytes, bounds }: Texts, text: number): string {
  return decoder.decode(bytes.subarray(bounds[2 * text], bounds[2 * text + 1]));
}

export const nameOf = (trace: Trace, span: number) => textOf(trace.texts, trace.spans.name[span]!);
export const serviceOf = (trace: Trace, span: number) =>
  trace.services[trace.spans.service[span]!]!.name;

const hex = (word: number) => word.toString(16).padStart(8, '0');

export function idOf({ id }: Spans, span: number): string {
  return hex(id[2 * span + 1]!) + hex(id[2 * span]!);
}

/** The span of an id, or -1. */
export function spanOf({ id }: Spans, text: string): number {
  if (!/^[0-9a-f]{16}$/.test(text)) return -1;
  const high = parseInt(text.slice(0, 8), 16);
  const low = parseInt(text.slice(8), 16);
  for (let at = id.indexOf(low); at >= 0; at = id.indexOf(low, at + 1)) {
    if (at % 2 === 0 && id[at + 1] === high) return at / 2;
  }
  return -1;
}

/** The span that everything began with: the first at the top that names no parent. */
export function rootOf({ parent, end, flags, count }: Spans): number {
  for (let span = 0; span < count; span = end[span]!) {
    if (parent[span] === -1 && (flags[span]! & orphanFlag) === 0) return span;
  }
  return 0;
}
