/**
 * The document's example, whole: the page in a real browser, the Node API, the Go service and its database, each with our
 * SDK, against the real server. One click is one trace (S77 to S85, S86 to S98).
 */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { after, before, test } from 'node:test';

import { freePort } from '../../sdk/js/test/support/ports.mjs';
import { openBrowser, openPage, readRows } from './lib/browser.mjs';
import { blocks, commands } from './lib/guide.mjs';
import { ROOT, TRACEKIT, moveToThePast, start, startBystander, startServer, tree, until } from './lib/stack.mjs';

const EXAMPLE = path.join(ROOT, 'examples/three-services');
const SERVICES = ['React Frontend', 'Node.js API', 'Go Microservice'];

let server, bystander, browser, scratch;
const services = [];
const urls = {};

before(async () => {
  scratch = await mkdtemp(path.join(tmpdir(), 'tracekit-example-'));
  const goBinary = path.join(scratch, 'go-service');
  await promisify(execFile)('go', ['build', '-o', goBinary, '.'], { cwd: path.join(EXAMPLE, 'go') });
  server = await startServer();
  bystander = await startBystander();
  const [webPort, apiPort, goPort] = [await freePort(), await freePort(), await freePort()];
  urls.web = `http://localhost:${webPort}`;
  urls.api = `http://localhost:${apiPort}`;
  const env = { TRACEKIT_API_KEY: server.key, TRACEKIT_ENDPOINT: server.url };
  services.push(
    start('go', goBinary, [], { env: { ...env, PORT: goPort, DB_PATH: path.join(scratch, 'users.db') } }),
    start('api', 'node', ['server.js'], {
      cwd: path.join(EXAMPLE, 'api'),
      env: { ...env, PORT: apiPort, GO_URL: `http://localhost:${goPort}`, WEB_ORIGIN: urls.web },
    }),
    start('web', 'node', ['server.js'], {
      cwd: path.join(EXAMPLE, 'web'),
      env: { ...env, PORT: webPort, API_URL: urls.api, THIRD_PARTY_URL: bystander.url },
    }),
  );
  await Promise.all(services.map((service) => service.ready));
  browser = await openBrowser();
});

after(async () => {
  await browser?.close();
  await Promise.all(services.map((service) => service.stop()));
  await bystander?.close();
  await server?.close();
  if (scratch) await rm(scratch, { recursive: true, force: true });
});

/** Clicks Load Users and returns the id of the trace that the API was asked in. */
async function clickLoadUsers() {
  const { page } = await openPage(browser);
  await page.goto(urls.web);
  const asked = page.waitForRequest((request) => request.url() === `${urls.api}/api/users` && request.method() === 'GET');
  await page.getByRole('button', { name: 'Load Users' }).click();
  const headers = await (await asked).allHeaders();
  await page.waitForSelector('#users li');
  assert.equal((await page.$$('#users li')).length, 4);
  await page.goto('about:blank'); // pagehide flushes; a page that is closed may be gone before it does
  await page.close();
  return headers;
}

let headers, trace;

test('a click on Load Users is one trace across three services and the database', async () => {
  headers = await clickLoadUsers();
  assert.match(headers.traceparent, /^00-[0-9a-f]{32}-[0-9a-f]{16}-0[13]$/);
  assert.match(headers.tracestate, /ot=th:0/);
  const id = headers.traceparent.slice(3, 35);
  trace = await until('the whole trace', async () => {
    const found = await server.get(`/api/v1/traces/${id}`);
    const names = new Set(found.spans.map((span) => span.serviceName));
    return SERVICES.every((name) => names.has(name)) && found.spans.some((span) => span.name === 'db.Query') &&
      found.spans.some((span) => !span.parentSpanId) && found;
  });
  assert.deepEqual(trace.services.map((service) => service.name).sort(), [...SERVICES].sort());
  assert.equal(trace.errorCount, 0);
});

