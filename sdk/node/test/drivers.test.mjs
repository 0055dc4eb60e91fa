/** The real drivers, each against as much of its database as it needs. */

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { after, before, describe, test } from 'node:test';
import Redis from 'ioredis';
import { MongoClient } from 'mongodb';
import mysql from 'mysql2';
import pg from 'pg';
import { startSink } from '../../js/test/support/sink.mjs';
import { startMongo, startMysql, startPostgres, startRedis } from './support/databases.mjs';

const { TraceKit } = createRequire(import.meta.url)('../dist/index.cjs');
const TIMEOUT = { timeout: 60_000 };
const ADA = { name: 'Ada' };

let sink;

before(async () => {
  sink = await startSink();
  TraceKit.init({ apiKey: 'key', endpoint: sink.url, serviceName: 'drivers' });
});

after(async () => {
  await TraceKit.shutdown();
  await sink.close();
});

/** What a call that takes a callback calls back with. */
const called = (call) => new Promise((resolve) => call((error, result) => resolve({ error, result })));

/** The spans below `work`, each by name, system and what went wrong. */
async function below(work) {
  await TraceKit.startSpan('work', work);
  assert.ok(await TraceKit.flush(60_000));
  const all = sink.spans.splice(0);
  const root = all.find(({ name }) => name === 'work');
  return all
    .filter(({ parentSpanId }) => parentSpanId === root.spanId)
    .map(({ name, kind, tags, status }) => {
      assert.equal(kind, name === 'called back' ? 1 : 3);
      return [name, tags['db.system.name'], status ? tags['error.type'] : undefined];
    });
}

describe('pg', TIMEOUT, () => {
  let server, pool;

  before(async () => {
    server = await startPostgres();
    pool = TraceKit.wrapDB(new pg.Pool({ host: '127.0.0.1', port: server.port, user: 'ada', max: 1 }));
  });

  after(async () => {
    await pool.end();
    server.stop();
  });

  test('a pool: promises, parameters, a refusal', async () => {
    const spans = await below(async () => {
      assert.deepEqual((await pool.query('SELECT name FROM users WHERE id = 7')).rows, [ADA]);
      assert.deepEqual((await pool.query('SELECT name FROM users WHERE id = $1', [7])).rows, [ADA]);
      await assert.rejects(pool.query('SELECT * FROM missing'), { code: '42P01' });
    });
    assert.deepEqual(spans, [
      ['SELECT users', 'postgresql', undefined],
      ['SELECT users', 'postgresql', undefined],
      ['SELECT missing', 'postgresql', '42P01'],
    ]);
  });

  test("a callback is called within its caller's span, whoever opened the connection", async () => {
    for (const table of ['users', 'missing']) {
      const spans = await below(() =>
        called((done) =>
          pool.query(`SELECT * FROM ${table}`, (...answer) => {
            TraceKit.startSpan('called back').end();
            done(...answer);
          }),
        ),
      );
      assert.deepEqual(spans.map(([name]) => name).sort(), [`SELECT ${table}`, 'called back']);
    }
  });

  test("a pool's client, and a query that answers by itself", async () => {
    const client = TraceKit.wrapDB(await pool.connect());
    try {
      const spans = await below(async () => {
        assert.deepEqual((await client.query({ text: 'SELECT name FROM t', rowMode: 'array' })).rows, [['Ada']]);
        const query = client.query(new pg.Query('SELECT 1'));
        await new Promise((resolve) => query.on('end', resolve));
      });
      assert.deepEqual(spans, [['SELECT t', 'postgresql', undefined]]);
    } finally {
      client.release();
    }
  });
});

describe('mysql2', TIMEOUT, () => {
  let server, options;

  before(async () => {
    server = await startMysql();
    options = { host: '127.0.0.1', port: server.port, user: 'ada' };
  });

  after(() => server.stop());

  test('a connection: callbacks, events, a refusal', async () => {
    const connection = TraceKit.wrapDB(mysql.createConnection(options));
    const spans = await below(async () => {
      const { result } = await called((done) => connection.query('SELECT name FROM users', done));
      assert.deepEqual(result.map(({ name }) => name), ['Ada']);
      const { error } = await called((done) => connection.query('SELECT * FROM missing WHERE id = ?', [1], done));
      assert.equal(error.errno, 1146);
      await new Promise((resolve) => connection.query('SELECT name FROM events').on('end', resolve));
    });
    connection.destroy();
    assert.deepEqual(spans, [
      ['SELECT users', 'mysql', undefined],
      ['SELECT missing', 'mysql', 'ER_NO_SUCH_TABLE'],
      ['SELECT events', 'mysql', undefined],
    ]);
  });

  test('a pool, its promises, and those of a pool that has no other', async () => {
    const pool = TraceKit.wrapDB(mysql.createPool(options));
    const promises = TraceKit.wrapDB(mysql.createPoolPromise(options));
    const spans = await below(async () => {
      for (const one of [pool.promise(), promises]) {
        const [[row]] = await one.query('SELECT name FROM users');
        assert.equal(row.name, 'Ada');
        await assert.rejects(one.query('SELECT * FROM missing'), { errno: 1146 });
      }
      await called((done) => pool.query('SELECT name FROM called', done));
    });
    await Promise.all([pool.promise().end(), promises.end()]);
    assert.deepEqual(spans.map(([name]) => name), [
      'SELECT users', 'SELECT missing', 'SELECT users', 'SELECT missing', 'SELECT called',
    ]);
  });
});

describe('ioredis', TIMEOUT, () => {
  let server, redis;

  before(async () => {
    server = await startRedis();
    redis = TraceKit.wrapDB(new Redis({ host: '127.0.0.1', port: server.port, enableReadyCheck: false }));
  });

  after(() => {
    redis.disconnect();
    server.stop();
  });

  test('promises, callbacks, a pipeline: what one handles of a refusal is handled', async () => {
    const spans = await below(async () => {
      assert.equal(await redis.get('a'), 'Ada');
      await assert.rejects(redis.get('missing'), /WRONGTYPE/);
      const { error } = await called((done) => redis.set('missing', 1, done));
      assert.match(error.message, /WRONGTYPE/);
      const answers = await redis.pipeline().get('missing').set('b', 1).exec();
      assert.deepEqual(answers.map(([failure, value]) => failure?.name ?? value), ['ReplyError', 'OK']);
    });
    assert.deepEqual(spans, [
      ['GET', 'redis', undefined],
      ['GET', 'redis', 'ReplyError'],
      ['SET', 'redis', 'ReplyError'],
      ['GET', 'redis', 'ReplyError'],
      ['SET', 'redis', undefined],
    ]);
  });
});

describe('mongodb', TIMEOUT, () => {
  let server, client;

  before(async () => {
    server = await startMongo();
    const url = `mongodb://127.0.0.1:${server.port}/`;
    client = TraceKit.wrapDB(new MongoClient(url, { monitorCommands: true, serverApi: '1' }));
  });

  after(async () => {
    await client.close();
    server.stop();
  });

  test('what is asked of a collection, and a refusal', async () => {
    const shop = client.db('shop');
    const spans = await below(async () => {
      assert.deepEqual(await shop.collection('users').find().toArray(), [ADA]);
      await shop.collection('orders').insertOne({ total: 7 });
      await assert.rejects(shop.collection('missing').findOne(), { code: 26 });
    });
    assert.deepEqual(spans, [
      ['find users', 'mongodb', undefined],
      ['insert orders', 'mongodb', undefined],
      ['find missing', 'mongodb', 'MongoServerError'],
    ]);
  });
});
