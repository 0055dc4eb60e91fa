import assert from 'node:assert/strict';
import { after } from 'node:test';
import { closeBrowser, eventually, pageTest } from './browser.mjs';
import {
  baseNano,
  failedId,
  fillerTraces,
  goldenId,
  goldenTrace,
  makeTrace,
} from './fixture-data.mjs';

after(closeBrowser);
const trace = '[data-testid="trace"]';
const ids = (page) => page.$$eval(trace, (rows) => rows.map((each) => each.dataset.traceId));
/** The first page of the list is as long as all of it. */
const askForAll = (page) =>
  page.addInitScript(() => {
    const ask = window.fetch;
    window.fetch = (url, options) => ask(String(url).replace('limit=50', 'limit=1000'), options);
  });
/** The row in the middle of the screen: its trace, and where it begins. */
const middleRow = (page) =>
  page.evaluate(() => {
    const element = document.elementFromPoint(innerWidth / 2, innerHeight / 2);
    const row = element?.closest('[data-testid="trace"]');
    return row && { id: row.dataset.traceId, top: row.getBoundingClientRect().top };
  });
const newTrace = (n) =>
  makeTrace(n.toString(16).padStart(32, 'e'), baseNano + BigInt(7200 + n) * 1000000000n, [
    { id: n.toString(16).padStart(16, 'e'), name: `new ${n}`, service: 'fresh', at: 0, for: 5 },
  ]);

pageTest(
  'the root leads to the traces, newest first, one row each',
  {},
  async ({ page, url, fixture }) => {
    await page.goto(url);
    await page.waitForSelector(trace);
    assert.equal(new URL(page.url()).pathname, '/traces');
    const expected = [...fixture.traces]
      .sort((a, b) => (BigInt(a.startTimeUnixNano) > BigInt(b.startTimeUnixNano) ? -1 : 1))
      .map((each) => each.traceId);
    const shown = await ids(page);
    assert.ok(shown.length >= 15, 'as many as the screen has room for');
    assert.deepEqual(shown, expected.slice(0, shown.length));
    const row = page.locator(`[data-trace-id="${failedId}"]`);
    const text = (await row.innerText()).replace(/\s+/g, ' ');
    for (const part of [
      '01:00:01.000',
      'checkout',
      'POST /checkout',
      'broken',
      'payments',
      'ledger',
      '3',
      '2',
      '1.25s',
    ]) {
      assert.ok(text.includes(part), `${part} is missing in ${text}`);
    }
    await row.click();
    await page.waitForURL(`**/traces/${failedId}`);
    await page.goBack();
    await page.waitForSelector(trace);
  },
);

pageTest(
  'the root keeps what is searched for, and asks for the list once',
  {},
  async ({ page, url }) => {
    const asked = [];
    await page.route('**/api/v1/traces?*', (route) => void asked.push(route.request().url()));
    await page.goto(`${url}/?service=checkout`);
    await page.waitForURL(`${url}/traces?service=checkout`);
    await page.waitForSelector('[data-testid="service-filter"]');
    await page.evaluate(async () => {
      for (let i = 0; i < 3; i++) await new Promise(requestAnimationFrame);
    });
    assert.equal(asked.length, 1, asked.join('\n'));
    assert.match(asked[0], /checkout/);
  },
);

pageTest('the bar is there before the script is', {}, async ({ page, url }) => {
  let letGo;
  const held = new Promise((resolve) => (letGo = resolve));
  await page.route('**/assets/main-*.js', (route) => held.then(() => route.continue()));
  await page.goto(`${url}/traces`, { waitUntil: 'commit' });
  await page.waitForSelector('.top-bar >> text=TraceKit');
  assert.equal(await page.locator('nav').count(), 0);
  letGo();
  await page.waitForSelector('.top-bar nav');
  assert.equal(await page.locator('.top-bar').count(), 1);
});

pageTest('older traces follow by cursor', {}, async ({ page, url, fixture }) => {
  await page.goto(`${url}/traces`);
  const count = page.locator('[data-testid="count"]');
  assert.equal(await count.innerText(), '50 traces, more below');
  await page.click('[data-testid="older"]');
  await eventually(async () => assert.equal(await count.innerText(), '100 traces, more below'));
  await page.click('[data-testid="older"]');
  await eventually(async () => assert.equal(await count.innerText(), '124 traces'));
  assert.equal(await page.$('[data-testid="older"]'), null);
  await page.evaluate(() => dispatchEvent(new Event('beforeprint')));
  assert.equal(new Set(await ids(page)).size, fixture.traces.length);
});

