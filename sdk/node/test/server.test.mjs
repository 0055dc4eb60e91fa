/** Real Express 4 and 5 and Fastify 4 and 5 apps, traced into a receiver. */

import assert from 'node:assert/strict';
import { createServer, request } from 'node:http';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { TraceKit, fastifyPlugin, tracekit } from '@tracekit/node';
import express4 from 'express';
import express5 from 'express5';
import fastify4 from 'fastify';
import fastify5 from 'fastify5';
import { close, listen, readBody, startSink } from '../../js/test/support/sink.mjs';

const TIMEOUT = { timeout: 300_000 };

// Whoever runs the tests may have a key.
for (const name of Object.keys(process.env)) {
  if (/^(TRACEKIT|OTEL)_/.test(name)) delete process.env[name];
}

const CALLER = '4bf92f3577b34da6a3ce929d0e0e4736';
const TRACEPARENT = `00-${CALLER}-00f067aa0ba902b7-01`;

/** Answers as the routes of every app here do; a framework only brings it to its router. */
async function answerUser(id) {
  tracekit.setTag('order.id', 42);
  await tracekit.startSpan('validate-auth', async () => {
    await new Promise((resolve) => setTimeout(resolve, 1));
    tracekit.setTag('tenant.id', 'acme');
  });
  return { id };
}

function expressApp(express) {
  const app = express();
  app.use(TraceKit.Handlers.requestHandler());
  app.use(TraceKit.Handlers.tracingHandler());
  app.use(express.json());
  app.get('/users/:id', (req, res, next) => {
    answerUser(req.params.id).then((user) => res.json(user), next);
  });
  app.post('/echo', (req, res) => {
    tracekit.startSpan('after the body').end();
    res.json(req.body);
  });
  app.get('/broken', () => {
    throw new RangeError('out of order');
  });
  app.get('/teapot', () => {
    throw Object.assign(new Error('short and stout'), { status: 418 });
  });
  const nested = express.Router();
  nested.get('/deep/:name', (_req, res) => res.send('deep'));
  app.use('/api', nested);
  app.use(function silent(error, _req, res, next) {
    if (error.status === 418) return res.status(418).end();
    return next(error);
  });
  app.set('env', 'test');
  return { handler: app };
}

async function fastifyApp(fastify, plugin) {
  const app = fastify();
  app.register(plugin);
  app.get('/users/:id', async (req) => answerUser(req.params.id));
  app.post('/echo', async (req) => {
    tracekit.startSpan('after the body').end();
    return req.body;
  });
  app.get('/broken', async () => {
    throw new RangeError('out of order');
  });
  app.get('/teapot', async () => {
    throw Object.assign(new Error('short and stout'), { statusCode: 418 });
  });
  app.register(async (scope) => scope.get('/deep/:name', async () => 'deep'), { prefix: '/api' });
  await app.ready();
  return { handler: app.routing };
}

const APPS = {
  'Express 4': () => expressApp(express4),
  'Express 5': () => expressApp(express5),
  'Fastify 4, fastifyPlugin': () => fastifyApp(fastify4, fastifyPlugin),
  'Fastify 4, fastifyPlugin()': () => fastifyApp(fastify4, fastifyPlugin()),
  'Fastify 5': () => fastifyApp(fastify5, fastifyPlugin),
};

let sink;

function setUp(more = {}) {
  TraceKit.init({ apiKey: 'key', serviceName: 'api', endpoint: sink.url, ...more });
}

beforeEach(async () => {
  sink = await startSink();
});

afterEach(async () => {
  await TraceKit.shutdown();
  await sink.close();
});

async function sent() {
  assert.equal(await TraceKit.flush(), true);
  return sink.spans;
}

const named = (spans, name) => spans.find((span) => span.name === name);

/** A request with exactly these header lines. */
function rawRequest(url, headers, options = {}) {
  return new Promise((resolve, reject) => {
    const req = request(url, { ...options, headers }, async (res) => {
      resolve({ status: res.statusCode, headers: res.headers, body: await readBody(res) });
    });
    req.on('error', reject).end();
  });
}

