import assert from 'node:assert/strict';
import { after } from 'node:test';
import { closeBrowser, eventually, pageTest } from './browser.mjs';
import { baseNano, bigId, failedId, goldenId, makeTrace } from './fixture-data.mjs';

after(closeBrowser);
const row = '[data-testid="row"]';
const panel = '[data-testid="panel"]';

/** What a reader sees: type, depth, label, duration of every row, from the top down. */
const readRows = (page) =>
  page.$$eval(row, (rows) =>
    rows
      .map((each) => ({ each, top: each.getBoundingClientRect().top }))
      .sort((a, b) => a.top - b.top)
      .map(({ each }) => [
        each.dataset.type,
        Number(each.dataset.depth),
        each.querySelector('[data-col="service"]').innerText.trim(),
        each.querySelector('[data-col="duration"]').innerText.trim(),
      ]),
  );

const golden = [
  ['service', 0, 'React Frontend', '420ms'],
  ['span', 1, 'fetch /api/users', '380ms'],
  ['service', 0, 'Node.js API', '360ms'],
  ['span', 1, 'GET /api/users', '300ms'],
  ['span', 1, 'validate-auth', '40ms'],
  ['service', 0, 'Go Microservice', '240ms'],
  ['span', 1, 'GET /users', '240ms'],
  ['span', 2, 'db.Query', '180ms'],
];

pageTest(
  'the document’s eight rows: labels, durations, order, indent',
  {},
  async ({ page, url }) => {
    await page.goto(`${url}/traces/${goldenId}`);
    await page.waitForSelector(row);
    assert.deepEqual(await readRows(page), golden);
    const heads = await page.$$eval('[role="columnheader"]', (cells) =>
      cells.map((cell) => cell.firstChild.textContent),
    );
    assert.deepEqual(heads, ['Service', 'Timeline', 'Duration']);
    const lefts = await page.$$eval(`${row} bdi`, (all) =>
      all.map((el) => el.getBoundingClientRect().left),
    );
    assert.ok(lefts[7] > lefts[6] && lefts[6] === lefts[1] && lefts[4] === lefts[1], String(lefts));
    assert.equal(await page.textContent('[data-testid="trace-id"]'), goldenId);
  },
);

for (const width of [320, 1280, 3840]) {
  pageTest(
    `at ${width} pixels every bar stands on the time axis, within a pixel`,
    { context: { viewport: { width, height: 900 } } },
    async ({ page, url }) => {
      await page.goto(`${url}/traces/${goldenId}`);
      await page.waitForSelector(row);
      const bars = await page.$$eval(row, (rows) =>
        rows.map((each) => {
          const axis = each.querySelector('[data-col="timeline"]').getBoundingClientRect();
          const bar = each.querySelector('[data-testid="bar"]').getBoundingClientRect();
          return { axis: axis.width, left: bar.left - axis.left, width: bar.width };
        }),
      );
      const expected = [
        [0, 420],
        [20, 380],
        [30, 360],
        [40, 300],
        [345, 40],
        [80, 240],
        [80, 240],
        [110, 180],
      ];
      expected.forEach(([at, length], i) => {
        const { axis, left, width: wide } = bars[i];
        assert.ok(Math.abs(left - (at / 420) * axis) <= 1, `row ${i}: left ${left}`);
        assert.ok(Math.abs(wide - (length / 420) * axis) <= 1, `row ${i}: width ${wide}`);
      });
      const tick = await page.$$eval('[data-testid="tick"]', (ticks) =>
        ticks.map((each) => [
          each.textContent,
          each.getBoundingClientRect().left - each.parentElement.getBoundingClientRect().left,
        ]),
      );
      for (const [text, left] of tick) {
        const at = text === '0' ? 0 : parseFloat(text);
        assert.ok(Math.abs(left - (at / 420) * bars[0].axis) <= 1, `tick ${text} at ${left}`);
      }
      const wide = await page.evaluate(() => document.documentElement.scrollWidth);
      assert.equal(wide, width, 'nothing sticks out sideways');
    },
  );
}

