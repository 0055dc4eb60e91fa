// The trace that stands for an operation: one whose span took as long as half of them take.

import { api, type Summary } from '../api';
import { quote } from '../query';

export interface Found {
  traceId: string;
  spanId: string;
}

/** So far from the median a span may be; the first that finds one. */
const tolerances = [0.03, 0.2, 1];

/** Null: there is no other trace of this operation. */
export async function findMedian(
  service: string,
  operation: string,
  notThis: string,
  signal: AbortSignal,
): Promise<Found | null> {
  const all = await api.operations(service, signal);
  const own = all.filter(({ name }) => name === operation);
  const most = own.sort((a, b) => b.spanCount - a.spanCount)[0];
  if (!most) return null;
  const p50 = Number(most.p50Nano);
  const which = `resource.service.name = ${quote(service)} && name = ${quote(operation)}`;
  for (const part of tolerances) {
    const [from, to] = [Math.floor(p50 * (1 - part)), Math.ceil(p50 * (1 + part))];
    const q = `{ ${which} && duration >= ${from}ns && duration <= ${to}ns } | select(duration)`;
    const { traces } = await api.traces({ q, limit: '20' }, signal);
    const nearest = nearestSpan(traces, p50, notThis);
    if (nearest) return nearest;
  }
  return null;
}

function nearestSpan(traces: Summary[], p50: number, notThis: string): Found | null {
  let best: Found | null = null;
  let distance = Infinity;
  for (const { traceId, spanSets = [] } of traces) {
    if (traceId === notThis) continue;
    for (const { spanId, durationNano } of spanSets.flatMap(({ spans }) => spans)) {
      const away = Math.abs(Number(durationNano) - p50);
      if (away >= distance) continue;
      distance = away;
      best = { traceId, spanId };
    }
  }
  return best;
}
