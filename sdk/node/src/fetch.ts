/** The traced client: `fetch` with a client span, and the trace headers on the request. */

import type { Tags } from '../../js/attributes.js';
import { inject } from '../../js/propagation.js';
import { redactUrl } from '../../js/redact.js';
import { propagationTo, resolveUrl } from '../../js/targets.js';
import { getClient, storage } from './client.js';
import { methodName, methodTags } from './server.js';

type Input = Parameters<typeof fetch>[0];
type Init = Parameters<typeof fetch>[1];

function urlTags(url: URL | undefined): Tags {
  if (!url) return {};
  return {
    'url.full': redactUrl(url.href),
    'server.address': url.hostname,
    'server.port': Number(url.port) || (url.protocol === 'https:' ? 443 : 80),
  };
}

/** An error's code (ECONNREFUSED) says more than its class; fetch hides it in the cause. */
function errorType(error: unknown): string {
  const { cause, name } = error as { cause?: { code?: unknown; name?: unknown }; name?: unknown };
  return String(cause?.code ?? cause?.name ?? name ?? typeof error);
}

/** Like `fetch`, in every respect that can be seen from outside. */
export async function tracedFetch(input: Input, init?: Init): Promise<Response> {
  const request = input instanceof Request ? input : undefined;
  const method = (init?.method ?? request?.method ?? 'GET').toUpperCase();
  const url = resolveUrl(request?.url ?? String(input));
  const { tracer, targets } = getClient();
  const span = tracer.start(methodName(method), {
    kind: 'CLIENT',
    tags: { ...methodTags(method), ...urlTags(url) },
  });
  try {
    const headers = new Headers(init?.headers ?? request?.headers);
    if (!headers.has('traceparent') && propagationTo(url, targets, undefined) === 'sent') {
      inject(span, (name, value) => headers.set(name, value));
    }
    const response = await storage.run(span, () => fetch(input, { ...init, headers }));
    span.setTag('http.response.status_code', response.status);
    if (response.status >= 400) {
      span.setStatus('ERROR').setTag('error.type', String(response.status));
    }
    return response;
  } catch (error) {
    span.captureException(error).setTag('error.type', errorType(error));
    throw error;
  } finally {
    span.end();
  }
}
