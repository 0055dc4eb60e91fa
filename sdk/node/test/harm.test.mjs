/** The SDK lives in other people's programs: what it must never do to them. */

import assert from 'node:assert/strict';
import { execFile, execFileSync, spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import { close, listen, startSink } from '../../js/test/support/sink.mjs';

const { TraceKit } = createRequire(import.meta.url)('../dist/index.cjs');
const TIMEOUT = { timeout: 180_000 };
const dist = fileURLToPath(new URL('../dist/index.cjs', import.meta.url));
const run = promisify(execFile);

let sink;

beforeEach(async () => {
  sink = await startSink();
  TraceKit.init({ apiKey: 'key', endpoint: sink.url, serviceName: 'harm' });
});

afterEach(async () => {
  await TraceKit.shutdown();
  await sink.close();
});

describe('no harm', TIMEOUT, () => {
  test('values and names that throw when they are looked at', async () => {
    const hostile = { toString() { throw new Error('toString'); }, toJSON() { throw new Error('toJSON'); } };
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    const span = TraceKit.startSpan(hostile);
    for (const value of [hostile, proxy, [hostile], { get a() { throw new Error('get'); } }]) {
      span.setTag('hostile', value).setTag(value, 1).addEvent(value, { value }).setName(value);
      span.setStatus('ERROR', value).captureException(value);
    }
    span.setName('survived').end();
    TraceKit.startSpan('after').end();
    assert.ok(await TraceKit.flush(60_000));
    const { sent, dropped } = TraceKit.stats();
    assert.equal(sent + dropped, 2);
    assert.equal(sink.spans.at(-1).name, 'after');
  });

  test('a flood of a million spans is bounded in memory, and what is dropped is counted', async () => {
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 1_000_000; i++) TraceKit.startSpan('flood', { text: 'x'.repeat(100) }).end();
    const { sent, dropped, queued } = TraceKit.stats();
    assert.equal(sent + dropped + queued, 1_000_000);
    assert.ok(queued <= 2048);
    assert.ok(process.memoryUsage().arrayBuffers - before < 32 << 20);
  });

  test('big spans are bounded in bytes', async () => {
    const text = 'x'.repeat(32_768);
    const tags = Object.fromEntries(Array.from({ length: 7 }, (_, i) => [`k${i}`, text]));
    for (let i = 0; i < 300; i++) TraceKit.startSpan('big', tags).end();
    const { dropped, queued } = TraceKit.stats();
    assert.equal(dropped + queued, 300);
    assert.ok(queued * 229_000 < (16 << 20) + 262_144);
  });

  test('a clock that jumps makes no span end before it starts', async () => {
    const { now } = Date;
    const span = TraceKit.startSpan('jump');
    try {
      Date.now = () => now() - 3_600_000;
      span.startSpan('child').end();
      span.end();
    } finally {
      Date.now = now;
    }
    assert.ok(await TraceKit.flush(60_000));
    for (const { startTimeUnixNano, endTimeUnixNano } of sink.spans) {
      assert.ok(BigInt(endTimeUnixNano) >= BigInt(startTimeUnixNano));
    }
    assert.equal(sink.spans.length, 2);
  });

  test('a server that answers garbage is taken at its status', async () => {
    sink.answers.push({ headers: { 'Content-Type': 'text/html' }, body: {} }, { status: 418 });
    TraceKit.startSpan('taken').end();
    assert.ok(await TraceKit.flush(60_000));
    TraceKit.startSpan('refused').end();
    assert.ok(await TraceKit.flush(60_000));
    assert.deepEqual(TraceKit.stats(), { sent: 1, dropped: 1, queued: 0 });
  });

  test('an object that is made of a traced request tells its listeners', () => {
    const emitter = (more) => Object.assign(Object.create(new EventEmitter()), more);
    const req = emitter({ method: 'GET', url: '/', headers: {}, socket: {}, httpVersion: '1.1' });
    TraceKit.httpHandler(() => {})(req, emitter({}));
    const made = Object.create(req);
    const told = [];
    made.on('custom', (value) => told.push(value));
    made.emit('custom', 7);
    assert.deepEqual(told, [7]);
  });

  test('a route that throws, or is no text, harms no request', async () => {
    const routes = [() => { throw new Error('mine'); }, () => ({ toString() { throw new Error('mine'); } }), () => 7];
    for (const route of routes) {
      const server = createServer(TraceKit.httpHandler((_req, res) => res.end('fine'), route));
      const url = `http://127.0.0.1:${await listen(server)}`;
      assert.equal(await (await fetch(url)).text(), 'fine');
      await close(server);
    }
    assert.ok(await TraceKit.flush(60_000));
    assert.deepEqual(sink.spans.map(({ name }) => name), ['GET', 'GET', 'GET 7']);
  });

  test('a worker thread has its own set-up, and sends', async () => {
    const code = `
      const { TraceKit } = require(${JSON.stringify(dist)});
      TraceKit.init({ apiKey: 'key', endpoint: ${JSON.stringify(sink.url)}, serviceName: 'worker' });
      TraceKit.startSpan('in a worker').end();
      TraceKit.flush(60_000).then((all) => require('node:worker_threads').parentPort.postMessage(all));`;
    const worker = new Worker(code, { eval: true });
    const all = await new Promise((resolve, reject) => worker.on('message', resolve).on('error', reject));
    await worker.terminate();
    assert.equal(all, true);
    assert.deepEqual(sink.spans.map(({ name, resource }) => [name, resource['service.name']]), [['in a worker', 'worker']]);
  });

  test('a list that holds itself, and numbers that are none, are text', async () => {
    const list = [1];
    list.push(list);
    const ring = { list };
    ring.ring = ring;
    TraceKit.startSpan('odd', { list, ring, nan: NaN, big: 10n ** 30n, none: Symbol('s') }).end();
    assert.ok(await TraceKit.flush(60_000));
    const [{ tags }] = sink.spans;
    assert.deepEqual([tags.ring, tags.big], ['[object]', String(10n ** 30n)]);
  });

  test('lists and objects that hold the same many times over are looked at within bounds', async () => {
    const script = `
      const { TraceKit } = require(${JSON.stringify(dist)});
      TraceKit.init({ apiKey: 'key', endpoint: ${JSON.stringify(sink.url)} });
      const list = [];
      for (let i = 0; i < 128; i++) list.push(list);
      let tree = {};
      for (let i = 0; i < 64; i++) tree = { left: tree, right: tree };
      TraceKit.startSpan('knots', { list, tree, deep: [[tree]], after: 7 }).end();`;
    await run(process.execPath, ['-e', script], { timeout: 60_000 });
    const [{ name, tags }] = sink.spans;
    assert.deepEqual([name, tags.after], ['knots', 7]);
    assert.match(tags.tree, /^\{"left":\{"left":/);
  });

  test('the lists of a tag hold 16,384 values, and what is beyond is left out', async () => {
    const lists = (items) => Array.from({ length: 128 }, () => Array(items).fill(1));
    TraceKit.startSpan('full', { fits: lists(127), more: lists(128) }).end();
    assert.ok(await TraceKit.flush(60_000));
    const [{ tags }] = sink.spans;
    assert.deepEqual(tags.fits.map(({ length }) => length), Array(128).fill(127));
    assert.deepEqual(tags.more.map(({ length }) => length), [...Array(127).fill(128), 0]);
  });

  test('the text of an object is cut where a string is', async () => {
    const long = 'x'.repeat(40_000);
    TraceKit.startSpan('long', { object: { long, more: long }, list: [{ a: 'b' }], 'in time': new Date(0) }).end();
    assert.ok(await TraceKit.flush(60_000));
    const [{ tags }] = sink.spans;
    assert.equal(tags.object, `{"long":"${long}`.slice(0, 32_768));
    assert.deepEqual([tags.list, tags['in time']], [['{"a":"b"}'], '1970-01-01T00:00:00.000Z']);
  });

  test('a server that never answers holds up no request, and what finds no room is said once', async () => {
    const script = `
      const { TraceKit } = require(${JSON.stringify(dist)});
      const http = require('node:http');
      const sockets = [];
      const silent = require('node:net').createServer((socket) => sockets.push(socket.on('error', () => {})));
      silent.listen(0, '127.0.0.1', async () => {
        TraceKit.init({ apiKey: 'key', endpoint: 'http://127.0.0.1:' + silent.address().port });
        const app = http.createServer(TraceKit.httpHandler((_req, res) => res.end('fine')));
        for (let i = 0; i < 10_000; i++) TraceKit.startSpan('lost').end();
        app.listen(0, '127.0.0.1', async () => {
          const answer = await fetch('http://127.0.0.1:' + app.address().port);
          const flushed = await TraceKit.flush(1);
          console.log(JSON.stringify([await answer.text(), flushed, TraceKit.stats()]));
          process.exit(0);
        });
      });`;
    const { stdout, stderr } = await run(process.execPath, ['-e', script]);
    const stats = { sent: 0, dropped: 10_001 - 2_048, queued: 2_048 };
    assert.deepEqual(JSON.parse(stdout), ['fine', false, stats]);
    assert.deepEqual(stderr.match(/spans are being dropped.*/g), ['spans are being dropped: the queue is full']);
  });

  test('a server that does not speak HTTP is no answer, and no harm', async () => {
    const server = createTcpServer((socket) => socket.on('error', () => {}).resume().end('\0\xff not HTTP\r\n\r\n'));
    const port = await listen(server);
    TraceKit.init({ apiKey: 'key', endpoint: `http://127.0.0.1:${port}`, serviceName: 'harm' });
    TraceKit.startSpan('unheard').end();
    await TraceKit.shutdown(60_000);
    assert.deepEqual(TraceKit.stats(), { sent: 0, dropped: 1, queued: 0 });
    await new Promise((resolve) => server.close(resolve));
  });

  test('each worker of a cluster has ids and a queue of its own, and sends as it is disconnected', async () => {
    const script = `
      const cluster = require('node:cluster');
      const { TraceKit } = require(${JSON.stringify(dist)});
      TraceKit.init({ apiKey: 'key', endpoint: ${JSON.stringify(sink.url)} });
      TraceKit.startSpan(cluster.isPrimary ? 'primary' : 'worker').end();
      if (cluster.isPrimary) for (let i = 0; i < 2; i++) cluster.fork().on('online', function () { this.disconnect(); });`;
    const file = join(mkdtempSync(join(tmpdir(), 'tracekit-cluster-')), 'main.cjs');
    try {
      writeFileSync(file, script);
      await run(process.execPath, [file], { timeout: 60_000 });
    } finally {
      rmSync(dirname(file), { recursive: true });
    }
    assert.deepEqual(sink.spans.map(({ name }) => name).sort(), ['primary', 'worker', 'worker']);
    for (const id of [({ traceId }) => traceId, ({ resource }) => resource['service.instance.id']]) {
      assert.equal(new Set(sink.spans.map(id)).size, 3);
    }
  });

  test("what a user's work or listener throws reaches the user, and the next request is served", async () => {
    const mistake = new Error('mine');
    assert.throws(() => TraceKit.startSpan('throws', () => { throw mistake; }), mistake);
    await assert.rejects(TraceKit.startSpan('rejects', async () => { throw mistake; }), mistake);
    const db = TraceKit.wrapDB({ query: (_text, done) => done(null, 1) });
    assert.throws(() => db.query('SELECT 1', () => { throw mistake; }), mistake);
    assert.equal(TraceKit.currentSpan(), undefined);
    assert.equal(TraceKit.startSpan('after', () => 7), 7);
  });

  test('a full disk behind stderr ends nothing', async () => {
    const script = `
      const { TraceKit } = require(${JSON.stringify(dist)});
      TraceKit.init({ apiKey: 'key', endpoint: 'http://127.0.0.1:1', debug: true });
      TraceKit.startSpan('unheard').end();
      TraceKit.shutdown(60_000).then(() => console.log('alive'));`;
    const full = openSync('/dev/full', 'w');
    try {
      const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', full] });
      let said = '';
      child.stdout.on('data', (text) => (said += text));
      const [code] = await once(child, 'close');
      assert.deepEqual([code, said], [0, 'alive\n']);
    } finally {
      closeSync(full);
    }
  });

  test('a function that is frozen when it answers has sent its spans by then', async () => {
    const handler = TraceKit.flushAfter(async (n) => TraceKit.startSpan('event', () => n + 1));
    assert.equal(await handler(1), 2);
    assert.equal(sink.spans.length, 1);
    const mistake = new Error('mine');
    await assert.rejects(TraceKit.flushAfter(() => { throw mistake; })(), mistake);
  });

  test('process.exit waits for nobody, and a shutdown before it loses nothing', async () => {
    const script = (end) => `
      const { TraceKit } = require(${JSON.stringify(dist)});
      TraceKit.init({ apiKey: 'key', endpoint: ${JSON.stringify(sink.url)} });
      TraceKit.startSpan('last words').end();
      ${end}`;
    const leaves = await assert.rejects(run(process.execPath, ['-e', script('process.exit(3)')]), { code: 3 });
    assert.deepEqual([leaves, sink.spans.length], [undefined, 0]);
    const code = 'TraceKit.shutdown(60_000).then(() => process.exit(4))';
    await assert.rejects(run(process.execPath, ['-e', script(code)]), { code: 4 });
    assert.equal(sink.spans.length, 1);
  });

  test('the packed package installs into an empty project, offline, for require and import', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tracekit-pack-'));
    try {
      const npm = (args, cwd) => execFileSync('npm', [...args, '--silent'], { cwd, encoding: 'utf8' });
      const sources = fileURLToPath(new URL('..', import.meta.url));
      const name = npm(['pack', '--ignore-scripts', '--pack-destination', folder], sources).trim();
      writeFileSync(join(folder, 'package.json'), '{"private":true}');
      npm(['install', '--offline', '--no-audit', '--no-fund', `./${name.split('\n').at(-1)}`], folder);
      const program = `
        import TraceKit, { tracekit } from '@tracekit/node';
        import { createRequire } from 'node:module';
import { createServer as createTcpServer } from 'node:net';
        const required = createRequire(import.meta.url)('@tracekit/node');
        console.log(TraceKit === tracekit && required.tracekit === tracekit && typeof tracekit.fetch);`;
      writeFileSync(join(folder, 'main.mjs'), program);
      const { stdout } = await run(process.execPath, ['main.mjs'], { cwd: folder });
      assert.equal(stdout.trim(), 'function');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
