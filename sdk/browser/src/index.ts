/**
 * TraceKit for the browser. `import { TraceKit }`, the default and the namespace import all reach
 * the one instance of the page, even when several packages bring their own copy.
 */

import type { Tags, TagValue } from '../../js/attributes.js';
import type { Stats } from '../../js/exporter.js';
import type { Options } from '../../js/options.js';
import type { Span } from '../../js/span.js';
import { makeTraceKit, type TraceKitApi } from './tracekit.js';

export type { Options, Span, Stats, Tags, TagValue, TraceKitApi };
export type { Target } from '../../js/targets.js';

const KEY = Symbol.for('tracekit.browser');
const page = globalThis as { [KEY]?: TraceKitApi };

export const TraceKit: TraceKitApi = (page[KEY] ??= makeTraceKit());

export const {
  init,
  currentSpan,
  setTag,
  setUser,
  startSpan,
  startTransaction,
  captureException,
  captureMessage,
  flush,
  shutdown,
  stats,
} = TraceKit;

export default TraceKit;
