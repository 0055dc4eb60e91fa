// How a trace is looked at: folding, zoom, search, gaps, other views, and what is said of it.

import assert from 'node:assert/strict';
import { after } from 'node:test';
import { closeBrowser, eventually, pageTest } from './browser.mjs';
import { baseNano, bigId, failedId, goldenId, makeTrace } from './fixture-data.mjs';

after(closeBrowser);
const row = '[data-testid="row"]';
const panel = '[data-testid="panel"]';

const labels = (page) =>
  page.$$eval(row, (rows) => rows.map((each) => each.querySelector('bdi').textContent));
const opened = async (page, url, path) => {
  await page.goto(url + path);
  await page.waitForSelector(row);
  await page.focus('[role="treegrid"]');
};
const shows = (page, expected) =>
  eventually(async () => assert.deepEqual(await labels(page), expected));
const services = ['React Frontend', 'Node.js API', 'Go Microservice'];

pageTest(
  'rows fold by key and by click, level by level and with all below',
  {},
  async ({ page, url }) => {
    await opened(page, url, `/traces/${goldenId}`);
    const all = await labels(page);
    await page.keyboard.press('[');
    await page.keyboard.press('[');
    await shows(page, services);
    await page.waitForSelector(`${row}[aria-expanded="false"]:has-text("Node.js API") .wf-hidden`);
    await page.keyboard.press(']');
    await page.keyboard.press(']');
    await shows(page, all);
    await page.keyboard.press('Home');
    await page.keyboard.press('ArrowLeft');
    await shows(
      page,
      all.filter((label) => label !== 'fetch /api/users'),
    );
    await page.keyboard.press('ArrowRight');
    await shows(page, all);
    await page.click(`${row}:has-text("Node.js API") .wf-caret`, { modifiers: ['Shift'] });
    await shows(page, all.slice(0, 3));
    assert.equal(await page.$(panel), null, 'the caret does not open the row');
    await page.click(`${row}:has-text("Node.js API") .wf-caret`);
    await shows(page, all);
  },
);

pageTest(
  'zoom by keys, wheel and drag moves the bars and the URL; reload shows the same',
  {},
  async ({ page, url }) => {
    await opened(page, url, `/traces/${goldenId}`);
    const bar = (label) =>
      page.$eval(`${row}:has-text("${label}") [data-testid="bar"]`, (el) => {
        const [box, axis] = [el, el.parentElement].map((each) => each.getBoundingClientRect());
        return [(box.left - axis.left) / axis.width, box.width / axis.width];
      });
    const near = ([left, width], expected) =>
      assert.ok(
        Math.abs(left - expected[0]) + Math.abs(width - expected[1]) < 0.01,
        `${left} ${width}`,
      );
    await page.click(`${row}:has-text("db.Query")`);
    await page.keyboard.press('f');
    const fitted = [0.08 / 1.16, 1 / 1.16];
    await eventually(async () => near(await bar('db.Query'), fitted));
    await page.waitForURL(/t=95600000-304400000/);
    await page.reload();
    await page.waitForSelector(row);
    await eventually(async () => near(await bar('db.Query'), fitted));
    await page.focus('[role="treegrid"]');
    await page.keyboard.press('0');
    await eventually(async () => near(await bar('db.Query'), [110 / 420, 180 / 420]));
    const axis = await page.locator('.wf-head .wf-timeline').boundingBox();
    await page.mouse.move(axis.x + axis.width * 0.25, axis.y + 20);
    await page.mouse.down();
    await page.mouse.move(axis.x + axis.width * 0.75, axis.y + 20, { steps: 3 });
    await page.mouse.up();
    await eventually(async () => near(await bar('db.Query'), [5 / 210, 180 / 210]));
    await page.keyboard.down('Control');
    await page.mouse.wheel(0, 400);
    await page.keyboard.up('Control');
    await eventually(async () => assert.ok((await bar('db.Query'))[1] < 0.6));
    const map = await page.locator('[data-testid="minimap"]').boundingBox();
    await page.keyboard.press('0');
    await page.mouse.move(map.x + map.width * 0.5, map.y + 40);
    await page.mouse.down();
    await page.mouse.move(map.x + map.width - 1, map.y + 40, { steps: 3 });
    await page.mouse.up();
    await eventually(async () => near(await bar('validate-auth'), [135 / 210, 40 / 210]));
    await page.waitForSelector('[data-testid="minimap-part"]');
  },
);

