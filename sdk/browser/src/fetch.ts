/** Traces `fetch`. */

import { bindPromise, type Scope } from './activity.js';
import type { TraceRequest } from './request.js';

const BODY_READERS = ['arrayBuffer', 'blob', 'formData', 'json', 'text'] as const;

const scopes = new WeakMap<Response, Scope>();

/** `await response.json()` belongs to the scope that made the request, and goes on in it. */
function bindBodyReaders(): void {
  const prototype = Response.prototype;
  for (const name of BODY_READERS) {
    const read = prototype[name] as (this: Response) => Promise<unknown>;
    const bound = function (this: Response): Promise<unknown> {
      const scope = scopes.get(this);
      const body = read.call(this);
      if (!scope) return body;
      scope.opened();
      return bindPromise(
        body.finally(() => scope.closed()),
        scope,
      );
    };
    Object.defineProperty(prototype, name, { value: bound, configurable: true, writable: true });
  }
}

function tracedFetch(
  trace: TraceRequest,
  original: typeof fetch,
  input: RequestInfo | URL,
  init: RequestInit | undefined,
): Promise<Response> | undefined {
  const request = input instanceof Request ? input : undefined;
  const headers = new Headers(init?.headers ?? request?.headers);
  const traced = trace({
    api: 'fetch',
    method: (init?.method ?? request?.method ?? 'GET').toUpperCase(),
    url: request?.url ?? String(input),
    opaque: (init?.mode ?? request?.mode) === 'no-cors',
    hasHeader: headers.has('traceparent'),
  });
  if (!traced) return undefined;
  for (const [name, value] of traced.headers) headers.set(name, value);
  const changed = traced.headers.length ? { ...init, headers } : init;
  const answered = original.call(globalThis, input, changed).then(
    (response) => {
      if (traced.scope) scopes.set(response, traced.scope);
      traced.done(response.status);
      return response;
    },
    (error) => {
      traced.done(0, error);
      throw error;
    },
  );
  return traced.scope ? bindPromise(answered, traced.scope) : answered;
}

/** `trace` is told of each request before it goes out. */
export function instrumentFetch(trace: TraceRequest): void {
  const original = globalThis.fetch;
  bindBodyReaders();
  globalThis.fetch = function fetch(input, init) {
    let answer;
    try {
      answer = tracedFetch(trace, original, input, init);
    } catch {
      // Arguments that cannot be read are for the browser to refuse.
    }
    return answer ?? original.call(globalThis, input, init);
  };
}