for (const [name, makeApp] of Object.entries(APPS)) {
  describe(name, TIMEOUT, () => {
    let server, url;

    before(async () => {
      const { handler } = await makeApp();
      server = createServer(handler);
      url = `http://127.0.0.1:${await listen(server)}`;
    });

    after(() => close(server));

    test('continues the trace of the request, names the span by method and route', async () => {
      setUp();
      const headers = { traceparent: TRACEPARENT, tracestate: 'foo=1' };
      const response = await fetch(`${url}/users/7?page=2&sig=secret`, { headers });
      assert.deepEqual(await response.json(), { id: '7' });
      const spans = await sent();
      const server_ = named(spans, 'GET /users/:id');
      assert.equal(server_.traceId, CALLER);
      assert.equal(server_.parentSpanId, '00f067aa0ba902b7');
      assert.equal(server_.kind, 2);
      assert.equal(server_.traceState, 'foo=1');
      assert.equal(server_.flags, 0x301);
      assert.equal(server_.status, undefined);
      const { tags } = server_;
      assert.equal(tags['http.request.method'], 'GET');
      assert.equal(tags['http.route'], '/users/:id');
      assert.equal(tags['http.response.status_code'], 200);
      assert.equal(tags['url.path'], '/users/7');
      assert.equal(tags['url.query'], 'page=2&sig=REDACTED');
      assert.equal(tags['url.scheme'], 'http');
      assert.equal(tags['server.address'], '127.0.0.1');
      assert.equal(tags['server.port'], Number(new URL(url).port));
      assert.equal(server_.resource['service.name'], 'api');
    });

    test('tags go on the current span and on the server span', async () => {
      setUp();
      await fetch(`${url}/users/7`);
      const spans = await sent();
      const server_ = named(spans, 'GET /users/:id');
      const inner = named(spans, 'validate-auth');
      assert.equal(inner.parentSpanId, server_.spanId);
      assert.deepEqual([server_.tags['order.id'], server_.tags['tenant.id']], [42, 'acme']);
      assert.deepEqual([inner.tags['order.id'], inner.tags['tenant.id']], [undefined, 'acme']);
    });

    test('a body that was read does not lose the span', async () => {
      setUp();
      const body = JSON.stringify({ text: 'x'.repeat(100_000) });
      const headers = { 'Content-Type': 'application/json' };
      const response = await fetch(`${url}/echo`, { method: 'POST', headers, body });
      assert.equal((await response.text()).length, body.length);
      const spans = await sent();
      const server_ = named(spans, 'POST /echo');
      assert.equal(named(spans, 'after the body').parentSpanId, server_.spanId);
    });

    test('an error nobody handles is recorded and is a 500', async () => {
      setUp();
      assert.equal((await fetch(`${url}/broken`)).status, 500);
      const server_ = named(await sent(), 'GET /broken');
      assert.deepEqual(server_.status, { message: 'out of order', code: 2 });
      assert.equal(server_.tags['http.response.status_code'], 500);
      assert.equal(server_.tags['error.type'], 'RangeError');
      assert.equal(server_.events.length, 1);
      assert.equal(server_.events[0].tags['exception.type'], 'RangeError');
      assert.match(server_.events[0].tags['exception.stacktrace'], /server\.test\.mjs/);
    });

    test("a caller's mistake is no error of the server", async () => {
      setUp();
      assert.equal((await fetch(`${url}/teapot`)).status, 418);
      const server_ = named(await sent(), 'GET /teapot');
      assert.equal(server_.status, undefined);
      assert.equal(server_.tags['http.response.status_code'], 418);
    });

    test('a route of a router or plugin has its whole pattern', async () => {
      setUp();
      await fetch(`${url}/api/deep/x`);
      assert.ok(named(await sent(), 'GET /api/deep/:name'));
    });

    test('a path without a route is no name', async () => {
      setUp();
      assert.equal((await fetch(`${url}/nowhere/17`)).status, 404);
      const [server_] = await sent();
      assert.equal(server_.name, 'GET');
      assert.equal(server_.tags['http.route'], undefined);
      assert.equal(server_.tags['http.response.status_code'], 404);
    });

    test('two traceparent headers start a new trace without tracestate', async () => {
      setUp();
      await rawRequest(`${url}/users/1`, { traceparent: [TRACEPARENT, TRACEPARENT], tracestate: 'a=1' });
      const server_ = named(await sent(), 'GET /users/:id');
      assert.notEqual(server_.traceId, CALLER);
      assert.equal(server_.parentSpanId, '');
      assert.equal(server_.traceState, 'ot=th:0');
    });

    test('several tracestate headers are one list', async () => {
      setUp();
      await rawRequest(`${url}/users/1`, { traceparent: TRACEPARENT, tracestate: ['a=1', 'b=2'] });
      assert.equal(named(await sent(), 'GET /users/:id').traceState, 'a=1,b=2');
    });

    test('a caller that does not sample is followed', async () => {
      setUp();
      await fetch(`${url}/users/1`, { headers: { traceparent: TRACEPARENT.slice(0, -1) + '0' } });
      assert.equal((await sent()).length, 0);
    });

    test('a CORS preflight has no span', async () => {
      setUp();
      const headers = { 'Access-Control-Request-Method': 'GET', Origin: 'http://localhost:3000' };
      await rawRequest(`${url}/users/1`, headers, { method: 'OPTIONS' });
      assert.equal((await sent()).length, 0);
    });

    test('concurrent requests keep their spans apart', async () => {
      setUp();
      const ids = Array.from({ length: 20 }, (_, i) => String(i).padStart(32, '0').replace(/^0/, 'a'));
      await Promise.all(
        ids.map((id) =>
          fetch(`${url}/users/1`, { headers: { traceparent: `00-${id}-00f067aa0ba902b7-01` } }),
        ),
      );
      const spans = await sent();
      assert.equal(spans.length, 40);
      for (const id of ids) {
        const [inner, outer] = spans.filter(({ traceId }) => traceId === id);
        assert.equal(inner.parentSpanId, outer.spanId);
      }
    });
  });
}

