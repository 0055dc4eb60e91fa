// The map as a picture: boxes that are links, lines between them that are links. One tab stop; the
// arrow keys walk the way that calls go. Everything in it stands in the table below too.

import { useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { MapCall, MapNode, ServiceMap } from '../api';
import type { TimeRange } from '../components/time-choice';
import { formatDuration, formatFrequency, speakDuration, speakFrequency } from '../format';
import { href } from '../router';
import { formatShare } from '../services/service-table';
import { colourOf } from '../waterfall/colour';
import { queryOf, queryOfNode, secondsOf, type Shown } from './calls';
import { layOut, type Point } from './layout';

interface Props {
  map: ServiceMap;
  shown: Shown;
  range: TimeRange;
}

const sizes = { width: 188, height: 54, columnGap: 84, gap: 22 };
/** So many lines have their numbers beside them; of more only the one that is looked at. */
const namedLinesMax = 24;
const margin = 28;

/** What of the picture has the focus: a box or a line, by number in the map. */
type Spot = `${'node' | 'call'}-${number}`;

export function Graph({ map, shown, range }: Props) {
  const root = useRef<HTMLDivElement>(null);
  const [active, setActive] = useState<Spot | null>(null);
  const seconds = secondsOf(map);
  const id = JSON.stringify([
    shown.nodes.map((n) => [map.nodes[n]!.kind, map.nodes[n]!.name]),
    shown.calls.map((n) => [map.calls[n]!.caller, map.calls[n]!.callee]),
  ]);
  const layout = useMemo(() => {
    const number = new Map(shown.nodes.map((node, at) => [node, at]));
    const lines = shown.calls.map((call) => {
      const { caller, callee } = map.calls[call]!;
      return [number.get(caller)!, number.get(callee)!] as const;
    });
    return layOut(shown.nodes.length, lines, sizes);
  }, [id]);
  // Begins where the calls do.
  useLayoutEffect(() => {
    const start = layout.boxes.reduce((a, b) => (b.x < a.x ? b : a));
    root.current!.scrollTop = start.y + margin - root.current!.clientHeight / 2;
  }, [id]);
  const first: Spot = `node-${shown.nodes[0]!}`;
  const spots = new Set<Spot>([
    ...shown.nodes.map((n): Spot => `node-${n}`),
    ...shown.calls.map((n): Spot => `call-${n}`),
  ]);
  const stop = active !== null && spots.has(active) ? active : first;
  const walk = (event: KeyboardEvent) => {
    const to = nextSpot(map, shown, layout.boxes, stop, event.key);
    if (to === null) return;
    event.preventDefault();
    setActive(to);
    root.current!.querySelector<HTMLElement | SVGElement>(`[data-spot="${to}"]`)!.focus();
  };
  const most = Math.max(1, ...shown.calls.map((n) => map.calls[n]!.callCount));
  const linkOf = (spot: Spot) => ({
    'data-spot': spot,
    tabIndex: spot === stop ? 0 : -1,
    onFocus: () => setActive(spot),
  });
  return (
    <div
      class={`map ${shown.calls.length <= namedLinesMax ? 'is-named' : ''}`}
      ref={root}
      role="group"
      aria-label="Map of services. Arrow keys walk from caller to callee."
      data-testid="map"
      onKeyDown={walk}
    >
      <div
        class="m-plane"
        style={{ width: layout.width + 2 * margin, height: layout.height + 2 * margin }}
      >
        <svg
          width={layout.width + 2 * margin}
          height={layout.height + 2 * margin}
          viewBox={`${-margin} ${-margin} ${layout.width + 2 * margin} ${layout.height + 2 * margin}`}
        >
          <defs>
            <marker
              id="m-tip"
              viewBox="0 0 8 8"
              refX="7"
              refY="4"
              markerWidth="8"
              markerHeight="8"
              markerUnits="userSpaceOnUse"
              orient="auto"
            >
              <path d="M0 0 8 4 0 8z" />
            </marker>
          </defs>
          {shown.calls.map((number, at) => (
            <Line
              key={number}
              map={map}
              call={map.calls[number]!}
              points={layout.lines[at]!}
              share={map.calls[number]!.callCount / most}
              seconds={seconds}
              range={range}
              link={linkOf(`call-${number}`)}
            />
          ))}
        </svg>
        {shown.nodes.map((number, at) => (
          <Box
            key={number}
            node={map.nodes[number]!}
            at={layout.boxes[at]!}
            seconds={seconds}
            range={range}
            link={linkOf(`node-${number}`)}
          />
        ))}
      </div>
    </div>
  );
}

type Link = { 'data-spot': Spot; tabIndex: number; onFocus: () => void };

/** `Calls: 12 a second, 2 % failed, 95 % within 30 milliseconds` */
export function sayNumbers(numbers: MapCall | MapNode, seconds: number): string {
  const failed =
    numbers.errorCount > 0
      ? `${formatShare(numbers.errorCount / numbers.callCount)} failed`
      : 'none failed';
  return `Calls: ${speakFrequency(numbers.callCount / seconds)}, ${failed}, 95 % within ${speakDuration(numbers.p95Nano)}`;
}

const kindNames = { service: '', database: 'database', messaging: 'queue', external: 'external' };

function Box(props: { node: MapNode; at: Point; seconds: number; range: TimeRange; link: Link }) {
  const { node, at, seconds, range, link } = props;
  const isService = node.kind === 'service';
  const to = isService
    ? href(`/services/${encodeURIComponent(node.name)}`, { ...range })
    : href('/traces', { ...range, q: node.attribute ? queryOfNode(node) : '' });
  const name = node.name || 'unknown service';
  const kind = kindNames[node.kind];
  return (
    <a
      {...link}
      class={`m-box m-${node.kind}`}
      href={to}
      title={name}
      data-testid="map-node"
      style={{
        left: at.x + margin,
        top: at.y + margin,
        width: sizes.width,
        height: sizes.height,
        '--service': isService ? colourOf(node.name) : 'var(--field-line)',
      }}
    >
      <span class="m-name">
        <bdi>{name}</bdi>
        {kind && <span class="m-kind"> {kind}</span>}
      </span>
      {node.callCount > 0 && <span class="sr-only">. {sayNumbers(node, seconds)}</span>}
      <span class="m-numbers num" aria-hidden="true">
        {node.callCount > 0 && (
          <>
            <span>{formatFrequency(node.callCount / seconds)}</span>
            {node.errorCount > 0 && (
              <span class="error-text">
                <span class="mark mark-error" /> {formatShare(node.errorCount / node.callCount)}
              </span>
            )}
            <span>{formatDuration(node.p95Nano)}</span>
          </>
        )}
      </span>
    </a>
  );
}

interface LineProps {
  map: ServiceMap;
  call: MapCall;
  points: Point[];
  /** Of the calls on the busiest line. */
  share: number;
  seconds: number;
  range: TimeRange;
  link: Link;
}

function Line({ map, call, points, share, seconds, range, link }: LineProps) {
  const isOwn = call.caller === call.callee;
  const path = isOwn ? loop(points[0]!) : curve(points);
  const middle = isOwn ? { x: points[0]!.x - 33, y: points[0]!.y - 42 } : middleOf(points);
  const [from, to] = [map.nodes[call.caller]!.name, map.nodes[call.callee]!.name];
  const failed = call.errorCount > 0;
  return (
    <>
      <a
        {...link}
        class={`m-line ${isOwn ? 'is-own' : ''}`}
        href={href('/traces', { ...range, q: queryOf(map, call) })}
        aria-label={`${from} calls ${to}. ${sayNumbers(call, seconds)}`}
        data-testid="map-call"
      >
        <path class="m-touch" d={path} />
        <path
          class="m-stroke"
          d={path}
          stroke-width={1 + 3 * Math.sqrt(share)}
          marker-end="url(#m-tip)"
        />
      </a>
      <g class="m-text" aria-hidden="true">
        <text x={middle.x} y={middle.y - 6} text-anchor="middle">
          {formatFrequency(call.callCount / seconds)}
        </text>
        {failed && (
          <text class="m-failed" x={middle.x} y={middle.y + 15} text-anchor="middle">
            ◆ {formatShare(call.errorCount / call.callCount)}
          </text>
        )}
      </g>
    </>
  );
}

function curve(points: Point[]): string {
  const [first, ...rest] = points as [Point, ...Point[]];
  let from = first;
  let path = `M${first.x} ${first.y}`;
  for (const to of rest) {
    const bend = (to.x - from.x) / 2;
    path +=
      to.y === from.y
        ? `L${to.x} ${to.y}`
        : `C${from.x + bend} ${from.y} ${to.x - bend} ${to.y} ${to.x} ${to.y}`;
    from = to;
  }
  return path;
}

/** Out of the box's upper edge and into it again. */
const loop = ({ x, y }: Point) => `M${x - 46} ${y - 27}c0 -24 26 -24 26 -1`;

function middleOf(points: Point[]): Point {
  const a = points[Math.floor((points.length - 1) / 2)]!;
  const b = points[Math.floor((points.length - 1) / 2) + 1]!;
  return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
}

/** Where an arrow key leads: right along a call and on to the callee, left back, up and down beside. */
function nextSpot(
  map: ServiceMap,
  shown: Shown,
  boxes: Point[],
  spot: Spot,
  key: string,
): Spot | null {
  const number = Number(spot.slice(5));
  const calls = shown.calls.map((at) => ({ at, ...map.calls[at]! }));
  if (spot.startsWith('node')) {
    const here = boxes[shown.nodes.indexOf(number)]!;
    if (key === 'ArrowRight') return callSpot(calls.find((call) => call.caller === number));
    if (key === 'ArrowLeft') return callSpot(calls.find((call) => call.callee === number));
    if (key === 'Home') return `node-${shown.nodes[0]!}`;
    const step = key === 'ArrowDown' ? 1 : key === 'ArrowUp' ? -1 : 0;
    // Reading order: down a column, then the next one.
    const order = shown.nodes
      .map((node, at) => ({ node, ...boxes[at]! }))
      .sort((a, b) => a.x - b.x || a.y - b.y);
    const next = order[order.findIndex(({ node }) => node === number) + step];
    return step !== 0 && here && next ? `node-${next.node}` : null;
  }
  const call = map.calls[number]!;
  if (key === 'ArrowRight') return `node-${call.callee}`;
  if (key === 'ArrowLeft') return `node-${call.caller}`;
  const step = key === 'ArrowDown' ? 1 : key === 'ArrowUp' ? -1 : 0;
  const beside = calls.filter((one) => one.caller === call.caller);
  return step === 0 ? null : callSpot(beside[beside.findIndex(({ at }) => at === number) + step]);
}

const callSpot = (call: { at: number } | undefined): Spot | null =>
  call === undefined ? null : `call-${call.at}`;
