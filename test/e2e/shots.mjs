/**
 * Screenshots of every page and of what it looks like in other states, from an hour of seeded traces on a real server, in
 * both themes and three widths, into build/shots: for a person to look at. `./dev shots NAME...` writes those pages alone.
 */

import { mkdir } from 'node:fs/promises';
import path from 'node:path';

import { openBrowser } from './lib/browser.mjs';
import { TRACE_ID, documentTrace, send } from './lib/document.mjs';
import { anHour, examples } from './lib/seed.mjs';
import { ROOT, startServer } from './lib/stack.mjs';

const OUT = path.join(ROOT, 'build/shots');
const WIDTHS = [1280, 768, 320];
const SLOW = 'duration>1s';

const params = (values) => new URLSearchParams(values).toString();
/** name: [address, what is clicked before] */
const pagesOf = ({ fast, slow, broken }) => ({
  traces: ['/traces'],
  search: [`/traces?${params({ q: '{ span.order.id = "42" && duration > 200ms }' })}`],
  'bad-query': [`/traces?${params({ q: '{ span.order.id = }' })}`],
  'no-match': [`/traces?${params({ q: 'nothing-like-this' })}`],
  why: [`/traces?${params({ q: SLOW, rest: 'q=' })}`],
  waterfall: [`/traces/${TRACE_ID}`],
  panel: [`/traces/${TRACE_ID}?span=00000000000000c2`],
  gaps: [`/traces/${TRACE_ID}?gaps=1`],
  tree: [`/traces/${TRACE_ID}?view=tree`],
  flame: [`/traces/${TRACE_ID}?view=flame`],
  table: [`/traces/${TRACE_ID}?view=table`],
  broken: [`/traces/${broken}`, '[data-testid="findings"] summary'],
  'no-trace': [`/traces/${'9'.repeat(32)}`],
  compare: [`/compare?${params({ first: fast, second: slow })}`],
  'compare-empty': ['/compare'],
  services: ['/services'],
  service: [`/services/${encodeURIComponent('Node.js API')}`],
  map: ['/map'],
  tags: ['/tags'],
  doctor: ['/doctor'],
  settings: ['/settings'],
  'not-found': ['/nowhere'],
  guide: ['/docs/distributed-tracing'],
});

const wanted = process.argv.slice(2);
await mkdir(OUT, { recursive: true });
const server = await startServer();
const empty = await startServer();
const browser = await openBrowser();
try {
  const now = BigInt(Date.now()) * 1_000_000n;
  const bodies = anHour(now);
  for (const body of [...bodies, documentTrace(now - 60_000_000_000n)]) await send(server, body);
  const targets = Object.entries(pagesOf(examples(bodies))).map(([name, [to, click]]) => [name, server.url + to, click]);
  targets.push(['first-minutes', empty.url + '/traces']);
  const unknown = wanted.filter((name) => !targets.some(([known]) => known === name));
  if (unknown.length > 0) throw new Error(`no page is called ${unknown}: ${targets.map(([name]) => name).join(' ')}`);
  for (const colorScheme of ['light', 'dark']) {
    for (const width of WIDTHS) {
      const page = await browser.newPage({ viewport: { width, height: 800 }, colorScheme, reducedMotion: 'reduce', timezoneId: 'UTC' });
      for (const [name, target, click] of targets.filter(([each]) => wanted.length === 0 || wanted.includes(each))) {
        await page.goto(target, { waitUntil: 'load' });
        await page.waitForTimeout(500); // what is asked for has come: a person looks, nothing is tested
        if (click) await page.click(click, { timeout: 2000 }).catch(() => console.error(`${name}: there is no ${click}`));
        const file = path.join(OUT, `${name}-${colorScheme}-${width}.png`);
        await page.screenshot({ path: file });
        console.log(path.relative(ROOT, file));
      }
      await page.close();
    }
  }
} finally {
  await browser.close();
  await server.close();
  await empty.close();
}