for (const [name, express] of Object.entries({ 'Express 4': express4, 'Express 5': express5 })) {
  test(`${name}: one handler serves two apps, and a request that passes none has no span`, TIMEOUT, async () => {
    setUp();
    const handler = TraceKit.Handlers.requestHandler();
    const apps = [handler, handler, (_req, _res, next) => next()].map((first) => {
      const app = express();
      app.set('env', 'test');
      app.use(first);
      app.use(express.json());
      app.post('/echo', (req, res) => {
        tracekit.startSpan('after the body').end();
        res.json(req.body);
      });
      app.get('/broken', () => {
        throw new RangeError('out of order');
      });
      return createServer(app);
    });
    for (const app of apps) {
      const url = `http://127.0.0.1:${await listen(app)}`;
      const headers = { 'Content-Type': 'application/json', traceparent: TRACEPARENT };
      const echo = await fetch(`${url}/echo`, { method: 'POST', headers, body: '[7]' });
      assert.equal(await echo.text(), '[7]');
      assert.equal((await fetch(`${url}/broken`)).status, 500);
      await close(app);
    }
    const spans = await sent();
    const bodies = spans.filter((span) => span.name === 'after the body').map(({ traceId }) => traceId === CALLER);
    assert.deepEqual(bodies, [true, true, false]);
    const broken = spans.filter((span) => span.name === 'GET /broken').map(({ tags }) => tags['error.type']);
    assert.deepEqual(broken, ['RangeError', 'RangeError']);
  });
}

/** A body whose end comes when its handler has long returned: listeners are told from outside. */
function uploads(app) {
  app.post('/upload', (req, res) => {
    let length = 0;
    req.on('data', (chunk) => {
      if (!length) tracekit.startSpan('at data').end();
      length += chunk.length;
    });
    req.on('end', () => {
      tracekit.startSpan('at end').end();
      res.send(String(length));
    });
  });
  return app;
}

