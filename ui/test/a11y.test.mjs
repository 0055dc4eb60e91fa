// axe on every page, in both themes, wide and narrow: no violation.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after } from 'node:test';
import { closeBrowser, pageTest } from './browser.mjs';
import { failedId, goldenId } from './fixture-data.mjs';

after(closeBrowser);
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const options = { runOnly: [
  'wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice',
] };

const views = [
  ['the list', '/traces', '[data-testid="trace"]', {}],
  ['a bad query', '/traces?q=@', '[data-testid="query-error"]', {}],
  ['the waterfall', `/traces/${goldenId}`, '[data-testid="row"]', {}],
  ['an open span', `/traces/${failedId}?span=c000000000000001`, '[data-testid="panel"]', {}],
  ['settings', '/settings', '[data-testid="key"]', {}],
  ['the empty state', '/traces', '[data-testid="empty"]', { traces: [] }],
  ['sign-in', '/traces', '[data-testid="sign-in"]', { key: 'k' }],
];

for (const [name, path, ready, fixture] of views) {
  for (const colorScheme of ['light', 'dark']) {
    for (const width of [375, 1280]) {
      const viewport = { width, height: 800 };
      pageTest(`${name} passes axe: ${colorScheme}, ${width} pixels`,
        { fixture, context: { colorScheme, viewport, reducedMotion: 'reduce' } },
        async ({ page, url }) => {
          await page.goto(url + path);
          await page.waitForSelector(ready);
          // From the debugger, as the page's own policy forbids injected scripts.
          await page.evaluate(axe);
          const { violations } = await page.evaluate((only) => window.axe.run(document, only), options);
          const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map((n) => n.html).slice(0, 3)}`);
          assert.deepEqual(found, []);
        });
    }
  }
}