pageTest(
  'a search within the trace counts, marks and goes to what it finds',
  {},
  async ({ page, url }) => {
    await opened(page, url, `/traces/${goldenId}`);
    await page.keyboard.press('[');
    await page.keyboard.press('[');
    await page.keyboard.press('/');
    await page.keyboard.type('USERS');
    await eventually(async () =>
      assert.equal(await page.textContent('[data-testid="matches"]'), '3'),
    );
    const active = () => page.$$eval('.is-active bdi', (all) => all.map((el) => el.textContent));
    for (const label of ['fetch /api/users', 'GET /api/users', 'GET /users', 'fetch /api/users']) {
      await page.keyboard.press('Enter');
      await eventually(async () => assert.deepEqual(await active(), [label]));
    }
    assert.equal(await page.textContent('[data-testid="matches"]'), '1 of 3');
    await page.keyboard.press('Shift+Enter');
    await eventually(async () => assert.deepEqual(await active(), ['GET /users']));
    assert.equal(await page.locator('.is-found').count(), 3);
    await page.waitForURL(/find=USERS/);
    await page.keyboard.press('Escape');
    await eventually(async () => assert.equal(await page.locator('.is-found').count(), 0));
  },
);

pageTest(
  'what no name has is looked for in tags and events, and a tag of the panel marks its like',
  {},
  async ({ page, url, fixture }) => {
    const whole = () =>
      fixture.requests.filter(({ url }) => url.pathname === `/api/v1/traces/${goldenId}`).length;
    const found = () => page.$$eval('.is-found bdi', (all) => all.map((el) => el.textContent));
    await opened(page, url, `/traces/${goldenId}?span=00f067aa0ba902b4`);
    await page.fill('[data-testid="find"]', 'users');
    await eventually(async () => assert.equal((await found()).length, 3));
    assert.equal(whole(), 0, 'names are here already');
    await page.click(`${panel} button[aria-label="Mark this order.id in the trace"]`);
    await page.waitForURL(/find=order\.id/);
    await eventually(async () => assert.deepEqual(await found(), ['GET /api/users']));
    assert.equal(await page.textContent('[data-testid="matches"]'), '1 of 1');
    await page.fill('[data-testid="find"]', 'no such thing');
    await eventually(async () =>
      assert.equal(await page.textContent('[data-testid="matches"]'), 'none'),
    );
    assert.equal(whole(), 1, 'asked for once');
  },
);

pageTest('gaps stand as rows with a name and a bound', {}, async ({ page, url }) => {
  await opened(page, url, `/traces/${goldenId}`);
  await page.click('text=Gaps');
  const gap = page.locator(`${row}[data-type="gap"]:has-text("request on the way")`).first();
  await gap.click();
  await page.waitForSelector(`${panel} :text("10ms")`);
  assert.match(await page.innerText(panel), /At most\s+20ms/);
  await page.click('text=Gaps');
  await eventually(async () => assert.equal((await labels(page)).length, 8));
});

pageTest('where the time went is said, and the critical path drawn', {}, async ({ page, url }) => {
  await opened(page, url, `/traces/${goldenId}`);
  const went = await page.innerText('[data-testid="went"]');
  assert.match(
    went.replace(/\s+/g, ' '),
    /^Where the time went .*db\.Query 180ms 43 % .*GET \/users 60ms 14 %/,
  );
  assert.equal(await page.locator(`${row}:has-text("db.Query") .wf-critical`).count(), 1);
  await page.click('text=Critical path');
  await eventually(async () => assert.equal(await page.locator('.wf-critical').count(), 0));
  await page.waitForURL(/path=0/);
});

pageTest(
  'an error is told from its cause up, and a missing parent is said',
  {},
  async ({ page, url }) => {
    await opened(page, url, `/traces/${failedId}`);
    const path = (await page.innerText('[data-testid="error-path"]')).replace(/\s+/g, ' ');
    assert.equal(path.trim(), 'Failed charge payments ← POST /checkout checkout');
    await page.click('[data-testid="error-path"] button:has-text("charge")');
    await page.waitForSelector(`${panel} h2:has-text("charge")`);
    assert.match(
      await page.innerText('[data-testid="missing"]'),
      /1 span without the parent it names/,
    );
    await page.click('[data-testid="missing"] button');
    await page.waitForSelector(`${panel} h2:has-text("settle")`);
  },
);

const skewed = makeTrace(failedId, baseNano, [
  { id: '00000000000000a1', name: 'call', service: 'a', kind: 'CLIENT', at: 0, for: 100 },
  {
    id: '00000000000000b1',
    parent: '00000000000000a1',
    name: 'serve',
    service: 'b',
    kind: 'SERVER',
    at: 210,
    for: 80,
  },
]);

