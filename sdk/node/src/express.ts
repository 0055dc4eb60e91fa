/** Express 4 and 5. */

import type { IncomingMessage, ServerResponse } from 'node:http';
import { meetEarly, serve, serveFailed } from './server.js';

/** The part of Express's request that is needed; its own types stay the app's. */
interface Request extends IncomingMessage {
  baseUrl?: string;
  route?: { path?: unknown };
  app?: { use: (handler: ErrorHandler) => unknown };
}

type Next = (error?: unknown) => void;
export type Handler = (req: Request, res: ServerResponse, next: Next) => void;
export type ErrorHandler = (
  error: unknown,
  req: Request,
  res: ServerResponse,
  next: Next,
) => void;

const apps = new WeakSet<object>();

function routeOf(req: Request): string | undefined {
  const path = req.route?.path;
  return path === undefined ? undefined : (req.baseUrl ?? '') + String(path);
}

const recordError: ErrorHandler = (error, req, _res, next) => {
  serveFailed(req, error);
  next(error);
};

function prepare(app: Request['app']): void {
  if (!app || apps.has(app)) return;
  apps.add(app);
  // Last in the line, so that errors no handler of the app takes are recorded without ado.
  app.use(recordError);
}

const traceRequest: Handler = (req, res, next) => {
  prepare(req.app);
  serve(req, res, () => routeOf(req), next);
};

function traceRequests(): Handler {
  meetEarly();
  return traceRequest;
}

export const Handlers = {
  /** Opens the request: its span, and the context that tags and children find it by. */
  requestHandler: traceRequests,
  /** The same; a request that is open already is let through. One of the two is enough. */
  tracingHandler: traceRequests,
  /** Records errors; needed only in front of error handlers that answer by themselves. */
  errorHandler: (): ErrorHandler => recordError,
};
