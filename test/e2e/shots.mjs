/** Screenshots of every page with the document's trace, in both themes and two widths, into build/shots. */

import { mkdir } from 'node:fs/promises';
import path from 'node:path';

import { openBrowser } from './lib/browser.mjs';
import { TRACE_ID, documentTrace, send } from './lib/document.mjs';
import { ROOT, startServer } from './lib/stack.mjs';

const OUT = path.join(ROOT, 'build/shots');
const PAGES = {
  traces: '/traces',
  search: `/traces?q=${encodeURIComponent('{ span.order.id = "42" && duration > 200ms }')}`,
  'bad-query': `/traces?q=${encodeURIComponent('{ span.order.id = }')}`,
  waterfall: `/traces/${TRACE_ID}`,
  tree: `/traces/${TRACE_ID}?view=tree&gaps=1`,
  flame: `/traces/${TRACE_ID}?view=flame`,
  table: `/traces/${TRACE_ID}?view=table`,
  settings: '/settings',
};

await mkdir(OUT, { recursive: true });
const server = await startServer();
const browser = await openBrowser();
try {
  await send(server, documentTrace(BigInt(Date.now() - 60_000) * 1_000_000n));
  for (const theme of ['light', 'dark']) {
    for (const width of [1280, 375]) {
      const page = await browser.newPage({ viewport: { width, height: 800 }, colorScheme: theme });
      for (const [name, target] of Object.entries(PAGES)) {
        await page.goto(server.url + target, { waitUntil: 'load' });
        await page.waitForTimeout(400); // lists are filled, animations have ended
        if (name === 'waterfall') await page.locator('[data-testid="row"]', { hasText: 'db.Query' }).click();
        const file = path.join(OUT, `${name}-${theme}-${width}.png`);
        await page.screenshot({ path: file });
        console.log(path.relative(ROOT, file));
      }
      await page.close();
    }
  }
} finally {
  await browser.close();
  await server.close();
}
