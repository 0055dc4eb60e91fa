/**
 * Time in whole microseconds since 1970: fits a double exactly, and is as fine as clocks here are.
 *
 * Durations come from the monotonic clock. Where it stands in time (its origin) is taken by every
 * root span and inherited by its children, so that within a trace no span goes backwards. It is
 * looked up anew every second: a machine that slept is right again with the next trace.
 */

const DRIFT_MS_MAX = 20;
const LOOK_UP_MS = 1_000;

let origin = 0;
let lookedUpAt = -Infinity;

/** Milliseconds to add to the monotonic clock, which says `at`. */
export function clockOrigin(at: number): number {
  if (at - lookedUpAt < LOOK_UP_MS && at >= lookedUpAt) return origin;
  lookedUpAt = performance.now();
  const wall = Date.now();
  const start = performance.timeOrigin;
  return (origin = Math.abs(wall - start - lookedUpAt) < DRIFT_MS_MAX ? start : wall - lookedUpAt);
}

/** The moment `at` of the monotonic clock. */
export function microsAt(origin: number, at: number): number {
  return Math.round((origin + at) * 1000);
}
