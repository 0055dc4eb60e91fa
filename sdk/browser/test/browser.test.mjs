/** The built SDK in a real Chromium, against another origin and a receiver. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { launch, startApi, startSite } from '../../js/test/support/chromium.mjs';
import { startSink, until } from '../../js/test/support/sink.mjs';

const dist = (name) => readFileSync(new URL(`../dist/${name}`, import.meta.url), 'utf8');
const TIMEOUT = { timeout: 300_000 };
const HTML = (head) => `<!doctype html><title>t</title>${head}
  <button id=load>Load <b>Users</b></button><button id=other aria-label="Save it">x</button>
  <button id=named data-tracekit-name="React Frontend">Load</button><p id=text>secret text</p>`;

let browser, site, api, sink, page, said;

before(async () => {
  browser = await launch();
  site = await startSite({
    '/': HTML('<script src=/iife.js></script>'),
    '/iife.js': dist('tracekit.iife.js'),
    '/index.js': dist('index.js'),
  });
  api = await startApi();
}, TIMEOUT);

after(async () => {
  await browser?.close();
  await site?.close();
  await api?.close();
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

/** Opens the page with the SDK set up; `more` goes into its options. */
async function open(more = {}) {
  const { targets, ...options } = more;
  await page.addInitScript(`window.API = '${api.url}'; window.OPTIONS = () => ({
    apiKey: 'test-key', serviceName: 'React Frontend', endpoint: '${sink.url}',
    ${targets === undefined ? '' : `tracePropagationTargets: ${targets},`}
    ...${JSON.stringify(options)} });`);
  await page.goto(site.url);
  await page.evaluate(() => TraceKit.init(OPTIONS()));
}

const onClick = (id, body) =>
  page.evaluate(
    ([element, code]) => {
      const run = new Function(`return (async () => { ${code} })()`);
      document.getElementById(element).addEventListener('click', () => run());
    },
    [id, body],
  );

const flush = () => page.evaluate(() => TraceKit.flush());

/** All spans, once `count` are there. */
async function spans(count) {
  await until(async () => {
    await flush();
    return sink.spans.length >= count;
  }, `${count} spans`);
  return sink.spans;
}

const named = (list, name) => {
  const found = list.filter((span) => span.name === name);
  assert.equal(found.length, 1, `${found.length} spans are named ${name}`);
  return found[0];
};

describe('a click that leads to a request', TIMEOUT, () => {
  test('is one trace: the click, the requests of its whole async chain', async () => {
    await open({ targets: `['${api.host}']` });
    await onClick(
      'load',
      `const first = await fetch(API + '/api/users?delay=150');
       await first.json();
       await fetch(API + '/api/more');`,
    );
    await page.click('#load');
    const all = await spans(3);
    const root = named(all, 'click Load Users');
    const first = named(all, 'fetch /api/users');
    const more = named(all, 'fetch /api/more');
    assert.equal(root.parentSpanId, '');
    assert.equal(root.kind, 1);
    assert.equal(root.resource['service.name'], 'React Frontend');
    for (const child of [first, more]) {
      assert.equal(child.traceId, root.traceId);
      assert.equal(child.parentSpanId, root.spanId);
      assert.equal(child.kind, 3);
      assert.ok(BigInt(root.endTimeUnixNano) >= BigInt(child.endTimeUnixNano));
      assert.ok(BigInt(root.startTimeUnixNano) <= BigInt(child.startTimeUnixNano));
    }
    assert.equal(first.tags['http.response.status_code'], 200);
    assert.equal(first.tags['url.full'], `${api.url}/api/users?delay=150`);
    const { traceparent, tracestate } = api.headersOf('/api/users');
    assert.equal(traceparent, `00-${first.traceId}-${first.spanId}-03`);
    assert.equal(tracestate, 'ot=th:0');
  });

  test('lasts while an answer is read, however slow', async () => {
    await open({ targets: `['${api.host}']` });
    await onClick(
      'load',
      `await (await fetch(API + '/slow-body?body-delay=400')).json();
       await fetch(API + '/then');`,
    );
    await page.click('#load');
    const all = await spans(3);
    const root = named(all, 'click Load Users');
    const then = named(all, 'fetch /then');
    assert.equal(then.parentSpanId, root.spanId);
    assert.ok(BigInt(root.endTimeUnixNano) >= BigInt(then.endTimeUnixNano));
  });

  test('does not mix with another click under way', async () => {
    await open({ targets: `['${api.host}']` });
    const chain = (name) => `
      const first = await fetch(API + '/${name}/1?delay=200');
      await first.text();
      const second = await fetch(API + '/${name}/2?delay=200');
      await second.json();
      await fetch(API + '/${name}/3');`;
    await onClick('load', chain('a'));
    await onClick('other', chain('b'));
    await page.click('#load');
    await page.click('#other');
    const all = await spans(8);
    for (const [root, name] of [['click Load Users', 'a'], ['click Save it', 'b']]) {
      const { traceId, spanId } = named(all, root);
      for (const step of [1, 2, 3]) {
        const child = named(all, `fetch /${name}/${step}`);
        assert.deepEqual([child.traceId, child.parentSpanId], [traceId, spanId]);
      }
    }
  });

  test('may be named by the page', async () => {
    await open();
    await onClick('named', `await fetch('/api/users');`);
    await page.click('#named');
    const all = await spans(2);
    assert.equal(named(all, 'fetch /api/users').parentSpanId, named(all, 'React Frontend').spanId);
  });

  test('tells no text of what is not a control', async () => {
    await open();
    await onClick('text', `await fetch('/api/users');`);
    await page.click('#text');
    named(await spans(2), 'click p');
  });

  test('keeps timers that follow shortly', async () => {
    await open();
    await onClick('load', `setTimeout(() => fetch('/api/later'), 20);`);
    await page.click('#load');
    const all = await spans(2);
    const root = named(all, 'click Load Users');
    assert.equal(named(all, 'fetch /api/later').parentSpanId, root.spanId);
  });

  test('a click that leads to nothing leaves nothing', async () => {
    await open();
    await page.click('#load');
    await page.waitForTimeout(300);
    await page.evaluate(() => TraceKit.startSpan('after').end());
    const all = await spans(1);
    assert.deepEqual(all.map(({ name, parentSpanId }) => [name, parentSpanId]), [['after', '']]);
  });
});

