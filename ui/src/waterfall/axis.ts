// The time axis: round steps, as many as there is room for.

import type { TimeWindow } from './time-window';

/** A tick's text needs so many pixels. */
export const tickWidthMin = 58;

export interface Tick {
  nanos: number;
  /** 0 to 100, of the axis. */
  percent: number;
}

export function ticks({ from, to }: TimeWindow, most: number): Tick[] {
  const width = to - from;
  if (!(width > 0)) return [{ nanos: from, percent: 0 }];
  const step = roundStep(width / Math.max(most, 1));
  const found: Tick[] = [];
  for (let i = Math.ceil(from / step); i * step <= to; i++) {
    found.push({ nanos: i * step, percent: ((i * step - from) / width) * 100 });
  }
  return found;
}

/** The least of 1, 2, 2.5, 5 × 10ⁿ not under `least`; from a minute on, parts of an hour. */
function roundStep(least: number): number {
  const second = 1e9;
  for (const seconds of [60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200, 86400]) {
    if (least > 30 * second && seconds * second >= least) return seconds * second;
  }
  const power = 10 ** Math.floor(Math.log10(Math.max(least, 1)));
  for (const factor of [1, 2, 2.5, 5]) if (factor * power >= least) return factor * power;
  return 10 * power;
}
