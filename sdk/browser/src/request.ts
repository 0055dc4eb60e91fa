/** What fetch and XMLHttpRequest have in common: a client span, and headers for our own services. */

import { inject } from '../../js/propagation.js';
import { redactUrl } from '../../js/redact.js';
import { propagationTo, resolveUrl } from '../../js/targets.js';
import { currentScope, type Scope } from './activity.js';
import type { Client } from './client.js';
import { pageBase } from './environment.js';

export interface TracedRequest {
  /** Whose request it is; its continuations run in there. */
  scope: Scope | undefined;
  /** To be set on the request; empty when it goes to others. */
  headers: [name: string, value: string][];
  /** Ends the span: with a status, an error, or neither when the request never went out. */
  done: (status: number, error?: unknown) => void;
}

export interface RequestFacts {
  api: 'fetch' | 'xhr';
  method: string;
  url: string;
  /** The browser would drop our headers without a word (mode no-cors). */
  opaque: boolean;
  /** The app set a traceparent of its own: it is left alone. */
  hasHeader: boolean;
}

/** Nothing for requests that are none of ours. */
export type TraceRequest = (facts: RequestFacts) => TracedRequest | undefined;

function warnUntracedOrigin(client: Client, url: URL | undefined): void {
  if (client.targets && url?.origin === location.origin) {
    client.log.debug(
      'same-origin request not traced: tracePropagationTargets is set and does not match it',
    );
  }
}

/** Nothing for the SDK's own posts. */
export function traceRequest(client: Client, facts: RequestFacts): TracedRequest | undefined {
  const url = resolveUrl(facts.url, pageBase());
  if (url?.href.startsWith(client.url)) return undefined;
  const scope = currentScope();
  const span = client.tracer.start(`${facts.api} ${url ? url.pathname : facts.url}`, {
    kind: 'CLIENT',
    parent: scope?.span() ?? null,
    tags: {
      'http.request.method': facts.method,
      'url.full': url && redactUrl(url.href),
      'server.address': url?.hostname,
      'server.port': Number(url?.port) || undefined,
    },
  });
  const headers: TracedRequest['headers'] = [];
  const propagation = propagationTo(url, client.targets, location.origin);
  if (propagation === 'not_target') warnUntracedOrigin(client, url);
  if (!facts.opaque || propagation !== 'sent') {
    span.setTag('tracekit.propagation', propagation);
    if (propagation === 'sent' && !facts.hasHeader) {
      inject(span, (name, value) => headers.push([name, value]));
    }
  }
  scope?.opened();
  return {
    scope,
    headers,
    done(status, error) {
      if (status) span.setTag('http.response.status_code', status);
      if (error) span.captureException(error);
      else if (status >= 400) span.setStatus('ERROR').setTag('error.type', `${status}`);
      span.end();
      scope?.closed();
    },
  };
}