test('the spans form one tree: page, fetch, API, auth, Go, database', () => {
  const children = tree(trace);
  const below = (span, name) => {
    const found = (children.get(span?.spanId ?? '') ?? []).find((child) => child.name === name);
    assert.ok(found, `${name} below ${span?.name ?? 'nothing'}: ${trace.spans.map((s) => s.name)}`);
    return found;
  };
  assert.equal((children.get('') ?? []).length, 1, 'one root');
  assert.ok(trace.spans.every((span) => !span.orphan));
  const root = below(undefined, 'React Frontend');
  const request = below(root, 'fetch /api/users');
  assert.equal(request.kind, 'CLIENT');
  assert.equal(request.attributes['tracekit.propagation'], 'sent');
  assert.equal(request.spanId, headers.traceparent.slice(36, 52));
  const descendants = (span) => (children.get(span.spanId) ?? []).flatMap((child) => [child, ...descendants(child)]);
  const api = descendants(request).find((span) => span.name === 'GET /api/users');
  assert.equal(api?.serviceName, 'Node.js API');
  assert.equal(api.attributes['http.response.status_code'], 200);
  assert.ok(descendants(request).some((span) => span.name === 'validate-auth' && span.serviceName === 'Node.js API'));
  const go = descendants(api).find((span) => span.name === 'GET /users' && span.serviceName === 'Go Microservice');
  assert.ok(go);
  const query = below(go, 'db.Query');
  assert.equal(query.attributes['db.system.name'] ?? query.attributes['db.system'], 'sqlite');
  assert.match(query.attributes['db.query.text'], /SELECT id, name, email FROM users/);
});

/** What the server's doctor says of the click, its spans changed, once nobody waits for more of them. */
async function findingsOfChanged(change) {
  const other = await startServer();
  try {
    await moveToThePast(server, other, { traces: [trace.traceId], change });
    const { settled, findings } = await other.get(`/api/v1/traces/${trace.traceId}/findings`);
    assert.equal(settled, true);
    return findings.filter(({ rule }) => rule !== 'clock-skew'); // a machine's clock may be set meanwhile
  } finally {
    await other.close();
  }
}

/** The page sends no headers: what the services do is in a trace of its own. */
function forgetTarget(otlp) {
  const serviceOf = ({ resource }) => resource.attributes.find(({ key }) => key === 'service.name').value.stringValue;
  const idsOfPage = new Set();
  for (const part of otlp.resourceSpans) {
    const fromPage = serviceOf(part) === 'React Frontend';
    for (const span of part.scopeSpans.flatMap(({ spans }) => spans)) {
      if (fromPage) idsOfPage.add(span.spanId);
      for (const { key, value } of span.attributes ?? []) {
        if (key === 'tracekit.propagation') value.stringValue = 'not_target';
      }
    }
  }
  for (const part of otlp.resourceSpans.filter((one) => serviceOf(one) !== 'React Frontend')) {
    for (const span of part.scopeSpans.flatMap(({ spans }) => spans)) {
      span.traceId = span.traceId.replace(/^.{8}/, 'abcdef00');
      if (idsOfPage.has(span.parentSpanId)) delete span.parentSpanId;
    }
  }
  return otlp;
}

test('the doctor finds nothing wrong with it, and what is wrong when the API is no target', async () => {
  assert.deepEqual(await findingsOfChanged((otlp) => otlp), []);
  const [finding, ...more] = await findingsOfChanged(forgetTarget);
  assert.deepEqual(more, []);
  assert.equal(finding.rule, 'not-a-target');
  assert.equal(finding.confidence, 'certain');
  assert.equal(finding.peer, 'Node.js API');
  assert.ok(finding.snippet.includes(`tracePropagationTargets: ['${new URL(urls.api).host}']`), finding.snippet);
});

test('a host that is no target gets no header', () => {
  const asked = bystander.requests.filter((request) => request.url === '/collect');
  assert.ok(asked.length > 0);
  for (const request of asked) {
    assert.equal(request.headers.traceparent, undefined);
    assert.equal(request.headers.tracestate, undefined);
  }
});

test('the page lists the trace, filters by service, and shows its waterfall and any span of it', async () => {
  const { page, complaints } = await openPage(browser);
  await page.goto(`${server.url}/traces?service=${encodeURIComponent('Go Microservice')}`);
  const row = page.locator(`[data-testid="trace"][data-trace-id="${trace.traceId}"]`);
  await row.waitFor();
  await row.getByRole('link').first().click();
  await page.waitForURL(`**/traces/${trace.traceId}*`);
  const rows = await readRows(page);
  assert.deepEqual(rows.filter((r) => r.type === 'service').map((r) => r.name), SERVICES);
  assert.deepEqual(rows.map((r) => r.name), trace.rows.map((r) => r.name));
  assert.ok(rows.every((r) => /\d/.test(r.duration)));
  assert.ok((await page.textContent('body')).includes(trace.traceId));
  await page.locator('[data-testid="row"]', { hasText: 'db.Query' }).click();
  await page.locator('[data-testid="panel"]', { hasText: 'SELECT id' }).waitFor(); // its tags come after it
  const panel = await page.textContent('[data-testid="panel"]');
  for (const text of ['Go Microservice', 'db.Query', 'SELECT id, name, email FROM users']) {
    assert.ok(panel.includes(text), `${text} in ${panel}`);
  }
  assert.deepEqual(complaints, []);
  await page.close();
});

