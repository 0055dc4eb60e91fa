import assert from 'node:assert/strict';
import { after } from 'node:test';
import { closeBrowser, eventually, pageTest } from './browser.mjs';

after(closeBrowser);
const opener = '[data-testid="saved-views"]';
const menu = '[role="group"][aria-label="Saved searches"]';
const names = (page) => page.locator(`${menu} li a`).allInnerTexts();
const focused = (page) =>
  page.evaluate(
    () => document.activeElement.getAttribute('aria-label') ?? document.activeElement.innerText,
  );

async function save(page, name) {
  await page.click(opener);
  await page.fill(`${menu} input`, name);
  await page.keyboard.press('Enter');
}

pageTest('a search is saved, opened again and deleted', {}, async ({ page, url }) => {
  await page.goto(`${url}/traces?q=service:checkout&start=-1d`);
  await save(page, ' Checkout ');
  await eventually(async () => assert.deepEqual(await names(page), ['Checkout']));
  assert.equal(await page.inputValue(`${menu} input`), '');

  await page.goto(`${url}/traces?service=ledger`);
  await save(page, '<b>Ledger</b>');
  await eventually(async () => assert.deepEqual(await names(page), ['<b>Ledger</b>', 'Checkout']));
  assert.equal(await page.locator(`${menu} [aria-current]`).innerText(), '<b>Ledger</b>');
  await page.click(`${menu} a:has-text("Checkout")`);
  await page.waitForURL('**/traces?q=service%3Acheckout&start=-1d');
  assert.equal(await page.inputValue('input[name="q"]'), 'service:checkout');
  assert.equal(await page.locator(menu).isVisible(), false);

  await page.click(opener);
  await page.click(`${menu} button[aria-label="Delete Checkout"]`);
  await eventually(async () => assert.deepEqual(await names(page), ['<b>Ledger</b>']));
  await page.reload();
  await page.click(opener);
  assert.deepEqual(await names(page), ['<b>Ledger</b>']);
});

pageTest('a search saved under a name that is there replaces it', {}, async ({ page, url }) => {
  await page.goto(`${url}/traces?q=one`);
  await save(page, 'mine');
  await page.keyboard.press('Escape');
  // What is typed and not yet asked is what the reader means.
  await page.fill('input[name="q"]', 'two');
  await save(page, 'mine');
  await eventually(async () => {
    assert.deepEqual(await names(page), ['mine']);
    assert.match(await page.getAttribute(`${menu} li a`, 'href'), /\?q=two$/);
  });
});

pageTest('saved searches need no mouse', {}, async ({ page, url }) => {
  await page.goto(`${url}/traces?q=service:checkout`);
  await page.focus(opener);
  await page.keyboard.press('Enter');
  await page.keyboard.press('Tab');
  await page.keyboard.type('Checkout');
  await page.keyboard.press('Enter');
  await eventually(async () => assert.deepEqual(await names(page), ['Checkout']));
  await page.keyboard.press('Escape');
  assert.equal(await page.locator(menu).isVisible(), false);
  assert.equal(await focused(page), 'Saved');
  await page.keyboard.press('Enter');
  await page.keyboard.press('Tab');
  assert.equal(await focused(page), 'Checkout');
  await page.keyboard.press('Tab');
  assert.equal(await focused(page), 'Delete Checkout');
  await page.keyboard.press('Enter');
  await eventually(async () => assert.deepEqual(await names(page), []));
  assert.equal(await page.evaluate(() => document.activeElement.localName), 'input');
});

pageTest('each project has its own saved searches', {}, async ({ page, url, fixture }) => {
  fixture.projects.push({ id: 2, name: 'shop', createdUnixNano: '1767225600000000000' });
  await page.goto(`${url}/traces?project=shop&q=x`);
  await save(page, 'in shop');
  await eventually(async () => assert.deepEqual(await names(page), ['in shop']));
  await page.goto(`${url}/traces`);
  await page.click(opener);
  assert.deepEqual(await names(page), []);
  await page.waitForSelector(`${menu} >> text=No search of this project is saved yet.`);
});

pageTest('what is kept and is no saved search is passed over', {}, async ({ page, url }) => {
  const keep = (text) =>
    page.evaluate((value) => localStorage.setItem('tracekit.views.default', value), text);
  await page.goto(`${url}/traces`);
  for (const kept of ['{', '7', '[null, 7, {"name": "no query"}]']) {
    await keep(kept);
    await page.click(opener);
    assert.deepEqual(await names(page), []);
    await page.keyboard.press('Escape');
  }
  await page.addInitScript(() => {
    Storage.prototype.setItem = () => {
      throw new DOMException('full', 'QuotaExceededError');
    };
  });
  await page.reload();
  await save(page, 'one too many');
  await page.waitForSelector(`${menu} [role="alert"]:has-text("keeps nothing")`);
  assert.equal(await page.inputValue(`${menu} input`), 'one too many');
});