describe('targets', TIMEOUT, () => {
  test('only matching requests get headers, and spans say why', async () => {
    await open({ targets: `['${api.host}/api/', /^https:\\/\\/api\\./g]` });
    await page.evaluate(async () => {
      await fetch(API + '/api/one');
      await fetch(API + '/third-party?u=/api/');
      await fetch('/own');
      await fetch(API + '/api/opaque', { mode: 'no-cors' });
    });
    const all = await spans(4);
    assert.ok(api.headersOf('/api/one').traceparent);
    assert.equal(named(all, 'fetch /api/one').tags['tracekit.propagation'], 'sent');
    for (const [server, path] of [[api, '/third-party'], [site, '/own']]) {
      assert.equal(server.headersOf(path).traceparent, undefined);
      assert.equal(server.headersOf(path).tracestate, undefined);
      assert.equal(named(all, `fetch ${path}`).tags['tracekit.propagation'], 'not_target');
    }
    assert.equal(api.headersOf('/api/opaque').traceparent, undefined);
    assert.equal(named(all, 'fetch /api/opaque').tags['tracekit.propagation'], undefined);
  });

  test('unset means the same origin', async () => {
    await open();
    await page.evaluate(async () => {
      await fetch('/mine');
      await fetch(API + '/other');
    });
    const all = await spans(2);
    assert.ok(site.headersOf('/mine').traceparent);
    assert.equal(api.headersOf('/other').traceparent, undefined);
    assert.equal(named(all, 'fetch /mine').tags['tracekit.propagation'], 'sent');
    assert.equal(named(all, 'fetch /other').tags['tracekit.propagation'], 'same_origin_default');
  });

  test('debug mode says when a same-origin request is not traced', async () => {
    await open({ targets: `['${api.host}']`, debug: true });
    await page.evaluate(() => fetch('/own'));
    await spans(1);
    assert.ok(said.some((line) => line.includes('same-origin request not traced: ' +
      'tracePropagationTargets is set and does not match it')));
    assert.ok(said.some((line) => line.includes(`React Frontend sends to ${sink.url}`)));
    assert.ok(said.some((line) => line.includes('exported')));
  });

  test('a header of the app and the request it gave stay as they are', async () => {
    await open({ targets: `['${api.host}']` });
    const own = '00-11111111111111111111111111111111-2222222222222222-01';
    const text = await page.evaluate(async (traceparent) => {
      const request = new Request(API + '/own-header', {
        method: 'POST',
        body: 'hello',
        headers: { traceparent, 'Content-Type': 'text/plain' },
      });
      await fetch(request);
      await fetch(new Request(API + '/request', { method: 'POST', body: 'hello' }));
      const refused = await fetch('http://[').catch((error) => error.name);
      return refused;
    }, own);
    assert.equal(text, 'TypeError');
    assert.equal(api.headersOf('/own-header').traceparent, own);
    assert.match(api.headersOf('/request').traceparent, /^00-/);
    assert.equal(api.headersOf('/request')['content-length'], '5');
  });
});

