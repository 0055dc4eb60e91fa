/**
 * TraceKit for Node: `const TraceKit = require('@tracekit/node')`, `const { tracekit } = …`,
 * `import { TraceKit } from '@tracekit/node'` all name the same object.
 */

import type { Tags, TagValue } from '../../js/attributes.js';
import type { Stats } from '../../js/exporter.js';
import type { Options } from '../../js/options.js';
import { runSpan, type Span } from '../../js/span.js';
import { getClient, init as setUp, storage } from './client.js';
import { Handlers } from './express.js';
import { fastifyPlugin } from './fastify.js';
import { tracedFetch } from './fetch.js';

export type { Options, Span, Stats, Tags, TagValue };
export type { Target } from '../../js/targets.js';
export { Handlers, fastifyPlugin, tracedFetch as fetch };

const FLUSH_MS = 5_000;

/** Starts tracing. Options beat the environment (`TRACEKIT_API_KEY`, …). Never throws. */
export function init(options: Options = {}): typeof TraceKit {
  setUp(options);
  return TraceKit;
}

/** The span that is being worked on; undefined outside of any. */
export function currentSpan(): Span | undefined {
  return storage.getStore();
}

/**
 * Tags the request: the current span and the server span it belongs to, so that a search finds
 * all tags of a request on one span. Outside of a request it does nothing.
 */
export function setTag(key: string, value: TagValue | null | undefined): void {
  const span = currentSpan();
  if (!span) getClient().log.debug(`setTag(${key}) outside of a request or span: ignored`);
  span?.setTag(key, value);
  span?.entry.setTag(key, value);
}

/**
 * Starts a child of the current span; a new trace outside of any. With `work` the span is current
 * while it runs, and ends when it is done; without, whoever started it ends it.
 */
export function startSpan(name: string, tags?: Tags): Span;
export function startSpan<T>(name: string, work: (span: Span) => T): T;
export function startSpan<T>(name: string, tags: Tags, work: (span: Span) => T): T;
export function startSpan<T>(
  name: string,
  second?: Tags | ((span: Span) => T),
  third?: (span: Span) => T,
): Span | T {
  const work = typeof second === 'function' ? second : third;
  const tags = typeof second === 'function' ? undefined : second;
  const span = getClient().tracer.start(name, { tags });
  return work ? runSpan(span, (inner) => storage.run(span, inner), work) : span;
}

/** Starts a span that is the root of a new trace. */
export function startTransaction(options: { name: string; tags?: Tags }): Span {
  return getClient().tracer.start(options.name, { parent: null, tags: options.tags });
}

/** Records the error on the current span; outside of any, on a span of its own. */
export function captureException(error: unknown): void {
  const span = currentSpan();
  if (span) span.captureException(error);
  else startSpan('exception').captureException(error).end();
}

/** Records a message on the current span; outside of any, on a span of its own. */
export function captureMessage(message: string, level = 'info'): void {
  const span = currentSpan();
  if (span) span.addEvent('message', { message, level });
  else startSpan('message').addEvent('message', { message, level }).end();
}

/** Sends what is waiting; false when that took longer than `timeoutMs`. */
export function flush(timeoutMs = FLUSH_MS): Promise<boolean> {
  return getClient().exporter.flush(timeoutMs);
}

/** Sends what is waiting, for the last time. */
export function shutdown(timeoutMs = FLUSH_MS): Promise<boolean> {
  return getClient().exporter.shutdown(timeoutMs);
}

/** How many spans were sent, dropped, and are waiting. */
export function stats(): Stats {
  return getClient().exporter.stats();
}

export const TraceKit = {
  init,
  Handlers,
  fastifyPlugin,
  fetch: tracedFetch,
  currentSpan,
  setTag,
  startSpan,
  startTransaction,
  captureException,
  captureMessage,
  flush,
  shutdown,
  stats,
};

export { TraceKit as tracekit };
export default TraceKit;
