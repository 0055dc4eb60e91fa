/**
 * Databases that a test can afford: each speaks as much of its protocol as the real driver needs to
 * connect, to be answered, and to be refused. Whatever has `missing` in it is refused.
 */

import { createServer } from 'node:net';
import { deserialize, serialize } from 'bson';
import mysql from 'mysql2';
import Parser from 'redis-parser';
import { listen } from '../../../js/test/support/sink.mjs';

/** Listens, and gives the port and the way to stop, which lets nobody finish. */
async function serve(server) {
  const sockets = new Set();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
  });
  const stop = () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  return { port: await listen(server), stop };
}

/** Calls `take` with each whole message: `sizeOf` says how long the one is that `bytes` begin with. */
function eachMessage(socket, sizeOf, take) {
  let bytes = Buffer.alloc(0);
  socket.on('data', (more) => {
    bytes = Buffer.concat([bytes, more]);
    for (let size = sizeOf(bytes); size && size <= bytes.length; size = sizeOf(bytes)) {
      const one = bytes.subarray(0, size);
      bytes = bytes.subarray(size);
      take(one);
    }
  });
}

const int16 = (value) => [value >> 8, value & 255];
const int32 = (value) => [...int16(value >>> 16), ...int16(value & 65535)];
const text = (value) => [...Buffer.from(value), 0];

function postgresMessage(type, ...parts) {
  const body = parts.flat();
  return Buffer.from([type.charCodeAt(0), ...int32(body.length + 4), ...body]);
}

const POSTGRES = {
  welcome: [postgresMessage('R', int32(0)), postgresMessage('Z', 'I'.charCodeAt(0))],
  ready: [postgresMessage('Z', 'I'.charCodeAt(0))],
  parsed: [postgresMessage('1')],
  bound: [postgresMessage('2')],
  // One column of text.
  columns: [postgresMessage('T', int16(1), text('name'), int32(0), int16(0), int32(25), int16(-1), int32(-1), int16(0))],
  rows: [postgresMessage('D', int16(1), int32(3), [...Buffer.from('Ada')]), postgresMessage('C', text('SELECT 1'))],
  refused: [postgresMessage('E', text('SERROR'), text('C42P01'), text('Mno such table'), 0)],
};

/** PostgreSQL: the simple and the extended query, each answered with one row. */
export function startPostgres() {
  const server = createServer((socket) => {
    let greeted = false;
    let query = '';
    const answers = {
      Q: () => (/missing/.test(query) ? ['refused', 'ready'] : ['columns', 'rows', 'ready']),
      P: () => ['parsed'],
      B: () => ['bound'],
      D: () => (/missing/.test(query) ? [] : ['columns']),
      E: () => (/missing/.test(query) ? ['refused'] : ['rows']),
      S: () => ['ready'],
    };
    const sizeOf = (bytes) => {
      const at = greeted ? 1 : 0;
      return bytes.length >= at + 4 && at + bytes.readUInt32BE(at);
    };
    eachMessage(socket, sizeOf, (message) => {
      const type = greeted ? String.fromCharCode(message[0]) : '';
      if (type === 'Q' || type === 'P') query = message.toString('latin1', 5);
      const says = type ? answers[type]?.() : ['welcome'];
      greeted = true;
      if (says) socket.write(Buffer.concat(says.flatMap((one) => POSTGRES[one])));
    });
  });
  return serve(server);
}

/** MySQL, by mysql2's own server: each query is answered with one row. */
export function startMysql() {
  const columns = [{ name: 'name', columnType: 253, characterSet: 45, flags: 0, catalog: 'def', schema: '', table: 't', orgTable: 't', orgName: 'name', columnLength: 255, decimals: 0 }];
  const server = mysql.createServer();
  server.on('connection', (connection) => {
    connection.on('error', () => {});
    connection.serverHandshake({
      protocolVersion: 10, serverVersion: '8.0.0', connectionId: 1, statusFlags: 2,
      characterSet: 45, capabilityFlags: 0xffffff ^ 0x800,
      authCallback: (_login, done) => {
        done(null);
        connection.sequenceId = 0; // the next packet begins a command
      },
    });
    connection.on('query', (query) => {
      if (/missing/.test(query)) connection.writeError({ code: 1146, message: 'no such table' });
      else connection.writeTextResult([{ name: 'Ada' }], columns);
      connection.sequenceId = 0;
    });
  });
  return serve(server._server);
}

/** Redis: GET, SET, and `-WRONGTYPE` for `missing`. */
export function startRedis() {
  const server = createServer((socket) => {
    const parser = new Parser({
      returnReply([name, key]) {
        if (String(key).startsWith('missing')) socket.write('-WRONGTYPE no such type\r\n');
        else socket.write(/^get$/i.test(name) ? '$3\r\nAda\r\n' : '+OK\r\n');
      },
      returnError() {},
    });
    socket.on('data', (bytes) => parser.execute(bytes));
  });
  return serve(server);
}

const OP_MSG = 2013;
const MONGO_HELLO = { isWritablePrimary: true, helloOk: true, minWireVersion: 0, maxWireVersion: 21, maxBsonObjectSize: 1 << 24, maxMessageSizeBytes: 48_000_000, maxWriteBatchSize: 1000 };

/** MongoDB: `hello`, finds of one document, and what else is asked is done. */
export function startMongo() {
  const server = createServer((socket) => {
    const sizeOf = (bytes) => bytes.length >= 4 && bytes.readInt32LE(0);
    eachMessage(socket, sizeOf, (message) => {
      const [command, collection] = Object.entries(deserialize(message.subarray(21, 21 + message.readInt32LE(21))))[0];
      const cursor = { id: 0n, ns: `shop.${collection}`, firstBatch: [{ name: 'Ada' }] };
      const answer = /missing/.test(collection)
        ? { ok: 0, code: 26, codeName: 'NamespaceNotFound', errmsg: 'no such collection' }
        : { ok: 1, n: 1, ...(command === 'hello' && MONGO_HELLO), ...(command === 'find' && { cursor }) };
      const body = serialize(answer);
      const head = Buffer.alloc(21);
      [21 + body.length, 0, message.readInt32LE(4), OP_MSG].forEach((word, i) => head.writeInt32LE(word, i * 4));
      socket.write(Buffer.concat([head, body]));
    });
  });
  return serve(server);
}