test('a request made by hand with a traceparent continues that trace (S129)', async () => {
  const id = '4bf92f3577b34da6a3ce929d0e0e4736';
  const response = await fetch(`${urls.api}/api/users`, {
    headers: { traceparent: `00-${id}-00f067aa0ba902b7-01` },
  });
  assert.equal(response.status, 200);
  const found = await until('the trace of the hand-made request', async () => {
    const answer = await server.get(`/api/v1/traces/${id}`);
    return answer.spans.some((span) => span.name === 'db.Query') &&
      answer.spans.some((span) => span.parentSpanId === '00f067aa0ba902b7') && answer;
  });
  const top = found.spans.find((span) => span.parentSpanId === '00f067aa0ba902b7');
  assert.equal(top.orphan, true);
  assert.equal(top.serviceName, 'Node.js API');
});

test('tags set in a service are searchable (S107)', async () => {
  const answer = await server.get(`/api/v1/traces?q=${encodeURIComponent('tenant.id=anonymous service:"Node.js API"')}`);
  assert.ok(answer.traces.some((found) => found.traceId === trace.traceId));
  assert.match(answer.query, /tenant\.id/);
});

const SEED = path.join(process.env.TRACEKIT_SHARED || path.join(ROOT, '..', 'shared'), 'seed/tracekit-distributed-tracing.txt');

test('every block of code in the guide is one of the document', {
  skip: !existsSync(SEED) && `the document is not at ${SEED}`,
}, () => {
  const plain = (text) => text.replace(/\s+/g, ' ').trim();
  const document = plain(readFileSync(SEED, 'utf8'));
  const code = blocks().filter(({ language }) => ['js', 'go', 'python'].includes(language));
  assert.ok(code.length >= 10);
  for (const { page, text } of code)
    assert.ok(document.includes(plain(text)), `${page}: this block runs in no test:\n${text}`);
});

test('every command of the guide does what it says, on the example', async () => {
  const bin = path.join(scratch, 'bin');
  await mkdir(bin);
  await symlink(TRACEKIT, path.join(bin, 'tracekit'));
  const env = { ...process.env, PATH: `${bin}:${process.env.PATH}`, TRACEKIT_ENDPOINT: server.url, TRACEKIT_DATA: server.data };
  const port = (url) => new URL(url).host;
  const here = (line) => line.replaceAll('localhost:3001', port(urls.api)).replaceAll('localhost:3000', port(urls.web))
    .replaceAll('127.0.0.1:4318', port(server.url));
  await fetch(`${server.url}/v1/traces`, { // something to search for
    method: 'POST', headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: [{
      traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331', name: 'order',
      startTimeUnixNano: `${Date.now()}000000`, endTimeUnixNano: `${Date.now() + 500}000000`,
      attributes: [{ key: 'order.id', value: { intValue: '42' } }] }] }] }] }),
  });
  let ran = 0;
  await Promise.all(commands().map(async ({ page, lines }) => {
    for (const line of lines) {
      if (line.startsWith('tracekit serve')) {
        const other = start(line, 'sh', ['-c', `exec ${line}`],
          { env: { ...env, TRACEKIT_DATA: path.join(scratch, 'other'), TRACEKIT_LISTEN: '127.0.0.1:0' } });
        await other.ready;
        await other.stop();
      } else { // SDKs send every few seconds: what looks for their spans may have to look again
        await until(`${page}: ${line}`, async () => {
          const { stdout } = await promisify(execFile)('sh', ['-c', here(line)], { env });
          return stdout || 'nothing to say';
        }, 60_000);
      }
      ran++;
    }
  }));
  assert.ok(ran >= 15, `${ran} commands`);
});
