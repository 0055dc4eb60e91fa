// The services, one service, and the durations over the list of traces.

import assert from 'node:assert/strict';
import { after } from 'node:test';
import { closeBrowser, eventually, pageTest } from './browser.mjs';

after(closeBrowser);
const service = '[data-testid="service"]';
const names = (page) =>
  page.$$eval(`${service} bdi`, (cells) => cells.map((cell) => cell.textContent));

pageTest(
  'services are listed by what they do, sorted by the head of a column, and lead to their own page',
  {},
  async ({ page, url }) => {
    await page.goto(`${url}/services`);
    await page.waitForSelector(service);
    const byRate = await names(page);
    assert.ok(byRate.includes('payments'));
    await page.getByRole('button', { name: 'Service', exact: true }).click();
    await eventually(async () =>
      assert.deepEqual(
        await names(page),
        [...byRate].sort((a, b) => a.localeCompare(b)),
      ),
    );
    assert.match(page.url(), /sort=name/);
    await page.locator(service, { hasText: 'payments' }).click();
    await page.waitForURL(/\/services\/payments\?/);
    await page.waitForSelector('[data-testid="charts"] canvas');
    const said = await page.locator('[data-testid="charts"]').innerText();
    for (const title of ['Spans a second', 'Errors a second', 'Duration']) {
      assert.ok(said.includes(title), said);
    }
    assert.match(said, /at\s*2026-01-01 \d\d:\d\d\s*errors\s*0\/s/, 'nothing is pointed at');
    await page.locator('[data-testid="operation"]').first().click();
    await page.waitForURL(/\/traces\?.*service=payments/);
    assert.match(new URL(page.url()).searchParams.get('q'), /^\{ name = ".+" \}$/);
  },
);

pageTest('dragging along a chart looks closer, and back is back', {}, async ({ page, url }) => {
  await page.goto(`${url}/services/payments`);
  const chart = page.locator('.u-over').first();
  await chart.waitFor();
  const box = await chart.boundingBox();
  await page.mouse.move(box.x + 40, box.y + 40);
  await page.mouse.down();
  await page.mouse.move(box.x + 160, box.y + 60, { steps: 4 });
  await page.mouse.up();
  await page.waitForURL(/start=\d{4}-.*end=\d{4}-/);
  await page.goBack();
  await eventually(() => assert.doesNotMatch(page.url(), /end=/));
});

pageTest(
  'beside the heatmap stand rate, errors and percentiles of what the search selects',
  {},
  async ({ page, url }) => {
    await page.goto(`${url}/traces?q=payments`);
    const numbers = page.locator('[data-testid="numbers"]');
    await numbers.waitFor();
    const told = (await numbers.innerText()).replace(/\s+/g, ' ').trim();
    const spans = String.raw`[\d.,]+/(s|min|h)`;
    const wanted = `^Spans ${spans} Errors [\\d.]+ % p50 [\\d.]+[mµn]?s p95 [\\d.]+[mµn]?s p99 [\\d.]+[mµn]?s$`;
    assert.match(told, RegExp(wanted));
  },
);

pageTest('what is dragged over in the heatmap becomes the search', {}, async ({ page, url }) => {
  await page.goto(`${url}/traces?q=payments`);
  const map = page.locator('[data-testid="heatmap"]');
  await map.waitFor();
  assert.match(await map.getAttribute('aria-label'), /^Durations over time of [\d,]+ spans/);
  const box = await map.boundingBox();
  await page.mouse.move(box.x + box.width * 0.3, box.y + 20);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.6, box.y + 60, { steps: 4 });
  await page.mouse.up();
  await page.waitForURL(/start=.*end=/);
  const { searchParams } = new URL(page.url());
  assert.match(searchParams.get('q'), /^payments duration>=[\d.]+[nµm]?s duration<[\d.]+[nµm]?s$/);
  assert.ok(Date.parse(searchParams.get('start')) < Date.parse(searchParams.get('end')));
});