describe('XMLHttpRequest', TIMEOUT, () => {
  test('is traced like fetch, its chain included', async () => {
    await open({ targets: `['${api.host}']` });
    await onClick(
      'load',
      `const xhr = new XMLHttpRequest();
       xhr.open('POST', API + '/xhr?delay=150');
       xhr.onload = () => fetch(API + '/after-xhr');
       xhr.send('body');`,
    );
    await page.click('#load');
    const all = await spans(3);
    const root = named(all, 'click Load Users');
    const xhr = named(all, 'xhr /xhr');
    assert.deepEqual([xhr.parentSpanId, xhr.tags['http.response.status_code']], [root.spanId, 200]);
    assert.equal(named(all, 'fetch /after-xhr').parentSpanId, root.spanId);
    const { traceparent } = api.headersOf('/xhr');
    assert.equal(traceparent, `00-${xhr.traceId}-${xhr.spanId}-03`);
  });

  test('a failed one is an error, and the app sees what it always saw', async () => {
    await open();
    const seen = await page.evaluate(
      () =>
        new Promise((resolve) => {
          const xhr = new XMLHttpRequest();
          xhr.onerror = () => resolve('error');
          xhr.open('GET', 'http://localhost:1/');
          xhr.send();
        }),
    );
    assert.equal(seen, 'error');
    assert.equal(named(await spans(1), 'xhr /').status.code, 2);
  });
});

describe('transactions, tags and errors', TIMEOUT, () => {
  test("the document's tags: global ones on every span, a transaction's on it alone", async () => {
    await open();
    await page.evaluate(async () => {
      const userId = 'u-1';
      const itemCount = 3;
      TraceKit.setTag('user.id', userId);
      TraceKit.setTag('user.plan', 'enterprise');
      const transaction = TraceKit.startTransaction({ name: 'checkout' });
      transaction.setTag('cart.items', itemCount);
      await fetch('/pay');
      transaction.finish();
      await fetch('/elsewhere');
    });
    const all = await spans(3);
    const checkout = named(all, 'checkout');
    assert.equal(named(all, 'fetch /pay').parentSpanId, checkout.spanId);
    assert.equal(named(all, 'fetch /elsewhere').parentSpanId, '');
    for (const span of all) {
      assert.equal(span.tags['user.id'], 'u-1');
      assert.equal(span.tags['user.plan'], 'enterprise');
      assert.equal(span.tags['cart.items'], span === checkout ? 3 : undefined);
    }
  });

  test('startSpan is the parent of what its work starts, and ends with it', async () => {
    await open();
    await page.evaluate(async () => {
      await TraceKit.startSpan('work', { size: 2 }, async (span) => {
        await fetch('/in-work');
        span.startSpan('step').end();
      });
      const failed = () => TraceKit.startSpan('failing', () => { throw new RangeError('no'); });
      try { failed(); } catch (error) { if (!(error instanceof RangeError)) throw error; }
    });
    const all = await spans(4);
    const work = named(all, 'work');
    assert.equal(work.tags.size, 2);
    assert.equal(named(all, 'fetch /in-work').parentSpanId, work.spanId);
    assert.equal(named(all, 'step').parentSpanId, work.spanId);
    const failing = named(all, 'failing');
    assert.equal(failing.status.code, 2);
    assert.equal(failing.events[0].tags['exception.type'], 'RangeError');
  });

  test('errors, caught by nobody or captured, are spans with an exception', async () => {
    await open();
    await page.evaluate(() => {
      setTimeout(() => { throw new TypeError('nobody caught me'); });
      TraceKit.captureException(new Error('captured'));
      TraceKit.captureMessage('hello', 'warning');
      TraceKit.captureException(Object.create(null));
      TraceKit.setUser({ id: 7, email: 'a@b.example' });
    });
    const all = await spans(4);
    const messages = all.map((span) => span.events[0].tags['exception.message']);
    assert.ok(messages.includes('nobody caught me') && messages.includes('captured'));
    const message = named(all, 'message');
    assert.deepEqual(message.events[0].tags, { message: 'hello', level: 'warning' });
    assert.equal(all.find((span) => span.tags['user.id'] === 7) !== undefined, true);
  });

  test('the page load is a trace that holds its first requests', async () => {
    await page.addInitScript(`addEventListener('DOMContentLoaded', () => {
      TraceKit.init({ apiKey: 'k', serviceName: 'site', endpoint: '${sink.url}' });
      fetch('/first');
    })`);
    await page.goto(site.url);
    const all = await spans(2);
    const load = named(all, 'pageload /');
    assert.equal(load.parentSpanId, '');
    assert.equal(named(all, 'fetch /first').parentSpanId, load.spanId);
  });
});

