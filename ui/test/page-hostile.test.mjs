// Names come from other people's programs. Whatever they hold, they are text.

import assert from 'node:assert/strict';
import { after } from 'node:test';
import { closeBrowser, pageTest } from './browser.mjs';
import { hostileId, hostileNames } from './fixture-data.mjs';

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
