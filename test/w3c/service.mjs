/** The service that W3C's harness talks to: `node service.mjs express|express5|fastify|http`. */

import { createServer } from 'node:http';
import { createRequire } from 'node:module';

const require = createRequire(new URL('../../sdk/node/package.json', import.meta.url));
const { TraceKit, tracekit } = require('./dist/index.cjs');

TraceKit.init();

/** What the harness asks for: each of the calls, through the traced client. */
async function callAll(calls) {
  for (const { url, arguments: next } of calls) {
    const headers = { 'Content-Type': 'application/json' };
    const answer = await tracekit.fetch(url, { method: 'POST', headers, body: JSON.stringify(next) });
    await answer.arrayBuffer();
  }
}

async function readJson(req) {
  const parts = [];
  for await (const part of req) parts.push(part);
  return JSON.parse(Buffer.concat(parts));
}

function expressServer(name) {
  const express = require(name);
  const app = express();
  app.use(TraceKit.Handlers.requestHandler());
  app.use(express.json());
  app.post('/test', (req, res, next) => callAll(req.body).then(() => res.json({}), next));
  return createServer(app);
}

function fastifyServer() {
  const fastify = require('fastify')();
  fastify.register(TraceKit.fastifyPlugin);
  fastify.post('/test', async (request) => {
    await callAll(request.body);
    return {};
  });
  return fastify.ready().then(() => fastify.server);
}

function plainServer() {
  return createServer(
    TraceKit.httpHandler(async (req, res) => {
      await callAll(await readJson(req));
      res.end('{}');
    }),
  );
}

const servers = {
  express: () => expressServer('express'),
  express5: () => expressServer('express5'),
  fastify: fastifyServer,
  http: plainServer,
};
const server = await servers[process.argv[2]]();
server.listen(0, '127.0.0.1', () => {
  console.log(`ready http://127.0.0.1:${server.address().port}`);
});
