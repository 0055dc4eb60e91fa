/** Out of the headers of a request, and into them. */

import { formatTraceparent, parseTraceparent, type SpanContext } from './traceparent.js';
import { formatTracestate, parseTracestate } from './tracestate.js';

/**
 * The caller of a request, or nothing when the trace starts here. Takes every value received of
 * each header. Without a valid traceparent, tracestate has no meaning.
 */
export function extract(
  traceparents: readonly string[],
  tracestates: readonly string[],
): SpanContext | undefined {
  const state = tracestates.length ? formatTracestate(parseTracestate(tracestates)) : '';
  return parseTraceparent(traceparents, state);
}

/** Hands the headers of a request made by `context` to `set`. Nobody's request has none. */
export function inject(context: SpanContext, set: (name: string, value: string) => void): void {
  if (!context.traceId) return;
  set('traceparent', formatTraceparent(context));
  if (context.tracestate) set('tracestate', context.tracestate);
}
