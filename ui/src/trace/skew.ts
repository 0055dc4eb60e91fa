// Clock skew, measured. Certain is only what cannot be otherwise: a server span that begins before
// it was called, or after its caller had the answer. How much it is, all calls between the two
// services bound together, for a server span mostly lies within its client span. Mostly: an answer may
// have been read before the server says that it is done, so that alone is no skew. Where the bounds
// exclude each other it is not (only) the clocks. The columns do not tell hosts: a service stands
// for its host.

import { Kind, endOf, kindOf, rootOf, type Spans } from './trace';

export interface Skew {
  /** Services: the one that calls and the one that is called. */
  caller: number;
  callee: number;
  /** The callee's clock is ahead by this, at least and at most, ns. */
  least: number;
  most: number;
  calls: number;
  /** One of the calls cannot have been so. */
  certain: boolean;
}

export function findSkew(spans: Spans): Skew[] {
  const pairs = new Map<string, Skew>();
  for (let span = 0; span < spans.count; span++) {
    const parent = spans.parent[span]!;
    if (parent < 0 || kindOf(spans, span) !== Kind.Server) continue;
    const caller = spans.service[parent]!;
    const callee = spans.service[span]!;
    if (caller === callee || kindOf(spans, parent) !== Kind.Client) continue;
    const key = `${caller} ${callee}`;
    let pair = pairs.get(key);
    if (!pair) {
      pair = { caller, callee, least: -Infinity, most: Infinity, calls: 0, certain: false };
      pairs.set(key, pair);
    }
    pair.least = Math.max(pair.least, endOf(spans, span) - endOf(spans, parent));
    pair.most = Math.min(pair.most, spans.start[span]! - spans.start[parent]!);
    pair.certain ||=
      spans.start[span]! < spans.start[parent]! || spans.start[span]! > endOf(spans, parent);
    pair.calls++;
  }
  return [...pairs.values()];
}

/** The clocks are off: the bounds exclude 0, and not each other. */
export const isSkewed = ({ least, most, certain }: Skew) =>
  certain && least <= most && (least > 0 || most < 0);

export const middle = ({ least, most }: Skew) => (least + most) / 2;

/** How far each service's clock is ahead of that of the root's service, by the chain of calls. */
export function clockOffsets(spans: Spans, pairs: Skew[], serviceCount: number): Float64Array {
  const offset = new Float64Array(serviceCount);
  if (spans.count === 0) return offset;
  const pairsOf: Skew[][] = Array.from({ length: serviceCount }, () => []);
  for (const pair of pairs) {
    pairsOf[pair.caller]!.push(pair);
    pairsOf[pair.callee]!.push(pair);
  }
  const root = spans.service[rootOf(spans)]!;
  const isKnown = new Uint8Array(serviceCount);
  isKnown[root] = 1;
  const queue = [root];
  for (const service of queue) {
    for (const pair of pairsOf[service]!) {
      const isCaller = pair.caller === service;
      const to = isCaller ? pair.callee : pair.caller;
      if (isKnown[to]) continue;
      isKnown[to] = 1;
      const ahead = isSkewed(pair) ? middle(pair) : 0;
      offset[to] = offset[service]! + (isCaller ? ahead : -ahead);
      queue.push(to);
    }
  }
  return offset;
}