describe('what a page tells of itself', TIMEOUT, () => {
  const early = (path) => `addEventListener('DOMContentLoaded', () => {
    TraceKit.init({ apiKey: 'k', serviceName: 'site', endpoint: '${sink.url}' });
    ${path ? `fetch('${path}');` : ''}
  })`;

  test("a load has Navigation Timing's marks, in their order", async () => {
    await page.addInitScript(early('/first'));
    await page.goto(site.url);
    await spans(2);
    await until(() => sink.spans.some(({ name }) => name === 'pageload /'), 'the load');
    const { events, tags } = named(sink.spans, 'pageload /');
    const marks = ['responseStart', 'domInteractive', 'domContentLoadedEventEnd', 'loadEventEnd'];
    assert.deepEqual(events.map(({ name }) => name), marks);
    const times = events.map(({ timeUnixNano }) => BigInt(timeUnixNano));
    assert.deepEqual(times, [...times].sort((a, b) => (a < b ? -1 : 1)));
    assert.equal(tags['url.full'], `${site.url}/`);
  });

  test('web vitals come when the page is left, once, below its load', async () => {
    await page.addInitScript(early());
    await page.goto(site.url);
    await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve))));
    await until(() => page.evaluate(() => performance.getEntriesByName('first-contentful-paint').length), 'a paint');
    await page.goto('about:blank');
    await until(() => sink.spans.some(({ name }) => name === 'web vitals'), 'the vitals');
    const vitals = named(sink.spans, 'web vitals');
    const load = named(sink.spans, 'pageload /');
    assert.equal(vitals.parentSpanId, load.spanId);
    assert.ok(vitals.tags['web_vital.fcp'] > 0);
    assert.ok(vitals.tags['web_vital.ttfb'] > 0);
  });

  test('a change of the path is a span that holds what the new view requests', async () => {
    await open();
    await page.evaluate(async () => {
      history.pushState({}, '', '/orders?page=2');
      history.replaceState({}, '', '/orders?page=3');
      await fetch(API + '/orders');
    });
    const all = await spans(2);
    const navigation = named(all, 'navigation /orders');
    assert.equal(navigation.parentSpanId, '');
    assert.equal(navigation.tags['url.full'], `${site.url}/orders?page=2`);
    assert.equal(named(all, 'fetch /orders').parentSpanId, navigation.spanId);
  });

  test('a click that navigates is the root of it; the way back is one of its own', async () => {
    await open();
    await onClick('load', `history.pushState({}, '', '/there'); await fetch(API + '/there');`);
    await page.click('#load');
    const all = await spans(3);
    const there = named(all, 'navigation /there');
    assert.equal(there.parentSpanId, named(all, 'click Load Users').spanId);
    assert.equal(named(all, 'fetch /there').parentSpanId, there.spanId);
    await page.evaluate(() => history.back());
    await spans(4);
    assert.equal(named(sink.spans, 'navigation /').parentSpanId, '');
  });

  test('a session lasts as long as its tab', async () => {
    await open();
    await page.evaluate(() => TraceKit.startSpan('one').end());
    await spans(1);
    await page.reload();
    await page.evaluate(() => TraceKit.init(OPTIONS()).startSpan('two').end());
    const [one, two] = (await spans(2)).map(({ resource }) => resource['session.id']);
    assert.match(one, /^[0-9a-f]{32}$/);
    assert.equal(two, one);
  });
});

