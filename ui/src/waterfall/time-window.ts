// The part of the trace's time that is shown, in nanoseconds since its start.

export interface TimeWindow {
  from: number;
  to: number;
}

/** Never narrower than this share of the trace, nor than a nanosecond. */
const leastShare = 1e-7;

export const whole = (durationNano: number): TimeWindow => ({ from: 0, to: durationNano || 1 });

export const isWhole = ({ from, to }: TimeWindow, durationNano: number) =>
  from <= 0 && to >= durationNano;

/** As wide, but within the trace; or as near to it as can be. */
export function clamp({ from, to }: TimeWindow, durationNano: number): TimeWindow {
  const total = durationNano || 1;
  const width = Math.min(Math.max(to - from, total * leastShare, 1), total);
  const start = Math.min(Math.max(from, 0), total - width);
  return { from: start, to: start + width };
}

/** Narrower by `factor` (or wider), the time at `share` of the width staying where it is. */
export function zoom(
  { from, to }: TimeWindow,
  factor: number,
  share: number,
  durationNano: number,
): TimeWindow {
  const at = from + (to - from) * share;
  // Not narrower than the least: else the middle would wander.
  const width = Math.max((to - from) / factor, durationNano * leastShare, 1);
  return clamp({ from: at - width * share, to: at + width * (1 - share) }, durationNano);
}

/** Moved by a share of its width. */
export function pan({ from, to }: TimeWindow, share: number, durationNano: number): TimeWindow {
  const way = (to - from) * share;
  return clamp({ from: from + way, to: to + way }, durationNano);
}

/** A span with a little room around it. */
export function around(start: number, duration: number, durationNano: number): TimeWindow {
  const room = Math.max(duration * 0.08, 1);
  return clamp({ from: start - room, to: start + duration + room }, durationNano);
}

/** `t=FROM-TO` of the URL, whole nanoseconds. */
export function readWindow(text: string | null, durationNano: number): TimeWindow {
  const match = /^(\d+)-(\d+)$/.exec(text ?? '');
  if (!match || Number(match[2]) <= Number(match[1])) return whole(durationNano);
  return clamp({ from: Number(match[1]), to: Number(match[2]) }, durationNano);
}

export function writeWindow(window: TimeWindow, durationNano: number): string | null {
  if (isWhole(window, durationNano)) return null;
  return `${Math.floor(window.from)}-${Math.ceil(window.to)}`;
}
