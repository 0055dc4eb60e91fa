/** The API. Nothing here needs `this`, throws, or needs `init` to have been called. */

import type { Tags, TagValue } from '../../js/attributes.js';
import type { Stats } from '../../js/exporter.js';
import type { Options } from '../../js/options.js';
import { runSpan, type Span } from '../../js/span.js';
import { Activity, bindPromise, currentScope, within, type Scope } from './activity.js';
import { globalTags, makeClient, type Client } from './client.js';
import { instrumentFetch } from './fetch.js';
import { inPage } from './environment.js';
import { observeClicks, observeLeaving, observeLoad, observeNavigation } from './interactions.js';
import { traceRequest, type TraceRequest } from './request.js';
import { instrumentXhr } from './xhr.js';

const FLUSH_MS = 5_000;

export interface User {
  id?: string | number;
  email?: string;
  username?: string;
}

export interface TraceKitApi {
  /** Starts tracing: requests, clicks, the page's load, errors nobody catches. */
  init(options?: Options): TraceKitApi;
  /** The span that requests made now get as parent. */
  currentSpan(): Span | undefined;
  /** Tags all spans of this page that end from now on; null takes the tag away. */
  setTag(key: string, value: TagValue | null | undefined): void;
  /** Tags all spans with who is signed in; null when nobody is any more. */
  setUser(user: User | null): void;
  /**
   * Starts a child of the current span, or a new trace. With `work` it ends when the work is
   * done, and is the parent of what is started before the work's first await.
   */
  startSpan(name: string, tags?: Tags): Span;
  startSpan<T>(name: string, work: (span: Span) => T): T;
  startSpan<T>(name: string, tags: Tags, work: (span: Span) => T): T;
  /** Starts a new trace that the requests from here on belong to, until `finish()`. */
  startTransaction(options: { name: string; tags?: Tags }): Span;
  /** Records the error on the current span, or on one of its own. */
  captureException(error: unknown): void;
  captureMessage(message: string, level?: string): void;
  /** Sends what is waiting; false when that took longer than `timeoutMs`. */
  flush(timeoutMs?: number): Promise<boolean>;
  shutdown(timeoutMs?: number): Promise<boolean>;
  /** How many spans were sent, dropped, and are waiting. */
  stats(): Stats;
}

/** The scope of a span's own work, which keeps the one around it from settling. */
function workScope(span: Span, outer: Scope | undefined): Scope {
  if (!outer) {
    const activity = new Activity(() => span, false);
    onEnd(span, () => activity.close());
    return activity;
  }
  outer.opened();
  onEnd(span, () => outer.closed());
  return {
    span: () => span,
    touch: () => outer.touch(),
    opened: () => outer.opened(),
    closed: () => outer.closed(),
  };
}

export function makeTraceKit(): TraceKitApi {
  let client: Client | undefined;
  let observing = false;
  const getClient = (): Client => (client ??= makeClient({ enabled: false }));

  const observe = (): void => {
    observing = true;
    const trace: TraceRequest = (facts) => traceRequest(getClient(), facts);
    instrumentFetch(trace);
    if (globalThis.XMLHttpRequest) instrumentXhr(trace);
    addEventListener('error', ({ error }) => error && api.captureException(error));
    addEventListener('unhandledrejection', ({ reason }) => api.captureException(reason));
    if (!inPage) return;
    observeClicks(getClient);
    observeNavigation(getClient);
    const report = observeLoad(getClient);
    observeLeaving(() => {
      report();
      getClient().exporter.leave(getClient().transport.fits);
    });
  };

  /** Hands the current span to `note`, or one that is made for it alone. */
  const noteOn = (name: string, note: (span: Span) => void): void => {
    const span = api.currentSpan();
    if (span) return note(span);
    const own = getClient().tracer.start(name);
    note(own);
    own.end();
  };

  const api: TraceKitApi = {
    init(options = {}) {
      void client?.exporter.shutdown(FLUSH_MS);
      client = makeClient(options);
      if (client.enabled && !observing) observe();
      return api;
    },

    currentSpan: () => currentScope()?.span(),

    setTag: (key, value) => globalTags.set(key, value),

    setUser(user) {
      api.setTag('user.id', user?.id);
      api.setTag('user.email', user?.email);
      api.setTag('user.name', user?.username);
    },

    startSpan<T>(
      name: string,
      second?: Tags | ((span: Span) => T),
      third?: (span: Span) => T,
    ): T {
      const work = typeof second === 'function' ? (second as (span: Span) => T) : third;
      const tags = typeof second === 'function' ? undefined : second;
      const outer = currentScope();
      const span = getClient().tracer.start(name, { tags });
      if (!work) return span as T;
      if (!getClient().enabled) return work(span);
      const scope = workScope(span, outer);
      const result = runSpan(span, (inner) => within(scope, inner), work);
      return result instanceof Promise ? (bindPromise(result, outer) as T) : result;
    },

    startTransaction({ name, tags }) {
      const span = getClient().tracer.start(name, { parent: null, tags });
      if (getClient().enabled) {
        const activity = new Activity(() => span, false);
        onEnd(span, () => activity.close());
      }
      return span;
    },

    captureException(error) {
      noteOn('exception', (span) => span.captureException(error));
    },

    captureMessage(message, level = 'info') {
      noteOn('message', (span) => span.addEvent('message', { message, level }));
    },

    flush: (timeoutMs = FLUSH_MS) => getClient().exporter.flush(timeoutMs),
    shutdown: (timeoutMs = FLUSH_MS) => getClient().exporter.shutdown(timeoutMs),
    stats: () => getClient().exporter.stats(),
  };
  return api;
}

/** Calls `work` when the span first ends. */
function onEnd(span: Span, work: () => void): void {
  const end = span.end;
  span.end = function (at) {
    span.end = end;
    span.end(at);
    work();
  };
}
