/**
 * Builds the page and serves it on port 3000.
 *
 *   TRACEKIT_API_KEY    the page's key (kind browser); built into the page, so it is public
 *   TRACEKIT_ENDPOINT   where its spans go, http://localhost:4318
 *   PORT                3000
 *   API_URL             where the Node API is, http://localhost:3001
 *   THIRD_PARTY_URL     a host that is no target and must get no trace header; none
 */

import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const PORT = Number(process.env.PORT ?? 3000);

const DEFAULTS = {
  TRACEKIT_API_KEY: '',
  TRACEKIT_ENDPOINT: 'http://localhost:4318',
  API_URL: 'http://localhost:3001',
  THIRD_PARTY_URL: '',
};

const path = (name) => fileURLToPath(new URL(name, import.meta.url));

async function buildPage() {
  const settings = Object.entries(DEFAULTS).map(([name, preset]) => [
    `process.env.${name}`,
    JSON.stringify(process.env[name] || preset),
  ]);
  const { outputFiles } = await build({
    entryPoints: [path('src/main.jsx')],
    bundle: true,
    minify: true,
    write: false,
    jsx: 'automatic',
    target: 'es2020',
    define: { ...Object.fromEntries(settings), 'process.env.NODE_ENV': '"production"' },
  });
  return outputFiles[0].contents;
}

const files = {
  '/': ['text/html; charset=utf-8', readFileSync(path('index.html'))],
  '/main.js': ['text/javascript; charset=utf-8', await buildPage()],
};

const server = createServer((req, res) => {
  const [type, body] = files[req.url.split('?')[0]] ?? [];
  if (!body) return res.writeHead(404).end();
  res.writeHead(200, { 'Content-Type': type, 'Cache-Control': 'no-store' }).end(body);
});

server.listen(PORT, '127.0.0.1', () => {
  console.log(`ready http://localhost:${server.address().port}`);
});

process.once('SIGTERM', () => {
  server.close();
  server.closeIdleConnections();
});
