/** The SDK lives in other people's pages: what it must never do to them. In a real Chromium. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { launch, startSite } from '../../js/test/support/chromium.mjs';
import { close, listen, startSink, until } from '../../js/test/support/sink.mjs';

const TIMEOUT = { timeout: 300_000 };
const iife = readFileSync(new URL('../dist/tracekit.iife.js', import.meta.url), 'utf8');

let browser, site, sink, page, said;

before(async () => {
  browser = await launch();
  site = await startSite({
    '/': '<!doctype html><title>t</title><button id=load>Load</button><script src=/iife.js></script>',
    '/iife.js': iife,
  });
}, TIMEOUT);

after(async () => {
  await browser?.close();
  await site?.close();
});

beforeEach(async () => {
  sink = await startSink();
  page = await browser.newPage();
  said = [];
  page.on('console', (line) => said.push(line.text()));
  page.on('pageerror', (error) => said.push(`page error: ${error.message}`));
});

afterEach(async () => {
  await page.close();
  await sink.close();
});

async function open(endpoint = sink.url) {
  await page.goto(site.url);
  await page.evaluate((url) => {
    TraceKit.init({ apiKey: 'test-key', serviceName: 'page', endpoint: url });
  }, endpoint);
}

async function spans(count) {
  await until(async () => {
    await page.evaluate(() => TraceKit.flush());
    return sink.spans.length >= count;
  }, `${count} spans`);
  return sink.spans;
}

describe('what the page gives', TIMEOUT, () => {
  test('objects that throw when they are looked at, in circles, and of any other kind', async () => {
    await open();
    await page.evaluate(() => {
      const circle = {};
      circle.self = circle;
      const throwing = { toString() { throw new Error('toString'); }, toJSON() { throw new Error('toJSON'); } };
      const proxy = new Proxy({}, { get() { throw new Error('get'); }, ownKeys() { throw new Error('ownKeys'); } });
      const values = { circle, throwing, proxy, symbol: Symbol('s'), none: () => 1, nan: NaN, big: 2n ** 70n, ok: 1 };
      for (const value of [circle, throwing, proxy, Symbol('s'), null, undefined]) {
        TraceKit.captureException(value);
        TraceKit.startSpan(value, value).end();
      }
      const span = TraceKit.startSpan('values');
      for (const [key, value] of Object.entries(values)) {
        span.setTag(key, value);
        span.setTag(value, key);
      }
      span.end();
    });
    const found = (await spans(10)).find(({ name }) => name === 'values');
    assert.equal(found.tags.ok, 1);
    assert.equal(found.tags.big, String(2n ** 70n));
    assert.deepEqual(said.filter((line) => line.includes('page error')), []);
  });

  test('what its work throws reaches it, as it was thrown', async () => {
    await open();
    const same = await page.evaluate(async () => {
      const mistake = new Error('mine');
      const caught = [];
      try { TraceKit.startSpan('sync', () => { throw mistake; }); } catch (error) { caught.push(error); }
      try { await TraceKit.startSpan('async', async () => { throw mistake; }); } catch (error) { caught.push(error); }
      return caught.length === 2 && caught.every((error) => error === mistake);
    });
    assert.equal(same, true);
    await page.evaluate(() => {
      const button = document.getElementById('load');
      button.addEventListener('click', () => { throw new Error('a listener'); });
      button.addEventListener('click', () => fetch('/after'));
    });
    await page.click('#load');
    await until(() => said.includes('page error: a listener'), "the page's own error");
    await until(async () => (await spans(4)).some(({ name }) => name === 'fetch /after'), 'the request');
  });

  test('a million spans at once: a bounded queue, counted drops, and the next one is sent', async () => {
    await open();
    const stats = await page.evaluate(() => {
      for (let i = 0; i < 1_000_000; i++) TraceKit.startSpan('many').end();
      return TraceKit.stats();
    });
    assert.equal(stats.dropped + stats.queued + stats.sent, 1_000_000);
    assert.ok(stats.queued <= 2048);
    await spans(stats.queued);
    await page.evaluate(() => TraceKit.startSpan('next').end());
    await spans(stats.queued + 1);
    assert.equal(said.filter((line) => line.includes('dropped')).length, 1, said.join('\n'));
  });

  test('a clock that is set back while a span is open', async () => {
    await open();
    const before = BigInt(Date.now() - 60_000) * 1_000_000n;
    await page.evaluate(() => {
      const span = TraceKit.startSpan('across');
      const real = Date.now;
      Date.now = () => real() - 3_600_000;
      span.end();
      TraceKit.startSpan('behind').end();
    });
    for (const span of await spans(2)) {
      const [start, end] = [BigInt(span.startTimeUnixNano), BigInt(span.endTimeUnixNano)];
      assert.ok(end >= start && end - start < 60_000_000_000n, `${span.name}: ${end - start} ns`);
      if (span.name === 'across') assert.ok(start > before);
    }
  });
});

describe('what the server does', TIMEOUT, () => {
  test('answers garbage: the spans count as sent, nothing is said in the page', async () => {
    await open();
    sink.answers.push({ headers: { 'Content-Type': 'text/html' }, body: '<html>{{' });
    await page.evaluate(() => TraceKit.startSpan('first').end());
    await spans(1);
    await page.evaluate(() => TraceKit.startSpan('second').end());
    await spans(2);
    const stats = await page.evaluate(() => TraceKit.flush().then(() => TraceKit.stats()));
    assert.deepEqual(stats, { sent: 2, dropped: 0, queued: 0 });
    assert.deepEqual(sink.spans.map(({ name }) => name), ['first', 'second']);
    assert.deepEqual(said, []);
  });

  test('is too busy: one line, a bounded queue, and delivery when it is not', async () => {
    await open();
    sink.answers.push(...Array(3).fill({ status: 429, headers: { 'Retry-After': '0' } }));
    await page.evaluate(() => TraceKit.startSpan('late').end());
    await spans(1);
    assert.equal(said.filter((line) => line.includes('[tracekit]')).length, 1, said.join('\n'));
  });

  test('never answers: requests and the end of the page do not wait for it', async () => {
    const silent = createServer(() => {});
    await open(`http://127.0.0.1:${await listen(silent)}`);
    const status = await page.evaluate(async () => {
      TraceKit.startSpan('unheard').end();
      TraceKit.flush();
      return (await fetch('/iife.js')).status;
    });
    assert.equal(status, 200);
    await page.goto('about:blank');
    await close(silent);
    assert.deepEqual(said.filter((line) => line.includes('page error')), []);
  });
});
