// Why: what the doctor says of a trace and of a project, and two traces side by side.

import assert from 'node:assert/strict';
import { after } from 'node:test';
import { closeBrowser, eventually, pageTest } from './browser.mjs';
import { failedId, goldenId, hostileId } from './fixture-data.mjs';

after(closeBrowser);
const finding = '[data-testid="finding"]';

pageTest(
  'a broken trace says why in a line, opens to cause and cure, and marks its evidence',
  {},
  async ({ page, url }) => {
    await page.goto(`${url}/traces/${failedId}`);
    const strip = page.locator('[data-testid="findings"]');
    await strip.waitFor();
    assert.match(
      await strip.locator('summary').innerText(),
      /passes no trace on and 1 other finding/,
    );
    assert.equal(await page.locator(finding).first().isVisible(), false);
    await strip.locator('summary').focus();
    await page.keyboard.press('Enter');
    const said = await page.locator(finding).first().innerText();
    for (const words of ['Cause', 'certain', 'Cure', "require('@tracekit/node')", 'Evidence']) {
      assert.ok(said.includes(words), said);
    }
    await page.locator(finding).first().getByRole('button', { name: 'Copy the cure' }).click();
    const docs = await page.locator(`${finding} a[href^="/docs/"]`).first().getAttribute('href');
    assert.equal((await page.request.get(url + docs)).status(), 200);
    await page.locator('[data-testid="evidence"]').first().click();
    await page.waitForSelector('[data-testid="panel"]');
    const marked = await page.$$eval('.wf-row.is-found bdi', (all) =>
      all.map((el) => el.textContent),
    );
    assert.deepEqual(marked, ['charge', 'settle']);
    assert.equal(new URL(page.url()).searchParams.get('span'), 'c000000000000002');
    await page.fill('[data-testid="find"]', 'checkout');
    await eventually(async () =>
      assert.ok(
        !(
          await page.$$eval('.wf-row.is-found bdi', (all) => all.map((el) => el.textContent))
        ).includes('settle'),
      ),
    );
  },
);

pageTest('a trace that is whole has no strip', {}, async ({ page, url, fixture }) => {
  fixture.findings = [];
  await page.goto(`${url}/traces/${goldenId}`);
  await page.waitForSelector('[data-testid="row"]');
  await eventually(() =>
    assert.ok(fixture.requests.some((request) => request.url.pathname.endsWith('/findings'))),
  );
  assert.equal(await page.locator('[data-testid="findings"]').count(), 0);
});

pageTest(
  'the doctor lists every finding by service, with counts, traces and when it was last seen',
  { context: { viewport: { width: 320, height: 700 } } },
  async ({ page, url }) => {
    await page.goto(`${url}/traces`);
    await page.getByRole('link', { name: 'Doctor' }).click();
    await page.waitForSelector(finding);
    const groups = await page.$$eval('section.findings', (all) => all.map((el) => el.ariaLabel));
    assert.deepEqual(groups, ['checkout', 'ledger']);
    const said = await page.locator(finding).first().innerText();
    assert.match(said, /7 traces, last seen .*ago: a1b2c3d4…, 4bf92f35… and 5 more/);
    assert.match(
      await page.locator('[data-testid="looked"]').innerText(),
      /were looked at, a sample/,
    );
    assert.ok(
      await page.evaluate(() => document.documentElement.scrollWidth <= 320),
      'no sideways scroll',
    );
    await page.locator(`${finding} a[href*="${failedId}"]`).first().click();
    await page.waitForURL(/span=c000000000000002/);
  },
);

pageTest('a healthy project says what was checked', {}, async ({ page, url, fixture }) => {
  fixture.findings = [];
  await page.goto(`${url}/doctor`);
  const healthy = page.locator('[data-testid="healthy"]');
  await healthy.waitFor();
  const rules = await healthy
    .locator('li a')
    .evaluateAll((all) => all.map((a) => a.getAttribute('href')));
  const text = await (await page.request.get(`${url}/docs/findings`)).text();
  const told = [...text.matchAll(/<h3 id="([\w-]+)"/g)].map(
    (match) => `/docs/findings#${match[1]}`,
  );
  assert.deepEqual(rules.sort(), told.sort(), 'every rule of the document, and no other');
  assert.match(await page.locator('[data-testid="looked"]').innerText(), /all of this time/);
  fixture.traces = [];
  await page.reload();
  await page.waitForSelector('[data-testid="doctor-nothing"]');
});

const nanos = (text) => {
  const [, sign, number, unit] = /^([+-]?)([\d.]+)(ns|µs|ms|s)$/.exec(text);
  return Number(sign + number) * { ns: 1, µs: 1e3, ms: 1e6, s: 1e9 }[unit];
};

