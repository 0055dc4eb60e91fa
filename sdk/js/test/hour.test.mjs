/** What a server that is too busy for an hour costs the service: virtual time, no waiting. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { source } from './support/sources.mjs';

const { Exporter, QUEUE_MAX } = await source('exporter');

const real = { setTimeout: globalThis.setTimeout, clearTimeout: globalThis.clearTimeout };
let timers = [];
let now = 0;

before(() => {
  globalThis.setTimeout = (work, ms) => {
    const timer = { work, at: now + ms };
    timers.push(timer);
    return timer;
  };
  globalThis.clearTimeout = (timer) => (timers = timers.filter((one) => one !== timer));
});

after(() => Object.assign(globalThis, real));

async function pass(ms) {
  now += ms;
  const due = timers.filter(({ at }) => at <= now);
  timers = timers.filter(({ at }) => at > now);
  for (const { work } of due) work();
  for (let i = 0; i < 50; i++) await null;
}

test('429 for an hour: a bounded queue, counted drops, one line, and delivery afterwards', async () => {
  const said = [];
  let status = 429;
  let posts = 0;
  const exporter = new Exporter({
    url: 'http://busy/v1/traces',
    enabled: true,
    encode: (span) => span,
    request: (items) => items.join(),
    send: async () => (posts++, { status, retryAfter: '30', text: 'busy' }),
    rejected: () => [0, ''],
    log: { loud: (key) => said.push(key), debug() {} },
  });
  let made = 0;
  for (let second = 0; second < 3_600; second++) {
    for (let i = 0; i < 10; i++, made++) exporter.add('span');
    assert.ok(exporter.stats().queued <= QUEUE_MAX);
    await pass(1_000);
  }
  // A batch is tried five times with four waits between, and the next one is tried at once.
  assert.ok(posts <= (3_600 / 30) * (5 / 4), `${posts} posts: Retry-After is not honoured`);
  assert.deepEqual(new Set(said), new Set(['status 429']));
  const { sent, dropped, queued } = exporter.stats();
  assert.deepEqual([sent, dropped + queued], [0, made]);
  status = 200;
  for (let minute = 0; minute < 3; minute++) await pass(60_000);
  assert.deepEqual(exporter.stats(), { sent: queued, dropped, queued: 0 });
});
