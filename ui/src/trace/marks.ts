// What each span's place among its neighbours says: errors below it, and times that do not fit
// those of its parent.

import { Kind, Mark, endOf, errorFlag, kindOf, type Spans } from './trace';

/** A child that ends later than its parent by less than this share of itself was waited for. */
const slack = 1 / 20;

export function markSpans(spans: Spans): void {
  const { count, parent, flags, marks } = spans;
  for (let span = count - 1; span >= 0; span--) {
    const above = parent[span]!;
    if (above < 0) continue;
    const failed = (flags[span]! & errorFlag) !== 0 || (marks[span]! & Mark.ErrorBelow) !== 0;
    if (failed) marks[above]! |= Mark.ErrorBelow;
    marks[span]! |= fit(spans, span, above);
  }
}

function fit(spans: Spans, span: number, parent: number): number {
  const start = spans.start[span]!;
  const parentEnd = endOf(spans, parent);
  const over = endOf(spans, span) - parentEnd;
  let marks = start < spans.start[parent]! ? Mark.Early : 0;
  // A call whose two clocks differ ends when its client says so: it was waited for.
  const isCall = kindOf(spans, parent) === Kind.Client && kindOf(spans, span) === Kind.Server;
  if (over <= 0 || isCall) return marks;
  if (start >= parentEnd) marks |= Mark.Late;
  else if (over > spans.duration[span]! * slack) marks |= Mark.Outlives;
  return marks;
}

/** Nobody waits for it: it runs on when its parent has ended, or a queue lies between. */
export function isAsync(spans: Spans, span: number): boolean {
  const parent = spans.parent[span]!;
  if (parent < 0) return false;
  if ((spans.marks[span]! & (Mark.Late | Mark.Outlives)) !== 0) return true;
  return kindOf(spans, span) === Kind.Consumer || kindOf(spans, parent) === Kind.Producer;
}

/** Errors that no error below explains, in the order of the tree, at most `most`. */
export function causes({ count, flags, marks }: Spans, most: number): number[] {
  const found: number[] = [];
  for (let span = 0; span < count && found.length < most; span++) {
    const failed = (flags[span]! & errorFlag) !== 0;
    if (failed && (marks[span]! & Mark.ErrorBelow) === 0) found.push(span);
  }
  return found;
}

/** A span and those above it, up to the top. */
export function pathUp({ parent }: Spans, span: number): number[] {
  const path = [span];
  for (let above = parent[span]!; above >= 0; above = parent[above]!) path.push(above);
  return path;
}
