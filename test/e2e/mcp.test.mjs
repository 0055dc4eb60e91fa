/** An official client of the Model Context Protocol, over stdin and stdout and over HTTP, against `tracekit mcp`. */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { after, before, test } from 'node:test';

import { TRACE_ID, documentTrace, send } from './lib/document.mjs';
import { ROOT, TRACEKIT, start, startServer } from './lib/stack.mjs';

const PYTHON = process.env.TRACEKIT_PYTHON ?? path.join(ROOT, '.env/python/bin/python');

let server, mcp;

before(async () => {
  server = await startServer();
  await send(server, documentTrace());
  mcp = start('mcp', TRACEKIT, ['mcp', '--listen', '127.0.0.1:0', '--server', server.url]);
});

after(async () => {
  await mcp?.stop();
  await server?.close();
});

test('the official client lists the tools, searches and opens a trace, over both transports', async () => {
  const client = path.join(ROOT, 'test/e2e/services/mcp_client.py');
  const { stdout } = await promisify(execFile)(PYTHON, [client, TRACEKIT, server.url, await mcp.ready, TRACE_ID],
    { timeout: 60_000 });
  const answers = stdout.trim().split('\n').map((line) => JSON.parse(line));
  assert.equal(answers.length, 2);
  for (const { server: name, tools, found, opened } of answers) {
    assert.equal(name, 'tracekit');
    assert.ok(tools.includes('search_traces') && tools.includes('verify'), tools.join());
    assert.ok(found.includes(TRACE_ID), found);
    assert.match(opened, /db\.Query .*180ms/);
  }
});
