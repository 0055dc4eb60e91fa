/** The server span of a request, whichever framework serves it. */

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { extract } from '../../js/propagation.js';
import { redactUrl } from '../../js/redact.js';
import type { Tags } from '../../js/attributes.js';
import type { Span } from '../../js/span.js';
import { getClient, storage } from './client.js';

const METHODS = /^(GET|HEAD|POST|PUT|DELETE|CONNECT|OPTIONS|TRACE|PATCH|QUERY)$/;

const spans = new WeakMap<IncomingMessage, Span>();

function valuesOf(header: string | string[] | undefined): string[] {
  return header === undefined ? [] : [header].flat();
}

/** The method's tags: an unknown one is not let into names and group-bys. */
export function methodTags(method: string): Tags {
  if (METHODS.test(method)) return { 'http.request.method': method };
  return { 'http.request.method': '_OTHER', 'http.request.method_original': method };
}

export function methodName(method: string): string {
  return METHODS.test(method) ? method : 'HTTP';
}

/** Express cuts the mount point off `url`. */
function requestTarget(req: IncomingMessage & { originalUrl?: string }): string {
  return req.originalUrl ?? req.url ?? '/';
}

function requestTags(req: IncomingMessage): Tags {
  const [path, query] = requestTarget(req).split(/\?([^]*)/);
  const authority = req.headers.host ?? req.headers[':authority'];
  const host = /^(.*?)(?::(\d+))?$/.exec(String(authority ?? ''));
  return {
    ...methodTags(req.method ?? 'GET'),
    'url.scheme': (req.socket as TLSSocket).encrypted ? 'https' : 'http',
    'url.path': path,
    'url.query': query && redactUrl('?' + query).slice(1),
    'server.address': host?.[1] || undefined,
    'server.port': host?.[2] ? Number(host[2]) : undefined,
    'client.address': req.socket.remoteAddress,
    'user_agent.original': req.headers['user-agent'],
    'network.protocol.version': req.httpVersion,
  };
}

/** A browser's question whether it may ask; no part of anyone's request. */
function isPreflight(req: IncomingMessage): boolean {
  return req.method === 'OPTIONS' && 'access-control-request-method' in req.headers;
}

function finish(span: Span, req: IncomingMessage, res: ServerResponse, route?: string): void {
  if (route) {
    span.setName(`${methodName(req.method ?? 'GET')} ${route}`).setTag('http.route', route);
  }
  if (res.headersSent) {
    span.setTag('http.response.status_code', res.statusCode);
    if (res.statusCode >= 500 && span.status !== 'ERROR') {
      span.setStatus('ERROR').setTag('error.type', String(res.statusCode));
    }
  }
  span.end();
}

/** Events of the emitter are told to their listeners within the span. */
function bindEmitter(emitter: NodeJS.EventEmitter, span: Span): void {
  const emit = emitter.emit;
  emitter.emit = function (this: NodeJS.EventEmitter, ...event) {
    return storage.run(span, () => emit.apply(this, event));
  };
}

/**
 * Runs `next` within the server span of this request, made when it has none yet: a child of the
 * caller its headers name. CORS preflights have none. The span ends with the response; `route` is
 * asked then: the pattern (`/users/:id`), never the path.
 */
export function serve(
  req: IncomingMessage,
  res: ServerResponse,
  route: () => string | undefined,
  next: () => void,
): void {
  if (spans.has(req) || isPreflight(req)) return next();
  const { traceparent, tracestate } = req.headers;
  const span = getClient().tracer.start(methodName(req.method ?? 'GET'), {
    kind: 'SERVER',
    parent: extract(valuesOf(traceparent), valuesOf(tracestate)) ?? null,
    tags: requestTags(req),
  });
  spans.set(req, span);
  bindEmitter(req, span);
  bindEmitter(res, span);
  const done = (): void => finish(span, req, res, route());
  res.once('finish', done);
  res.once('close', done);
  storage.run(span, next);
}

/** Records an error that a request failed with; the caller's own mistakes (4xx) are none. */
export function serveFailed(req: IncomingMessage, error: unknown): void {
  const { status, statusCode } = (error ?? {}) as { status?: unknown; statusCode?: unknown };
  const code = Number(status ?? statusCode ?? 500);
  if (!(code < 500)) spans.get(req)?.captureException(error);
}