/** Ways from the handler to `/upload` on which Express gives the request the prototype of another app. */
const WAYS = {
  'an app that is called, not mounted': (express) => {
    const called = uploads(express());
    return express()
      .use(TraceKit.Handlers.requestHandler())
      .use((req, res, next) => called(req, res, next));
  },
  "the parent of the handler's app": (express) => {
    const mounted = express().use(TraceKit.Handlers.requestHandler());
    return uploads(express().use(mounted));
  },
  'an app of another Express': (express) => {
    const called = uploads(express === express4 ? express5() : express4());
    return express()
      .use(TraceKit.Handlers.requestHandler())
      .use((req, res, next) => called(req, res, next));
  },
};

for (const [name, express] of Object.entries({ 'Express 4': express4, 'Express 5': express5 })) {
  for (const [way, makeApp] of Object.entries(WAYS)) {
    test(`${name}: a request keeps its span in ${way}`, TIMEOUT, async () => {
      setUp();
      const server = createServer(makeApp(express));
      const url = `http://127.0.0.1:${await listen(server)}`;
      const body = 'x'.repeat(100_000);
      const response = await fetch(`${url}/upload`, { method: 'POST', body });
      assert.equal(await response.text(), '100000');
      await close(server);
      const spans = await sent();
      const server_ = named(spans, 'POST /upload');
      for (const child of ['at data', 'at end']) {
        assert.equal(named(spans, child).parentSpanId, server_.spanId, child);
      }
    });
  }
}

describe('tracekit.fetch', TIMEOUT, () => {
  let server, url, seen;

  before(async () => {
    server = createServer(async (req, res) => {
      const body = await readBody(req);
      seen.push({ headers: req.headers, method: req.method, body: String(body) });
      res.statusCode = Number(new URL(req.url, url).searchParams.get('status') ?? 200);
      res.end('{"data":1}');
    });
    url = `http://127.0.0.1:${await listen(server)}`;
  });

  beforeEach(() => {
    seen = [];
  });

  after(() => close(server));

  test('makes a client span and sends both headers', async () => {
    setUp();
    const response = await tracekit.startSpan('job', () => tracekit.fetch(`${url}/api/data`));
    assert.deepEqual(await response.json(), { data: 1 });
    const spans = await sent();
    const client = named(spans, 'GET');
    assert.equal(client.kind, 3);
    assert.equal(client.parentSpanId, named(spans, 'job').spanId);
    assert.equal(client.tags['url.full'], `${url}/api/data`);
    assert.equal(client.tags['server.port'], Number(new URL(url).port));
    const { traceparent, tracestate } = seen[0].headers;
    assert.equal(traceparent, `00-${client.traceId}-${client.spanId}-03`);
    assert.equal(tracestate, 'ot=th:0');
  });

  test('passes a Request, its body and headers on', async () => {
    setUp();
    const headers = { 'X-Mine': 'yes', 'Content-Type': 'text/plain' };
    await tracekit.fetch(new Request(url, { method: 'POST', body: 'hello', headers }));
    await tracekit.fetch(new URL(url), { method: 'put', headers: [['X-Mine', 'too']], body: 'b' });
    assert.deepEqual(seen.map(({ method, body }) => [method, body]), [['POST', 'hello'], ['PUT', 'b']]);
    assert.deepEqual(seen.map(({ headers: got }) => got['x-mine']), ['yes', 'too']);
    for (const { headers: got } of seen) assert.match(got.traceparent, /^00-/);
  });

  test('a raw fetch does not propagate', async () => {
    setUp();
    await tracekit.startSpan('job', () => fetch(url));
    assert.equal(seen[0].headers.traceparent, undefined);
  });

  test('failures are errors of the span and thrown to the caller', async () => {
    setUp();
    await tracekit.fetch(`${url}/?status=404`);
    await assert.rejects(tracekit.fetch('http://127.0.0.1:1/'), TypeError);
    await assert.rejects(tracekit.fetch('not a url'), TypeError);
    const [notFound, refused, invalid] = await sent();
    assert.deepEqual([notFound.status.code, notFound.tags['error.type']], [2, '404']);
    assert.equal(refused.status.code, 2);
    assert.equal(refused.events[0].name, 'exception');
    assert.equal(invalid.status.code, 2);
  });

  test('targets, when set, say who gets headers', async () => {
    setUp({ tracePropagationTargets: ['somewhere.else'] });
    await tracekit.fetch(url);
    assert.equal(seen[0].headers.traceparent, undefined);
    setUp({ tracePropagationTargets: [new URL(url).host] });
    await tracekit.fetch(url);
    assert.match(seen[1].headers.traceparent, /^00-/);
  });

  test('without a key the headers of the caller are handed on, so that the trace stays whole', async () => {
    const app = expressApp(express4).handler;
    app.get('/hop', (_req, res, next) => {
      tracekit.fetch(url).then(() => res.end(), next);
    });
    const hop = createServer(app);
    const hopUrl = `http://127.0.0.1:${await listen(hop)}/hop`;
    setUp({ apiKey: '', endpoint: sink.url });
    await fetch(hopUrl, { headers: { traceparent: TRACEPARENT, tracestate: 'a=1' } });
    await fetch(hopUrl);
    await close(hop);
    assert.equal(seen[0].headers.traceparent, TRACEPARENT);
    assert.equal(seen[0].headers.tracestate, 'a=1');
    assert.equal(seen[1].headers.traceparent, undefined);
    assert.equal(sink.requests.length, 0);
  });
});

