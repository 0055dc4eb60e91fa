/** What React gets beside the browser SDK, in a real Chromium. */

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { launch, startSite } from '../../js/test/support/chromium.mjs';
import { startSink, until } from '../../js/test/support/sink.mjs';

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

  test("React Router's routes name loads and navigations, below the click that led there", async () => {
    const site = await open(`
      import { createRoot } from 'react-dom/client';
      import { createBrowserRouter, Link } from 'react-router';
      import { RouterProvider } from 'react-router/dom';
      import { TraceKit, traceRouter } from '@tracekit/react';
      window.TraceKit = TraceKit;
      TraceKit.init(CONFIG);
      const load = async ({ params }) => (await fetch('/api/' + params.id)).json();
      const router = traceRouter(createBrowserRouter([
        { path: '/', element: <Link id="go" to="/users/42">Ada</Link> },
        { path: '/users', children: [{ path: ':id', loader: load, element: <p id="there">there</p> }] },
      ]));
      createRoot(document.getElementById('root')).render(<RouterProvider router={router} />);
    `);
    try {
      await page.click('#go');
      await page.waitForSelector('#there');
      const named = (name) => sink.spans.find((span) => span.name === name);
      await until(async () => {
        await page.evaluate(() => TraceKit.flush());
        return named('click Ada') && named('navigation /users/:id') && named('pageload /');
      }, 'the spans');
      assert.equal(named('navigation /users/:id').parentSpanId, named('click Ada').spanId);
      assert.equal(named('navigation /users/:id').tags['http.route'], '/users/:id');
    } finally {
      await site.close();
    }
  });

  test('a profiled component is a span each time it renders, and only then', async () => {
    const site = await open(`
      import { createRoot } from 'react-dom/client';
      import { useState } from 'react';
      import { TraceKit, TraceKitProfiler } from '@tracekit/react';
      window.TraceKit = TraceKit;
      TraceKit.init(CONFIG);
      function App() {
        const [n, setN] = useState(0);
        const list = <TraceKitProfiler name="Users"><ul><li>{n}</li></ul></TraceKitProfiler>;
        return <><button onClick={() => setN(n + 1)}>More</button>{list}</>;
      }
      createRoot(document.getElementById('root')).render(<App />);
    `);
    try {
      await page.click('button');
      const renders = () => sink.spans.filter(({ name }) => name === 'render Users');
      await until(async () => {
        await page.evaluate(() => TraceKit.flush());
        return renders().length >= 2 && sink.spans.some(({ name }) => name === 'click More');
      }, 'the renders');
      assert.deepEqual(renders().map(({ tags }) => tags['react.phase']), ['mount', 'update']);
      const click = sink.spans.find(({ name }) => name === 'click More');
      assert.equal(renders()[1].parentSpanId, click.spanId);
    } finally {
      await site.close();
    }
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
    const { tags } = recorded.events.find(({ name }) => name === 'exception');
    assert.equal(tags['exception.message'], 'at the root');
    await site.close();
  });
});