pageTest('a click on a span shows all that is known of it', {}, async ({ page, url }) => {
  await page.goto(`${url}/traces/${goldenId}`);
  await page.click(`${row}:has-text("fetch /api/users")`);
  const text = await page.innerText(panel);
  for (const part of [
    'fetch /api/users',
    'React Frontend',
    'CLIENT',
    'UNSET',
    '380ms',
    '20ms',
    '+20ms',
    '2026-01-01T01:00:00.020000000Z',
    'http.request.method',
    'GET',
    'tracekit.propagation',
    'sent',
    'service.version',
    '1.4.2',
    '@tracekit/test',
  ]) {
    assert.ok(text.includes(part), `${part} is missing in:\n${text}`);
  }
  assert.equal(await page.textContent('[data-testid="http-status"]'), '200');
  assert.ok(page.url().endsWith('?span=00f067aa0ba902b2'));
  await page.click(`${panel} button[aria-label="Close details"]`);
  assert.equal(await page.$(panel), null);
});

pageTest(
  'a service row opens its folded span, or else the visit as a whole',
  {},
  async ({ page, url }) => {
    await page.goto(`${url}/traces/${goldenId}`);
    await page.click(`${row}:has-text("Node.js API")`);
    assert.match(await page.innerText(panel), /SERVER/);
    await page.click(`${row}:has-text("Go Microservice")`);
    await page.waitForSelector(`${panel} :text("2 spans in this visit")`);
    await page.click(`${panel} button:has-text("GET /users")`);
    await page.waitForSelector(`${panel} h2:has-text("GET /users")`);
  },
);

pageTest('the events of the open span are ticks on its bar', {}, async ({ page, url }) => {
  await page.goto(`${url}/traces/${failedId}?span=c000000000000001`);
  await page.waitForSelector('.wf-event');
  const ticks = await page.$$eval('.wf-event', (all) =>
    all.map((tick) => [tick.title, parseFloat(tick.style.left).toFixed(1)]),
  );
  assert.deepEqual(ticks, [
    ['cart loaded', '1.0'],
    ['exception', '99.2'],
  ]);
  const query = new URL(
    await page.getAttribute('a:text("Linked from")', 'href'),
    url,
  ).searchParams.get('q');
  assert.equal(query, `{ link:traceID = "${failedId}" && link:spanID = "c000000000000001" }`);
  await page.goto(`${url}/traces/${failedId}?span=c000000000000002`);
  await page.waitForSelector(panel);
  assert.equal(await page.locator('.wf-event').count(), 0);
});

pageTest('errors, exceptions, links and a missing parent are seen', {}, async ({ page, url }) => {
  await page.goto(`${url}/traces/${failedId}?span=c000000000000001`);
  assert.equal(await page.textContent('[data-testid="http-status"]'), '502');
  assert.match(await page.innerText('[data-testid="error"]'), /payment declined: card expired/);
  assert.match(await page.innerText('[data-testid="stack"]'), /at checkout \(cart\.js:88:5\)/);
  assert.match(await page.innerText(panel), /\{"coupon":"SPRING","gift":true\}/);
  assert.equal(await page.locator(`${row} .mark-error`).count(), 4);
  assert.equal(await page.textContent('[data-testid="broken"]'), 'broken');
  const orphan = page.locator(`${row}:has-text("settle")`);
  assert.equal(await orphan.locator('[aria-label="parent not received"]').count(), 1);
  await orphan.click();
  await page.waitForSelector('[data-testid="orphan"]');
  await page.click(`${row}:has-text("POST /checkout")`);
  await page.click('[data-testid="link"] a');
  await page.waitForSelector(`${panel} h2:has-text("db.Query")`);
  assert.ok(page.url().includes(goldenId));
});