describe('where it runs', TIMEOUT, () => {
  test('under a strict content security policy', async () => {
    const policy = `default-src 'none'; script-src 'self'; connect-src 'self' ${sink.url}; require-trusted-types-for 'script'`;
    const strict = await startSite({
      '/': `<!doctype html><meta http-equiv=Content-Security-Policy content="${policy}">
        <script src=/iife.js></script><script src=/main.js></script>`,
      '/iife.js': dist('tracekit.iife.js'),
      '/main.js': `TraceKit.init({ apiKey: 'k', serviceName: 'strict', endpoint: '${sink.url}' }); fetch('/own');`,
    });
    try {
      await page.goto(strict.url);
      await spans(1);
      assert.ok(strict.headersOf('/own').traceparent);
      assert.deepEqual(said, []);
    } finally {
      await strict.close();
    }
  });

  test('in a worker', async () => {
    const apart = await startSite({
      '/': '<!doctype html>',
      '/iife.js': dist('tracekit.iife.js'),
      '/worker.js': `importScripts('/iife.js');
        onmessage = async () => {
          TraceKit.init({ apiKey: 'k', serviceName: 'worker', endpoint: '${sink.url}' });
          await TraceKit.startSpan('job', () => fetch('own'));
          postMessage(await TraceKit.flush());
        };`,
    });
    try {
      await page.goto(apart.url);
      const sent = await page.evaluate(
        () => new Promise((resolve, reject) => {
          const worker = new Worker('/worker.js');
          worker.onmessage = ({ data }) => resolve(data);
          worker.onerror = ({ message }) => reject(new Error(message));
          worker.postMessage('go');
        }),
      );
      assert.equal(sent, true);
      const span = named(sink.spans, 'fetch /own');
      assert.equal(span.parentSpanId, named(sink.spans, 'job').spanId);
      assert.equal(apart.headersOf('/own').traceparent, `00-${span.traceId}-${span.spanId}-03`);
    } finally {
      await apart.close();
    }
  });
});