pageTest(
  'two traces stand side by side, and the changes add up to the difference',
  {},
  async ({ page, url, fixture }) => {
    await page.goto(`${url}/compare?first=${goldenId}&second=${failedId}`);
    await page.waitForSelector('[data-testid="changes"]');
    const changes = await page.$$eval('[data-testid="change"] td:last-child', (all) =>
      all.map((el) => el.textContent),
    );
    const of = (id) => fixture.traces.find(({ traceId }) => traceId === id).durationNano;
    const sum = changes.map(nanos).reduce((a, b) => a + b, 0);
    const difference = Number(of(failedId)) - Number(of(goldenId));
    assert.ok(
      Math.abs(sum - difference) < 5e6,
      `${sum} is about ${difference}: they are shown by three digits`,
    );
    assert.match(
      await page.locator('[data-testid="said"]').innerText(),
      /^The second took 830ms longer: 1.25s instead of 420ms\. charge alone explains \+1s/,
    );
    const rows = page.locator('[data-testid="side"]').first().locator('[data-testid="side-row"]');
    await rows.first().waitFor();
    assert.equal(await rows.count(), 8);
    await page.getByRole('link', { name: 'Swap' }).click();
    await eventually(async () =>
      assert.match(
        await page.locator('[data-testid="said"]').innerText(),
        /^The second took 830ms less/,
      ),
    );
    await page.setViewportSize({ width: 320, height: 700 });
    assert.ok(
      await page.evaluate(() => document.documentElement.scrollWidth <= 320),
      'no sideways scroll',
    );
  },
);

pageTest(
  'from a span one comes to the median of its operation, below that span alone',
  {},
  async ({ page, url, fixture }) => {
    await page.goto(`${url}/traces/${goldenId}?span=00f067aa0ba902b7`);
    await page.locator('[data-testid="compare"]').click();
    await page.waitForURL(/first=\w{32}&first_span=\w{16}&second=/);
    const { searchParams } = new URL(page.url());
    const trace = fixture.traces.find(({ traceId }) => traceId === searchParams.get('first'));
    const span = trace.spans.find(({ spanId }) => spanId === searchParams.get('first_span'));
    assert.deepEqual([span.name, span.serviceName], ['db.Query', 'Go Microservice']);
    assert.notEqual(trace.traceId, goldenId);
    await page.waitForSelector('[data-testid="side-row"]');
    await page.goBack();
    await page.waitForSelector('[data-testid="panel"]');
    fixture.traces = fixture.traces.filter(({ traceId }) => traceId === goldenId);
    await page.getByRole('link', { name: 'Compare', exact: true }).click();
    await page.waitForSelector('[data-testid="no-median"]');
  },
);

pageTest(
  'ids are typed or pasted, and names that are markup stay text',
  {},
  async ({ page, url }) => {
    await page.goto(`${url}/compare`);
    await page.getByLabel('First').fill(`00-${goldenId}-00f067aa0ba902b1-01`);
    assert.equal(await page.getByRole('button', { name: 'Compare' }).isDisabled(), true);
    await page.getByLabel('Second').fill(hostileId);
    await page.keyboard.press('Enter');
    await page.waitForSelector('[data-testid="side-row"]');
    assert.match(page.url(), new RegExp(`first=${goldenId}&second=${hostileId}`));
    assert.ok(
      await page.evaluate(
        () => !document.title.includes('owned') && !document.querySelector('main img'),
      ),
    );
    await page.goto(`${url}/compare?first=${goldenId}&second=${'9'.repeat(32)}`);
    await page.waitForSelector('[role="alert"]');
  },
);

const difference = '[data-testid="difference"]';

pageTest(
  'a part of the heatmap says what is special about it, and a value narrows the search',
  {},
  async ({ page, url, fixture }) => {
    await page.goto(`${url}/traces?q=service:payments`);
    const map = page.locator('[data-testid="heatmap"]');
    await map.waitFor();
    assert.equal(await page.locator('[data-testid="why"]').count(), 0);
    const box = await map.boundingBox();
    await page.mouse.move(box.x + box.width * 0.3, box.y + 20);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.6, box.y + 60, { steps: 4 });
    await page.mouse.up();
    await page.waitForSelector(difference);
    const asked = fixture.requests.find(({ url: each }) => each.pathname.endsWith('/differences'));
    const { searchParams } = asked.url;
    assert.match(searchParams.get('q'), /^service:payments duration>=[\d.]+[nµm]?s/);
    assert.equal(searchParams.get('rest'), 'service:payments');
    assert.ok(BigInt(searchParams.get('rest_start')) > 0n && searchParams.has('rest_end'));
    const said = await page.locator('[data-testid="why-counts"]').innerText();
    assert.match(said, /Selected: 20 spans\.\s+The rest: the newest 80 spans\./);
    const first = page.locator(difference).first();
    assert.match(
      (await first.innerText()).replace(/\s+/g, ' '),
      /tenant acme "west" .*100 % against 5 %/,
    );
    assert.ok(await page.evaluate(() => !document.querySelector('main img')), 'markup is text');
    await page.setViewportSize({ width: 320, height: 700 });
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= 320));
    await first.getByRole('link').focus();
    await page.keyboard.press('Enter');
    await eventually(() =>
      assert.match(
        new URL(page.url()).searchParams.get('q'),
        /^\{ \(.*\) && span\.tenant = "acme \\"west\\"" \}$/,
      ),
    );
    await page.waitForSelector(difference);
    await page.getByRole('link', { name: 'Hide' }).click();
    await page.waitForSelector('[data-testid="why"]', { state: 'detached' });
  },
);

pageTest(
  'a trace compared with its median leads to what is special about those as slow',
  {},
  async ({ page, url }) => {
    await page.goto(`${url}/traces/${goldenId}?span=00f067aa0ba902b7`);
    await page.locator('[data-testid="compare"]').click();
    await page.getByRole('link', { name: /took as long as the second/ }).click();
    await page.waitForSelector(difference);
    const { searchParams } = new URL(page.url());
    assert.equal(
      searchParams.get('q'),
      '{ resource.service.name = "Go Microservice" && name = "db.Query" && duration >= 180000000ns }',
    );
    assert.match(searchParams.get('rest'), /^q=/);
  },
);
