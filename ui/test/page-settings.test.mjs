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
  'what a project takes stands beside what is kept of it and what the server keeps',
  {},
  async ({ page, url, fixture }) => {
    const [project] = fixture.projects;
    Object.assign(project, { retention: '36h', disk: '4MiB' });
    Object.assign(project.storage, { bytes: 2 ** 20, spanCount: 12345, unsealedSpanCount: 7 });
    await page.goto(`${url}/settings`);
    const row = page.locator('[data-testid="project"]');
    await eventually(async () => {
      const text = (await row.innerText()).replace(/\s+/g, ' ');
      for (const part of [
        '12,345',
        '2026-01-01 to 2026-01-02',
        '1.00 MiB of 4.00 MiB, 3.00 MiB left',
        '7 spans in the log',
        '36h',
      ]) {
        assert.ok(text.includes(part), `${part} in ${text}`);
      }
    });
    const server = await page.locator('[data-testid="server-limits"]').innerText();
    assert.match(
      server,
      /for 15d \(--retention\).*50.0 GiB \(--disk\).*take 3.00 GiB, 47.0 GiB are left/,
    );
  },
);

pageTest(
  'a change that deletes says how much first, and is made by the keyboard alone',
  {},
  async ({ page, url, fixture }) => {
    const [project] = fixture.projects;
    fixture.due = { spanCount: 1234, segmentCount: 2, bytes: 5 * 2 ** 20 };
    await page.goto(`${url}/settings`);
    const change = page.locator('button[aria-label="Change what is kept of project default"]');
    const save = page.locator('dialog[open] button[type="submit"]');
    const deleting = page.locator('dialog[open] .button-danger');
    const onCancel = 'dialog[open] button:focus:has-text("Cancel")';
    await change.focus();
    await page.keyboard.press('Enter');
    assert.equal(await save.isDisabled(), true, 'nothing is changed yet');
    await page.focus('dialog[open] select[name="retention"]');
    await page.keyboard.press('End'); // a time of its own
    await page.keyboard.press('Tab');
    await page.keyboard.press('Control+A');
    await page.keyboard.type('soon');
    await page.keyboard.press('Enter');
    await page.waitForSelector('dialog[open] [role="alert"]:has-text("not a time like 7d")');
    await page.keyboard.press('Control+A');
    await page.keyboard.type('3d');
    await page.keyboard.press('Enter');
    const due = page.locator('[data-testid="due"]');
    await due.waitFor();
    assert.match(await due.innerText(), /deletes 1,234 spans \(5.00 MiB\) at once/);
    assert.equal(await deleting.innerText(), 'Save and delete 1,234 spans');
    assert.equal(project.retention, 'default', 'it was only asked');
    await page.waitForSelector(onCancel);
    await page.focus('dialog[open] input[name="retention-own"]');
    await page.keyboard.press('End');
    await page.keyboard.type('d'); // other limits are another question
    await due.waitFor({ state: 'detached' });
    await page.keyboard.press('Backspace');
    await page.keyboard.press('Enter');
    await page.waitForSelector(onCancel);
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.waitForSelector('dialog[open]', { state: 'detached' });
    assert.deepEqual([project.retention, project.disk], ['3d', 'default']);
    await page.waitForSelector('[data-testid="project"]:has-text("3d")');
    assert.equal(await change.evaluate((button) => button === document.activeElement), true);
  },
);

pageTest(
  'a change that deletes nothing is made at once, and Escape leaves all as it was',
  {},
  async ({ page, url, fixture }) => {
    const [project] = fixture.projects;
    await page.goto(`${url}/settings`);
    const change = page.locator('button[aria-label="Change what is kept of project default"]');
    await change.click();
    await page.selectOption('dialog[open] select[name="disk"]', 'own');
    await page.keyboard.press('Escape');
    await page.waitForSelector('dialog[open]', { state: 'detached' });
    await change.click();
    assert.equal(await page.inputValue('dialog[open] select[name="disk"]'), 'default');
    await page.selectOption('dialog[open] select[name="disk"]', 'own');
    await page.fill('dialog[open] input[name="disk-own"]', '1GiB');
    await page.click('dialog[open] button[type="submit"]');
    await page.waitForSelector('dialog[open]', { state: 'detached' });
    assert.deepEqual([project.retention, project.disk], ['default', '1GiB']);
  },
);

pageTest(
  'a double click and an Enter pressed twice ask, and delete nothing',
  {},
  async ({ page, url, fixture }) => {
    fixture.due = { spanCount: 12, segmentCount: 1, bytes: 1024 };
    const changes = () => fixture.requests.filter(({ method }) => method === 'PATCH').length;
    const deleting = page.locator('dialog[open] .button-danger');
    const ask = async () => {
      await page.click('button[aria-label="Change what is kept of project default"]');
      await page.selectOption('dialog[open] select[name="retention"]', 'own');
      await page.focus('dialog[open] input[name="retention-own"]');
      await page.keyboard.press('Enter');
      await page.waitForSelector('dialog[open] button:focus:has-text("Cancel")');
    };
    await page.goto(`${url}/settings`);
    await ask();
    await page.keyboard.press('Enter');
    await page.waitForSelector('dialog[open]', { state: 'detached' });
    assert.equal(changes(), 0);

    await ask();
    const { x, y, width, height } = await deleting.boundingBox();
    await page.mouse.move(x + width / 2, y + height / 2);
    await page.mouse.down({ clickCount: 2 });
    await page.mouse.up({ clickCount: 2 });
    await deleting.click();
    await page.waitForSelector('dialog[open]', { state: 'detached' });
    assert.equal(changes(), 1, 'the click that was meant');
  },
);

