/** The receiver of the tests themselves. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { startSink } from './support/sink.mjs';

test('a request that is cut short is none, and no failure of the test it falls into', async () => {
  const sink = await startSink();
  const socket = connect(new URL(sink.url).port, '127.0.0.1');
  const head = 'POST /v1/traces HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 9';
  socket.write(`${head}\r\n\r\n{`);
  await once(socket, 'data'); // 100: it is being read
  socket.destroy();
  await sink.close();
  assert.deepEqual(sink.requests, []);
});
