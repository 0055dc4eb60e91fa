/** The document's eight rows: labels, durations and order, from the API and in a real browser (S87 to S92). */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { openBrowser, openPage, readRows } from './lib/browser.mjs';
import { MS, ROWS, TRACE_ID, documentTrace, send } from './lib/document.mjs';
import { startServer } from './lib/stack.mjs';

let server, browser;
before(async () => {
  server = await startServer();
  await send(server, documentTrace());
  browser = await openBrowser();
});
after(async () => {
  await browser?.close();
  await server?.close();
});

test('the API answers with the eight rows of the document', async () => {
  const trace = await server.get(`/api/v1/traces/${TRACE_ID}`);
  const rows = trace.rows.map((row) => [row.type, row.depth, row.name, `${BigInt(row.durationNano) / MS}ms`]);
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