describe('delivery', TIMEOUT, () => {
  test('batches are gzipped protobuf with the key in its header', async () => {
    setUp();
    for (let i = 0; i < 600; i++) TraceKit.startSpan('many').end();
    assert.equal((await sent()).length, 600);
    const [{ headers, url, body }] = sink.requests;
    assert.equal(url, '/v1/traces');
    assert.equal(headers['x-api-key'], 'key');
    assert.equal(headers['content-encoding'], 'gzip');
    assert.equal(headers['content-type'], 'application/x-protobuf');
    assert.equal(body.resourceSpans[0].scopeSpans[0].scope.name, '@tracekit/node');
    assert.equal(sink.requests.length, 2);
    assert.equal(body.resourceSpans[0].scopeSpans[0].spans.length, 512);
  });

  test('what may be tried again is, and nothing else', async () => {
    setUp();
    const again = { 'Retry-After': '0' };
    sink.answers.push({ status: 503, headers: again }, { status: 429, headers: again }, null);
    TraceKit.startSpan('persistent').end();
    await sent();
    assert.equal(sink.spans.length, 1);
    sink.answers.push({ status: 400 });
    TraceKit.startSpan('refused').end();
    await TraceKit.flush();
    assert.equal(sink.requests.length, 5);
    assert.deepEqual(TraceKit.stats(), { sent: 1, dropped: 1, queued: 0 });
  });

  test('a partial success is not sent again, and counted', async () => {
    setUp();
    sink.answers.push({ body: { partialSuccess: { rejectedSpans: '1', errorMessage: 'bad id' } } });
    TraceKit.startSpan('a').end();
    TraceKit.startSpan('b').end();
    await sent();
    assert.equal(sink.requests.length, 1);
    assert.deepEqual(TraceKit.stats(), { sent: 1, dropped: 1, queued: 0 });
  });

  test('the queue is bounded and drops are counted', async () => {
    setUp();
    for (let i = 0; i < 5000; i++) TraceKit.startSpan('many').end();
    const { dropped, queued } = TraceKit.stats();
    assert.equal(dropped + queued, 5000);
    assert.ok(queued <= 2048);
    await sent();
    assert.equal(sink.spans.length, 5000 - dropped);
  });

  test('flush gives up in time when the server does not answer', async () => {
    const silent = createServer(() => {});
    const port = await listen(silent);
    setUp({ endpoint: `http://127.0.0.1:${port}` });
    TraceKit.startSpan('waiting').end();
    assert.equal(await TraceKit.flush(50), false);
    await close(silent);
    assert.equal(await TraceKit.shutdown(10_000), true);
  });

  test('limits are kept and what is beyond them counted', async () => {
    setUp();
    const span = TraceKit.startSpan('limits');
    for (let i = 0; i < 130; i++) span.setTag(`k${i}`, i).addEvent('e');
    span.setTag('k0', 'again').end();
    const [out] = await sent();
    assert.equal(out.attributes.length, 128);
    assert.equal(out.droppedAttributesCount, 2);
    assert.equal(out.events.length, 128);
    assert.equal(out.droppedEventsCount, 2);
    assert.equal(out.tags.k0, 'again');
  });

  test('odd values do no harm', async () => {
    setUp();
    const cyclic = {};
    cyclic.self = cyclic;
    const list = [];
    list.push(list);
    const span = TraceKit.startSpan('odd');
    span.setTag('cyclic', cyclic).setTag('list', list).setTag('nan', NaN).setTag('huge', 2n ** 70n);
    span.setTag('big', 9007199254740993n).setTag('date', new Date(0)).setTag('none', null);
    span.setTag('half', '\ud800x').setTag('object', { a: 1 }).setTag('symbol', Symbol('s'));
    span.setTag('function', () => 1).captureException(Object.create(null)).end();
    span.setTag('late', 1).end();
    const [out] = await sent();
    assert.equal(out.tags.nan, 'NaN');
    assert.equal(out.tags.huge, String(2n ** 70n));
    assert.equal(out.attributes.find(({ key }) => key === 'big').value.intValue, '9007199254740993');
    assert.equal(out.tags.date, '1970-01-01T00:00:00.000Z');
    assert.equal(out.tags.half, '\ufffdx');
    assert.equal(out.tags.object, '{"a":1}');
    assert.equal('none' in out.tags || 'late' in out.tags, false);
    assert.equal(sink.spans.length, 1);
  });
});

