/** The document's blocks for Node, run as they are written. */

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { TraceKit } from '@tracekit/node';
import { block, skipped } from '../../js/test/support/seed.mjs';
import { close, listen, startSink } from '../../js/test/support/sink.mjs';

const TIMEOUT = { timeout: 300_000, skip: skipped };
const TRACEPARENT = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

const require = createRequire(import.meta.url);
const AsyncFunction = (async () => {}).constructor;

/** Runs the code with these names in reach, and answers with the value of `result`. */
function run(code, names, result) {
  const source = `${code}\nreturn ${result};`;
  return new AsyncFunction(...Object.keys(names), source)(...Object.values(names));
}

let sink;

beforeEach(async () => {
  sink = await startSink();
  TraceKit.init({ apiKey: 'key', serviceName: 'seed', endpoint: sink.url });
});

afterEach(async () => {
  await TraceKit.shutdown();
  await sink.close();
});

async function get(handler, path, headers = { traceparent: TRACEPARENT }) {
  const server = createServer(handler);
  const url = `http://127.0.0.1:${await listen(server)}`;
  const response = await fetch(url + path, { headers });
  await response.text();
  await close(server);
  await TraceKit.flush();
  return response;
}

function assertContinued(span) {
  assert.equal(span.name, 'GET /api/users');
  assert.equal(span.traceId, '4bf92f3577b34da6a3ce929d0e0e4736');
  assert.equal(span.parentSpanId, '00f067aa0ba902b7');
}

describe('the document', TIMEOUT, () => {
  test('Step 3: Express (S60, S61, S62, S68, S129)', TIMEOUT, async () => {
    const code = block('const app = express();', "app.get('/api/users'") +
      block(', (req, res) => {', '});').replace('/* ... */', 'res.json([]);');
    const names = { TraceKit: require('@tracekit/node'), express: require('express') };
    await get(await run(code, names, 'app'), '/api/users');
    assertContinued(await sink.span('GET /api/users'));
  });

  test('Step 3: Fastify (S63, S68)', TIMEOUT, async () => {
    const fastify = require('fastify')();
    const code = block('// Register TraceKit plugin', '.fastifyPlugin);');
    await run(code, { fastify, require }, 'fastify');
    fastify.get('/api/users', async () => []);
    await fastify.ready();
    await get(fastify.routing, '/api/users');
    assertContinued(await sink.span('GET /api/users'));
  });

  test('Step 4: backend to backend (S70, S71)', TIMEOUT, async () => {
    let seen;
    const service = createServer((req, res) => {
      seen = req;
      res.end('{"users":[]}');
    });
    const url = `http://127.0.0.1:${await listen(service)}`;
    const code = block("const { tracekit } = require('@tracekit/node');", 'await response.json();');
    const data = await run(code.replace('http://go-service:8080', url), { require }, 'data');
    await close(service);
    assert.deepEqual(data, { users: [] });
    assert.equal(seen.url, '/api/data');
    await TraceKit.flush();
    const { traceId, spanId } = await sink.span('GET');
    assert.equal(seen.headers.traceparent, `00-${traceId}-${spanId}-03`);
    assert.equal(seen.headers.tracestate, 'ot=th:0');
  });

  test('Step 7: backend tags (S103)', TIMEOUT, async () => {
    const code = block("tracekit.setTag('order.id'", "'tenant.id', tenantId);");
    const { tracekit } = require('@tracekit/node');
    const app = require('express')();
    app.use(TraceKit.Handlers.requestHandler());
    app.get('/order', async (_req, res) => {
      await run(code, { tracekit, orderId: 42, tenantId: 'acme' }, 'null');
      res.end();
    });
    await get(app, '/order');
    const { tags } = await sink.span('GET /order');
    assert.deepEqual([tags['order.id'], tags['tenant.id']], [42, 'acme']);
  });

  test('Troubleshooting: CORS in Express (S110)', TIMEOUT, async () => {
    const code = block('app.use(cors({', '}));');
    const app = require('express')();
    await run(code, { app, cors: require('cors') }, 'app');
    const server = createServer(app);
    const url = `http://127.0.0.1:${await listen(server)}`;
    const response = await fetch(url, { method: 'OPTIONS' });
    await close(server);
    assert.equal(response.headers.get('access-control-allow-origin'), 'http://localhost:3000');
    const allowed = response.headers.get('access-control-allow-headers');
    assert.match(allowed, /traceparent,tracestate/);
  });
});
