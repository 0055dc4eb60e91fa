// The tags: keys, the values of one, and what a click leads to.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { closeBrowser, eventually, pageTest } from './browser.mjs';
import { load } from './load.mjs';

after(closeBrowser);
const keys = (page) => page.locator('[data-testid="tag-key"]');
const rows = (page) => page.locator('[data-testid="tag-value"]');

test('a click on a value asks for it where its key stands, in its type', async () => {
  const { valueQuery } = await load('tags/value-query.ts');
  const asked = (scopes, key, value, type) => valueQuery(scopes, key, { value, type });
  assert.equal(asked(['span'], 'order.id', '4"2\\', 'string'), '{ span.order.id = "4\\"2\\\\" }');
  assert.equal(asked(['resource'], 'odd key', true, 'bool'), '{ resource."odd key" = true }');
  assert.equal(asked(['scope'], 'n', 42, 'double'), '{ instrumentation.n = 42.0 }');
  assert.equal(asked(['event'], 'n', '9223372036854775807', 'int'), '{ event.n = 9223372036854775807 }'); // prettier-ignore
  assert.equal(asked(['span', 'link'], 'n', 0.5, 'double'), '{ span.n = 0.5 || link.n = 0.5 }');
  assert.equal(asked(['span'], 'n', 'NaN', 'double'), null);
  assert.equal(asked([], 'n', 1, 'int'), '{ .n = 1 }');
});

pageTest(
  'a key is found and chosen with the keyboard, and a value leads to its traces',
  {},
  async ({ page, url, fixture }) => {
    fixture.values = {
      values: [
        { value: 'POST', type: 'string', count: 75, errorCount: 15 },
        { value: 'GET', type: 'string', count: 25, errorCount: 0 },
      ],
      valueCount: 3,
      spanCount: 200,
      errorCount: 20,
    };
    await page.goto(`${url}/tags?start=-6h`);
    await keys(page).first().waitFor();
    await page.locator('[data-testid="key-filter"]').focus();
    await page.keyboard.type('HTTP.REQUEST');
    await eventually(async () => assert.equal(await keys(page).count(), 1));
    const key = await keys(page).innerText();
    await keys(page).focus();
    await page.keyboard.press('Enter');
    await rows(page).first().waitFor();
    assert.equal(new URL(page.url()).searchParams.get('key'), key);
    assert.equal(await keys(page).getAttribute('aria-current'), 'true');
    assert.match(
      await page.locator('[data-testid="tag-said"]').innerText(),
      /3 values on 200 spans, 10 % of them failed\. These are the 2 most frequent/,
    );
    assert.match(await rows(page).nth(0).innerText(), /POST\s+75\s+37\.5 %\s+20 %/);
    assert.match(await rows(page).nth(1).innerText(), /GET\s+25\s+12\.5 %\s+–/);
    await page.reload();
    await rows(page).first().locator('a').focus();
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/traces\?/);
    const { searchParams } = new URL(page.url());
    assert.equal(searchParams.get('q'), `{ span.${key} = "POST" }`);
    assert.equal(searchParams.get('start'), '-6h');
  },
);

pageTest(
  'keys and values from hell stay text, and nothing overflows at 320 pixels',
  { context: { viewport: { width: 320, height: 700 } } },
  async ({ page, url, fixture }) => {
    const hostile = [
      '<img src=x onerror=alert(1)>',
      '‮شركة',
      'a/b?c#d%2f',
      'x'.repeat(10_000),
      '',
      '👩‍👩‍👧‍👦'.repeat(40),
    ];
    fixture.tags = [...hostile, ...Array.from({ length: 2000 }, (_, i) => `key.${i}`)].map(
      (key) => ({ key, scope: 'span', type: 'string' }),
    );
    fixture.values = {
      values: hostile.map((value) => ({ value, type: 'string', count: 1, errorCount: 0 })),
      valueCount: 6,
      spanCount: 6,
      errorCount: 0,
    };
    await page.goto(`${url}/tags?key=${encodeURIComponent(hostile[2])}`);
    await rows(page).first().waitFor();
    assert.ok(fixture.requests.some((each) => each.url.pathname.includes('a%2Fb%3Fc%23d%252f')));
    assert.equal(await keys(page).count(), 500);
    assert.equal(await rows(page).count(), hostile.length);
    assert.equal(await rows(page).first().locator('a').innerText(), hostile[0]);
    const overflow = await page.evaluate(
      () => document.documentElement.scrollWidth - window.innerWidth,
    );
    assert.ok(overflow <= 0);
  },
);

pageTest('a store without tags says so', {}, async ({ page, url, fixture }) => {
  fixture.tags = [];
  await page.goto(`${url}/tags`);
  await page.waitForSelector('text=No span has a tag yet');
});
