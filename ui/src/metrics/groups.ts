// Of an answer of /metrics without a function: what it says of each group, by the group's label.

import type { Metrics } from '../api';

export interface Group {
  label: string;
  rate: (number | null)[];
  errors: (number | null)[];
  p50: (number | null)[];
  p95: (number | null)[];
  p99: (number | null)[];
  histogram: { bounds: number[]; counts: number[][] };
}

const empty = (label: string): Group => ({
  label,
  rate: [],
  errors: [],
  p50: [],
  p95: [],
  p99: [],
  histogram: { bounds: [], counts: [] },
});

/** In the order of the answer: most spans first. Without a grouping the one label is empty. */
export function groupsOf(metrics: Metrics): Group[] {
  const groups = new Map<string, Group>();
  for (const series of metrics.series) {
    const label = Object.values(series.labels).join(' ') || '';
    let group = groups.get(label);
    if (!group) groups.set(label, (group = empty(label)));
    if (series.name === 'histogram') {
      group.histogram = { bounds: series.bounds ?? [], counts: series.counts ?? [] };
    } else if (series.name in group) {
      const name = series.name as 'rate' | 'errors' | 'p50' | 'p95' | 'p99';
      group[name] = series.values ?? [];
    }
  }
  return [...groups.values()];
}

export const stepMillis = (metrics: Metrics) => Number(BigInt(metrics.stepNano) / 1000000n);
export const timesMillis = (metrics: Metrics) =>
  metrics.timesUnixNano.map((nano) => Number(BigInt(nano) / 1000000n));