describe('spans', TIMEOUT, () => {
  test('startSpan gives back what its work gives, and throws what it throws', async () => {
    setUp();
    assert.equal(TraceKit.startSpan('sync', () => 5), 5);
    assert.equal(await TraceKit.startSpan('async', { a: 1 }, async () => 6), 6);
    const boom = new Error('boom');
    assert.throws(() => TraceKit.startSpan('throws', () => { throw boom; }), boom);
    await assert.rejects(TraceKit.startSpan('rejects', async () => { throw boom; }), boom);
    const spans = await sent();
    assert.deepEqual(spans.map(({ name }) => name), ['sync', 'async', 'throws', 'rejects']);
    assert.deepEqual(spans.map(({ status }) => status?.code), [undefined, undefined, 2, 2]);
  });

  test('a transaction is a root even inside another span; finish is end', async () => {
    setUp();
    TraceKit.startSpan('outer', () => {
      const transaction = TraceKit.startTransaction({ name: 'inner root' });
      transaction.startSpan('child').finish();
      transaction.finish();
    });
    const spans = await sent();
    const root = named(spans, 'inner root');
    assert.equal(root.parentSpanId, '');
    assert.notEqual(root.traceId, named(spans, 'outer').traceId);
    assert.equal(named(spans, 'child').parentSpanId, root.spanId);
  });

  test('capture outside of any span makes one', async () => {
    setUp();
    TraceKit.captureException(new Error('alone'));
    TraceKit.captureMessage('note');
    TraceKit.setTag('nobody', 'listens');
    const [error, message] = await sent();
    assert.equal(error.status.code, 2);
    assert.equal(message.events[0].tags.message, 'note');
  });

  test('a sampled share of new traces is kept, and says its threshold', async () => {
    setUp({ sampleRate: 0.5 });
    for (let i = 0; i < 400; i++) TraceKit.startTransaction({ name: 'root' }).finish();
    const spans = await sent();
    assert.ok(spans.length > 100 && spans.length < 300);
    for (const { traceId, traceState } of spans) {
      assert.equal(traceState, 'ot=th:8');
      assert.ok(traceId.slice(18) >= '80000000000000');
    }
  });
});
