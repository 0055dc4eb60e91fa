/** The server span of a request, whichever framework serves it. */

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { formatBaggage, parseBaggage } from '../../js/baggage.js';
import { extract } from '../../js/propagation.js';
import { redactUrl } from '../../js/redact.js';
import { getClient, storage } from './client.js';
import type { NodeSpan as Span } from './span.js';

const METHODS = new Set(
  'GET HEAD POST PUT DELETE CONNECT OPTIONS TRACE PATCH QUERY'.split(' '),
);

/**
 * A request that belongs to a span. A named member: a symbol is stored by key, and with as many
 * members as Express gives a request that makes a slow dictionary of it; a WeakMap with an entry
 * for every request keeps the collector busy.
 */
interface Traced extends IncomingMessage {
  _tracekitSpan?: Span;
}

function valuesOf(header: string | string[] | undefined): string[] {
  return typeof header === 'string' ? [header] : (header ?? []);
}

/** The method's tags: an unknown one is not let into names and group-bys. */
export function setMethod(span: Span, method: string): void {
  if (METHODS.has(method)) span.setTag('http.request.method', method);
  else span.setTag('http.request.method', '_OTHER').setTag('http.request.method_original', method);
}

export function methodName(method: string): string {
  return METHODS.has(method) ? method : 'HTTP';
}

/** Express cuts the mount point off `url`. */
function requestTarget(req: IncomingMessage & { originalUrl?: string }): string {
  return req.originalUrl ?? req.url ?? '/';
}

function setAddress(span: Span, authority: string): void {
  const colon = authority.lastIndexOf(':');
  const port = colon > authority.lastIndexOf(']') ? Number(authority.slice(colon + 1)) : NaN;
  span.setTag('server.address', port >= 0 ? authority.slice(0, colon) : authority);
  if (port >= 0) span.setTag('server.port', port);
}

function setRequest(span: Span, req: IncomingMessage): void {
  const { headers, socket } = req;
  const target = requestTarget(req);
  const query = target.indexOf('?');
  const authority = headers.host ?? headers[':authority'];
  const agent = headers['user-agent'];
  setMethod(span, req.method ?? 'GET');
  span.setTag('url.scheme', (socket as TLSSocket).encrypted ? 'https' : 'http');
  span.setTag('url.path', query < 0 ? target : target.slice(0, query));
  if (query >= 0) span.setTag('url.query', redactUrl(target.slice(query)).slice(1));
  if (authority) setAddress(span, String(authority));
  span.setTag('client.address', socket.remoteAddress);
  if (agent) span.setTag('user_agent.original', agent);
  span.setTag('network.protocol.version', req.httpVersion);
}

/** A browser's question whether it may ask; no part of anyone's request. */
function isPreflight(req: IncomingMessage): boolean {
  return req.method === 'OPTIONS' && 'access-control-request-method' in req.headers;
}

function finish(span: Span, req: IncomingMessage, res: ServerResponse, route?: string): void {
  if (!span.recording) return;
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

/** `emit` of a traced request: its listeners are told within the span. */
function emitWithin(this: Traced, ...event: Parameters<NodeJS.EventEmitter['emit']>): boolean {
  let below = Object.getPrototypeOf(this) as NodeJS.EventEmitter;
  while (below.emit === emitWithin) below = Object.getPrototypeOf(below) as NodeJS.EventEmitter;
  const { emit } = below;
  const span = this._tracekitSpan;
  if (!span || storage.getStore() === span) return emit.apply(this, event);
  return storage.run(span, () => emit.apply(this, event));
}

function bindEmitter(req: Traced, span: Span): void {
  req._tracekitSpan = span;
  if (Object.hasOwn(req, 'emit')) {
    const { emit } = req;
    req.emit = (...event: Parameters<typeof emit>) =>
      storage.run(span, () => emit.apply(req, event));
  } else {
    req.emit = emitWithin;
  }
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
  if ((req as Traced)._tracekitSpan || isPreflight(req)) return next();
  const { traceparent, tracestate, baggage } = req.headers;
  const span = getClient().tracer.start(methodName(req.method ?? 'GET'), {
    kind: 'SERVER',
    parent: traceparent ? (extract(valuesOf(traceparent), valuesOf(tracestate)) ?? null) : null,
  });
  if (baggage) span.baggage = formatBaggage(parseBaggage(valuesOf(baggage)));
  if (span.recording) setRequest(span, req);
  bindEmitter(req, span);
  const done = (): void => finish(span, req, res, route());
  res.on('finish', done);
  res.on('close', done);
  storage.run(span, next);
}

/** Runs a handler that answers by itself; what it throws is recorded, and thrown on. */
export function serveWith(
  handler: (req: IncomingMessage, res: ServerResponse) => unknown,
  req: IncomingMessage,
  res: ServerResponse,
): unknown {
  try {
    const result = handler(req, res);
    if (!(result instanceof Promise)) return result;
    return result.catch((error: unknown) => {
      serveFailed(req, error);
      throw error;
    });
  } catch (error) {
    serveFailed(req, error);
    throw error;
  }
}

/** Records an error that a request failed with; the caller's own mistakes (4xx) are none. */
export function serveFailed(req: IncomingMessage, error: unknown): void {
  const { status, statusCode } = (error ?? {}) as { status?: unknown; statusCode?: unknown };
  const code = Number(status ?? statusCode ?? 500);
  if (!(code < 500)) (req as Traced)._tracekitSpan?.captureException(error);
}
