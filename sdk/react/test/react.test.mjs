/** What React gets beside the browser SDK, in a real Chromium. */

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { launch, startSite } from '../../js/test/support/chromium.mjs';
import { startSink } from '../../js/test/support/sink.mjs';

const TIMEOUT = { timeout: 300_000 };
const resolveDir = fileURLToPath(new URL('.', import.meta.url));

async function bundle(contents) {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir, loader: 'jsx' },
    bundle: true,
    write: false,
    jsx: 'automatic',
    define: { 'process.env.NODE_ENV': '"production"' },
  });
  return outputFiles[0].text;
}

let browser, sink, page;

before(async () => {
  browser = await launch();
}, TIMEOUT);

after(() => browser?.close());

beforeEach(async () => {
  sink = await startSink();
  page = await browser.newPage();
});

afterEach(async () => {
  await page.close();
  await sink.close();
});

/** Opens a page whose script renders into #root. */
async function open(script) {
  const site = await startSite({
    '/': '<!doctype html><div id=root></div><script src=/main.js></script>',
    '/main.js': await bundle(script),
  });
  await page.addInitScript(`window.CONFIG = { apiKey: 'k', serviceName: 'web',
    endpoint: '${sink.url}' };`);
  await page.goto(site.url);
  return site;
}

describe('@tracekit/react', TIMEOUT, () => {
  test('the provider starts tracing, the boundary records what rendering throws', async () => {
    const site = await open(`
      import { createRoot } from 'react-dom/client';
      import { useState } from 'react';
      import { TraceKit, TraceKitErrorBoundary, TraceKitProvider } from '@tracekit/react';
      window.TraceKit = TraceKit;
      function Bomb() {
        const [broken, setBroken] = useState(false);
        if (broken) throw new RangeError('render failed');
        return <button onClick={() => setBroken(true)}>Break</button>;
      }
      const fallback = (error, reset) => <button onClick={reset}>{error.message}</button>;
      createRoot(document.getElementById('root')).render(
        <TraceKitProvider config={CONFIG}>
          <TraceKitErrorBoundary fallback={fallback} onError={(e) => (window.seen = e.message)}>
            <Bomb />
          </TraceKitErrorBoundary>
        </TraceKitProvider>);`);
    await page.click('text=Break');
    await page.click('text=render failed');
    await page.waitForSelector('text=Break');
    assert.equal(await page.evaluate('window.seen'), 'render failed');
    await page.evaluate(() => TraceKit.flush());
    const recorded = await sink.span('click Break');
    assert.equal(recorded.status.code, 2);
    assert.equal(recorded.events[0].tags['exception.type'], 'RangeError');
    await site.close();
  });

  test("a request that an effect makes belongs to the click that caused it", async () => {
    const site = await open(`
      import { createRoot } from 'react-dom/client';
      import { StrictMode, useEffect, useState } from 'react';
      import { TraceKit, useTraceKitSpan } from '@tracekit/react';
      TraceKit.init(CONFIG);
      window.TraceKit = TraceKit;
      function Users() {
        const [wanted, setWanted] = useState(0);
        const [shown, setShown] = useState('');
        const { startSpan } = useTraceKitSpan();
        useEffect(() => {
          if (!wanted) return;
          fetch('/api/users').then((r) => r.json()).then(() => {
            startSpan('show', () => setShown('shown'));
          });
        }, [wanted]);
        return <><button onClick={() => setWanted(1)}>Load</button>{shown}</>;
      }
      createRoot(document.getElementById('root')).render(<StrictMode><Users /></StrictMode>);`);
    await page.click('text=Load');
    await page.waitForSelector('text=shown');
    await page.waitForTimeout(200);
    await page.evaluate(() => TraceKit.flush());
    const root = await sink.span('click Load');
    assert.equal((await sink.span('fetch /api/users')).parentSpanId, root.spanId);
    assert.equal((await sink.span('show')).parentSpanId, root.spanId);
    await site.close();
  });

  test('beside @tracekit/browser there is one instance, and React 19 roots report errors', async () => {
    const site = await open(`
      import { createRoot } from 'react-dom/client';
      import { TraceKit, traceKitCreateRootOptions } from '@tracekit/react';
      import { TraceKit as other } from '@tracekit/browser';
      TraceKit.init(CONFIG);
      window.TraceKit = TraceKit;
      window.same = TraceKit === other;
      function Bomb() { throw new TypeError('at the root'); }
      const root = document.getElementById('root');
      createRoot(root, traceKitCreateRootOptions()).render(<Bomb />);`);
    assert.equal(await page.evaluate('window.same'), true);
    await page.waitForTimeout(200);
    await page.evaluate(() => TraceKit.flush());
    const recorded = await sink.span('pageload /').catch(() => sink.span('exception'));
    assert.equal(recorded.events[0].tags['exception.message'], 'at the root');
    await site.close();
  });
});
