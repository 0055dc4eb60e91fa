// An empty project: set up one service with the lines of docs/sdk, and the first trace opens.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { after } from 'node:test';
import { closeBrowser, eventually, pageTest } from './browser.mjs';
import { fillerTraces, goldenTrace } from './fixture-data.mjs';

after(closeBrowser);

const stacks = ['browser', 'react', 'node', 'go', 'python', 'c', 'opentelemetry'];
const documentOf = (stack) =>
  readFileSync(new URL(`../../docs/sdk/${stack}.md`, import.meta.url), 'utf8');
const setup = '[data-testid="setup"]';
const snippets = (page) =>
  page.$$eval(`${setup} .copy-block`, (all) =>
    all.map((each) => [
      each.querySelector('h3').firstChild.textContent.trim(),
      each.querySelector('pre').textContent,
    ]),
  );

pageTest(
  'every line to copy is of docs/sdk, with this server and a new key in their places',
  { fixture: { traces: [], key: 'locked' } },
  async ({ page, url, fixture }) => {
    fixture.signedIn = true;
    await page.goto(`${url}/traces`);
    for (const [i, stack] of stacks.entries()) {
      await page.locator('[role="tab"]').nth(i).click();
      await page.waitForURL(`**/traces?setup=${stack}`);
      const isAsked = (await page.locator(`${setup} form`).count()) > 0;
      assert.equal(isAsked, ['browser', 'node'].includes(stack), 'a key serves all of its kind');
      if (isAsked) {
        const before = await snippets(page);
        assert.ok(
          before.some(([, text]) => text.includes('…')),
          stack,
        );
        await page.click(`${setup} button[type="submit"]`);
      }
      await page.waitForSelector('[data-testid="key-made"]');
      const shown = await snippets(page);
      const marks = documentOf(stack).match(/^```\w+ first-minutes /gm);
      assert.equal(shown.length, marks.length, stack);
      for (const [caption, text] of shown) {
        const written = text.replaceAll(url, 'http://localhost:4318');
        const block = written.replaceAll('tk_new_0001_secret', '…');
        const inDocument = ` first-minutes ${caption}\n${block}\n\`\`\`\n`;
        assert.ok(documentOf(stack).includes(inDocument), `docs/sdk/${stack}.md: ${inDocument}`);
      }
      const all = shown.map(([, text]) => text).join('\n');
      assert.ok(all.includes(url) && all.includes('tk_new_0001_secret'), all);
      assert.doesNotMatch(all, /…|localhost:4318/);
    }
    const made = fixture.keys
      .slice(1)
      .map(({ project, kind, origins }) => [project, kind, origins]);
    assert.deepEqual(made, [
      ['default', 'browser', ['http://localhost:3000']],
      ['default', 'server', []],
    ]);
    const link = page.locator(`${setup} a[href="/docs/sdk/opentelemetry"]`);
    await link.click();
    await page.waitForSelector('h1:has-text("OpenTelemetry")');
  },
);

pageTest(
  'with --dev OpenTelemetry needs no key, and the span by hand is OTLP',
  { fixture: { traces: [] } },
  async ({ page, url }) => {
    await page.goto(`${url}/traces?setup=opentelemetry`);
    await page.waitForSelector(`${setup}:has-text("no key is needed")`);
    const [[, environment], [, byHand]] = await snippets(page);
    assert.match(environment, new RegExp(`OTEL_EXPORTER_OTLP_ENDPOINT=${url}$`, 'm'));
    assert.doesNotMatch(environment + byHand, /api-key/i);
    // One clock: it is asked twice, and a second may begin between.
    const script = `date() { echo 1767225600; }\ncurl() { printf '%s\\n' "$@"; }\n${byHand}`;
    const sent = execFileSync('bash', ['-euc', script], { encoding: 'utf8', timeout: 10_000 });
    const [to, , header, , ...body] = sent.split('\n');
    assert.deepEqual([to, header], [`${url}/v1/traces`, 'Content-Type: application/json']);
    const [span] = JSON.parse(body.join('\n')).resourceSpans[0].scopeSpans[0].spans;
    assert.match(`${span.traceId} ${span.spanId}`, /^[0-9a-f]{32} [0-9a-f]{16}$/);
    assert.equal(BigInt(span.endTimeUnixNano) - BigInt(span.startTimeUnixNano), 250_000_000n);
  },
);

