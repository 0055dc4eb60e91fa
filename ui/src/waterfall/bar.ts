// What is drawn of one row on the time axis.

import type { OpenTrace } from '../trace/analysis';
import { piecesOf } from '../trace/critical';
import { endOf } from '../trace/trace';
import type { RowView } from './rows';
import type { TimeWindow } from './time-window';

export interface Box {
  /** Percent of the axis; parts outside it are cut off. */
  left: number;
  width: number;
}

const edge = 2; // so far a cut bar sticks out, so that its end is not taken for the span's

export function boxOf(from: number, to: number, window: TimeWindow): Box {
  const scale = 100 / (window.to - window.from);
  const left = Math.max((from - window.from) * scale, -edge);
  const right = Math.min((to - window.from) * scale, 100 + edge);
  return { left, width: Math.max(right - left, 0) };
}

export const isOutside = ({ left, width }: Box) => left > 100 || left + width < 0;

/** Where the row's own span begins: in a service's row that is not where the visit does. */
export function spanOffset({ trace }: OpenTrace, row: RowView): number {
  if (row.visit < 0) return row.offsetNano;
  return row.offsetNano + trace.spans.start[row.span]! - trace.visits.start[row.visit]!;
}

/** More pieces of one bar than this are drawn as fewer. */
const piecesMax = 24;

/** Shares of the span (0 to 1) in which it worked itself: not covered by its children. */
export function ownPieces(open: OpenTrace, span: number): [number, number][] {
  const { spans } = open.trace;
  const [start, duration, behind] = [spans.start[span]!, spans.duration[span]!, spans.end[span]!];
  if (behind === span + 1 || duration <= 0) return [[0, 1]];
  const end = start + duration;
  const holes: [number, number][] = [];
  let covered = start;
  const add = (to: number) => {
    if (to - covered > duration / 1000)
      holes.push([(covered - start) / duration, (to - start) / duration]);
  };
  for (let child = span + 1; child < behind; child = spans.end[child]!) {
    const from = spans.start[child]!;
    if (from >= end) break;
    add(from);
    covered = Math.max(covered, endOf(spans, child));
  }
  add(end);
  return merged(holes);
}

/** The pieces of the critical path on a row, of what is shown. */
export function criticalBoxes(open: OpenTrace, row: RowView, window: TimeWindow): Box[] {
  if (row.span < 0 || row.type === 'gap' || open.analysis === null) return [];
  const { path } = open.analysis;
  const [first, end] = piecesOf(path, row.span);
  const shift = row.type === 'span' ? row.offsetNano - open.trace.spans.start[row.span]! : 0;
  const pieces: [number, number][] = [];
  for (let i = first; i < end; i++) pieces.push([path.from[i]! + shift, path.to[i]! + shift]);
  return merged(pieces)
    .map(([from, to]) => boxOf(from, to, window))
    .filter((box) => !isOutside(box));
}

/** Joins the nearest neighbours until there are few enough. */
function merged(pieces: [number, number][]): [number, number][] {
  if (pieces.length <= piecesMax) return pieces;
  const distances = pieces.slice(1).map((piece, i) => piece[0] - pieces[i]![1]);
  const least = [...distances].sort((a, b) => b - a)[piecesMax - 2]!;
  const joined: [number, number][] = [[...pieces[0]!]];
  for (const [i, piece] of pieces.slice(1).entries()) {
    const last = joined[joined.length - 1]!;
    if (distances[i]! >= least && joined.length < piecesMax) joined.push([...piece]);
    else last[1] = Math.max(last[1], piece[1]);
  }
  return joined;
}

/** Solid where the span worked itself, lighter where it waited for its children. */
export function shade(pieces: [number, number][]): string {
  if (pieces.length === 1 && pieces[0]![0] === 0 && pieces[0]![1] === 1) return '';
  const percent = (share: number) => `${(share * 100).toFixed(2)}%`;
  const stops = ['var(--wait) 0'];
  for (const [from, to] of pieces) {
    stops.push(`var(--wait) ${percent(from)}`, `var(--own) ${percent(from)}`);
    stops.push(`var(--own) ${percent(to)}`, `var(--wait) ${percent(to)}`);
  }
  return `linear-gradient(90deg, ${stops.join(', ')}, var(--wait) 100%)`;
}
