/** A hop through OpenTelemetry's own SDK, and OpenTelemetry as both ends of our hop. */

import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { createServer } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { TraceKit, tracekit } from '@tracekit/node';
import express from 'express';
import { close, listen, startSink, until } from '../../js/test/support/sink.mjs';

const TIMEOUT = { timeout: 300_000 };
const HOP = fileURLToPath(new URL('support/opentelemetry-hop.cjs', import.meta.url));

let sink, hop, hopUrl, server, url;

/** Our service: `/start` calls the hop, which calls `/end`. */
before(async () => {
  sink = await startSink();
  TraceKit.init({ apiKey: 'key', serviceName: 'ours', endpoint: sink.url });
  const app = express();
  app.use(TraceKit.Handlers.requestHandler());
  app.get('/start', async (_req, res) => {
    const response = await tracekit.fetch(`${hopUrl}/?next=${encodeURIComponent(url + '/end')}`);
    res.send(await response.text());
  });
  app.get('/end', (req, res) => res.json(req.headers));
  server = createServer(app);
  url = `http://127.0.0.1:${await listen(server)}`;
  hop = fork(HOP, [], { env: { ...process.env, SINK: sink.url } });
  hopUrl = await new Promise((resolve, reject) => {
    hop.once('message', resolve);
    hop.once('exit', () => reject(new Error('the hop ended')));
  });
}, TIMEOUT);

after(async () => {
  hop?.kill('SIGKILL');
  await TraceKit.shutdown();
  await close(server);
  await sink.close();
});

const find = (service, name, kind) =>
  until(
    () =>
      sink.spans.find(
        (span) =>
          span.resource['service.name'] === service && span.name === name && span.kind === kind,
      ),
    `${service} ${name}`,
  );

describe('OpenTelemetry', TIMEOUT, () => {
  test('as a hop between our services keeps the trace whole', async () => {
    sink.spans.length = 0;
    const response = await fetch(`${url}/start`);
    const received = await response.json();
    await TraceKit.flush();
    const start = await find('ours', 'GET /start', 2);
    const client = await find('ours', 'GET', 3);
    const hopServer = await find('hop', 'GET', 2);
    const hopClient = await find('hop', 'GET', 3);
    const end = await find('ours', 'GET /end', 2);
    const chain = [start, client, hopServer, hopClient, end];
    for (const [index, span] of chain.entries()) {
      assert.equal(span.traceId, start.traceId);
      assert.equal(span.parentSpanId, index ? chain[index - 1].spanId : '');
    }
    assert.equal(received.tracestate, 'ot=th:0');
    assert.equal(end.traceState, 'ot=th:0');
  });

  test('at both ends of our service sees one trace', async () => {
    sink.spans.length = 0;
    await (await fetch(`${hopUrl}/?next=${encodeURIComponent(url + '/start')}`)).text();
    await TraceKit.flush();
    await until(() => sink.spans.length === 7, 'seven spans');
    const end = await find('ours', 'GET /end', 2);
    const ids = new Set(sink.spans.map(({ traceId }) => traceId));
    const spanIds = new Set(sink.spans.map(({ spanId }) => spanId));
    assert.equal(ids.size, 1);
    assert.ok(ids.has(end.traceId));
    const roots = sink.spans.filter(({ parentSpanId }) => !spanIds.has(parentSpanId));
    assert.deepEqual(roots.map(({ resource }) => resource['service.name']), ['hop']);
  });
});
