/** Debian's Chromium, driven by playwright-core. */

import { chromium } from 'playwright-core';

export async function openBrowser() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-dev-shm-usage'],
  });
}

/** A page that keeps what its console and its security policy complain about. */
export async function openPage(browser, options = {}) {
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 }, ...options });
  const complaints = [];
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  return { page, complaints };
}

/** The waterfall's rows as a reader sees them. */
export async function readRows(page) {
  await page.waitForSelector('[data-testid="row"]');
  return page.$$eval('[data-testid="row"]', (rows) => rows.map((row) => ({
    type: row.dataset.type,
    depth: Number(row.dataset.depth),
    name: row.querySelector('[data-col="service"]').textContent.trim(),
    duration: row.querySelector('[data-col="duration"]').textContent.trim(),
  })));
}