pageTest('the whole waterfall can be read with the keyboard alone', {}, async ({ page, url }) => {
  await page.goto(`${url}/traces/${goldenId}`);
  await page.waitForSelector(row);
  const grid = page.locator('[role="treegrid"]');
  for (let i = 0; i < 60 && !(await grid.evaluate((el) => el === document.activeElement)); i++) {
    await page.keyboard.press('Tab');
  }
  const active = () =>
    page.evaluate(() => {
      const id = document.activeElement.getAttribute('aria-activedescendant');
      return document.getElementById(id)?.querySelector('[data-col="service"]').innerText.trim();
    });
  await eventually(async () => assert.equal(await active(), 'React Frontend'));
  const press = async (key, label) => {
    await page.keyboard.press(key);
    await eventually(async () => assert.equal(await active(), label, key));
  };
  await press('ArrowDown', 'fetch /api/users');
  await press('End', 'db.Query');
  await press('ArrowDown', 'db.Query');
  await press('ArrowLeft', 'GET /users');
  await press('ArrowUp', 'Go Microservice');
  await press('Home', 'React Frontend');
  await press('ArrowUp', 'React Frontend');
  await press('ArrowDown', 'fetch /api/users');
  await page.keyboard.press('Enter');
  await page.waitForSelector(`${panel} h2:has-text("fetch /api/users")`);
  await page.keyboard.press('ArrowDown');
  await page.waitForSelector(`${panel} h2:has-text("Node.js API")`);
  await page.keyboard.press('Escape');
  await page.waitForSelector(panel, { state: 'detached' });
  assert.equal(await active(), 'Node.js API');
  await page.keyboard.press('Tab');
  assert.equal(await grid.evaluate((el) => el === document.activeElement), false, 'one tab stop');
});

pageTest('a treegrid says its size, and each row its place', {}, async ({ page, url }) => {
  await page.goto(`${url}/traces/${goldenId}`);
  await page.waitForSelector(row);
  assert.equal(await page.getAttribute('[role="treegrid"]', 'aria-rowcount'), '9');
  const places = await page.$$eval(row, (rows) =>
    rows.map((each) =>
      [each.getAttribute('aria-rowindex'), each.getAttribute('aria-level')].join('/'),
    ),
  );
  assert.deepEqual(places, ['2/1', '3/2', '4/1', '5/2', '6/2', '7/1', '8/2', '9/3']);
  const name = await page.getAttribute(`${row}:has-text("db.Query")`, 'aria-label');
  assert.equal(
    name,
    'db.Query, Go Microservice, 180 milliseconds, starts at 110 milliseconds, on the critical path',
  );
});

pageTest(
  'ten thousand spans take a few dozen elements, in reading order, wherever one scrolls',
  {},
  async ({ page, url }) => {
    await page.goto(`${url}/traces/${bigId}`);
    await page.waitForSelector(row);
    const state = () =>
      page.evaluate(() => {
        const rows = [...document.querySelectorAll('[data-testid="row"]')];
        const indexes = rows.map((each) => Number(each.dataset.index));
        const grid = document.querySelector('[role="treegrid"]').getBoundingClientRect();
        const head = document.querySelector('.wf-head').getBoundingClientRect();
        const tops = rows.map((each) => each.getBoundingClientRect().top);
        return {
          indexes,
          nodes: document.querySelectorAll('*').length,
          covered: tops[0] <= head.bottom && tops.at(-1) + 26 >= grid.bottom - 1,
        };
      });
    const scrollTo = (share) =>
      page.$eval(
        '[role="treegrid"]',
        (el, to) => {
          el.scrollTop = el.scrollHeight * to;
        },
        share,
      );
    for (const share of [0, 0.0005, 0.001, 0.5, 0.4999, 1, 0.9995, 0]) {
      await scrollTo(share);
      await eventually(async () => {
        const { indexes, nodes, covered } = await state();
        assert.ok(indexes.length <= 45 && nodes < 600, `${indexes.length} rows, ${nodes} nodes`);
        assert.ok(
          indexes.every((index, i) => i === 0 || index === indexes[i - 1] + 1),
          String(indexes),
        );
        assert.ok(covered, `rows cover the view at ${share}`);
      });
    }
    await page.focus('[role="treegrid"]');
    await page.keyboard.press('End');
    await eventually(async () => assert.equal((await state()).indexes.at(-1), 10_000));
  },
);

pageTest(
  'on paper stand the rows that the screen had no room for, dark on light, without the bar',
  { context: { viewport: { width: 1280, height: 500 }, colorScheme: 'dark' } },
  async ({ page, url }) => {
    await page.goto(`${url}/traces/${bigId}`);
    await page.waitForSelector('[data-testid="rest"]', { state: 'detached' });
    const onScreen = await page.locator(row).count();
    await page.emulateMedia({ media: 'print', colorScheme: 'dark' });
    await page.evaluate(() => dispatchEvent(new Event('beforeprint')));
    assert.equal(await page.locator(row).count(), 1000);
    const last = await page.locator(row).last().boundingBox();
    const height = await page.evaluate(() => document.documentElement.scrollHeight);
    assert.ok(last.y + last.height <= height + 1, `${last.y} ${height}`);
    assert.equal(await page.isVisible('.top-bar'), false);
    const ink = await page.evaluate(() => getComputedStyle(document.body).color);
    assert.equal(ink, 'rgb(23, 33, 43)');
    await page.emulateMedia({ media: 'screen' });
    await page.evaluate(() => dispatchEvent(new Event('afterprint')));
    assert.equal(await page.locator(row).count(), onScreen);
  },
);

