/** Fastify 4 and 5. */

import type { IncomingMessage, ServerResponse } from 'node:http';
import { serve, serveFailed } from './server.js';

interface Request {
  raw: IncomingMessage;
  routeOptions?: { url?: string };
}

interface Reply {
  raw: ServerResponse;
}

type Hook = (request: Request, reply: Reply, done: () => void) => void;

interface Fastify {
  addHook(name: 'onRequest', hook: Hook): unknown;
  addHook(
    name: 'onError',
    hook: (request: Request, reply: Reply, error: unknown, done: () => void) => void,
  ): unknown;
}

/** Any Fastify's instance: the SDK depends on the package of none. */
type Plugin = (fastify: unknown, options: object, done: () => void) => void;

let context: symbol | undefined;

/**
 * The pattern of the route that was taken. Fastify makes `routeOptions` anew whenever they are
 * asked for, which takes 2 us; what it makes them of lies in the request, under its own symbol.
 */
function routeOf(request: Request): string | undefined {
  context ??= Object.getOwnPropertySymbols(request).find(
    ({ description }) => description === 'fastify.context',
  );
  const kept = (request as unknown as Record<symbol, { config?: { url?: string } }>)[context!];
  return kept ? kept.config?.url : request.routeOptions?.url;
}

function addHooks(fastify: Fastify): void {
  fastify.addHook('onRequest', (request, reply, next) => {
    serve(request.raw, reply.raw, () => routeOf(request), next);
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
