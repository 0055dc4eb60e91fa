/** A real Chromium for tests, a page's own server, and another origin that records headers. */

import { createServer } from 'node:http';
import { chromium } from 'playwright-core';
import { close, listen, readBody } from './sink.mjs';

const EXECUTABLE = process.env.CHROMIUM ?? '/usr/bin/chromium';

export function launch() {
  return chromium.launch({ executablePath: EXECUTABLE, args: ['--no-sandbox'] });
}

/** Serves `files` (path → body) as the page's origin; other paths are its API. */
export async function startSite(files) {
  const types = { js: 'text/javascript', html: 'text/html' };
  return record((req, res) => {
    const { pathname } = new URL(req.url, 'http://site');
    const body = files[pathname];
    if (body === undefined) return res.end('{"ok":true}');
    const type = types[pathname.split('.')[1]] ?? 'text/html';
    res.setHeader('Content-Type', `${type}; charset=utf-8`);
    res.end(body);
  });
}

/** Another origin: CORS headers, answers as slow as `?delay=`, bodies as `?body-delay=` (ms). */
export async function startApi() {
  return record(async (req, res) => {
    const { searchParams } = new URL(req.url, 'http://api');
    res.setHeader('Access-Control-Allow-Origin', '*');
    res.setHeader('Access-Control-Allow-Headers', 'Content-Type, traceparent, tracestate');
    if (req.method === 'OPTIONS') return res.writeHead(204).end();
    await readBody(req);
    const wait = (name) =>
      new Promise((resolve) => setTimeout(resolve, Number(searchParams.get(name) ?? 0)));
    await wait('delay');
    res.statusCode = Number(searchParams.get('status') ?? 200);
    res.write('{"users"');
    await wait('body-delay');
    res.end(':[]}');
  });
}

async function record(handle) {
  const seen = [];
  const server = createServer((req, res) => {
    seen.push({ method: req.method, url: req.url, headers: req.headers });
    handle(req, res);
  });
  const port = await listen(server);
  return {
    url: `http://localhost:${port}`,
    host: `localhost:${port}`,
    /** The headers of the request for that path; preflights are left out. */
    headersOf: (path) =>
      seen.find(({ method, url }) => method !== 'OPTIONS' && url.startsWith(path))?.headers,
    seen,
    close: () => close(server),
  };
}
