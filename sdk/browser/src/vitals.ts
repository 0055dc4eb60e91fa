/** What the browser measured of a page: the marks of its navigation, and web vitals. */

import type { Span } from '../../js/span.js';

const MARKS = [
  'responseStart',
  'domInteractive',
  'domContentLoadedEventEnd',
  'loadEventEnd',
] as const;

/** A shift this long after the last one, or after the first, begins another window. */
const SHIFT_GAP_MS_MAX = 1_000;
const SHIFT_WINDOW_MS_MAX = 5_000;

/** Of layout-shift and event entries. */
interface Entry extends PerformanceEntry {
  value: number;
  hadRecentInput: boolean;
  interactionId: number;
}

const navigation = (): PerformanceNavigationTiming | undefined =>
  performance.getEntriesByType('navigation')[0] as PerformanceNavigationTiming | undefined;

/** Notes on the page load's span when each step was done. */
export function markNavigation(span: Span): void {
  const timing = navigation();
  for (const mark of MARKS) if (timing) span.addEvent(mark, undefined, timing[mark]);
}

/** Calls `see` for every entry there was and will be; browsers that know no such type have none. */
function observe(type: string, see: (entry: Entry) => void): void {
  const each = (list: PerformanceObserverEntryList): void =>
    (list.getEntries() as Entry[]).forEach(see);
  new PerformanceObserver(each).observe({ type, buffered: true });
}

/**
 * Begins to measure. Returns what asks for the results, milliseconds but for CLS: largest
 * contentful paint, cumulative layout shift, interaction to next paint, first contentful paint, time to first
 * byte.
 */
export function observeVitals(): () => Record<string, number> {
  const seen: Record<string, number> = {};
  const set = (name: string, value: number): void => {
    seen[`web_vital.${name}`] = value;
  };
  let inp = 0;
  let cls = 0;
  let sum = 0;
  let first = 0;
  let last = 0;
  observe('largest-contentful-paint', ({ startTime }) => set('lcp', startTime));
  observe('paint', ({ name, startTime }) => {
    if (name.startsWith('first-c')) set('fcp', startTime);
  });
  observe('event', ({ interactionId, duration }) => {
    if (interactionId) set('inp', (inp = Math.max(inp, duration)));
  });
  observe('layout-shift', ({ value, hadRecentInput, startTime }) => {
    if (hadRecentInput) return;
    if (startTime - last > SHIFT_GAP_MS_MAX || startTime - first > SHIFT_WINDOW_MS_MAX) {
      sum = 0;
      first = startTime;
    }
    last = startTime;
    set('cls', (cls = Math.max(cls, (sum += value))));
  });
  return () => {
    const timing = navigation();
    if (timing) set('ttfb', timing.responseStart);
    return seen;
  };
}
