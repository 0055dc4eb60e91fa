/** Fastify 4 and 5. */

import type { IncomingMessage, ServerResponse } from 'node:http';
import { serve, serveFailed } from './server.js';

const routes = new WeakMap<IncomingMessage, string>();

interface Request {
  raw: IncomingMessage;
  routeOptions?: { url?: string };
}

interface Reply {
  raw: ServerResponse;
}

type Hook = (request: Request, reply: Reply, done: () => void) => void;

interface Route {
  url: string;
  onRequest?: Hook | Hook[];
}

interface Fastify {
  addHook(name: 'onRoute', hook: (route: Route) => void): unknown;
  addHook(name: 'onRequest', hook: Hook): unknown;
  addHook(
    name: 'onError',
    hook: (request: Request, reply: Reply, error: unknown, done: () => void) => void,
  ): unknown;
}

/** Any Fastify's instance: the SDK depends on the package of none. */
type Plugin = (fastify: unknown, options: object, done: () => void) => void;

function addHooks(fastify: Fastify): void {
  // Fastify makes `routeOptions` anew whenever they are asked for, which takes 2 us.
  fastify.addHook('onRoute', (route) => {
    const { url, onRequest = [] } = route;
    const note: Hook = (request, _reply, next) => {
      routes.set(request.raw, url);
      next();
    };
    route.onRequest = [note].concat(onRequest);
  });
  fastify.addHook('onRequest', (request, reply, next) => {
    const { raw } = request;
    serve(raw, reply.raw, () => routes.get(raw) ?? request.routeOptions?.url, next);
  });
  fastify.addHook('onError', (request, _reply, error, next) => {
    serveFailed(request.raw, error);
    next();
  });
}

/**
 * `fastify.register(fastifyPlugin)` and `fastify.register(fastifyPlugin())` are the same: called
 * without an instance it returns itself.
 */
export function fastifyPlugin(): Plugin;
export function fastifyPlugin(fastify: unknown, options: object, done: () => void): void;
export function fastifyPlugin(
  fastify?: unknown,
  _options?: object,
  done?: () => void,
): Plugin | void {
  if (!fastify) return fastifyPlugin;
  addHooks(fastify as Fastify);
  done?.();
}

// Not a scope of its own: the hooks serve the routes of whoever registers it.
Object.assign(fastifyPlugin, {
  [Symbol.for('skip-override')]: true,
  [Symbol.for('fastify.display-name')]: '@tracekit/node',
});
