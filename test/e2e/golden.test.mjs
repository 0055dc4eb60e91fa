/** The document's eight rows: labels, durations and order, from the API and in a real browser (S87 to S92). */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { openBrowser, openPage, readRows } from './lib/browser.mjs';
import { startServer } from './lib/stack.mjs';

const TRACE_ID = '4bf92f3577b34da6a3ce929d0e0e4736';
const START = 1_760_000_000_000_000_000n;
const MS = 1_000_000n;

// name, service, parent, start and duration in ms
const SPANS = {
  a1: ['React Frontend', 'React Frontend', '', 0n, 420n],
  a2: ['fetch /api/users', 'React Frontend', 'a1', 20n, 380n],
  b1: ['Node.js API', 'Node.js API', 'a2', 30n, 360n],
  b2: ['GET /api/users', 'Node.js API', 'b1', 50n, 300n],
  b3: ['validate-auth', 'Node.js API', 'b1', 350n, 40n],
  c1: ['GET /users', 'Go Microservice', 'b2', 90n, 240n],
  c2: ['db.Query', 'Go Microservice', 'c1', 120n, 180n],
};


const ROWS = [
  ['service', 0, 'React Frontend', '420ms'],
  ['span', 1, 'fetch /api/users', '380ms'],
  ['service', 0, 'Node.js API', '360ms'],
  ['span', 1, 'GET /api/users', '300ms'],
  ['span', 1, 'validate-auth', '40ms'],
  ['service', 0, 'Go Microservice', '240ms'],
  ['span', 1, 'GET /users', '240ms'],
  ['span', 2, 'db.Query', '180ms'],
];

function body() {
  const services = [...new Set(Object.values(SPANS).map(([, service]) => service))];
  const id = (name) => `00000000000000${name}`;
  return {
    resourceSpans: services.map((service) => ({
      resource: { attributes: [{ key: 'service.name', value: { stringValue: service } }] },
      scopeSpans: [{
        spans: Object.entries(SPANS).filter(([, span]) => span[1] === service).map(([name, span]) => ({
          traceId: TRACE_ID,
          spanId: id(name),
          parentSpanId: span[2] ? id(span[2]) : '',
          name: span[0],
          kind: 2,
          startTimeUnixNano: String(START + span[3] * MS),
          endTimeUnixNano: String(START + (span[3] + span[4]) * MS),
        })),
      }],
    })),
  };
}

let server, browser;
before(async () => {
  server = await startServer();
  const response = await fetch(`${server.url}/v1/traces`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body()),
  });
  assert.equal(response.status, 200);
  browser = await openBrowser();
});
after(async () => {
  await browser?.close();
  await server?.close();
});

test('the API answers with the eight rows of the document', async () => {
  const trace = await server.get(`/api/v1/traces/${TRACE_ID}`);
  const rows = trace.rows.map((row) => [
    row.type, row.depth, row.name, `${BigInt(row.durationNano) / MS}ms`,
  ]);
  assert.deepEqual(rows, ROWS);
  assert.equal(trace.rows[0].offsetNano, '0');
  assert.equal(trace.durationNano, String(420n * MS));
});

test('the page shows the eight rows of the document, placed on one time axis', async () => {
  const { page, complaints } = await openPage(browser);
  await page.goto(`${server.url}/traces/${TRACE_ID}`);
  const rows = await readRows(page);
  assert.deepEqual(rows.map((row) => [row.type, row.depth, row.name, row.duration]), ROWS);
  const head = await page.textContent('[role="treegrid"]');
  for (const column of ['Service', 'Timeline', 'Duration']) assert.ok(head.includes(column), column);
  assert.deepEqual(complaints, []);
  await page.close();
});
