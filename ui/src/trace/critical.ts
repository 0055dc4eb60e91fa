// The critical path: walking back from the root's end, at every moment the span whose end the rest
// waited for. Its pieces do not overlap and sum to the root's duration. What nobody waits for
// (async, consumers behind a queue) is not on it, however long it takes.

import { isAsync } from './marks';
import { Mark, endOf, rootOf, type Spans } from './trace';

/** Pieces of the path by span; of one span in the order of time. */
export interface CriticalPath {
  span: Uint32Array;
  from: Float64Array;
  to: Float64Array;
}

interface Visit {
  span: number;
  /** Up to here the path is known. */
  until: number;
  /** Awaited children, the last to end at the end. */
  children: number[];
}

export function criticalPath(spans: Spans): CriticalPath {
  const pieces: [span: number, from: number, to: number][] = [];
  const add = (span: number, from: number, to: number) => {
    if (to > from) pieces.push([span, from, to]);
    spans.marks[span]! |= Mark.Critical;
  };
  const stack: Visit[] = [];
  if (spans.count > 0) {
    const root = rootOf(spans);
    stack.push(visit(spans, root, endOf(spans, root)));
  }
  while (stack.length > 0) {
    const here = stack[stack.length - 1]!;
    const from = spans.start[here.span]!;
    const child = here.children.pop();
    if (child === undefined) {
      add(here.span, from, here.until);
      stack.pop();
      continue;
    }
    const end = Math.min(endOf(spans, child), endOf(spans, here.span));
    if (end > here.until || end <= from) continue; // beside what is on the path already
    add(here.span, end, here.until);
    here.until = Math.max(spans.start[child]!, from);
    stack.push(visit(spans, child, end));
  }
  pieces.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  return {
    span: Uint32Array.from(pieces, (piece) => piece[0]),
    from: Float64Array.from(pieces, (piece) => piece[1]),
    to: Float64Array.from(pieces, (piece) => piece[2]),
  };
}

function visit(spans: Spans, span: number, until: number): Visit {
  const children: number[] = [];
  for (let child = span + 1; child < spans.end[span]!; child = spans.end[child]!) {
    if (!isAsync(spans, child)) children.push(child);
  }
  children.sort((a, b) => endOf(spans, a) - endOf(spans, b));
  return { span, until, children };
}

/** The pieces of one span: indexes from the first to the second. */
export function piecesOf({ span }: CriticalPath, wanted: number): [number, number] {
  let low = 0;
  let high = span.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (span[middle]! < wanted) low = middle + 1;
    else high = middle;
  }
  let end = low;
  while (end < span.length && span[end] === wanted) end++;
  return [low, end];
}
