/** Spans that no honest program sends, on a real server: they are kept or refused, shown, and never run. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { openBrowser, openPage } from './lib/browser.mjs';
import { send } from './lib/document.mjs';
import { startServer } from './lib/stack.mjs';

const START = 1_760_000_000_000_000_000n;
const MS = 1_000_000n;
const MARKUP = '<img src=x onerror="document.title=\'owned\'">';
const ODD = '6'.repeat(32);
const MANY = '7'.repeat(32);
const SERVICES = 5000;

let server, browser;
before(async () => {
  [server, browser] = await Promise.all([startServer(), openBrowser()]);
});
after(async () => {
  await browser?.close();
  await server?.close();
});

const span = (traceId, number, parent, name, [at, length], more = {}) => ({
  traceId, spanId: number.toString(16).padStart(16, '0'), parentSpanId: parent ? parent.toString(16).padStart(16, '0') : '', name,
  startTimeUnixNano: String(START + BigInt(at) * MS), endTimeUnixNano: String(START + BigInt(at + length) * MS), ...more,
});
const program = (service, ...spans) => ({
  resource: { attributes: [{ key: 'service.name', value: { stringValue: service } }] }, scopeSpans: [{ spans }],
});

/** Every page that shows them: nothing ran, nothing failed, nothing sticks out. */
async function isHarmless(page, complaints, address, ready) {
  await page.goto(server.url + address);
  await page.waitForSelector(ready);
  assert.doesNotMatch(await page.title(), /^owned/);
  assert.equal(await page.locator('#app img, #app script').count(), 0);
  const [wide, room] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  assert.equal(wide, room, `${address}: nothing sticks out sideways`);
  assert.deepEqual(complaints, [], address);
}

test('cycles, own parents, no and negative durations, spans beyond their trace: shown or refused, never run', async () => {
  const answer = await send(server, { resourceSpans: [
    program(MARKUP,
      span(ODD, 1, 2, 'of a cycle', [0, 10]), span(ODD, 2, 1, 'of a cycle too', [1, 10]),
      span(ODD, 3, 3, 'its own parent', [2, 10]),
      span(ODD, 4, 0, '\u202Eroot \u05e9\u05dc\u05d5\u05dd 👩‍👩‍👧‍👦', [0, 5]),
      span(ODD, 5, 4, 'longer than its trace'.repeat(500), [-50, 5000], { attributes: [{ key: MARKUP, value: { stringValue: MARKUP } }] }),
      span(ODD, 6, 4, '', [3, 0]),
      span(ODD, 7, 4, 'ends before it begins', [9, -5])),
  ] });
  assert.equal(answer.partialSuccess?.rejectedSpans, '1', 'the one with a negative duration');
  const { page, complaints } = await openPage(browser);
  await isHarmless(page, complaints, '/traces', `[data-trace-id="${ODD}"]`);
  for (const view of ['waterfall', 'tree', 'flame', 'table']) {
    await isHarmless(page, complaints, `/traces/${ODD}?view=${view}`, view === 'table' ? 'table' : '.minimap canvas');
  }
  await isHarmless(page, complaints, `/traces/${ODD}?span=0000000000000005`, '[data-testid="panel"]');
  assert.equal(await page.getAttribute('[role="treegrid"]', 'aria-rowcount'), String(1 + 3 + 6), 'head, service of each root, spans');
  await isHarmless(page, complaints, `/compare?first=${ODD}&second=${ODD}`, '[data-testid="side-row"]');
  await isHarmless(page, complaints, '/traces?q=duration%3E1s&rest=q%3D', '[data-testid="why-counts"]');
  await isHarmless(page, complaints, '/doctor?start=2025-10-01T00:00:00Z', '[data-testid="looked"]');
  await page.close();
});

test('five thousand services in one trace are listed, opened, compared and looked through', async () => {
  const services = Array.from({ length: SERVICES }, (_, i) =>
    program(`service ${i}`, span(MANY, i + 1, i ? (i >> 1) + (i === 1 ? 0 : 1) || 1 : 0, `step ${i}`, [i % 100, 200])));
  await send(server, { resourceSpans: services });
  const { page, complaints } = await openPage(browser);
  await isHarmless(page, complaints, '/traces', `[data-trace-id="${MANY}"]`);
  await isHarmless(page, complaints, `/traces/${MANY}`, '[data-testid="row"]');
  await page.waitForSelector('[data-testid="rest"]', { state: 'detached' });
  await page.focus('[role="treegrid"]');
  for (const key of ['End', '[', ']', 'Home']) await page.keyboard.press(key);
  await isHarmless(page, complaints, `/compare?first=${ODD}&second=${MANY}`, '[data-testid="changes"]');
  assert.ok((await page.locator('*').count()) < 3000, 'what many changed stands in one row');
  await isHarmless(page, complaints, '/services?start=2025-10-01T00:00:00Z', '[data-testid="service"]');
  await isHarmless(page, complaints, `/services/${encodeURIComponent('service 4999')}?start=2025-10-01T00:00:00Z`, 'h1');
  await isHarmless(page, complaints, '/doctor?start=2025-10-01T00:00:00Z', '[data-testid="looked"]');
  await page.close();
});
