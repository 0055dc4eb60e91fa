/** The clients that are traced when they are handed over: axios, and undici with node's fetch. */

import assert from 'node:assert/strict';
import * as http from 'node:http';
import { createRequire } from 'node:module';
import { after, before, beforeEach, describe, test } from 'node:test';
import { close, listen, startSink } from '../../js/test/support/sink.mjs';

const require = createRequire(import.meta.url);
const { TraceKit, tracekit } = require('../dist/index.cjs');
const axios = require('axios');
const undici = require('undici');
const TIMEOUT = { timeout: 60_000 };

let sink, server, url;
const seen = [];

before(async () => {
  sink = await startSink();
  TraceKit.init({ apiKey: 'key', endpoint: sink.url, serviceName: 'clients' });
  server = http.createServer((req, res) => {
    seen.push(req.headers);
    res.statusCode = req.url === '/missing' ? 404 : 200;
    res.end('{"id":42}');
  });
  url = `http://127.0.0.1:${await listen(server)}`;
});

beforeEach(() => (seen.length = 0));

after(async () => {
  await TraceKit.shutdown();
  await close(server);
  await sink.close();
});

async function spans() {
  assert.ok(await TraceKit.flush(60_000));
  return sink.spans.splice(0);
}

const facts = ({ name, kind, tags, status }) => [
  name, kind, tags['url.full'], tags['http.response.status_code'], tags['error.type'], status?.code,
];

describe('axios', TIMEOUT, () => {
  test('a request carries the trace, answers as ever, and is a span below the current one', async () => {
    const api = tracekit.wrapAxios(axios.create({ baseURL: url }));
    assert.equal(tracekit.wrapAxios(api), api);
    api.interceptors.request.use((config) => ({ ...config, timeout: 60_000 }));
    const { data } = await TraceKit.startSpan('work', () => api.get('/users', { params: { q: 1 } }));
    assert.deepEqual(data, { id: 42 });
    const [span, work] = await spans();
    assert.deepEqual(facts(span), ['GET', 3, `${url}/users?q=1`, 200, undefined, undefined]);
    assert.equal(span.parentSpanId, work.spanId);
    assert.equal(seen[0].traceparent, `00-${span.traceId}-${span.spanId}-03`);
  });

  test('what fails rejects with what it always did, and is an error', async () => {
    const api = tracekit.wrapAxios(axios.create());
    await assert.rejects(api.post(`${url}/missing`), { name: 'AxiosError', status: 404 });
    await assert.rejects(api.get('http://127.0.0.1:1/'), { code: 'ECONNREFUSED' });
    await assert.rejects(api.get(url, { signal: AbortSignal.abort() }), { code: 'ERR_CANCELED' });
    assert.deepEqual((await spans()).map(facts), [
      ['POST', 3, `${url}/missing`, 404, '404', 2],
      ['GET', 3, 'http://127.0.0.1:1/', undefined, 'ECONNREFUSED', 2],
      ['GET', 3, `${url}/`, undefined, 'ERR_CANCELED', 2],
    ]);
  });

  test('one that was not handed over is left alone, and a traceparent of the app is kept', async () => {
    await axios.create().get(url);
    const mine = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    await tracekit.wrapAxios(axios.create()).get(url, { headers: { traceparent: mine } });
    assert.deepEqual(seen.map(({ traceparent }) => traceparent), [undefined, mine]);
    assert.equal((await spans()).length, 1);
  });
});

describe('undici and the global fetch', TIMEOUT, () => {
  test('raw requests propagate nothing until they are traced', async () => {
    await (await fetch(url)).text();
    assert.equal(seen[0].traceparent, undefined);
    assert.deepEqual(await spans(), []);
  });

  test('from then on each is a client span that carries the trace', async () => {
    tracekit.traceUndici();
    tracekit.traceUndici();
    await TraceKit.startSpan('work', async () => {
      await (await fetch(`${url}/a?sig=secret`)).text();
      await (await undici.request(`${url}/missing`)).body.dump();
    });
    const [first, second, work] = await spans();
    assert.deepEqual(facts(first), ['GET', 3, `${url}/a?sig=REDACTED`, 200, undefined, undefined]);
    assert.deepEqual(facts(second), ['GET', 3, `${url}/missing`, 404, '404', 2]);
    [first, second].forEach((span, i) => {
      assert.equal(span.parentSpanId, work.spanId);
      assert.equal(seen[i].traceparent, `00-${span.traceId}-${span.spanId}-03`);
    });
  });

  test('tracekit.fetch is still one span, and a traceparent of the app is kept', async () => {
    await (await tracekit.fetch(url)).text();
    const mine = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    await (await fetch(url, { headers: { traceparent: mine } })).text();
    const [own] = await spans();
    const of = seen.map(({ traceparent }) => traceparent);
    assert.deepEqual(of, [`00-${own.traceId}-${own.spanId}-03`, mine]);
  });

  test('a request that fails is an error, and rejects as ever', async () => {
    await assert.rejects(undici.request('http://127.0.0.1:1/'), { code: 'ECONNREFUSED' });
    const [refused] = await spans();
    assert.deepEqual(facts(refused).slice(4), ['ECONNREFUSED', 2]);
  });

  test("the SDK's own posts are no spans", async () => {
    TraceKit.startSpan('one').end();
    assert.equal((await spans()).length, 1);
    assert.deepEqual(await spans(), []);
  });
});
