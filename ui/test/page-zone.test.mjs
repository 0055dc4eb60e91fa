import assert from 'node:assert/strict';
import { after } from 'node:test';
import { closeBrowser, eventually, pageTest } from './browser.mjs';
import { failedId, goldenId } from './fixture-data.mjs';

after(closeBrowser);
const newYork = { context: { timezoneId: 'America/New_York' } };
const switchZone = '[data-testid="zone"]';

/** What each page says of the trace that failed at 01:00:01 UTC, five hours later than New York. */
const instants = [
  ['the list', '/traces', `[data-trace-id="${failedId}"]`, '2025-12-31 20:00:01.000', '01:00:01'],
  ['the head', `/traces/${failedId}`, '.trace-facts', '2025-12-31 20:00:01.000', '01:00:01'],
  [
    'the panel',
    `/traces/${failedId}?span=c000000000000001`,
    '[data-testid="panel"]',
    '2025-12-31T20:00:01.000000000-05:00',
    '2026-01-01T01:00:01.000000000Z',
  ],
  [
    'a comparison',
    `/compare?first=${failedId}&second=${goldenId}`,
    '[data-testid="side"]',
    '2025-12-31 20:00:01.000',
    '01:00:01',
  ],
  ['the settings', '/settings', '[data-testid="key"]', '2025-12-31', '2026-01-01'],
];

for (const [name, path, place, local, utc] of instants) {
  pageTest(`${name} follows the choice of local time or UTC`, newYork, async ({ page, url }) => {
    const shows = (text) =>
      eventually(async () => {
        const shown = (await page.locator(place).first().innerText()).replace(/\s+/g, ' ');
        assert.ok(shown.includes(text), `${text} is missing in ${shown}`);
      });
    await page.goto(url + path);
    await shows(local);
    await page.click(switchZone);
    await shows(utc);
  });
}

pageTest('the choice of UTC is kept, and taken back', newYork, async ({ page, url }) => {
  await page.goto(`${url}/traces`);
  assert.match(await page.getAttribute(switchZone, 'aria-label'), /^Local: /);
  await page.click(switchZone);
  await page.reload();
  assert.match(await page.getAttribute(switchZone, 'aria-label'), /^UTC: /);
  await page.click(switchZone);
  await page.reload();
  assert.match(await page.getAttribute(switchZone, 'aria-label'), /^Local: /);
});

pageTest(
  'the heatmap and the charts tell the time of the chosen zone',
  newYork,
  async ({ page, url }) => {
    const range = 'start=2026-01-01T00:00:00Z&end=2026-01-01T02:00:00Z';
    await page.goto(`${url}/services/payments?${range}`);
    await page.waitForSelector('.chart .u-legend');
    const field = page.locator('.chart .u-over').first();
    const hovered = async () => {
      await field.hover({ position: { x: 40, y: 40 } });
      return page.locator('.chart .u-legend .u-value').first().innerText();
    };
    await eventually(async () => assert.match(await hovered(), /^2025-12-31 /));
    await page.click(switchZone);
    await eventually(async () => assert.match(await hovered(), /^2026-01-01 /));
    await page.goto(`${url}/traces?${range}`);
    const caption = page.locator('.heatmap figcaption');
    await eventually(async () => assert.match(await caption.innerText(), /^2026-01-01 00:/));
    await page.click(switchZone);
    await eventually(async () => assert.match(await caption.innerText(), /^2025-12-31 19:/));
  },
);

pageTest(
  'from and to are typed in the chosen zone and kept in the URL as UTC',
  newYork,
  async ({ page, url, fixture }) => {
    const fields = page.locator('input[type="datetime-local"]');
    const typed = () => fields.evaluateAll((all) => all.map((el) => el.value));
    await page.goto(`${url}/traces`);
    await page.selectOption('[data-testid="time-range"]', 'custom');
    await fields.nth(0).fill('2025-12-31T20:00');
    await page.waitForURL('**/traces?start=2026-01-01T01%3A00%3A00.000Z');
    await page.click(switchZone);
    await eventually(async () => assert.deepEqual(await typed(), ['2026-01-01T01:00', '']));
    await fields.nth(1).fill('2026-01-01T01:00:02');
    await page.waitForURL(({ searchParams }) => searchParams.has('end'));
    await eventually(() => {
      const last = fixture.requests.findLast(({ url: asked }) =>
        asked.pathname.endsWith('/traces'),
      );
      assert.equal(last.url.searchParams.get('end'), '2026-01-01T01:00:02.000Z');
    });
    await page.reload();
    await eventually(async () =>
      assert.deepEqual(await typed(), ['2026-01-01T01:00', '2026-01-01T01:00:02']),
    );
  },
);
