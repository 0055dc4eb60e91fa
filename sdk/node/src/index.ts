/**
 * TraceKit for Node: `const TraceKit = require('@tracekit/node')`, `const { tracekit } = …`,
 * `import { TraceKit } from '@tracekit/node'` all name the same object.
 */

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Tags, TagValue } from '../../js/attributes.js';
import { formatBaggage, parseBaggage } from '../../js/baggage.js';
import type { Stats } from '../../js/exporter.js';
import type { Options } from '../../js/options.js';
import { runSpan } from '../../js/span.js';
import { getClient, init as setUp, storage } from './client.js';
import { Handlers } from './express.js';
import { wrapAxios } from './axios.js';
import { wrapDB } from './database.js';
import { fastifyPlugin } from './fastify.js';
import { tracedFetch } from './fetch.js';
import { tracedHttp, tracedHttps } from './request.js';
import { serve, serveWith } from './server.js';
import type { NodeSpan as Span } from './span.js';
import { traceUndici } from './undici.js';

export type { Options, Stats, Tags, TagValue };
export type { NodeSpan as Span } from './span.js';
export type { Target } from '../../js/targets.js';
export { Handlers, fastifyPlugin, traceUndici, wrapAxios, wrapDB, tracedFetch as fetch };
export { tracedHttp as http, tracedHttps as https };

const FLUSH_MS = 5_000;

/** Starts tracing. Options beat the environment (`TRACEKIT_API_KEY`, …). Never throws. */
export function init(options: Options = {}): typeof TraceKit {
  setUp(options);
  return TraceKit;
}

/**
 * For servers without a framework: `createServer(httpHandler((req, res) => …))`. Spans are called
 * by the method; `route`, when given, is asked for the route that was taken.
 */
export function httpHandler(
  handler: (req: IncomingMessage, res: ServerResponse) => unknown,
  route: (req: IncomingMessage) => string | undefined = () => undefined,
): (req: IncomingMessage, res: ServerResponse) => void {
  return (req, res) => serve(req, res, () => route(req), () => serveWith(handler, req, res));
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

/** What the request's `baggage` says of `key`; undefined outside of a request. */
export function getBaggage(key: string): string | undefined {
  const header = currentSpan()?.entry.baggage;
  return header ? parseBaggage([header]).find(([name]) => name === key)?.[1] : undefined;
}

/**
 * Hands a value on to every service that this request still calls through the traced clients, as
 * W3C baggage. It is plain for all of them to read: no secrets. Outside of a request it does
 * nothing.
 */
export function setBaggage(key: string, value: string): void {
  const entry = currentSpan()?.entry;
  if (!entry) return;
  const others = parseBaggage([entry.baggage]).filter(([name]) => name !== key);
  entry.baggage = formatBaggage([...others, [key, String(value)]]);
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

/**
 * For functions that are frozen as soon as they have answered: `handler`, which does not answer
 * before its spans are sent, or `timeoutMs` have passed.
 */
export function flushAfter<Args extends unknown[], T>(
  handler: (...args: Args) => T | Promise<T>,
  timeoutMs = FLUSH_MS,
): (...args: Args) => Promise<T> {
  return async function (this: unknown, ...args) {
    try {
      return await handler.apply(this, args);
    } finally {
      await flush(timeoutMs);
    }
  };
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
  httpHandler,
  fetch: tracedFetch,
  http: tracedHttp,
  https: tracedHttps,
  wrapAxios,
  traceUndici,
  wrapDB,
  currentSpan,
  setTag,
  getBaggage,
  setBaggage,
  startSpan,
  startTransaction,
  captureException,
  captureMessage,
  flush,
  flushAfter,
  shutdown,
  stats,
};

export { TraceKit as tracekit };
export default TraceKit;
