// The map of services: drawn, walked with the keys, and what a click leads to.

import assert from 'node:assert/strict';
import { after } from 'node:test';
import { closeBrowser, eventually, pageTest } from './browser.mjs';

after(closeBrowser);
const numbers = { callCount: 3600, errorCount: 0, p50Nano: '1000000', p95Nano: '30000000', p99Nano: '40000000' }; // prettier-ignore
const mapOf = (nodes, calls) => ({
  startTimeUnixNano: '1767225600000000000',
  endTimeUnixNano: '1767229200000000000',
  traceCount: 10,
  nodes: nodes.map((node) => ({ ...numbers, kind: 'service', ...node })),
  calls: calls.map(([caller, callee, more]) => ({ ...numbers, caller, callee, ...more })),
});
const shop = mapOf(
  [
    { name: 'web' },
    { name: 'api', callCount: 7200 },
    { name: 'postgresql', kind: 'database', attribute: 'db.system.name' },
  ],
  [
    [0, 1, { errorCount: 72 }],
    [1, 2],
  ],
);
/** The name of what has the focus, as it is read aloud. */
const focused = (page) =>
  page.evaluate(() => {
    const element = document.activeElement;
    const spoken = element.querySelectorAll(':scope > :not([aria-hidden])');
    return element.ariaLabel ?? [...spoken].map((part) => part.textContent).join('');
  });

pageTest(
  'the map says who calls whom and leads to those calls',
  {},
  async ({ page, url, fixture }) => {
    fixture.map = shop;
    await page.goto(`${url}/map?start=-6h`);
    await page.waitForSelector('[data-testid="map-node"]');
    const boxes = page.locator('[data-testid="map-node"]');
    assert.deepEqual(await boxes.locator('bdi').allInnerTexts(), ['api', 'web', 'postgresql']);
    assert.match(await page.locator('[data-testid="map"]').innerText(), /◆ 2 %/);
    const row = page.locator('[data-testid="map-row"]').first();
    assert.match(await row.innerText(), /web\s+api\s+1\/s\s+3,600\s+2 %\s+1ms\s+30ms\s+40ms/);
    await page.locator('[data-testid="map-call"]').nth(1).focus();
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/traces\?/);
    const { searchParams } = new URL(page.url());
    assert.equal(
      searchParams.get('q'),
      '{ resource.service.name = "api" && span.db.system.name = "postgresql" }',
    );
    assert.equal(searchParams.get('start'), '-6h');
    await page.goBack();
    await page.click('[data-testid="map-node"]:has-text("web")');
    await page.waitForURL(/\/services\/web\?start=-6h/);
  },
);

pageTest(
  'the arrow keys walk from caller to callee and back, with one tab stop',
  {},
  async ({ page, url, fixture }) => {
    fixture.map = shop;
    await page.goto(`${url}/map`);
    await page.waitForSelector('[data-testid="map-node"]');
    assert.equal(await page.locator('[data-testid="map"] a[tabindex="0"]').count(), 1);
    await page.locator('[data-testid="map"] a[tabindex="0"]').focus();
    const walk = [];
    for (const key of ['ArrowLeft', 'ArrowLeft', 'ArrowDown', 'ArrowRight', 'ArrowRight']) {
      await page.keyboard.press(key);
      walk.push((await focused(page)).split('.')[0]);
    }
    assert.deepEqual(walk, [
      'web calls api',
      'web',
      'api',
      'api calls postgresql',
      'postgresql database',
    ]);
    assert.match(
      await focused(page),
      /Calls: 1 a second, none failed, 95 % within 30 milliseconds/,
    );
    assert.equal(await page.locator('[data-testid="map"] a[tabindex="0"]').count(), 1);
  },
);

pageTest(
  'a map of a thousand with names from hell draws the busiest, and what is around one',
  { context: { viewport: { width: 320, height: 700 } } },
  async ({ page, url, fixture }) => {
    const names = [
      '<img src=x onerror=alert(1)>',
      '‮شركة',
      '👩‍👩‍👧‍👦'.repeat(40),
      'x'.repeat(10_000),
      '',
    ];
    const nodes = Array.from({ length: 1000 }, (_, i) => ({
      name: names[i] ?? `s${i}`,
      callCount: 1000 - i,
    }));
    const calls = Array.from({ length: 4000 }, (_, i) => [i % 1000, (i * 7 + 1) % 1000]);
    fixture.map = { ...mapOf(nodes, calls), cut: 'nodes' };
    await page.goto(`${url}/map`);
    await page.waitForSelector('[data-testid="map-node"]');
    assert.match(
      await page.locator('[data-testid="map-said"]').innerText(),
      /more callers.*Drawn: /,
    );
    assert.ok((await page.locator('*').count()) < 6000);
    const overflow = () =>
      page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    assert.ok((await overflow()) <= 0);
    await page.selectOption('[data-testid="around"]', names[0]);
    await page.waitForURL(/around=/);
    await eventually(async () =>
      assert.ok((await page.locator('[data-testid="map-node"]').count()) <= 9),
    );
    assert.ok((await page.locator('[data-testid="map-row"]').count()) <= 8);
    assert.ok((await overflow()) <= 0);
  },
);

pageTest('a time without calls says so', {}, async ({ page, url, fixture }) => {
  fixture.map = mapOf([], []);
  await page.goto(`${url}/map`);
  await page.waitForSelector('text=No service sent a span in this time');
});
