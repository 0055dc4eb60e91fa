// axe on every page, in both themes, wide and narrow: no violation.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after } from 'node:test';
import { closeBrowser, pageTest } from './browser.mjs';
import { failedId, goldenId } from './fixture-data.mjs';

after(closeBrowser);
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const options = {
  runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
};

const views = [
  ['the list', '/traces', '[data-testid="trace"]', {}],
  ['the saved searches', '/traces?q=slow', '[data-testid="saved-views"]', {}, true],
  ['a bad query', '/traces?q=@', '[data-testid="query-error"]', {}],
  ['the waterfall', `/traces/${goldenId}`, '[data-testid="row"]', {}],
  ['an open span', `/traces/${failedId}?span=c000000000000001`, '[data-testid="panel"]', {}],
  ['an open finding', `/traces/${failedId}`, '[data-testid="findings"] summary', {}, true],
  ['services', '/services', '[data-testid="service"]', {}],
  ['a service', '/services/payments', '[data-testid="operation"]', {}],
  ['what is special', '/traces?q=slow&rest=q%3D', '[data-testid="difference"]', {}],
  ['the doctor', '/doctor', '[data-testid="finding"]', {}],
  ['a healthy project', '/doctor', '[data-testid="healthy"]', { findings: [] }],
  [
    'two traces compared',
    `/compare?first=${goldenId}&second=${failedId}`,
    '[data-testid="side-row"]',
    {},
  ],
  ['the tags', '/tags?key=http.request.method', '[data-testid="tag-value"]', {}],
  ['the map', '/map', '[data-testid="map-row"]', {}],
  ['settings', '/settings', '[data-testid="key"]', {}],
  ['limits to change', '/settings', 'button:has-text("Change…")', {}, true],
  ['the first minutes', '/traces', '[data-testid="empty"]', { traces: [] }],
  ['a key made', '/traces?setup=go', '[data-testid="setup"] button', { traces: [] }, true],
  ['the guide', '/docs/distributed-tracing', 'h1', {}],
  ['a reference', '/docs/query', 'h1', {}],
  ['sign-in', '/traces', '[data-testid="sign-in"]', { key: 'k' }],
];

for (const [name, path, ready, fixture, isOpened] of views) {
  const context = { reducedMotion: 'reduce' };
  pageTest(`${name} passes axe`, { fixture, context }, async ({ page, url }) => {
    await page.goto(url + path);
    await page.waitForSelector(ready);
    if (isOpened) await page.click(ready);
    // From the debugger, as the page's own policy forbids injected scripts.
    await page.evaluate(axe);
    for (const colorScheme of ['light', 'dark']) {
      for (const width of [375, 1280]) {
        await page.emulateMedia({ colorScheme });
        await page.setViewportSize({ width, height: 800 });
        const { violations } = await page.evaluate((only) => axe.run(document, only), options);
        const found = violations.map(({ id, nodes }) => `${id}: ${nodes[0].html}`);
        assert.deepEqual(found, [], `${colorScheme}, ${width} pixels`);
      }
    }
  });
}
