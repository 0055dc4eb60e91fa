// Opens traces in Chromium and prints as JSON how the page does: node bench/page.mjs URL SPANS=TRACE...
// What each figure means is in bench/README.md.

import { createServer } from 'node:http';
import { chromium } from 'playwright-core';

const [url, ...traces] = process.argv.slice(2);
const RUNS = 5;
const WAIT_MS = 60_000;
const LIST_ROWS = 1000;

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-dev-shm-usage'],
});
const figures = {};
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

/** Runs before the page: when the first row is there, and the frame after it was drawn. */
function watchFirstRow() {
  const seen = () => {
    if (!document.querySelector('[data-testid="row"]')) return void requestAnimationFrame(seen);
    window.firstRow = performance.now();
  };
  requestAnimationFrame(seen);
}

/** Asks for a list of so many rows at once; says when the rows in sight are there, and the frame after them was drawn. */
function watchLongList(rows) {
  const ask = window.fetch;
  window.fetch = (url, options) => ask(String(url).replace('limit=50', `limit=${rows}`), options);
  const seen = () => {
    const table = document.querySelector('table.traces');
    if (table?.getAttribute('aria-rowcount') !== String(1 + rows)) // the head is one
      return void requestAnimationFrame(seen);
    requestAnimationFrame(() => (window.longList = performance.now()));
  };
  requestAnimationFrame(seen);
}

/** What Chromium itself takes: a page of one word, in the same harness. */
async function serveEmptyPage() {
  const server = createServer((_, response) => {
    response.setHeader('Content-Type', 'text/html');
    response.end('<!doctype html><title>Empty</title><link rel="icon" href="data:," /><p>Empty</p>');
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${server.address().port}/`, close: () => server.close() };
}

async function open(path, { script = watchFirstRow, argument } = {}) {
  const context = await browser.newContext({ viewport: { width: 1400, height: 900 } });
  context.setDefaultTimeout(WAIT_MS);
  const page = await context.newPage();
  await page.addInitScript(script, argument);
  await page.goto(new URL(path, url).href);
  return { page, close: () => context.close() };
}

const countNodes = (page) => page.evaluate(() => document.querySelectorAll('*').length);

const firstPaint = (page) =>
  page.evaluate(
    () =>
      new Promise((resolve) => {
        const look = () => {
          const [paint] = performance.getEntriesByName('first-contentful-paint');
          if (paint) resolve(paint.startTime);
          else setTimeout(look, 10);
        };
        look();
      }),
  );

/** Of several pages, opened in turn, so that what else the machine does meets all of them. */
async function paints(paths) {
  const found = paths.map(() => []);
  for (let run = 0; run < 2 * RUNS; run++) {
    for (const [i, path] of paths.entries()) {
      const { page, close } = await open(path);
      found[i].push(await firstPaint(page));
      await close();
    }
  }
  return found.map(median);
}

async function longList() {
  const found = [];
  let nodes = 0;
  for (let run = 0; run < RUNS; run++) {
    const { page, close } = await open('/traces', { script: watchLongList, argument: LIST_ROWS });
    await page.waitForFunction(() => window.longList > 0);
    found.push(await page.evaluate(() => window.longList));
    await page.evaluate(() => scrollTo(0, document.body.scrollHeight / 2));
    await page.waitForTimeout(200);
    nodes = Math.max(nodes, await countNodes(page));
    await close();
  }
  return { ms: median(found), nodes };
}

async function firstRow(path) {
  const found = [];
  for (let run = 0; run < RUNS; run++) {
    const { page, close } = await open(path);
    await page.waitForFunction(() => window.firstRow > 0);
    found.push(await page.evaluate(() => window.firstRow));
    await close();
  }
  return median(found);
}

/** Until the second frame after something was done. */
const timed = (page, action, argument) =>
  page.evaluate(
    ([source, argument]) =>
      new Promise((resolve) => {
        const begin = performance.now();
        new Function('argument', `(${source})(argument)`)(argument);
        requestAnimationFrame(() => requestAnimationFrame(() => resolve(performance.now() - begin)));
      }),
    [String(action), argument],
  );

const scroll = (page) =>
  page.evaluate(
    () =>
      new Promise((resolve) => {
        const grid = document.querySelector('[role="treegrid"]');
        const frames = [];
        let last = performance.now();
        const step = (now) => {
          frames.push(now - last);
          last = now;
          grid.scrollTop += 700;
          if (frames.length < 121) requestAnimationFrame(step);
          else resolve(frames.slice(1).sort((a, b) => a - b));
        };
        requestAnimationFrame(step);
      }),
  );

const press = (key) => {
  const grid = document.querySelector('[role="treegrid"]');
  grid.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));
};
const type = (text) => {
  const box = document.querySelector('[data-testid="find"]');
  box.value = text;
  box.dispatchEvent(new Event('input', { bubbles: true }));
};

async function measure(spans, traceId) {
  const path = `/traces/${traceId}`;
  const put = (name, value) => (figures[`ui, ${spans} spans: ${name}`] = value);
  put('first row ms', await firstRow(path));
  const { page, close } = await open(path);
  await page.waitForFunction(() => window.firstRow > 0);
  await page.waitForSelector('[data-testid="rest"]', { state: 'detached' });
  put('whole ms', await page.evaluate(() => performance.now()));
  await page.waitForTimeout(500);
  const frames = await scroll(page);
  put('scroll p50 ms', median(frames));
  put('scroll p95 ms', frames[Math.floor(frames.length * 0.95)]);
  const keys = [];
  for (const key of ['[', ']', '[', ']', '[', ']']) keys.push(await timed(page, press, key));
  put('fold ms', median(keys));
  await timed(page, type, 'zzz'); // the first search makes the text that is searched
  const searches = [];
  for (const text of ['get', 'select', 'order', 'nothing has this', 'a'])
    searches.push(await timed(page, type, text));
  put('search ms', median(searches));
  await page.waitForTimeout(300);
  const cdp = await page.context().newCDPSession(page);
  await cdp.send('HeapProfiler.collectGarbage');
  const heap = await cdp.send('Runtime.getHeapUsage');
  put('heap MB', heap.usedSize / 1e6);
  put('typed arrays MB', (heap.backingStorageSize ?? 0) / 1e6);
  put('nodes', await countNodes(page));
  await close();
}

try {
  const empty = await serveEmptyPage();
  const [floor, list] = await paints([empty.url, '/traces']);
  empty.close();
  figures['ui: first paint of an empty page ms'] = floor;
  figures['ui: first paint of the list ms'] = list;
  const { ms, nodes } = await longList();
  figures[`ui: list of ${LIST_ROWS} rows ms`] = ms;
  figures[`ui: list of ${LIST_ROWS} rows, nodes`] = nodes;
  for (const each of traces) {
    const [spans, traceId] = each.split('=');
    await measure(spans, traceId);
  }
} finally {
  await browser.close();
}
console.log(JSON.stringify(figures, null, 1));
