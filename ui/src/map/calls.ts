// The map as the server tells it, what of it is drawn, and the search that finds a call.

import type { MapCall, MapNode, ServiceMap } from '../api';
import { quote } from '../query';

/** More is no picture any more: the rest is in the table, or around one of them. */
export const shownNodesMax = 60;
export const shownCallsMax = 80;

export interface Shown {
  /** Numbers of the map's nodes and calls. */
  nodes: number[];
  calls: number[];
  isWhole: boolean;
}

/** Nodes are called by name; of several with one name the service is meant. */
export function findNode(map: ServiceMap, name: string): number {
  return map.nodes.findIndex((node) => node.name === name);
}

/** The nodes called most, or one and what it is joined to. */
export function choose(map: ServiceMap, around: string): Shown {
  const middle = around ? findNode(map, around) : -1;
  let calls = map.calls.map((_, number) => number);
  if (middle >= 0) {
    calls = calls.filter((number) => {
      const { caller, callee } = map.calls[number]!;
      return caller === middle || callee === middle;
    });
  }
  const beside = new Set(
    calls.flatMap((number) => [map.calls[number]!.caller, map.calls[number]!.callee]),
  );
  if (middle >= 0) beside.add(middle);
  const all = map.nodes.map((_, number) => number).filter((n) => middle < 0 || beside.has(n));
  const nodes = [...all]
    .sort(
      (a, b) =>
        Number(b === middle) - Number(a === middle) ||
        map.nodes[b]!.callCount - map.nodes[a]!.callCount,
    )
    .slice(0, shownNodesMax);
  const kept = new Set(nodes);
  const drawn = calls
    .filter((number) => {
      const { caller, callee } = map.calls[number]!;
      return kept.has(caller) && kept.has(callee);
    })
    .slice(0, shownCallsMax);
  // Nobody stands alone only because their calls are not drawn.
  const ends = (numbers: number[]) =>
    new Set(numbers.flatMap((number) => [map.calls[number]!.caller, map.calls[number]!.callee]));
  const [joined, drawnTo] = [ends(calls), ends(drawn)];
  return {
    nodes: nodes.filter((node) => drawnTo.has(node) || !joined.has(node)),
    calls: drawn,
    isWhole: nodes.length === all.length && drawn.length === calls.length,
  };
}

const serviceIs = (name: string) => `resource.service.name = ${quote(name)}`;

/** The condition on the caller's span that names what sends no spans. */
function peerIs(node: MapNode): string {
  if (node.attribute !== 'url.full') return `span.${node.attribute} = ${quote(node.name)}`;
  const host = node.name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  return `span.url.full =~ ${quote(`[a-z]+://([^/@]*@)?${host}([:/?#].*)?`)}`;
}

/** TraceQL for the traces with this call. */
export function queryOf(map: ServiceMap, call: MapCall): string {
  const caller = map.nodes[call.caller]!;
  const callee = map.nodes[call.callee]!;
  if (caller.kind !== 'service') {
    return `{ ${serviceIs(callee.name)} && kind = consumer && ${peerIs(caller)} }`;
  }
  if (callee.kind !== 'service') return `{ ${serviceIs(caller.name)} && ${peerIs(callee)} }`;
  const asks = call.caller === call.callee ? ' && (kind = client || kind = producer)' : '';
  return `{ ${serviceIs(caller.name)}${asks} } > { ${serviceIs(callee.name)} }`;
}

/** TraceQL for the traces that call what sends no spans. */
export const queryOfNode = (node: MapNode) => `{ ${peerIs(node)} }`;

/** Of what was counted. */
export function secondsOf(map: ServiceMap): number {
  return Number(BigInt(map.endTimeUnixNano) - BigInt(map.startTimeUnixNano)) / 1e9;
}