for (const [width, height] of [
  [1400, 900],
  [375, 800],
]) {
  pageTest(
    `a thousand traces take few elements, and are there wherever one scrolls, ${width} pixels`,
    { fixture: { traces: fillerTraces(1000) }, context: { viewport: { width, height } } },
    async ({ page, url, fixture }) => {
      await askForAll(page);
      await page.goto(`${url}/traces`);
      await page.click('[data-testid="live"]');
      await page.waitForLoadState('networkidle'); // the heatmap moves the list down when it comes
      await page.waitForSelector('[data-testid="heatmap"]');
      const table = page.locator('table.traces');
      assert.equal(await table.getAttribute('aria-rowcount'), '1001');
      const oldest = fixture.traces[999].traceId; // fillerTraces has the newest first
      const elements = () => page.evaluate(() => document.querySelectorAll('*').length);
      const tall = () => page.evaluate(() => document.documentElement.scrollHeight);
      const before = await tall();
      for (const part of [0.3, 0.9, 0.6, 1]) {
        await page.evaluate((top) => scrollTo(0, top), part * before);
        await eventually(async () => assert.ok(await middleRow(page)));
        assert.ok((await elements()) <= 1500, `${await elements()} elements`);
      }
      assert.equal(await tall(), before, 'rows that are made are as high as their room was');
      const last = page.locator(`[data-trace-id="${oldest}"]`);
      await eventually(async () =>
        assert.equal(await last.getAttribute('aria-rowindex'), '1001', 'the head is the first'),
      );
      assert.ok(await last.evaluate((row) => row.getBoundingClientRect().bottom <= innerHeight));

      await page.evaluate((top) => scrollTo(0, top), 0.5 * before);
      await eventually(async () => assert.ok(await middleRow(page)));
      const seen = await middleRow(page);
      await page.mouse.click(width / 2, height / 2);
      await page.waitForURL(`**/traces/${seen.id}`);
      await page.goBack();
      await eventually(async () => assert.deepEqual(await middleRow(page), seen));

      await page.evaluate(() => dispatchEvent(new Event('beforeprint')));
      assert.equal(await page.locator(trace).count(), 1000);
      await page.evaluate(() => dispatchEvent(new Event('afterprint')));
      await eventually(async () => assert.ok((await page.locator(trace).count()) < 100));
    },
  );
}

pageTest(
  'Tab goes from trace to trace, beyond those that are elements',
  { fixture: { traces: fillerTraces(100) }, context: { viewport: { width: 1280, height: 500 } } },
  async ({ page, url, fixture }) => {
    await askForAll(page);
    await page.goto(`${url}/traces`);
    await page.click('[data-testid="live"]');
    await page.locator('.row-link').first().focus();
    for (const { traceId } of fixture.traces.slice(0, 50)) {
      assert.equal(
        await page.evaluate(() => document.activeElement.closest('tr')?.dataset.traceId),
        traceId,
      );
      await page.keyboard.press('Tab');
      await page.evaluate(() => new Promise(requestAnimationFrame)); // what is scrolled to is made
    }
  },
);

pageTest('the service filter narrows the list, and the URL says so', {}, async ({ page, url }) => {
  await page.goto(`${url}/traces`);
  await page.waitForSelector('option[value="ledger"]', { state: 'attached' });
  await page.selectOption('[data-testid="service-filter"]', 'Node.js API');
  await page.waitForURL('**/traces?service=Node.js+API');
  await eventually(async () => {
    const chips = await page.$$eval(trace, (rows) => rows.map((each) => each.innerText));
    assert.ok(chips.length > 0 && chips.every((text) => text.includes('Node.js API')));
  });
  const filtered = (await ids(page)).slice(0, 10); // those in sight: some more may be elements
  await page.reload();
  await page.waitForSelector(trace);
  assert.deepEqual((await ids(page)).slice(0, 10), filtered);
  assert.equal(await page.inputValue('[data-testid="service-filter"]'), 'Node.js API');
});