describe('propagation alone', TIMEOUT, () => {
  async function openBare(options) {
    const bare = await startSite({
      '/': HTML('<script src=/propagation.js></script>'),
      '/propagation.js': dist('propagation.iife.js'),
    });
    await page.goto(bare.url);
    await page.evaluate(([api_, more]) => {
      window.API = api_;
      TraceKit.init({ apiKey: 'ignored', tracePropagationTargets: [api_], ...more });
    }, [api.url, options]);
    return bare;
  }

  test('headers on the requests to targets, one trace from click to click, and no spans', async () => {
    const bare = await openBare();
    try {
      await page.evaluate(async () => {
        await fetch(API + '/p1');
        await new Promise((resolve) => {
          const xhr = new XMLHttpRequest();
          xhr.open('GET', API + '/p2');
          xhr.onloadend = resolve;
          xhr.send();
        });
        await fetch('/p3');
        document.getElementById('load').click();
        await fetch(API + '/p4', { headers: { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' } });
        await fetch(API + '/p5');
      });
      const [p1, p2, p4, p5] = ['/p1', '/p2', '/p4', '/p5'].map((path) => api.headersOf(path).traceparent);
      for (const one of [p1, p2, p5]) assert.match(one, /^00-[0-9a-f]{32}-[0-9a-f]{16}-03$/);
      assert.equal(p1.slice(3, 35), p2.slice(3, 35));
      assert.notEqual(p1.slice(36), p2.slice(36));
      assert.notEqual(p5.slice(3, 35), p1.slice(3, 35));
      assert.equal(p4, '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01');
      assert.equal(api.headersOf('/p1').tracestate, 'ot=th:0');
      assert.equal(bare.headersOf('/p3').traceparent, undefined);
      assert.equal(await page.evaluate(() => TraceKit.currentTraceId()), p5.slice(3, 35));
      assert.equal(sink.requests.length, 0);
    } finally {
      await bare.close();
    }
  });

  test('what is not sampled says so, and enabled: false sends nothing', async () => {
    const bare = await openBare({ sampleRate: 0 });
    try {
      await page.evaluate(() => fetch(API + '/never'));
      assert.match(api.headersOf('/never').traceparent, /-02$/);
      assert.equal(api.headersOf('/never').tracestate, undefined);
      await page.evaluate(async () => {
        TraceKit.init({ enabled: false });
        await fetch(API + '/off');
      });
      assert.equal(api.headersOf('/off').traceparent, undefined);
    } finally {
      await bare.close();
    }
  });
});

describe('delivery', TIMEOUT, () => {
  test('the key goes in its header, and our own posts are not traced', async () => {
    await open();
    await page.evaluate(() => fetch('/x'));
    await spans(1);
    await flush();
    assert.equal(sink.requests[0].headers['x-api-key'], 'test-key');
    assert.equal(sink.requests[0].headers.traceparent, undefined);
    assert.equal(sink.requests[0].url, '/v1/traces');
    assert.deepEqual(sink.spans.map(({ name }) => name), ['fetch /x']);
  });

  test('without a key the app runs, one loud line is said, nothing is sent', async () => {
    await open({ apiKey: '', targets: `['${api.host}']` });
    const status = await page.evaluate(async () => {
      TraceKit.setTag('a', 1);
      TraceKit.startTransaction({ name: 't' }).finish();
      TraceKit.captureException(new Error('x'));
      return (await fetch(API + '/unkeyed')).status;
    });
    assert.equal(status, 200);
    assert.equal(api.headersOf('/unkeyed').traceparent, undefined);
    assert.equal(await flush(), true);
    assert.equal(sink.requests.length, 0);
    assert.equal(said.filter((line) => line.includes('[tracekit]')).length, 1);
    assert.match(said.join(), /no API key/);
  });

  test('a server that is not there costs one loud line, and the spans come when it is', async () => {
    await open();
    // Chromium tries a cut connection a second time by itself.
    sink.answers.push(null, null, { status: 503, headers: { 'Retry-After': '0' } });
    await page.evaluate(async () => {
      for (let i = 0; i < 3; i++) await fetch('/again');
    });
    await spans(3);
    assert.equal(sink.spans.length, 3);
    assert.equal(said.filter((line) => line.includes('[tracekit]')).length, 1);
    assert.match(said.join(), /no answer from/);
    const stats = await page.evaluate(() => TraceKit.stats());
    assert.deepEqual(stats, { sent: 3, dropped: 0, queued: 0 });
  });

  test('a page that goes away sends what it has, the open click included', async () => {
    await open();
    await onClick('load', `await fetch('/first'); await fetch(API + '/slow?delay=5000');`);
    await page.click('#load');
    await until(() => api.headersOf('/slow'), 'the slow request');
    await page.goto('about:blank');
    await until(() => sink.spans.some(({ name }) => name === 'click Load Users'), 'the click');
    named(sink.spans, 'fetch /first');
  });

  test('many spans are sent as the page goes away, as far as browsers let them', async () => {
    await open();
    await page.evaluate(() => {
      for (let i = 0; i < 400; i++) TraceKit.startSpan(`span ${i}`, { text: 'x'.repeat(200) }).end();
    });
    await page.goto('about:blank');
    await until(() => sink.spans.length >= 50, 'the spans that fit');
  });

  test('the queue is bounded and drops are counted', async () => {
    await open();
    const stats = await page.evaluate(() => {
      for (let i = 0; i < 3000; i++) TraceKit.startSpan('many').end();
      return TraceKit.stats();
    });
    assert.ok(stats.dropped > 0 && stats.queued <= 2048);
    assert.equal(stats.dropped + stats.queued, 3000);
  });
});

describe('sampling', TIMEOUT, () => {
  test('an unsampled click sends no span and says so to the backend', async () => {
    await open({ sampleRate: 0, targets: `['${api.host}']` });
    await page.evaluate(() => fetch(API + '/unsampled'));
    assert.match(api.headersOf('/unsampled').traceparent, /-02$/);
    await flush();
    assert.equal(sink.requests.length, 0);
  });
});

describe('packages', TIMEOUT, () => {
  const sizes = { 'index.js': 8_000, 'tracekit.iife.js': 8_250, 'propagation.js': 2_500, 'propagation.iife.js': 2_500 };
  for (const [name, most] of Object.entries(sizes)) {
    test(`${name} is at most ${most} bytes, minified and gzipped`, () => {
      const bytes = gzipSync(dist(name), { level: 9 }).length;
      assert.ok(bytes <= most, `${bytes} bytes`);
    });
  }

  test('default, named and namespace import are one instance, shared with a second copy', async () => {
    await page.goto(site.url);
    const same = await page.evaluate(async () => {
      const module = await import('/index.js');
      const again = await import('/index.js?copy');
      return (
        module.default === module.TraceKit &&
        module.init === module.TraceKit.init &&
        again.TraceKit === module.TraceKit &&
        window.TraceKit.TraceKit === module.TraceKit
      );
    });
    assert.equal(same, true);
  });
});
