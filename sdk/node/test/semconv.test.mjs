/** sdk/spec/semconv.json and baggage.json, on real servers and the real client. */

import assert from 'node:assert/strict';
import { createServer, request as rawRequest } from 'node:http';
import { createRequire } from 'node:module';
import { after, before, describe, test } from 'node:test';
import { vectors } from '../../js/test/support/sources.mjs';
import { close, listen, startSink } from '../../js/test/support/sink.mjs';

const require = createRequire(import.meta.url);
const { TraceKit, tracekit } = require('../dist/index.cjs');
const express = require('express');
const TIMEOUT = { timeout: 120_000 };
const KINDS = { SERVER: 2, CLIENT: 3 };
const STATUS = { UNSET: undefined, ERROR: 2 };
const { names, server: serverCases, client: clientCases } = vectors('semconv');

let sink;

before(async () => {
  sink = await startSink();
  TraceKit.init({ apiKey: 'key', endpoint: sink.url, serviceName: 'semconv' });
});

after(async () => {
  await TraceKit.shutdown();
  await sink.close();
});

/** What arrived since the last call. */
async function spans() {
  assert.ok(await TraceKit.flush(60_000));
  return sink.spans.splice(0);
}

function checkSpan(span, kind, expect, route) {
  const spelled = (value) => (typeof value === 'string' ? value.replace('{route}', route) : value);
  assert.equal(span.name, spelled(expect.name));
  assert.equal(span.kind, KINDS[expect.kind]);
  assert.equal(span.status?.code, STATUS[expect.status]);
  for (const [key, value] of Object.entries(expect.attributes)) {
    assert.equal(span.tags[key], spelled(value), key);
  }
  for (const key in span.tags) assert.ok(names[kind].includes(key), `${key} is no name of ${kind}`);
  if (!expect.attributes['error.type']) assert.equal(span.tags['error.type'], undefined);
}

/** The frameworks: a server that answers `status` on `route`, and how it spells it. */
const frameworks = {
  Express: (route, status) => {
    const app = express().disable('x-powered-by');
    app.use(TraceKit.Handlers.requestHandler());
    if (route) app.all('/users/:id', (_req, res) => res.status(status).end());
    else app.use((_req, res) => res.status(status).end());
    return [createServer(app), '/users/:id'];
  },
  Fastify: async (route, status) => {
    const app = require('fastify')();
    app.register(TraceKit.fastifyPlugin);
    if (route) app.all('/users/:id', (_request, reply) => reply.code(status).send());
    else app.setNotFoundHandler((_request, reply) => reply.code(status).send());
    await app.ready();
    return [app.server, '/users/:id'];
  },
  'node:http': (route, status) => [
    createServer(
      TraceKit.httpHandler(
        (_req, res) => res.writeHead(status).end(),
        () => (route ? '/users/:id' : undefined),
      ),
    ),
    '/users/:id',
  ],
};

/** Sends just these headers. */
function ask(port, { method, target, host, userAgent }) {
  return new Promise((resolve, reject) => {
    const headers = { host, ...(userAgent && { 'user-agent': userAgent }) };
    const req = rawRequest({ port, host: '127.0.0.1', method, path: target, headers, agent: false });
    req.on('response', (answer) => answer.resume().on('end', resolve)).on('error', reject).end();
  });
}

for (const [name, make] of Object.entries(frameworks)) {
  describe(`semconv.json: server, ${name}`, TIMEOUT, () => {
    for (const one of serverCases) {
      test(one.name, TIMEOUT, async () => {
        const [server, route] = await make(one.route, one.status);
        await ask(await listen(server), one.request);
        await close(server);
        const [span] = await spans();
        checkSpan(span, 'server', one.expect, route);
      });
    }
  });
}

describe('semconv.json: client', TIMEOUT, () => {
  for (const { name, request, status, expect } of clientCases) {
    test(name, TIMEOUT, async () => {
      const { fetch } = globalThis;
      globalThis.fetch = async () => new Response(null, { status });
      try {
        await tracekit.fetch(request.url, { method: request.method });
      } finally {
        globalThis.fetch = fetch;
      }
      const [span] = await spans();
      checkSpan(span, 'client', expect);
    });
  }
});

describe('baggage.json: continue', TIMEOUT, () => {
  const seen = [];
  let back, front;

  before(async () => {
    back = createServer((req, res) => {
      seen.push(req.headers.baggage ?? null);
      res.end();
    });
    const url = `http://127.0.0.1:${await listen(back)}`;
    const handler = TraceKit.httpHandler(async (req, res) => {
      if (req.url !== '/') TraceKit.setBaggage('name', 'Amélie');
      await tracekit.fetch(url);
      res.end(TraceKit.getBaggage('a'));
    });
    front = createServer(handler);
    await listen(front);
  });

  after(() => Promise.all([close(front), close(back)]));

  /** Raw, since fetch joins what comes twice. */
  function call(path, { traceparent = [], baggage = [] }) {
    return new Promise((resolve, reject) => {
      const headers = { traceparent, baggage };
      const { port } = front.address();
      const req = rawRequest({ port, host: '127.0.0.1', path, headers, agent: false });
      req.on('error', reject).on('response', async (answer) => {
        let text = '';
        for await (const part of answer) text += part;
        resolve(text);
      });
      req.end();
    });
  }

  for (const { name, incoming, expect } of vectors('baggage').continue) {
    test(name, TIMEOUT, async () => {
      await call('/', incoming);
      assert.equal(seen.pop(), expect);
    });
  }

  test('a program reads it, and sets its own beside it', TIMEOUT, async () => {
    assert.equal(await call('/set', { baggage: ['a=1,name=x'] }), '1');
    assert.equal(seen.pop(), 'a=1,name=Am%C3%A9lie');
    TraceKit.setBaggage('nobody', 'listens');
    assert.equal(TraceKit.getBaggage('nobody'), undefined);
  });
});

test('a plain handler that throws is recorded, and throws on', TIMEOUT, async () => {
  const boom = new Error('boom');
  const handler = TraceKit.httpHandler(() => {
    throw boom;
  });
  const server = createServer((req, res) => {
    assert.throws(() => handler(req, res), boom);
    res.statusCode = 500;
    res.end();
  });
  await ask(await listen(server), { method: 'GET', target: '/', host: 'x' });
  await close(server);
  const span = (await spans()).find(({ status }) => status);
  assert.deepEqual([span.status.message, span.tags['error.type']], ['boom', 'Error']);
});
