// Pages look as they did: coarse pictures (picture.mjs) of seeded data beside those in golden/. What
// was changed on purpose is taken over by `GOLDEN=write node --test ui/test/page-golden.test.mjs`.

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { after } from 'node:test';
import { closeBrowser, pageTest } from './browser.mjs';
import { failedId, goldenId } from './fixture-data.mjs';
import { difference, pictureOf } from './picture.mjs';

after(closeBrowser);
const folder = new URL('./golden/', import.meta.url);
const row = '[data-testid="row"]';
/**
 * Of the squares with anything in them so many may be two shades apart. Other settings of hinting and
 * of subpixels differ in none; a row that is missing in 3 % (tested below).
 */
const tolerance = 0.02;

/** name, address, what shows that it is complete */
const views = [
  ['waterfall', `/traces/${goldenId}`, [row]],
  ['tree', `/traces/${goldenId}?view=tree&gaps=1`, [row]],
  ['flame', `/traces/${goldenId}?view=flame`, ['.flame canvas']],
  ['table', `/traces/${goldenId}?view=table`, ['table']],
  [
    'failed',
    `/traces/${failedId}?span=c000000000000001`,
    [row, '[data-testid="panel"]', '[data-testid="findings"]'],
  ],
  [
    'compare',
    `/compare?first=${goldenId}&second=${failedId}`,
    ['[data-testid="side"]:nth-of-type(2) [data-testid="side-row"]'],
  ],
  ['doctor', '/doctor', ['[data-testid="finding"]']],
  ['why', '/traces?q=slow&rest=q%3D', ['[data-testid="difference"]', '[data-testid="heatmap"]']],
];

/** Fonts that every Debian with a Chromium has; then nothing moves any more. */
async function settle(page) {
  const hasFonts = await page.evaluate(async () => {
    const { style } = document.documentElement;
    style.setProperty('--font', '"DejaVu Sans", monospace');
    style.setProperty('--mono', '"DejaVu Sans Mono", serif');
    const context = new OffscreenCanvas(1, 1).getContext('2d');
    const widthOf = (font) => {
      context.font = `20px ${font}`;
      return context.measureText('What wide words we wrote').width;
    };
    for (let i = 0; i < 3; i++) await new Promise(requestAnimationFrame);
    return (
      widthOf('"DejaVu Sans", serif') !== widthOf('serif') &&
      widthOf('"DejaVu Sans Mono", serif') !== widthOf('serif')
    );
  });
  assert.ok(hasFonts, 'DejaVu Sans and DejaVu Sans Mono (Debian: fonts-dejavu-core) are needed');
}

function compare(name, picture) {
  const file = new URL(`${name}.txt`, folder);
  if (process.env.GOLDEN === 'write') {
    mkdirSync(folder, { recursive: true });
    writeFileSync(file, picture + '\n');
  }
  return difference(readFileSync(file, 'utf8').trimEnd(), picture);
}

for (const [colorScheme, width] of [
  ['light', 1280],
  ['dark', 375],
]) {
  const context = {
    colorScheme,
    reducedMotion: 'reduce',
    viewport: { width, height: 800 },
    deviceScaleFactor: 1,
    locale: 'en-US',
  };
  pageTest(
    `the pages look as they did, ${colorScheme}, ${width} pixels`,
    { context },
    async ({ page, context: browser, url }) => {
      const reader = await browser.newPage();
      await page.clock.setFixedTime(new Date('2026-01-01T01:10:00Z'));
      const wrong = [];
      for (const [name, path, ready] of views) {
        await page.goto(url + path);
        for (const each of ready) await page.locator(each).first().waitFor({ state: 'attached' });
        await settle(page);
        const picture = await pictureOf(page, reader);
        const share = compare(`${name}-${colorScheme}-${width}`, picture);
        if (share > tolerance) {
          wrong.push(`${name}: ${(share * 100).toFixed(1)} % of the squares differ\n${picture}`);
        }
      }
      assert.deepEqual(wrong, []);
    },
  );
}

pageTest(
  'a row that is missing is seen',
  { context: { colorScheme: 'light', viewport: { width: 1280, height: 800 } } },
  async ({ page, context: browser, url }) => {
    const reader = await browser.newPage();
    await page.goto(`${url}/traces/${goldenId}`);
    await page.waitForSelector(row);
    await settle(page);
    const whole = await pictureOf(page, reader);
    await page.$$eval(row, (rows) => (rows[3].style.visibility = 'hidden'));
    const missing = difference(whole, await pictureOf(page, reader));
    assert.ok(missing > 1.5 * tolerance, String(missing));
  },
);
