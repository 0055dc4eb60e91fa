import assert from 'node:assert/strict';
import { after } from 'node:test';
import { closeBrowser, eventually, pageTest } from './browser.mjs';

after(closeBrowser);

pageTest('a key is made, shown once, and revoked', {}, async ({ page, url, fixture }) => {
  await page.goto(`${url}/settings`);
  await page.selectOption('select[name="kind"]', 'browser');
  await page.fill('input[name="name"]', 'shop page');
  await page.fill('input[name="origins"]', 'https://a.example, https://b.example');
  await page.click('button:has-text("Create key")');
  const shown = page.locator('[data-testid="new-key"]');
  await shown.waitFor();
  assert.match(await shown.innerText(), /tk_new_0001_secret/);
  assert.deepEqual(fixture.keys[1].origins, ['https://a.example', 'https://b.example']);
  assert.equal(fixture.keys[1].project, 'default');
  await shown.locator('button:has-text("Done")').click();
  assert.equal(await page.locator('text=tk_new_0001_secret').count(), 0);

  const row = page.locator('[data-testid="key"]:has-text("shop page")');
  await row.locator('button:has-text("Revoke")').first().click();
  await page.click('dialog[open] button:has-text("Cancel")');
  assert.equal(fixture.keys[1].revoked, false);
  await row.locator('button:has-text("Revoke")').first().click();
  await page.click('dialog[open] .button-danger');
  await eventually(async () => assert.match(await row.innerText(), /revoked/));
  assert.equal(fixture.keys[1].revoked, true);
});

pageTest('projects are made, chosen and deleted', {}, async ({ page, url, fixture }) => {
  await page.goto(`${url}/settings`);
  const name = page.locator('form[aria-label="New project"] input');
  await name.fill('shop');
  await page.click('button:has-text("Create project")');
  await page.waitForSelector('[data-testid="project"]:has-text("shop")');
  await name.fill('shop');
  await page.click('button:has-text("Create project")');
  await page.waitForSelector('[role="alert"]:has-text("There is a project of this name")');
  assert.equal(await name.inputValue(), 'shop', 'what was refused stays to be mended');
  await page.selectOption('select[aria-label="Project"]', 'shop');
  await page.waitForURL('**/settings?project=shop');
  await page.click('nav a:has-text("Traces")');
  await page.waitForURL('**/traces?project=shop');
  await eventually(async () =>
    assert.equal(fixture.requests.at(-1).url.searchParams.get('project'), 'shop'),
  );
  await page.click('nav a:has-text("Settings")');
  await page.click('button[aria-label="Delete project shop"]');
  await page.click('dialog[open] .button-danger');
  await page.waitForURL('**/settings');
  await page.waitForSelector('[data-testid="project"]:has-text("shop")', { state: 'detached' });
  assert.equal(fixture.projects.length, 1);
});

pageTest(
  'a locked server asks for a key, takes it, and lets go of it',
  { fixture: { key: 'tk_right' } },
  async ({ page, url }) => {
    await page.goto(`${url}/traces`);
    const form = page.locator('[data-testid="sign-in"]');
    await form.waitFor();
    await page.fill('input[type="password"]', 'tk_wrong');
    await page.click('button:has-text("Sign in")');
    await page.waitForSelector('[role="alert"]:has-text("Unknown key")');
    await page.fill('input[type="password"]', ' tk_right ');
    await page.click('button:has-text("Sign in")');
    await page.waitForSelector('[data-testid="trace"]');
    await page.click('button:has-text("Sign out")');
    await form.waitFor();
  },
);

pageTest(
  'the theme follows the system until chosen, and the choice is kept',
  { context: { colorScheme: 'dark' } },
  async ({ page, url }) => {
    const theme = () => page.evaluate(() => document.documentElement.dataset.theme);
    await page.goto(`${url}/traces`);
    assert.equal(await theme(), 'dark');
    await page.emulateMedia({ colorScheme: 'light' });
    await eventually(async () => assert.equal(await theme(), 'light'));
    await page.click('[data-testid="theme"]');
    await page.click('[data-testid="theme"]');
    assert.equal(await theme(), 'dark');
    await page.reload();
    assert.equal(await theme(), 'dark');
  },
);

pageTest('an unknown path says so', {}, async ({ page, url }) => {
  await page.goto(`${url}/nowhere`);
  await page.waitForSelector('h1:has-text("No such page")');
});

pageTest('the first tab stop leads past the bar', {}, async ({ page, url }) => {
  await page.goto(`${url}/traces`);
  await page.waitForSelector('[data-testid="trace"]');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await eventually(async () =>
    assert.equal(await page.evaluate(() => document.activeElement.id), 'main'),
  );
  assert.equal(await page.locator('[data-testid="trace"]').count(), 50);
});

pageTest(
  'an answer the page cannot read leaves the bar and says so',
  {},
  async ({ page, url, fixture }) => {
    fixture.keys[0].createdUnixNano = 'yesterday';
    await page.goto(`${url}/settings`);
    await page.waitForSelector('[role="alert"]:has-text("Something went wrong")');
    await page.click('nav a:has-text("Traces")');
    await page.waitForSelector('[data-testid="trace"]');
  },
);