pageTest(
  'less to keep is asked about while spans are in the log, more is not',
  {},
  async ({ page, url, fixture }) => {
    const [project] = fixture.projects;
    project.storage.unsealedSpanCount = 7;
    const limit = async (name, value) => {
      await page.click('button[aria-label="Change what is kept of project default"]');
      await page.selectOption(`dialog[open] select[name="${name}"]`, 'own');
      await page.fill(`dialog[open] input[name="${name}-own"]`, value);
      await page.click('dialog[open] button[type="submit"]');
    };
    const done = () => page.waitForSelector('dialog[open]', { state: 'detached' });
    await page.goto(`${url}/settings`);
    for (const [name, value] of [
      ['retention', '36h'], // the server's is 15d
      ['disk', '1GiB'],
    ]) {
      await limit(name, value);
      const due = await page.locator('[data-testid="due"]').innerText();
      assert.match(due, /^Of the 7 spans in the log, those that are too old or too much/);
      assert.equal(project[name], 'default', 'it was only asked');
      await page.click('dialog[open] button:text-is("Save and delete")');
      await done();
      assert.equal(project[name], value);
    }
    await limit('retention', '2d');
    await done();
    await limit('disk', '2GiB');
    await done();
    assert.deepEqual([project.retention, project.disk], ['2d', '2GiB']);
    fixture.due = { spanCount: 12, segmentCount: 1, bytes: 1024 };
    await limit('retention', '1d');
    assert.match(
      await page.locator('[data-testid="due"]').innerText(),
      /deletes 12 spans .* at once.*Of the 7 spans in the log, .* as well/,
    );
  },
);

pageTest(
  'what is answered once the limits are other ones, or the dialog is left, counts for nothing',
  {},
  async ({ page, url, fixture }) => {
    const of = (method, end) =>
      fixture.requests.filter((one) => one.method === method && one.url.pathname.endsWith(end));
    const [project] = fixture.projects;
    let letGo;
    await page.route('**/due?*', async (route) => {
      await new Promise((resolve) => (letGo = resolve));
      await route.continue().catch(() => {}); // nobody waits for it by now
    });
    const change = page.locator('button[aria-label="Change what is kept of project default"]');
    const own = page.locator('dialog[open] input[name="retention-own"]');
    const save = page.locator('dialog[open] button[type="submit"]');
    const ask = async (retention) => {
      await page.selectOption('dialog[open] select[name="retention"]', 'own');
      await own.fill(retention);
      const asked = page.waitForRequest('**/due?*');
      await save.click();
      await asked;
    };
    await page.goto(`${url}/settings`);
    await change.click();
    await ask('30d');
    await page.keyboard.press('Escape');
    await page.waitForSelector('dialog[open]', { state: 'detached' });
    letGo();

    fixture.due = { spanCount: 12, segmentCount: 1, bytes: 1024 };
    await change.click();
    await ask('30d');
    await own.fill('3h');
    letGo();
    await page.unrouteAll({ behavior: 'wait' });
    await page.evaluate(() => fetch('/api/v1/whoami')); // what was asked before is answered too
    await save.click();
    await page.waitForSelector('[data-testid="due"]');
    assert.equal(of('GET', '/due').at(-1).url.searchParams.get('retention'), '3h');
    assert.deepEqual(of('PATCH', '/default'), [], 'it was only asked');
    assert.equal(project.retention, 'default');

    await own.fill(' ');
    assert.equal(await own.evaluate((input) => input.validity.patternMismatch), true);
    await own.fill('3d');
    assert.equal(await own.evaluate((input) => input.validity.valid), true);
  },
);

pageTest(
  'a read key sees what is kept and is offered no change',
  { fixture: { key: 'tk_read', kind: 'read' } },
  async ({ page, url, fixture }) => {
    fixture.signedIn = true;
    await page.goto(`${url}/settings`);
    await page.waitForSelector('[data-testid="read-only"]');
    assert.equal(await page.locator('[data-testid="project"]').count(), 1);
    assert.deepEqual(await page.locator('main button, main form').count(), 0);
    assert.equal(await page.locator('[role="alert"]').count(), 0);
  },
);

pageTest(
  'settings fit into 320 pixels, the dialog too',
  { context: { viewport: { width: 320, height: 640 } } },
  async ({ page, url, fixture }) => {
    Object.assign(fixture.projects[0], { name: 'x'.repeat(64), disk: '10GiB' });
    await page.goto(`${url}/settings`);
    await page.click('button:has-text("Change…")');
    const wide = () => page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok((await wide()) <= 320, `${await wide()} pixels`);
    await page.selectOption('dialog[open] select[name="retention"]', 'own');
    const hidden = (dialog) => dialog.scrollWidth - dialog.clientWidth;
    assert.equal(await page.locator('dialog[open]').evaluate(hidden), 0);
    const box = await page.locator('dialog[open]').boundingBox();
    assert.ok(box.x >= 0 && box.x + box.width <= 320, JSON.stringify(box));
  },
);

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
  await page.waitForSelector('[data-testid="trace"]');
});

pageTest(
  'who chooses a project by keyboard stays at the choice, whatever page it leads to',
  {},
  async ({ page, url, fixture }) => {
    fixture.projects.push({ ...fixture.projects[0], id: 2, name: 'shop' });
    await page.goto(`${url}/services`);
    await page.waitForSelector('[data-testid="service"]');
    await page.focus('select[aria-label="Project"]');
    await page.keyboard.press('s');
    await page.waitForURL(`${url}/traces?project=shop`);
    await page.waitForSelector('[data-testid="trace"]');
    const focused = () => page.evaluate(() => document.activeElement.ariaLabel);
    assert.equal(await focused(), 'Project');
    await page.click('nav a:has-text("Services")');
    await page.waitForSelector('[data-testid="service"]');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'main');
  },
);

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
