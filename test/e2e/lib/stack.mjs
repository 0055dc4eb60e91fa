/**
 * The real server and the services around it, as child processes on free ports of 127.0.0.1. Everything that a test
 * starts it stops; a process that does not get ready says why.
 */

import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { createInterface } from 'node:readline';

export const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');
export const TRACEKIT = process.env.TRACEKIT_BIN ?? path.join(ROOT, 'build/release/tracekit');
const READY_MS = 60_000;

/** Starts a program and waits for the line on its stdout that says ready. */
export function start(name, command, args, { env = {}, cwd = ROOT } = {}) {
  const child = spawn(command, args, {
    cwd, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = [];
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const ready = new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${name}: not ready\n${output.join('\n')}`)), READY_MS);
    const listen = (line) => {
      output.push(line);
      const said = /\bready (\S+)/.exec(line);
      if (said) {
        clearTimeout(timer);
        resolve(said[1]);
      }
    };
    createInterface({ input: child.stdout }).on('line', listen);
    createInterface({ input: child.stderr }).on('line', (line) => output.push(line));
    child.once('error', reject);
    child.once('exit', (code) => {
      clearTimeout(timer);
      reject(new Error(`${name}: ended with ${code}\n${output.join('\n')}`));
    });
  });
  return {
    name, child, output, ready,
    async stop(signal = 'SIGTERM') {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal);
      const timer = setTimeout(() => child.kill('SIGKILL'), 15_000);
      const code = await ended;
      clearTimeout(timer);
      return code;
    },
  };
}

/** A server on a data directory of its own, which `prepare` may fill before. */
export async function startServer({ dev = true, key = 'test-key-0123456789abcdef', prepare = () => {} } = {}) {
  const data = await mkdtemp(path.join(tmpdir(), 'tracekit-e2e-'));
  await prepare(data);
  const args = ['serve', '--data', data, '--listen', '127.0.0.1:0', ...(dev ? ['--dev'] : [])];
  const server = start('tracekit', TRACEKIT, args, { env: { TRACEKIT_API_KEY: key } });
  const url = await server.ready;
  return {
    ...server, url, key, data,
    async get(target) {
      const response = await fetch(url + target);
      if (!response.ok) throw new Error(`${target}: ${response.status} ${await response.text()}`);
      return response.json();
    },
    async close() {
      await server.stop();
      await rm(data, { recursive: true, force: true });
    },
  };
}

/** Asks until the answer is there; what it last was is in the error. */
export async function until(what, ask, ms = 30_000) {
  const deadline = Date.now() + ms;
  let last;
  for (;;) {
    try {
      const answer = await ask();
      if (answer) return answer;
      last = answer;
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline) throw new Error(`${what}: not within ${ms} ms; last: ${last?.stack ?? last}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** A host that is nobody's target: answers everything, and remembers what it was asked. */
export async function startBystander() {
  const requests = [];
  const server = createServer((req, res) => {
    requests.push({ method: req.method, url: req.url, headers: req.headers });
    res.writeHead(204, { 'access-control-allow-origin': '*', 'access-control-allow-headers': '*' });
    res.end();
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    requests,
    url: `http://127.0.0.1:${server.address().port}`,
    close: () => new Promise((resolve) => {
      server.closeAllConnections();
      server.close(resolve);
    }),
  };
}

/**
 * The spans of a project, given to another server as those of ten minutes ago: nobody waits for more of them there. `change`
 * may change an OTLP message before.
 */
export async function moveToThePast(server, later, { project = 'default', key = later.key, traces, change = (otlp) => otlp } = {}) {
  const back = 600_000_000_000n;
  const ids = traces ?? (await server.get(`/api/v1/traces?limit=1000&project=${project}`)).traces.map(({ traceId }) => traceId);
  await Promise.all(ids.map(async (id) => {
    const answer = await fetch(`${server.url}/api/v1/traces/${id}?format=otlp&project=${project}`,
      { headers: { accept: 'application/json' } });
    const older = JSON.stringify(change(await answer.json()))
      .replace(/(UnixNano":")(\d+)/g, (_, name, nano) => name + (BigInt(nano) - back));
    const sent = await fetch(`${later.url}/v1/traces`,
      { method: 'POST', body: older, headers: { 'content-type': 'application/json', 'x-api-key': key } });
    if (!sent.ok) throw new Error(`moving ${id}: ${sent.status} ${await sent.text()}`);
  }));
}

/** Children of each span, by parent id. */
export function tree(trace) {
  const children = new Map();
  for (const span of trace.spans) {
    const parent = span.parentSpanId ?? '';
    children.set(parent, [...(children.get(parent) ?? []), span]);
  }
  return children;
}