pageTest(
  'the stacks are tabs by keyboard, and the URL keeps the choice',
  { fixture: { traces: [] } },
  async ({ page, url }) => {
    await page.goto(`${url}/traces?project=default`);
    const chosen = () => page.$eval('[role="tab"][aria-selected="true"]', (el) => el.id.slice(6));
    await page.focus('[role="tab"][tabindex="0"]');
    for (const [key, stack] of [
      ['ArrowRight', 'react'],
      ['ArrowLeft', 'browser'],
      ['ArrowLeft', 'opentelemetry'],
      ['ArrowRight', 'browser'],
      ['End', 'opentelemetry'],
      ['Home', 'browser'],
      ['ArrowRight', 'react'],
    ]) {
      await page.keyboard.press(key);
      await eventually(async () => assert.equal(await chosen(), stack));
      assert.equal(await page.evaluate(() => document.activeElement.id), `setup-${stack}`);
    }
    assert.equal(page.url(), `${url}/traces?project=default&setup=react`);
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement.name), 'origin');
    await page.reload();
    await page.waitForSelector(setup);
    assert.equal(await chosen(), 'react');
  },
);

pageTest(
  'the first trace opens without a reload, wherever the reader is, and back leads to the list',
  { fixture: { traces: [] }, context: { viewport: { width: 800, height: 400 } } },
  async ({ page, url, fixture }) => {
    await page.goto(`${url}/traces?setup=python`);
    await page.waitForSelector(setup);
    await page.evaluate(() => (window.isSamePage = true));
    await page.evaluate(() => window.scrollTo(0, document.body.scrollHeight));
    assert.ok((await page.evaluate(() => window.scrollY)) > 120, 'below the top');
    const first = goldenTrace();
    fixture.traces.push(first);
    await page.waitForSelector('[data-testid="row"]');
    assert.equal(new URL(page.url()).pathname, `/traces/${first.traceId}`);
    await page.goBack();
    await page.waitForSelector('[data-testid="trace"]');
    assert.ok(await page.evaluate(() => window.isSamePage));
  },
);

pageTest(
  'where several traces come at once, the list shows',
  { fixture: { traces: [] } },
  async ({ page, url, fixture }) => {
    await page.goto(`${url}/traces`);
    await page.waitForSelector(setup);
    fixture.traces.push(...fillerTraces(2));
    await page.waitForSelector('[data-testid="trace"]');
    assert.equal(new URL(page.url()).pathname, '/traces');
    assert.equal(await page.locator('[data-testid="trace"]').count(), 2);
  },
);

pageTest(
  'a project of any name, 320 pixels wide, stays within the page; a key refused is said',
  { fixture: { traces: [] }, context: { viewport: { width: 320, height: 640 } } },
  async ({ page, url, fixture }) => {
    const name = `<img src=x onerror=alert(1)>$&\u202e"${'W'.repeat(180)}`;
    fixture.projects[0].name = name;
    for (const stack of stacks) {
      await page.goto(`${url}/traces?setup=${stack}`);
      await page.waitForSelector(setup);
      assert.equal(await page.$eval('[data-testid="empty"] p bdi', (el) => el.textContent), name);
      const wider = await page.evaluate(() => document.documentElement.scrollWidth);
      assert.equal(wider, 320, stack);
    }
    await page.goto(`${url}/traces?setup=go`);
    fixture.refusesKeys = true;
    await page.click(`${setup} button[type="submit"]`);
    await page.waitForSelector('[role="alert"]:has-text("Forbidden")');
    fixture.refusesKeys = false;
    await page.click(`${setup} button[type="submit"]`);
    await page.waitForSelector('[data-testid="key-made"]');
    assert.equal(fixture.keys.at(-1).project, name);
    assert.equal(await page.locator('[role="alert"]').count(), 0);
  },
);
