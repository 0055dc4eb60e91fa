/**
 * undici, and node's own `fetch`, which is built on it: both tell what they do on diagnostics
 * channels, so that their requests are traced without touching a module.
 */

import { subscribe } from 'node:diagnostics_channel';
import { resolveUrl } from '../../js/targets.js';
import { getClient, storage } from './client.js';
import { errorType, injectInto, setAnswer, setUrl } from './fetch.js';
import { methodName, setMethod } from './server.js';
import type { NodeSpan } from './span.js';

interface UndiciRequest {
  origin: string | URL;
  path: string;
  method: string;
  /** One text in version 5, a list of names and values from 6 on. */
  headers: string | string[];
  addHeader(name: string, value: string): unknown;
}

interface Message {
  request: UndiciRequest;
  response: { statusCode: number };
  error: unknown;
}

const spans = new WeakMap<UndiciRequest, NodeSpan>();

let watching = false;

function hasTraceparent({ headers }: UndiciRequest): boolean {
  const text = typeof headers === 'string' ? headers : headers.join('\n');
  return /^traceparent(?::|$)/im.test(text);
}

function onCreate({ request }: Message): void {
  // What a traced client asks for is that client's request, and has its span.
  if (storage.getStore()?.kind === 'CLIENT') return;
  const span = getClient().tracer.start(methodName(request.method), { kind: 'CLIENT' });
  spans.set(request, span);
  const url = resolveUrl(request.path, String(request.origin));
  setMethod(span, request.method);
  setUrl(span, url);
  if (!hasTraceparent(request)) {
    injectInto(span, url, (name, value) => request.addHeader(name, value));
  }
}

function onHeaders({ request, response }: Message): void {
  const span = spans.get(request);
  if (!span) return;
  setAnswer(span, response.statusCode);
  span.end();
}

function onError({ request, error }: Message): void {
  spans.get(request)?.captureException(error).setTag('error.type', errorType(error)).end();
}

/**
 * From now on every request of undici and of the global `fetch` in this process is a client span
 * and carries the trace to where `tracePropagationTargets` lets it. Once is enough.
 */
export function traceUndici(): void {
  if (watching) return;
  watching = true;
  const listeners = { create: onCreate, headers: onHeaders, error: onError };
  for (const [name, listener] of Object.entries(listeners)) {
    subscribe(`undici:request:${name}`, (message) => {
      try {
        listener(message as Message);
      } catch {
        // Another version's message: the request goes on without a span.
      }
    });
  }
}
