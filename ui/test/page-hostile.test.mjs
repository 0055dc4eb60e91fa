// Names come from other people's programs. Whatever they hold, they are text.

import assert from 'node:assert/strict';
import { after } from 'node:test';
import { closeBrowser, eventually, pageTest } from './browser.mjs';
import { baseNano, failedId, hostileId, hostileNames } from './fixture-data.mjs';

after(closeBrowser);

const isHarmless = async (page) => {
  assert.doesNotMatch(await page.title(), /^owned/);
  assert.equal(await page.locator('#app img, #app script').count(), 0);
  const wide = await page.evaluate(() => [
    document.documentElement.scrollWidth,
    document.documentElement.clientWidth,
  ]);
  assert.equal(wide[0], wide[1], 'nothing sticks out sideways');
};

for (const width of [320, 1280]) {
  pageTest(
    `markup, long, right-to-left and odd names are text, at ${width} pixels`,
    { context: { viewport: { width, height: 800 } } },
    async ({ page, url }) => {
      await page.goto(`${url}/traces`);
      await page.waitForSelector(`[data-trace-id="${hostileId}"]`);
      await isHarmless(page);
      await page.goto(`${url}/traces/${hostileId}`);
      await page.waitForSelector('[data-testid="row"]');
      const labels = await page.$$eval('[data-testid="row"] bdi', (all) =>
        all.map((el) => el.textContent),
      );
      assert.equal(labels[0], hostileNames.html);
      assert.ok(
        labels.includes(hostileNames.rtl) && labels.includes(hostileNames.emoji),
        labels.join(),
      );
      assert.ok(labels.includes('(no name)'));
      const heights = await page.$$eval('[data-testid="row"]', (all) =>
        all.map((el) => el.offsetHeight),
      );
      assert.ok(heights.every((height) => height === 26));
      for (let i = 0; i < 5; i++) {
        await page.goto(`${url}/traces/${hostileId}?span=bad000000000000${i}`);
        await page.waitForSelector('[data-testid="panel"]');
        await isHarmless(page);
      }
      const whole = await page.$$eval('[data-testid="panel"] .value', (all) =>
        all.map((el) => el.textContent),
      );
      assert.ok(whole.includes(hostileNames.long), 'a long value is there whole');
    },
  );
}

pageTest(
  'right-to-left names leave durations and neighbours where they are',
  {},
  async ({ page, url }) => {
    await page.goto(`${url}/traces/${hostileId}`);
    await page.waitForSelector('[data-testid="row"]');
    const right = await page.$$eval('[data-col="duration"]', (all) =>
      all.map((el) => el.getBoundingClientRect().right),
    );
    assert.equal(new Set(right).size, 1);
    const left = await page.$$eval('[data-testid="row"][data-depth="1"] bdi', (all) =>
      all.map((el) => el.getBoundingClientRect().left),
    );
    assert.equal(new Set(left).size, 1);
  },
);

/** A root, `wide` children of it that all last nothing or all of it, and a chain of `deep` spans. */
function giantTrace(wide, deep) {
  const service = hostileNames.html;
  const spans = [];
  const add = (parent, depth, length) => {
    const name = spans.length % 3 ? hostileNames.rtl : `span ${spans.length}`;
    spans.push({
      spanId: (spans.length + 1).toString(16).padStart(16, '0'),
      ...(parent < 0 ? {} : { parentSpanId: spans[parent].spanId }),
      name,
      kind: 'CLIENT',
      serviceName: service,
      startTimeUnixNano: String(baseNano),
      durationNano: String(length),
      selfTimeNano: '0',
      depth,
      status: { code: spans.length % 7 ? 'UNSET' : 'ERROR' },
    });
  };
  add(-1, 0, 1e9);
  for (let i = 0; i < wide; i++) add(0, 1, i % 2 ? 0 : 1e9);
  for (let i = 0; i < deep; i++) add(spans.length - 1, i + 2, 1e9 - i);
  const row = (span, i) => ({ type: 'span', depth: span.depth + 1, name: span.name, span: i });
  const rows = [{ type: 'service', depth: 0, name: service, span: null }, ...spans.map(row)];
  const length = (each) => (each.span === null ? '1000000000' : spans[each.span].durationNano);
  return {
    traceId: failedId,
    startTimeUnixNano: String(baseNano),
    durationNano: '1000000000',
    spanCount: spans.length,
    errorCount: 1,
    services: [{ name: service, spanCount: spans.length, errorCount: 1 }],
    spans,
    rows: rows.map((each) => ({ ...each, service, offsetNano: '0', durationNano: length(each) })),
    resources: [],
    scopes: [],
  };
}

pageTest(
  'a hundred thousand children of one span, and a chain of thousands, can be looked at',
  { fixture: { traces: [giantTrace(100_000, 3000)] } },
  async ({ page, url }) => {
    await page.goto(`${url}/traces/${failedId}`);
    await page.waitForSelector('[data-testid="row"]');
    await page.waitForSelector('[data-testid="rest"]', { state: 'detached' });
    const grid = page.locator('[role="treegrid"]');
    assert.equal(await grid.getAttribute('aria-rowcount'), '103003');
    await grid.focus();
    for (const key of ['End', 'u', '[', ']', 'e', 'c', 'f', '0', 'Home']) {
      await page.keyboard.press(key);
    }
    await page.fill('[data-testid="find"]', 'evil');
    await eventually(async () =>
      assert.match(await page.textContent('[data-testid="matches"]'), /^68,6/),
    );
    for (const view of ['Tree', 'Flame', 'Table', 'Waterfall']) {
      await page.click(`button:has-text("${view}")`);
      await isHarmless(page);
    }
    await page.waitForSelector('[data-testid="row"]');
    assert.ok((await page.locator('*').count()) < 1500);
  },
);
