// Where the time of a trace is, by operation: a group for each name of each service.

import type { CriticalPath } from './critical';
import { errorFlag, type Spans } from './trace';

/** Columns by group. */
export interface Statistics {
  count: number;
  service: Uint32Array;
  name: Uint32Array;
  spans: Uint32Array;
  errors: Uint32Array;
  total: Float64Array;
  self: Float64Array;
  critical: Float64Array;
  p50: Float64Array;
  p95: Float64Array;
  max: Float64Array;
}

export function statistics(spans: Spans, path: CriticalPath): Statistics {
  const { count, groupOf, first } = groupSpans(spans);
  const stats: Statistics = {
    count,
    service: Uint32Array.from(first, (span) => spans.service[span]!),
    name: Uint32Array.from(first, (span) => spans.name[span]!),
    spans: new Uint32Array(count),
    errors: new Uint32Array(count),
    total: new Float64Array(count),
    self: new Float64Array(count),
    critical: new Float64Array(count),
    p50: new Float64Array(count),
    p95: new Float64Array(count),
    max: new Float64Array(count),
  };
  for (let span = 0; span < spans.count; span++) {
    const group = groupOf[span]!;
    stats.spans[group]!++;
    if ((spans.flags[span]! & errorFlag) !== 0) stats.errors[group]!++;
    stats.total[group]! += spans.duration[span]!;
    stats.self[group]! += spans.self[span]!;
  }
  path.span.forEach((span, i) => {
    stats.critical[groupOf[span]!]! += path.to[i]! - path.from[i]!;
  });
  fillQuantiles(spans, groupOf, stats);
  return stats;
}

function groupSpans({ count, service, name }: Spans) {
  const groupOf = new Uint32Array(count);
  const groups = new Map<number, number>();
  const first: number[] = [];
  for (let span = 0; span < count; span++) {
    const key = service[span]! * 2 ** 26 + name[span]!;
    let group = groups.get(key);
    if (group === undefined) {
      group = first.length;
      groups.set(key, group);
      first.push(span);
    }
    groupOf[span] = group;
  }
  return { count: first.length, groupOf, first };
}

/** Durations of each group beside each other, sorted. */
function fillQuantiles(spans: Spans, groupOf: Uint32Array, stats: Statistics): void {
  const at = new Uint32Array(stats.count + 1);
  for (let group = 0; group < stats.count; group++)
    at[group + 1] = at[group]! + stats.spans[group]!;
  const next = at.slice();
  const durations = new Float64Array(spans.count);
  for (let span = 0; span < spans.count; span++) {
    durations[next[groupOf[span]!]!++] = spans.duration[span]!;
  }
  for (let group = 0; group < stats.count; group++) {
    const sorted = durations.subarray(at[group], at[group + 1]).sort();
    const quantile = (share: number) => sorted[Math.ceil(share * sorted.length) - 1]!;
    stats.p50[group] = quantile(0.5);
    stats.p95[group] = quantile(0.95);
    stats.max[group] = sorted[sorted.length - 1]!;
  }
}
