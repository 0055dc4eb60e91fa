// Opens the built page in a real Chromium, against the fixture server, and watches it: an error, a
// violation of the Content-Security-Policy or a request to another host fails the test.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chromium } from 'playwright-core';
import { Fixture, serve } from './fixture-server.mjs';

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
let browser;

/** A test with a page of its own: `run({ page, fixture, url })`. */
export function pageTest(name, options, run) {
  test(name, { timeout: 60_000 }, async () => {
    browser ??= await chromium.launch({ executablePath, args: ['--no-sandbox'] });
    const fixture = new Fixture(options.fixture);
    const server = await serve(fixture);
    const context = await browser.newContext({
      viewport: { width: 1280, height: 720 },
      timezoneId: 'UTC',
      ...options.context,
    });
    context.setDefaultTimeout(15_000);
    try {
      const page = await context.newPage();
      const complaints = await watch(page, server.url);
      await run({ page, context, fixture, url: server.url });
      complaints.push(...(await page.evaluate(() => window.cspViolations)));
      assert.deepEqual(complaints, []);
    } finally {
      for (const page of context.pages()) await page.unrouteAll({ behavior: 'ignoreErrors' });
      await context.close();
      await server.close();
    }
  });
}

export async function closeBrowser() {
  await browser?.close();
}

async function watch(page, origin) {
  const complaints = [];
  await page.addInitScript(() => {
    window.cspViolations = [];
    document.addEventListener('securitypolicyviolation', (event) => {
      window.cspViolations.push(`CSP: ${event.violatedDirective} ${event.blockedURI}`);
    });
  });
  page.on('pageerror', (error) => complaints.push(`thrown: ${error.message}`));
  page.on('console', (message) => {
    // Chromium reports every answer of 400 and up; those are tested by what the page makes of them.
    const isAnswer = message.text().startsWith('Failed to load resource: the server responded');
    if (message.type() === 'error' && !isAnswer) complaints.push(`console: ${message.text()}`);
  });
  page.on('request', (request) => {
    const isOwn = request.url().startsWith(origin) || request.url().startsWith('data:');
    if (!isOwn) complaints.push(`request: ${request.url()}`);
  });
  return complaints;
}

/** Asks until it holds, for as long as a slow machine may need. */
export async function eventually(check) {
  const end = Date.now() + 15_000;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (Date.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  }
}