pageTest('shorthand is shown as the TraceQL it was understood as', {}, async ({ page, url }) => {
  await page.goto(`${url}/traces`);
  await page.fill('input[name="q"]', 'service:checkout');
  await page.keyboard.press('Enter');
  await page.waitForURL('**/traces?q=service%3Acheckout');
  assert.equal(
    await page.textContent('[data-testid="query"]'),
    '{ resource.service.name = checkout }',
  );
});

for (const [typed, service] of [
  ['{ span.a = @ }', ''],
  ['{ span.a = @ }', 'checkout'],
  ['שלום=🚀@', ''],
]) {
  pageTest(
    `a bad query has a caret under the character: ${typed} ${service}`,
    {},
    async ({ page, url }) => {
      await page.goto(`${url}/traces?${new URLSearchParams({ q: typed, service })}`);
      await page.waitForSelector('[data-testid="query-error"]');
      assert.match(await page.innerText('[data-testid="query-error"]'), /unexpected character "@"/);
      assert.match(await page.textContent('[data-testid="expected"]'), /an attribute, a value or/);
      assert.equal(
        await page.getAttribute('[data-testid="caret"]', 'data-position'),
        String(typed.indexOf('@')),
      );
      const { caret, character } = await page.evaluate((at) => {
        const range = document.createRange();
        const text = document.querySelector('.caret-text').firstChild;
        range.setStart(text, at);
        range.setEnd(text, at + 1);
        const left = (rect) => rect.left;
        return {
          caret: left(document.querySelector('[data-testid="caret"]').getBoundingClientRect()),
          character: left(range.getBoundingClientRect()),
        };
      }, typed.indexOf('@'));
      if (typed.startsWith('{'))
        assert.ok(Math.abs(caret - character) <= 1, `${caret} ${character}`);
      assert.equal(await page.inputValue('input[name="q"]'), typed);
    },
  );
}

pageTest(
  'at 320 pixels every page can be chosen in the bar without scrolling it',
  { context: { viewport: { width: 320, height: 640 } } },
  async ({ page, url }) => {
    await page.goto(`${url}/traces`);
    const [link, bar] = await Promise.all([
      page.locator('.top-bar nav a', { hasText: 'Settings' }).boundingBox(),
      page.locator('.top-bar').boundingBox(),
    ]);
    assert.ok(link.x + link.width <= 320, `${link.x} ${link.width}`);
    assert.ok(link.y + link.height <= bar.y + bar.height);
  },
);

pageTest(
  'a pasted trace id opens the trace',
  {
    context: { permissions: ['clipboard-read', 'clipboard-write'] },
  },
  async ({ page, url }) => {
    await page.goto(`${url}/traces`);
    await page.evaluate((id) => navigator.clipboard.writeText(id), ` ${goldenId}\n`);
    await page.focus('input[name="q"]');
    await page.keyboard.press('Control+V');
    await page.waitForURL(`**/traces/${goldenId}`);
    await page.goto(`${url}/traces`);
    await page.fill('input[name="q"]', `00-${goldenId}-00f067aa0ba902b7-01`);
    await page.keyboard.press('Enter');
    await page.waitForURL(`**/traces/${goldenId}`);
  },
);

pageTest(
  'new traces appear by themselves, until paused',
  { fixture: { traces: [goldenTrace()] } },
  async ({ page, url, fixture }) => {
    await page.goto(`${url}/traces`);
    await page.waitForSelector(trace);
    fixture.traces.push(newTrace(1));
    await page.waitForSelector(`${trace}:has-text("new 1")`);
    assert.equal((await ids(page))[0], newTrace(1).traceId);
    await page.click('[data-testid="live"]');
    assert.equal(await page.getAttribute('[data-testid="live"]', 'aria-pressed'), 'false');
    await eventually(async () => {
      const asked = fixture.requests.length;
      await page.waitForTimeout(1500);
      assert.equal(fixture.requests.length, asked, 'nothing is asked while paused');
    });
    fixture.traces.push(newTrace(2));
    await page.click('[data-testid="live"]');
    await page.waitForSelector(`${trace}:has-text("new 2")`);
  },
);

