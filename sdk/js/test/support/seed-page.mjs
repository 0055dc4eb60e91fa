/** The document's blocks for a page, bundled as an app would and run in Chromium. */

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { build } from 'esbuild';
import { launch, startSite } from './chromium.mjs';
import { block, skipped } from './seed.mjs';
import { startSink, until } from './sink.mjs';

const TIMEOUT = { timeout: 300_000, skip: skipped };
const SENT = [
  'https://api.yourapp.com/users',
  'https://api.other.example/v1',
  'http://localhost:3001/api/users',
  'http://localhost:8080/users',
];
const NOT_SENT = [
  'http://api.other.example/v1',
  'https://www.other.example/',
  'https://third.party/?u=https://api.yourapp.com/',
];

/** Bundles `code` behind the import line, the key built in as the document says. */
async function bundle(importLine, code, resolveDir) {
  const { outputFiles } = await build({
    stdin: { contents: `${importLine}\n${code}\nwindow.TraceKit = TraceKit;`, resolveDir },
    bundle: true,
    write: false,
    define: { 'process.env.TRACEKIT_API_KEY': '"built-in"', 'process.env.NODE_ENV': '""' },
  });
  return outputFiles[0].text;
}

/** Declares the tests for a package under each way of importing it. */
export function testSeedIn(packageName, importLines, resolveDir) {
  describe(`the document, with ${packageName}`, TIMEOUT, () => {
    let browser, sink, page, site;
    let headers = {};

    before(async () => {
      browser = await launch();
    }, TIMEOUT);

    after(() => browser?.close());

    beforeEach(async () => {
      sink = await startSink();
      page = await browser.newPage();
      headers = {};
    });

    afterEach(async () => {
      await page.unrouteAll({ behavior: 'ignoreErrors' });
      await page.close();
      await sink.close();
      await site.close();
    });

    /** Opens a page with that script; every other host is answered for, and its headers kept. */
    async function open(script) {
      site = await startSite({
        '/': '<!doctype html><script src=/main.js></script>',
        '/main.js': script,
      });
      await page.route('**/*', async (route) => {
        const url = route.request().url();
        headers[url] = await route.request().allHeaders();
        if (url.startsWith(sink.url) || url.startsWith(site.url)) return route.continue();
        const cors = { 'Access-Control-Allow-Origin': '*', 'Access-Control-Allow-Headers': '*' };
        return route.fulfill({ body: '[]', headers: cors });
      });
      await page.goto(site.url);
    }

    for (const importLine of importLines) {
      test(`Step 2 runs with \`${importLine}\` (S49-S57)`, TIMEOUT, async () => {
        const init = block('TraceKit.init({', "],\n});").replace(
          'TraceKit.init({',
          `TraceKit.init({ endpoint: '${sink.url}',`,
        );
        await open(await bundle(importLine, init, resolveDir));
        await page.evaluate(async (urls) => {
          for (const url of urls) await fetch(url);
          await TraceKit.flush();
        }, [...SENT, ...NOT_SENT, '/api/users']);
        for (const url of SENT) {
          assert.match(headers[url].traceparent, /^00-[0-9a-f]{32}-[0-9a-f]{16}-03$/, url);
          assert.equal(headers[url].tracestate, 'ot=th:0', url);
        }
        for (const url of [...NOT_SENT, `${site.url}/api/users`]) {
          assert.equal(headers[url].traceparent, undefined, url);
          assert.equal(headers[url].tracestate, undefined, url);
        }
        const spans = await until(() => sink.spans.length >= SENT.length && sink.spans);
        assert.equal(spans[0].resource['service.name'], 'my-react-app');
        assert.equal(sink.requests[0].headers['x-api-key'], 'built-in');
      });
    }

    test('Step 7: frontend tags (S100-S102)', TIMEOUT, async () => {
      const tags = block("TraceKit.setTag('user.id', userId);", "'cart.items', itemCount);");
      const options = JSON.stringify({ apiKey: 'key', endpoint: sink.url });
      const code = `TraceKit.init(${options});
        (async (userId, itemCount) => {
          ${tags}
          await fetch('/pay');
          transaction.finish();
          TraceKit.flush();
        })('u-1', 3);`;
      await open(await bundle(importLines[0], code, resolveDir));
      const checkout = await sink.span('checkout');
      const pay = await sink.span('fetch /pay');
      assert.equal(pay.parentSpanId, checkout.spanId);
      assert.deepEqual([checkout.tags['cart.items'], pay.tags['cart.items']], [3, undefined]);
      for (const { tags: all } of [checkout, pay]) {
        assert.deepEqual([all['user.id'], all['user.plan']], ['u-1', 'enterprise']);
      }
    });
  });
}
