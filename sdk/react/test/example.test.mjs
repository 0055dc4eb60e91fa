/** The page and the API of the three-service example, as they run, with a stand-in for the Go service. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { launch, startApi } from '../../js/test/support/chromium.mjs';
import { freePort } from '../../js/test/support/ports.mjs';
import { close, listen, startSink } from '../../js/test/support/sink.mjs';

const TIMEOUT = { timeout: 300_000 };
const example = (path) =>
  fileURLToPath(new URL(`../../../examples/three-services/${path}`, import.meta.url));

const children = [];

/** Starts a service of the example; resolves with its URL once it says that it is ready. */
function start(folder, env) {
  const child = spawn(process.execPath, ['server.js'], {
    cwd: example(folder),
    env: { ...process.env, PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  return new Promise((resolve, reject) => {
    child.stdout.setEncoding('utf8').on('data', (text) => {
      const ready = /^ready (http:\S+)$/m.exec(text);
      if (ready) resolve(ready[1]);
    });
    child.on('exit', (code) => reject(new Error(`${folder} ended with ${code}`)));
  });
}

function stop(child) {
  return new Promise((resolve) => {
    child.on('exit', (code, signal) => resolve(signal ?? code));
    child.kill('SIGTERM');
  });
}

let browser, sink, go, goHeaders, thirdParty;

before(async () => {
  browser = await launch();
  sink = await startSink();
  thirdParty = await startApi();
  go = createServer((req, res) => {
    goHeaders = req.headers;
    res.setHeader('Content-Type', 'application/json').end('[{"id":1,"name":"Ada"}]');
  });
}, TIMEOUT);

after(async () => {
  await browser?.close();
  await sink?.close();
  await thirdParty?.close();
  if (go) await close(go);
  for (const child of children) child.kill('SIGKILL');
});

test('Load Users is one trace from the click to the last service', TIMEOUT, async () => {
  const goUrl = `http://127.0.0.1:${await listen(go)}`;
  const keys = { TRACEKIT_API_KEY: 'example', TRACEKIT_ENDPOINT: sink.url };
  const webPort = await freePort();
  const webUrl = `http://localhost:${webPort}`;
  const apiUrl = await start('api', { ...keys, GO_URL: goUrl, WEB_ORIGIN: webUrl });
  await start('web', {
    ...keys,
    PORT: String(webPort),
    API_URL: apiUrl,
    THIRD_PARTY_URL: thirdParty.url,
  });

  const page = await browser.newPage();
  await page.goto(webUrl);
  await page.click('text=Load Users');
  await page.waitForSelector('text=Ada');
  await page.goto('about:blank');
  assert.equal(await stop(children[0]), 0);

  const root = await sink.span('React Frontend');
  const children_ = (parent) =>
    sink.spans
      .filter(({ parentSpanId }) => parentSpanId === parent.spanId)
      .map(({ name, resource }) => `${resource['service.name']}: ${name}`)
      .sort();
  await sink.span('GET /api/users');
  const fetched = sink.spans.find(({ name }) => name === 'fetch /api/users');
  const served = sink.spans.find(({ name }) => name === 'GET /api/users');
  assert.equal(root.resource['service.name'], 'React Frontend');
  assert.deepEqual(children_(root), [
    'React Frontend: fetch /api/users',
    'React Frontend: fetch /collect',
  ]);
  assert.deepEqual(children_(fetched), ['Node.js API: GET /api/users']);
  assert.deepEqual(children_(served), ['Node.js API: GET', 'Node.js API: validate-auth']);
  const called = sink.spans.find(({ name }) => name === 'GET');
  assert.equal(goHeaders.traceparent, `00-${root.traceId}-${called.spanId}-03`);
  assert.equal(goHeaders.tracestate, 'ot=th:0');
  for (const span of [fetched, served, called]) assert.equal(span.traceId, root.traceId);
  assert.equal(served.tags['tenant.id'], 'anonymous');

  const { traceparent, tracestate } = thirdParty.headersOf('/collect');
  assert.deepEqual([traceparent, tracestate], [undefined, undefined]);
  assert.equal(thirdParty.seen.some(({ method }) => method === 'OPTIONS'), false);
});
