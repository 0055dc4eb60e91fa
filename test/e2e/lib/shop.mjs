/**
 * A shop of four services, page -> API (Node) -> users (Go) -> orders (Python): test/e2e/shop, healthy as it stands. A copy of
 * it may have a fault: an edit of its sources, or of what a service is started with.
 */

import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { build } from 'esbuild';

import { openPage } from './browser.mjs';
import { freePort, listenOn } from '../../../sdk/js/test/support/ports.mjs';
import { ROOT, start, until } from './stack.mjs';

const SHOP = path.join(ROOT, 'test/e2e/shop');
const PYTHON = process.env.TRACEKIT_PYTHON ?? path.join(ROOT, '.env/python/bin/python');
/** Whose ports stand in the sources. */
const SERVICES = { 3000: 'web', 3001: 'api', 8080: 'users', 5000: 'orders' };

/** Copies the shop with `edits` made: `{file: [[from, to], ...]}`. Each copy has ports of its own. */
export async function copyShop(edits = {}) {
  const dir = await mkdtemp(path.join(tmpdir(), 'tracekit-shop-'));
  const ports = {};
  for (const name of Object.values(SERVICES)) ports[name] = await freePort();
  await cp(SHOP, dir, { recursive: true });
  for (const file of ['web/main.js', 'api/server.js', 'users/main.go', 'orders/app.py']) {
    let text = await readFile(path.join(dir, file), 'utf8');
    for (const [from, to] of edits[file] ?? []) {
      if (text.split(from).length !== 2) throw new Error(`${file}: not there once: ${from}`);
      text = text.replace(from, () => to);
    }
    text = text.replace(/\b(3000|3001|8080|5000)\b/g, (port) => ports[SERVICES[port]]);
    await writeFile(path.join(dir, file), text);
  }
  await symlink(path.join(ROOT, 'node_modules'), path.join(dir, 'node_modules'));
  const users = await buildUsers(edits['users/main.go']);
  return {
    dir, ports, users, web: `http://localhost:${ports.web}`, api: `http://localhost:${ports.api}/api/users`,
    remove: () => rm(dir, { recursive: true, force: true }),
  };
}

/** The Go service's program: one for each way its source is edited. It is told its ports when it starts. */
const programs = new Map();
function buildUsers(edits = []) {
  const key = JSON.stringify(edits);
  if (!programs.has(key)) {
    programs.set(key, (async () => {
      const dir = await mkdtemp(path.join(tmpdir(), 'tracekit-users-'));
      let text = await readFile(path.join(SHOP, 'users/main.go'), 'utf8');
      for (const [from, to] of edits) text = text.replace(from, () => to);
      const module = await readFile(path.join(SHOP, 'users/go.mod'), 'utf8');
      await writeFile(path.join(dir, 'main.go'), text);
      await writeFile(path.join(dir, 'go.mod'), module.replace('../../../../sdk/go', path.join(ROOT, 'sdk/go')));
      await cp(path.join(SHOP, 'users/go.sum'), path.join(dir, 'go.sum'));
      await promisify(execFile)('go', ['build', '-o', 'users', '.'], { cwd: dir, env: { ...process.env, GOFLAGS: '-mod=mod' } });
      return { dir, file: path.join(dir, 'users') };
    })());
  }
  return programs.get(key);
}

export async function removePrograms() {
  for (const program of programs.values()) await rm((await program).dir, { recursive: true, force: true });
}

/** Whoever says ready may still be about to listen. */
function answers(port) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(true)).on('error', () => resolve(false));
    socket.on('connect', () => socket.destroy());
  });
}

/** Starts the services of a copy. `env` says for each what it is started with besides: key and endpoint. */
export async function openShop(shop, env) {
  const all = { NODE_OPTIONS: '--dns-result-order=ipv4first', PYTHONPATH: path.join(ROOT, 'sdk/python/src') };
  const { api, users, orders } = shop.ports;
  const services = [
    start('api', 'node', ['server.js'], { cwd: path.join(shop.dir, 'api'), env: { ...all, ...env.api } }),
    start('users', shop.users.file, [],
      { env: { ...all, PORT: users, ORDERS_URL: `http://localhost:${orders}`, ...env.users } }),
    start('orders', PYTHON, ['app.py'], { cwd: path.join(shop.dir, 'orders'), env: { ...all, ...env.orders } }),
  ];
  const close = () => Promise.all(services.map((service) => service.stop()));
  try {
    await Promise.all(services.map((service) => service.ready));
    for (const port of [api, users, orders]) await until(`port ${port} answers`, () => answers(port));
  } catch (error) {
    await close();
    throw error;
  }
  return { close };
}

/** Opens the page of a copy, clicks its button, and leaves it when the click's spans have `arrived`. */
export async function clickOnPage(browser, shop, env, arrived) {
  const { outputFiles: [script] } = await build({
    entryPoints: [path.join(shop.dir, 'web/main.js')], bundle: true, write: false, logLevel: 'error',
    define: Object.fromEntries(Object.entries(env).map(([name, value]) => [`process.env.${name}`, JSON.stringify(value)])),
  });
  const host = createServer((req, res) => {
    const html = `<!doctype html><button>Load</button><output></output><script>${script.text}</script>`;
    res.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(html);
  });
  await listenOn(host, shop.ports.web);
  const { page } = await openPage(browser);
  try {
    await page.goto(shop.web);
    await page.click('button');
    await page.waitForSelector('output:not(:empty)');
    await arrived();
  } finally {
    await page.close();
    host.closeAllConnections();
    await new Promise((resolve) => host.close(resolve));
  }
}