pageTest(
  'a reader further down is not disturbed by new traces',
  {},
  async ({ page, url, fixture }) => {
    await page.goto(`${url}/traces`);
    await page.waitForSelector('[data-testid="numbers"]');
    await page.evaluate(() => window.scrollTo(0, 600));
    await eventually(async () => assert.ok(await middleRow(page)));
    const before = await middleRow(page);
    fixture.traces.push(newTrace(1), newTrace(2));
    const button = page.locator('button:has-text("2 new traces")');
    await button.waitFor();
    assert.deepEqual(await middleRow(page), before);
    await button.click();
    await page.waitForSelector(`${trace}:has-text("new 2")`);
    assert.equal(await page.evaluate(() => window.scrollY), 0);
  },
);

pageTest(
  'a time range is kept in the URL and sent as instants',
  {},
  async ({ page, url, fixture }) => {
    await page.goto(`${url}/traces`);
    await page.selectOption('[data-testid="time-range"]', '-15m');
    await page.waitForURL('**/traces?start=-15m');
    const asked = (name) =>
      fixture.requests.map((each) => each.url.searchParams.get(name)).filter(Boolean);
    await eventually(async () => assert.match(asked('start').at(-1), /^\d{4}-\d\d-\d\dT.*Z$/));
    await page.goto(`${url}/traces?start=2026-01-01T00:59:00Z&end=2026-01-01T01:00:01Z`);
    await page.waitForSelector(trace);
    const fields = await page.$$eval('input[type="datetime-local"]', (all) =>
      all.map((el) => el.value),
    );
    assert.deepEqual(fields, ['2026-01-01T00:59', '2026-01-01T01:00:01']);
    assert.equal(asked('start').at(-1), '2026-01-01T00:59:00Z');
    assert.equal(asked('end').at(-1), '2026-01-01T01:00:01Z');
  },
);

pageTest(
  'the picture of the durations stays when the numbers beside it cannot be had',
  {},
  async ({ page, url }) => {
    await page.route('**/api/v1/metrics?*step=*', (route) =>
      route.fulfill({ status: 503, json: { title: 'Busy', status: 503 } }),
    );
    await page.goto(`${url}/traces`);
    await page.waitForSelector('[data-testid="heatmap"]');
    const numbers = page.locator('[data-testid="numbers"] dd');
    assert.deepEqual(await numbers.allInnerTexts(), ['–', '–', '–', '–', '–']);
  },
);

pageTest('a search that finds nothing says so', {}, async ({ page, url }) => {
  await page.goto(`${url}/traces?q=nothing`);
  await page.waitForSelector('[data-testid="no-match"]');
});

pageTest(
  'a server that fails is reported, the list stays, and it comes back by itself',
  { fixture: { traces: fillerTraces(3) } },
  async ({ page, url, fixture }) => {
    await page.goto(`${url}/traces`);
    await page.waitForSelector(trace);
    fixture.down = true;
    await page.waitForSelector('[role="alert"]:has-text("Store is closed")');
    assert.equal((await ids(page)).length, 3);
    fixture.down = false;
    await page.waitForSelector('[role="alert"]', { state: 'detached' });
  },
);

pageTest(
  'the search box completes keys and values, by keyboard alone',
  {},
  async ({ page, url }) => {
    await page.goto(`${url}/traces`);
    await page.waitForSelector(trace);
    const box = page.getByRole('combobox', { name: 'Search traces' });
    await box.focus();
    await page.keyboard.insertText('user.pl'); // at once: no answer to a part of it comes later
    const option = page.getByRole('option', { name: /^user\.plan/ });
    await option.waitFor();
    await page.keyboard.press('ArrowDown');
    assert.equal(await box.getAttribute('aria-activedescendant'), await option.getAttribute('id'));
    await page.keyboard.press('Enter');
    await page.getByRole('option', { name: /^enterprise/ }).waitFor();
    assert.equal(await box.inputValue(), 'user.plan=');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Tab');
    await eventually(async () => assert.equal(await box.inputValue(), 'user.plan=enterprise '));
    await page.keyboard.press('Escape');
    await eventually(async () => assert.equal(await box.getAttribute('aria-expanded'), 'false'));
    assert.equal(await box.inputValue(), 'user.plan=enterprise '); // Escape never empties the box
    await page.keyboard.press('Enter');
    await page.waitForURL(/q=user\.plan%3Denterprise/);
  },
);
