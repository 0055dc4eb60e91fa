// Lanes of the flame graph: a span stands under its parent, in the first lane where nothing before
// it is in its way; so no two spans of one lane overlap, as long as there are lanes to try.

import { endOf, type Spans } from '../trace/trace';

/** So many lanes are tried for a span; then it may cover another. */
const triesMax = 64;

export interface Lanes {
  lane: Uint32Array;
  count: number;
}

export function lanesOf(spans: Spans): Lanes {
  const lane = new Uint32Array(spans.count);
  const busyUntil: number[] = [];
  for (let span = 0; span < spans.count; span++) {
    const parent = spans.parent[span]!;
    const first = parent < 0 ? 0 : lane[parent]! + 1;
    const start = spans.start[span]!;
    let at = first;
    while (at < first + triesMax && (busyUntil[at] ?? -Infinity) > start) at++;
    if (at === first + triesMax) at = first;
    lane[span] = at;
    busyUntil[at] = Math.max(busyUntil[at] ?? -Infinity, endOf(spans, span));
  }
  return { lane, count: busyUntil.length };
}