pageTest(
  'clock skew is measured and said, and set right only when asked',
  { fixture: { traces: [skewed] } },
  async ({ page, url }) => {
    await opened(page, url, `/traces/${failedId}`);
    assert.match(
      await page.innerText('[data-testid="skew"]'),
      /b’s clock is 200ms ahead of a’s \(190ms to 210ms, by 1 call\)/,
    );
    const name = () => page.getAttribute(`${row}:has-text("serve")`, 'aria-label');
    assert.match(await name(), /starts at 210 milliseconds/);
    await page.check('[data-testid="skew"] input');
    await eventually(async () => assert.match(await name(), /starts at 10 milliseconds/));
    await page.waitForURL(/clocks=aligned/);
  },
);

pageTest(
  'the tree, the flame graph and the table show the same trace',
  {},
  async ({ page, url }) => {
    await opened(page, url, `/traces/${goldenId}`);
    await page.click('button:has-text("Tree")');
    await eventually(async () => {
      const found = await page.$$eval(row, (rows) =>
        rows.map(
          (each) => `${each.getAttribute('aria-level')} ${each.querySelector('bdi').textContent}`,
        ),
      );
      assert.deepEqual(found.slice(0, 3), [
        '1 React Frontend',
        '2 fetch /api/users',
        '3 Node.js API',
      ]);
      assert.equal(found.length, 7);
    });
    const owner = page.locator(`${row}:has-text("db.Query") .wf-owner`);
    assert.equal(await owner.innerText(), 'Go Microservice');
    await page.click('button:has-text("Flame")');
    const axis = page.locator('[data-testid="flame"] [data-testid="tick"]');
    assert.deepEqual((await axis.allInnerTexts()).slice(0, 2), ['0', '20ms']);
    const flame = await page.locator('[data-testid="flame"] canvas').boundingBox();
    await page.mouse.click(flame.x + flame.width * 0.5, flame.y + 5 * 20 + 10);
    await page.waitForSelector(`${panel} h2:has-text("db.Query")`);
    await page.click(`${panel} button[aria-label="Close details"]`);
    await page.click('button:has-text("Table")');
    const first = page.locator('[data-testid="statistics"] tbody tr').first();
    assert.match(
      (await first.innerText()).replace(/\s+/g, ' '),
      /db\.Query Go Microservice 1 180ms 180ms 180ms/,
    );
    const sorted = '[data-testid="statistics"] th[aria-sort="descending"]';
    assert.equal(await page.innerText(sorted), 'Self', 'the arrow is drawn, once');
    assert.equal(await page.locator('[data-testid="statistics"] th[aria-sort]').count(), 1);
    await page.click('button.sort:has-text("Total")');
    await eventually(async () => assert.match(await first.innerText(), /React Frontend/));
    await first.locator('button').click();
    await page.waitForURL(/find=React/);
    await page.waitForSelector('.is-found');
  },
);

pageTest(
  'a larger trace shows its first rows at once and all of them soon',
  {},
  async ({ page, url, fixture }) => {
    const columns = () =>
      fixture.requests
        .filter(({ url }) => url.pathname.endsWith('/columns'))
        .map(({ url }) => url.search);
    await page.goto(`${url}/traces/${bigId}`);
    await page.waitForSelector(row);
    await page.waitForSelector('[data-testid="rest"]', { state: 'detached' });
    assert.deepEqual(columns(), ['?ids=1&limit=2000', '?ids=1']);
    assert.equal(await page.getAttribute('[role="treegrid"]', 'aria-rowcount'), '10002');
  },
);

pageTest(
  'the panel copies a curl into the same trace, and lists the keys on ?',
  { context: { permissions: ['clipboard-read', 'clipboard-write'] } },
  async ({ page, url }) => {
    await opened(page, url, `/traces/${goldenId}?span=00f067aa0ba902b2`);
    await page.click(`${panel} button:has-text("curl")`);
    const expected = `curl -g -H 'traceparent: 00-${goldenId}-00f067aa0ba902b2-01' 'http://localhost:3001/api/users'`;
    await eventually(async () =>
      assert.equal(await page.evaluate(() => navigator.clipboard.readText()), expected),
    );
    await page.focus('[role="treegrid"]');
    await page.keyboard.press('?');
    await page.waitForSelector('[data-testid="keys"]:has-text("next error")');
    await page.waitForSelector('[data-testid="keys"]:has-text("hatched: failed")');
    await page.keyboard.press('Escape');
    await page.waitForSelector('[data-testid="keys"]', { state: 'detached' });
  },
);
