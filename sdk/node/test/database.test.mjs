/**
 * Databases and `http.request`. The drivers are stand-ins with the shapes of the real ones, for what
 * those do not let a test see; `drivers.test.mjs` has the real ones.
 */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { EventEmitter } from 'node:events';
import * as http from 'node:http';
import { createRequire } from 'node:module';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { source, vectors } from '../../js/test/support/sources.mjs';
import { close, listen, startSink } from '../../js/test/support/sink.mjs';

const { TraceKit, tracekit } = createRequire(import.meta.url)('../dist/index.cjs');
const { sanitizeSql, summarizeSql } = await source('../node/src/sql');
const dist = fileURLToPath(new URL('../dist/index.cjs', import.meta.url));
const run = promisify(execFile);
const TIMEOUT = { timeout: 60_000 };

let sink;

before(async () => {
  sink = await startSink();
  TraceKit.init({ apiKey: 'key', endpoint: sink.url, serviceName: 'database' });
});

after(async () => {
  await TraceKit.shutdown();
  await sink.close();
});

async function spans() {
  assert.ok(await TraceKit.flush(60_000));
  return sink.spans.splice(0);
}

describe('semconv.json: queries', () => {
  for (const { name, query, expect, summary, backslashEscapes } of vectors('semconv').queries) {
    test(name, () => {
      const sanitized = sanitizeSql(query, backslashEscapes === true);
      assert.equal(sanitized, expect);
      assert.equal(summarizeSql(sanitized), summary);
    });
  }
});

test('of a long query the beginning is read, and no literal is shown', () => {
  for (const escapes of [false, true]) {
    assert.equal(sanitizeSql(`SELECT '${"it''s secret".repeat(2_000_000)}'`, escapes), 'SELECT ?');
  }
  assert.equal(sanitizeSql("SELECT 'secret\\", true), 'SELECT ?');
  assert.equal(sanitizeSql("SELECT E'secret\\", false), 'SELECT E?');
});

test("pg: promises and callbacks give what they gave, each with a span", TIMEOUT, async () => {
  const rows = { rows: [1] };
  const broken = Object.assign(new Error('no such table'), { code: '42P01' });
  const pool = {
    query(config, values, callback = typeof values === 'function' ? values : undefined) {
      const failure = /missing/.test(config.text ?? config) ? broken : null;
      if (callback) return void setImmediate(callback, failure, failure ? undefined : rows);
      return failure ? Promise.reject(failure) : Promise.resolve(rows);
    },
  };
  assert.equal(TraceKit.wrapDB(pool), pool);
  assert.equal(TraceKit.wrapDB(pool), pool, 'a second time is one span too');
  await TraceKit.startSpan('work', async () => {
    assert.equal(await pool.query('SELECT * FROM users WHERE id = 7'), rows);
    assert.equal(await pool.query({ text: 'SELECT $1', values: ['secret'] }), rows);
    await assert.rejects(pool.query('SELECT * FROM missing'), broken);
    await new Promise((resolve) => {
      pool.query('SELECT 2 FROM t', (error, result) => resolve(assert.deepEqual([error, result], [null, rows])));
    });
    await new Promise((resolve) => pool.query('SELECT 2 FROM missing', [], (error) => resolve(assert.equal(error, broken))));
  });
  const all = await spans();
  const work = all.find(({ name }) => name === 'work');
  const queries = all.filter((span) => span !== work);
  assert.deepEqual(queries.map(({ name }) => name).sort(), [
    'SELECT', 'SELECT missing', 'SELECT missing', 'SELECT t', 'SELECT users',
  ]);
  for (const { parentSpanId, kind, tags } of queries) {
    assert.deepEqual([parentSpanId, kind, tags['db.system.name']], [work.spanId, 3, 'postgresql']);
  }
  const of = (name) => queries.find((span) => span.name === name);
  assert.equal(of('SELECT users').tags['db.query.text'], 'SELECT * FROM users WHERE id = ?');
  assert.equal(of('SELECT').tags['db.query.text'], 'SELECT $1');
  assert.equal(of('SELECT missing').tags['error.type'], '42P01');
  assert.equal(of('SELECT missing').status.code, 2);
});

test('mysql2, better-sqlite3 and ioredis', TIMEOUT, async () => {
  const mysql = TraceKit.wrapDB({ query: async () => [1], execute: async () => [2] });
  assert.deepEqual(await mysql.execute('SELECT ? FROM a', [1]), [2]);
  assert.deepEqual(await mysql.query({ sql: "SELECT 'it\\'s' FROM b" }), [1]);
  const statement = { run: () => 'ran', get: () => 'row', all: () => ['rows'] };
  const sqlite = TraceKit.wrapDB({ prepare: () => statement, exec: () => 'done', pragma() {} });
  assert.equal(sqlite.exec('CREATE TABLE t (a)'), 'done');
  assert.deepEqual(sqlite.prepare('SELECT * FROM t').all(), ['rows']);
  const redis = TraceKit.wrapDB({ sendCommand: ({ name, resolve }) => resolve(name) });
  const name = await new Promise((resolve, reject) => redis.sendCommand({ name: 'get', args: ['secret'], resolve, reject }));
  assert.equal(name, 'get');
  const found = (await spans()).map(({ name, tags }) => [name, tags['db.system.name']]);
  assert.deepEqual(found, [
    ['SELECT a', 'mysql'], ['SELECT b', 'mysql'], ['CREATE t', 'sqlite'], ['SELECT t', 'sqlite'], ['GET', 'redis'],
  ]);
});

