/** The traced client: `fetch` with a client span, and the trace headers on the request. */

import { inject } from '../../js/propagation.js';
import { redactUrl } from '../../js/redact.js';
import { propagationTo, resolveUrl } from '../../js/targets.js';
import { getClient, storage } from './client.js';
import { methodName, setMethod } from './server.js';
import type { NodeSpan as Span } from './span.js';

type Input = Parameters<typeof fetch>[0];
type Init = Parameters<typeof fetch>[1];

export function setUrl(span: Span, url: URL | undefined): void {
  if (!url) return;
  span.setTag('url.full', redactUrl(url.href)).setTag('server.address', url.hostname);
  span.setTag('server.port', Number(url.port) || (url.protocol === 'https:' ? 443 : 80));
}

/** Of a client, a 4xx is an error, too. */
export function setAnswer(span: Span, status: number): void {
  span.setTag('http.response.status_code', status);
  if (status >= 400) span.setStatus('ERROR').setTag('error.type', String(status));
}

/** Sets the headers of a request that `span` makes, if its URL is one of the targets. */
export function injectInto(
  span: Span,
  url: URL | undefined,
  set: (name: string, value: string) => void,
): void {
  if (propagationTo(url, getClient().targets, undefined) !== 'sent') return;
  inject(span, set);
  if (span.entry.baggage) set('baggage', span.entry.baggage);
}

interface Coded {
  code?: unknown;
  name?: unknown;
  cause?: Coded;
}

/** An error's code (ECONNREFUSED) says more than its class; fetch hides it in the cause. */
export function errorType(error: unknown): string {
  const { code, name, cause } = (error ?? {}) as Coded;
  const codes = [code, cause?.code].filter((one) => typeof one === 'string');
  return String(codes[0] ?? cause?.name ?? name ?? typeof error);
}

/** Like `fetch`, in every respect that can be seen from outside. */
export async function tracedFetch(input: Input, init?: Init): Promise<Response> {
  const request = input instanceof Request ? input : undefined;
  const method = (init?.method ?? request?.method ?? 'GET').toUpperCase();
  const url = resolveUrl(request?.url ?? String(input));
  const span = getClient().tracer.start(methodName(method), { kind: 'CLIENT' });
  setMethod(span, method);
  setUrl(span, url);
  try {
    const headers = new Headers(init?.headers ?? request?.headers);
    if (!headers.has('traceparent')) {
      injectInto(span, url, (name, value) => headers.set(name, value));
    }
    const response = await storage.run(span, () => fetch(input, { ...init, headers }));
    setAnswer(span, response.status);
    return response;
  } catch (error) {
    span.captureException(error).setTag('error.type', errorType(error));
    throw error;
  } finally {
    span.end();
  }
}