pageTest(
  'a trace that is opened from the list has its keys in force at once',
  {},
  async ({ page, url }) => {
    await page.goto(`${url}/traces`);
    await page.click(`[data-trace-id="${goldenId}"] a`);
    await page.waitForSelector('[role="treegrid"]:focus');
    await page.keyboard.press('j');
    await page.waitForSelector(`${row}.is-active:has-text("fetch /api/users")`);
    await page.keyboard.press('?');
    await page.waitForSelector('[data-testid="keys"]');
    await page.goto(`${url}/traces/${goldenId}`);
    await page.waitForSelector(row);
    const focused = await page.evaluate(() => document.activeElement.localName);
    assert.equal(focused, 'body', 'who comes by a link begins at the top');
  },
);

pageTest('a link to a span deep in a trace opens it in sight', {}, async ({ page, url }) => {
  const key = 'f' + (7777).toString(16).padStart(15, '0');
  await page.goto(`${url}/traces/${bigId}?span=${key}`);
  await page.waitForSelector(`${panel} h2:has-text("step 7777")`);
  const selected = page.locator(`${row}[aria-selected="true"]`);
  await eventually(async () => assert.match(await selected.innerText(), /step 7777/));
  const box = await selected.boundingBox();
  assert.ok(box.y > 100 && box.y < 720, String(box.y));
});

pageTest(
  'a trace that is still arriving grows, and the open span stays open',
  { fixture: { traces: [] } },
  async ({ page, url, fixture }) => {
    const now = BigInt(Date.now()) * 1000000n;
    const span = (id, name, more) => ({ id, name, service: 'a', at: 0, for: 10, ...more });
    const first = span('000000000000000b', 'second', { parent: '000000000000000a', at: 1, for: 5 });
    await page.goto(`${url}/traces/${goldenId}`);
    await page.waitForSelector('[data-testid="not-found"]');
    fixture.traces = [makeTrace(goldenId, now, [first])];
    await page.click(`${row}:has-text("second")`);
    fixture.traces = [makeTrace(goldenId, now, [span('000000000000000a', 'first'), first])];
    await page.waitForSelector(`${row}:has-text("first")`);
    await page.waitForSelector(`${row}[aria-selected="true"]:has-text("second")`);
    await page.waitForSelector(`${panel} h2:has-text("second")`);
  },
);

pageTest(
  'a trace without length still stands',
  {
    fixture: {
      traces: [
        makeTrace(failedId, baseNano, [{ id: 'e', name: 'point', service: 's', at: 0, for: 0 }]),
      ],
    },
  },
  async ({ page, url }) => {
    await page.goto(`${url}/traces/${failedId}`);
    await page.waitForSelector(row);
    assert.deepEqual(await readRows(page), [
      ['service', 0, 's', '0ns'],
      ['span', 1, 'point', '0ns'],
    ]);
  },
);

pageTest(
  'the trace id is copied with one click',
  { context: { permissions: ['clipboard-read', 'clipboard-write'] } },
  async ({ page, url }) => {
    await page.goto(`${url}/traces/${goldenId}`);
    await page.click('button[aria-label="Copy trace id"]');
    await eventually(async () =>
      assert.equal(await page.evaluate(() => navigator.clipboard.readText()), goldenId),
    );
  },
);

pageTest('a tag leads to the traces that have it', {}, async ({ page, url }) => {
  await page.goto(`${url}/traces/${goldenId}?span=00f067aa0ba902b4`);
  await page.click('a[aria-label="Find traces with this order.id"]');
  await page.waitForURL('**/traces?q=order.id%3D42');
  assert.equal(await page.inputValue('input[name="q"]'), 'order.id=42');
});