test('mysql2: a query without a callback tells by events, and its `then` is left alone', TIMEOUT, async () => {
  const made = [];
  const connection = TraceKit.wrapDB({
    execute() {},
    query() {
      const query = Object.assign(new EventEmitter(), { then() { throw new Error('no promise'); } });
      made.push(query);
      return query;
    },
  });
  assert.equal(connection.query('SELECT * FROM a'), made[0]);
  connection.query('SELECT * FROM b');
  made[0].emit('end');
  made[1].emit('end', new Error('away'));
  const found = (await spans()).map(({ name, status }) => [name, status?.code]);
  assert.deepEqual(found, [['SELECT a', undefined], ['SELECT b', 2]]);
});

test('ioredis: what waited for the connection is one span', TIMEOUT, async () => {
  const waiting = [];
  const redis = TraceKit.wrapDB({
    isReady: false,
    sendCommand(command) {
      if (this.isReady) command.resolve('value');
      else waiting.push(command);
      return command.promise;
    },
  });
  const command = { name: 'get' };
  command.promise = new Promise((resolve, reject) => Object.assign(command, { resolve, reject }));
  const value = redis.sendCommand(command);
  redis.isReady = true;
  redis.sendCommand(waiting[0]);
  assert.equal(await value, 'value');
  assert.deepEqual((await spans()).map(({ name }) => name), ['GET']);
});

test('a query that fails and that nobody waits for is as loud as without the SDK', TIMEOUT, async () => {
  const script = (db) => `
    const { TraceKit } = require(${JSON.stringify(dist)});
    TraceKit.init({ enabled: false });
    const db = { query: () => Promise.reject(new Error('lost')) };
    ${db}.query('SELECT 1');`;
  for (const db of ['db', 'TraceKit.wrapDB(db)']) {
    await assert.rejects(run(process.execPath, ['-e', script(db)]), { code: 1, stderr: /Error: lost/ });
  }
});

test('a builder that runs when it is awaited is not run by the SDK', TIMEOUT, async () => {
  let runs = 0;
  const builder = { then: (done) => done(++runs) };
  const db = TraceKit.wrapDB({ query: () => builder });
  assert.equal(db.query('SELECT 1'), builder);
  assert.equal(runs, 0);
  assert.equal(await builder, 1);
  await spans();
});

test('mongodb tells by its command events', TIMEOUT, async () => {
  const client = Object.assign(new EventEmitter(), { db() {}, startSession() {} });
  TraceKit.wrapDB(client);
  const command = { requestId: 1, commandName: 'find', databaseName: 'shop', command: { find: 'orders' } };
  client.emit('commandStarted', command);
  client.emit('commandSucceeded', command);
  client.emit('commandStarted', { ...command, requestId: 2 });
  client.emit('commandFailed', { ...command, requestId: 2, failure: new Error('away') });
  client.emit('commandSucceeded', { ...command, requestId: 3 });
  client.emit('commandFailed', { ...command, requestId: 4, failure: new Error('begun before') });
  const all = await spans();
  assert.deepEqual(all.map(({ name, status }) => [name, status?.code]), [['find orders', undefined], ['find orders', 2]]);
  assert.equal(all[0].tags['db.collection.name'], 'orders');
});

describe('http.request', TIMEOUT, () => {
  const seen = [];
  let server, url;

  before(async () => {
    server = http.createServer((req, res) => {
      seen.push(req.headers);
      res.statusCode = req.url === '/missing' ? 404 : 200;
      res.end('body');
    });
    url = `http://127.0.0.1:${await listen(server)}`;
  });

  after(() => close(server));

  test('carries the trace, answers as ever, and is a span', TIMEOUT, async () => {
    const text = await TraceKit.startSpan('work', () => {
      TraceKit.setBaggage('nothing', 'yet');
      return new Promise((resolve, reject) => {
        const req = tracekit.http.get(`${url}/data?sig=secret`, async (answer) => {
          let body = '';
          for await (const part of answer) body += part;
          resolve(body);
        });
        req.on('error', reject);
      });
    });
    assert.equal(text, 'body');
    await new Promise((resolve) => tracekit.http.request(`${url}/missing`).on('close', resolve).end());
    const all = await spans();
    const client = all.find(({ tags }) => tags['url.full'] === `${url}/data?sig=REDACTED`);
    assert.equal(seen[0].traceparent, `00-${client.traceId}-${client.spanId}-03`);
    assert.equal(seen[0].baggage, 'nothing=yet');
    assert.equal(client.tags['http.response.status_code'], 200);
    const missing = all.find(({ tags }) => tags['http.response.status_code'] === 404);
    assert.deepEqual([missing.status.code, missing.tags['error.type']], [2, '404']);
  });

  test('a path that looks like another host is a path', TIMEOUT, async () => {
    const { port } = server.address();
    const options = { host: '127.0.0.1', port, path: '//elsewhere.example/x' };
    await new Promise((resolve) => tracekit.http.get(options, (answer) => answer.resume().on('close', resolve)));
    const [span] = await spans();
    assert.equal(span.tags['url.full'], `${url}//elsewhere.example/x`);
    assert.equal(span.tags['server.address'], '127.0.0.1');
  });

  test('an error reaches the caller and the span; the raw module is left alone', TIMEOUT, async () => {
    const error = await new Promise((resolve) => {
      let failure;
      const req = tracekit.http.get('http://127.0.0.1:1/').on('error', (one) => (failure = one));
      req.on('close', () => resolve(failure));
    });
    assert.equal(error.code, 'ECONNREFUSED');
    const [refused] = await spans();
    assert.deepEqual([refused.status.code, refused.tags['error.type']], [2, 'ECONNREFUSED']);
    seen.length = 0;
    await new Promise((resolve) => http.get(url, (answer) => answer.resume().on('end', resolve)));
    assert.equal(seen[0].traceparent, undefined);
  });
});
