// Gaps: times of a span in which none of its children ran. Their bounds are measured, their names
// are careful: before and after a call's only child there is network and queueing, any other hole
// is own work or a call that nobody instrumented.

import { Kind, endOf, kindOf, type Spans } from './trace';

export enum GapKind {
  Own,
  Request,
  Response,
  /** Between a span's end and a child that starts after it. */
  Async,
}

/** By span, of one span in the order of time. */
export interface Gaps {
  span: Uint32Array;
  from: Float64Array;
  to: Float64Array;
  kind: Uint8Array;
}

/** Gaps shorter than this share of the trace are not worth a row. */
const leastShare = 1 / 100;

export function findGaps(spans: Spans, durationNano: number): Gaps {
  const least = Math.max(durationNano * leastShare, 1);
  const found = {
    span: [] as number[],
    from: [] as number[],
    to: [] as number[],
    kind: [] as number[],
  };
  for (let span = 0; span < spans.count; span++) {
    if (spans.end[span]! === span + 1) continue;
    eachGap(spans, span, (from, to, kind) => {
      if (to - from < least) return;
      found.span.push(span);
      found.from.push(from);
      found.to.push(to);
      found.kind.push(kind);
    });
  }
  return {
    span: Uint32Array.from(found.span),
    from: Float64Array.from(found.from),
    to: Float64Array.from(found.to),
    kind: Uint8Array.from(found.kind),
  };
}

/** Tells the gaps of a span that has children; empty ones too. */
function eachGap(
  spans: Spans,
  span: number,
  tell: (from: number, to: number, kind: GapKind) => void,
): void {
  const behind = spans.end[span]!;
  const end = endOf(spans, span);
  const first = span + 1;
  const isCall = spans.end[first] === behind && spans.service[first] !== spans.service[span];
  let covered = spans.start[span]!;
  for (let child = first; child < behind; child = spans.end[child]!) {
    const start = spans.start[child]!;
    if (start >= end) {
      tell(covered, end, GapKind.Own);
      tell(Math.max(covered, end), start, GapKind.Async);
    } else tell(covered, start, isCall ? GapKind.Request : GapKind.Own);
    covered = Math.max(covered, endOf(spans, child));
  }
  tell(covered, end, isCall ? GapKind.Response : GapKind.Own);
}

/**
 * What two clocks cannot get wrong: a call's two ways together take what the client's time is
 * longer than the server's. 0 if the span is no such call.
 */
export function bothWays(spans: Spans, span: number): number {
  const child = span + 1;
  const isCall =
    child < spans.count &&
    spans.parent[child] === span &&
    spans.end[child] === spans.end[span] &&
    kindOf(spans, span) === Kind.Client &&
    kindOf(spans, child) === Kind.Server;
  return isCall ? Math.max(spans.duration[span]! - spans.duration[child]!, 0) : 0;
}

export const gapNames: Record<GapKind, string> = {
  [GapKind.Own]: 'own work or not instrumented',
  [GapKind.Request]: 'request on the way: network + queue',
  [GapKind.Response]: 'response on the way: network + queue',
  [GapKind.Async]: 'async: runs after the response',
};
