/**
 * Time in whole microseconds since 1970: fits a double exactly, and is as fine as clocks here are.
 *
 * Durations come from the monotonic clock. Where it stands in time (its origin) is looked up anew
 * by every root span and inherited by its children, so that within a trace no span goes backwards,
 * and a machine that slept is right again with the next trace.
 */

const DRIFT_MS_MAX = 20;

/** Milliseconds to add to the monotonic clock. */
export function clockOrigin(): number {
  const monotonic = performance.now();
  const wall = Date.now();
  const origin = performance.timeOrigin;
  return Math.abs(wall - origin - monotonic) < DRIFT_MS_MAX ? origin : wall - monotonic;
}

/** Now, or at `at` of the monotonic clock. */
export function microsAt(origin: number, at = performance.now()): number {
  return Math.round((origin + at) * 1000);
}
