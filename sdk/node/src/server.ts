/** The server span of a request, whichever framework serves it. */

import { subscribe } from 'node:diagnostics_channel';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { nameOf } from '../../js/attributes.js';
import { formatBaggage, parseBaggage } from '../../js/baggage.js';
import { extract } from '../../js/propagation.js';
import { redactUrl } from '../../js/redact.js';
import { getClient, storage } from './client.js';
import type { NodeSpan as Span } from './span.js';

const METHODS = new Set(
  'GET HEAD POST PUT DELETE CONNECT OPTIONS TRACE PATCH QUERY'.split(' '),
);

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
function targetOf(req: IncomingMessage & { originalUrl?: string }): string {
  return req.originalUrl ?? req.url ?? '/';
}

/** A request and what answers it, as they came: frameworks change both. */
class Exchange {
  readonly method: string;
  readonly target: string;
  readonly headers: IncomingHttpHeaders;
  readonly socket: Socket;
  readonly version: string;
  /** Set when the request is served within a span. */
  span: Span | undefined;
  route: () => string | undefined = () => undefined;

  constructor(
    req: IncomingMessage,
    private readonly _res: ServerResponse,
  ) {
    this.method = req.method ?? 'GET';
    this.target = targetOf(req);
    this.headers = req.headers;
    this.socket = req.socket;
    this.version = req.httpVersion;
    _res.on('finish', () => this._end(true));
    _res.on('close', () => this._end(false));
  }

  /** Whoever is asked may throw: this is told by an event, where that would end the process. */
  private _routeTaken(): string | undefined {
    try {
      return this.route()?.toString();
    } catch (error) {
      getClient().log.loud('route', `the route of a request is not known: ${nameOf(error)}`);
      return undefined;
    }
  }

  private _end(answered: boolean): void {
    const { span, _res: res } = this;
    if (!span?.recording) return;
    const route = this._routeTaken();
    if (route) span.setName(`${methodName(this.method)} ${route}`).setTag('http.route', route);
    if (answered || res.headersSent) {
      const status = res.statusCode;
      span.setTag('http.response.status_code', status);
      if (status >= 500 && span.status !== 'ERROR') {
        span.setStatus('ERROR').setTag('error.type', String(status));
      }
    }
    span.end();
  }
}

/** A named member: a WeakMap with an entry for every request keeps the collector busy. */
interface Known extends IncomingMessage {
  _tracekit?: Exchange;
}

type Emit = NodeJS.EventEmitter['emit'];

function emitIn(
  span: Span | undefined,
  emit: Emit,
  req: IncomingMessage,
  event: Parameters<Emit>,
): boolean {
  if (!span || storage.getStore() === span) return emit.apply(req, event);
  return storage.run(span, () => emit.apply(req, event));
}

/** `emit` of a known request: its listeners are told within the span, once it has one. */
function emitWithin(this: Known, ...event: Parameters<Emit>): boolean {
  let below = Object.getPrototypeOf(this) as NodeJS.EventEmitter;
  while (below.emit === emitWithin) below = Object.getPrototypeOf(below) as NodeJS.EventEmitter;
  return emitIn(this._tracekit?.span, below.emit, this, event);
}

/** A member of the request itself: its prototype is another one in every app that it comes to. */
function bindEmitter(req: Known, exchange: Exchange): void {
  if (Object.hasOwn(req, 'emit')) {
    const { emit } = req;
    req.emit = (...event: Parameters<Emit>) => emitIn(exchange.span, emit, req, event);
  } else {
    req.emit = emitWithin;
  }
}

function meet(req: Known, res: ServerResponse): Exchange {
  const exchange = new Exchange(req, res);
  req._tracekit = exchange;
  bindEmitter(req, exchange);
  return exchange;
}

let early = false;

/**
 * Has node tell of every request before a framework has it, which it does on a diagnostics channel.
 * Express gives each another prototype; from then on V8 makes a new map for every member that is
 * added, and finds no member where it was in the request before: 0.5 to 3 us for each one touched,
 * in all a third of what a request of Express cost. Which requests have a span is said by `serve`.
 */
export function meetEarly(): void {
  if (early) return;
  early = true;
  subscribe('http.server.request.start', (message) => {
    const { request, response } = message as { request: Known; response: ServerResponse };
    meet(request, response);
  });
}

/** A browser's question whether it may ask; no part of anyone's request. */
function isPreflight({ method, headers }: Exchange): boolean {
  return method === 'OPTIONS' && 'access-control-request-method' in headers;
}

function setAddress(span: Span, authority: string): void {
  const colon = authority.lastIndexOf(':');
  const port = colon > authority.lastIndexOf(']') ? Number(authority.slice(colon + 1)) : NaN;
  span.setTag('server.address', port >= 0 ? authority.slice(0, colon) : authority);
  if (port >= 0) span.setTag('server.port', port);
}

function setRequest(span: Span, { method, target, headers, socket, version }: Exchange): void {
  const query = target.indexOf('?');
  const authority = headers.host ?? headers[':authority'];
  const agent = headers['user-agent'];
  setMethod(span, method);
  span.setTag('url.scheme', (socket as TLSSocket).encrypted ? 'https' : 'http');
  span.setTag('url.path', query < 0 ? target : target.slice(0, query));
  if (query >= 0) span.setTag('url.query', redactUrl(target.slice(query)).slice(1));
  if (authority) setAddress(span, String(authority));
  span.setTag('client.address', socket.remoteAddress);
  if (agent) span.setTag('user_agent.original', agent);
  span.setTag('network.protocol.version', version);
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
  const exchange = (req as Known)._tracekit ?? meet(req, res);
  if (exchange.span || isPreflight(exchange)) return next();
  const { traceparent, tracestate, baggage } = exchange.headers;
  const span = getClient().tracer.start(methodName(exchange.method), {
    kind: 'SERVER',
    parent: traceparent ? (extract(valuesOf(traceparent), valuesOf(tracestate)) ?? null) : null,
  });
  if (baggage) span.baggage = formatBaggage(parseBaggage(valuesOf(baggage)));
  if (span.recording) setRequest(span, exchange);
  exchange.span = span;
  exchange.route = route;
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
  if (!(code < 500)) (req as Known)._tracekit?.span?.captureException(error);
}
