/**
 * The first minutes of docs/sdk, which an empty project's page shows: each stack's blocks, the shell's with the code's, in an
 * app that has nothing else of ours, against the real server. (The C guide is run by sdk/c/test/test_package.py.)
 *
 * Only three things are put in: the server and a key, as the page does it; this tree's package where the shell asks a
 * registry for it (that they install from what was built, each SDK's own tests say); and an app around the blocks.
 */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createServer } from 'node:http';
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { after, before, test } from 'node:test';

import { build } from 'esbuild';
import { firstMinutes } from '../../ui/docs.mjs';
import { openBrowser, openPage } from './lib/browser.mjs';
import { ROOT, TRACEKIT, startServer, until } from './lib/stack.mjs';

const PYTHON = process.env.TRACEKIT_PYTHON ?? path.join(ROOT, '.env/python/bin/python');
const documents = firstMinutes();
let server, readKey, scratch;

before(async () => {
  server = await startServer({ dev: false });
  readKey = await createKey('--kind', 'read');
  scratch = await mkdtemp(path.join(tmpdir(), 'tracekit-first-'));
  await symlink(path.join(ROOT, 'node_modules'), path.join(scratch, 'node_modules'));
});

after(async () => {
  await server?.close();
  if (scratch) await rm(scratch, { recursive: true, force: true });
});

async function createKey(...args) {
  const { stdout } = await promisify(execFile)(TRACEKIT, ['key', 'create', '--data', server.data, ...args]);
  return stdout.trim();
}

/** The block under a caption, for this server. */
function block(stack, caption, key = server.key) {
  const found = documents[stack].find((each) => each.caption.startsWith(caption));
  assert.ok(found, `docs/sdk/${stack}.md has no block "${caption}"`);
  return found.text.replaceAll('http://localhost:4318', server.url).replaceAll('…', key);
}

/** Types the shell's blocks and then `command`; npm, pip and go are only heard, not obeyed, until then. */
function shell(blocks, command, env = {}) {
  const typed = `npm() { :; }; pip() { :; }; go() { :; }\n${blocks.join('\n')}\nunset -f npm pip go\n${command}`;
  const { TRACEKIT_API_KEY, TRACEKIT_ENDPOINT, ...clean } = process.env;
  return promisify(execFile)('bash', ['-euc', typed], { cwd: scratch, env: { ...clean, ...env }, timeout: 300_000 });
}

const asked = (query) => fetch(`${server.url}/api/v1/traces?q=${encodeURIComponent(query)}`,
  { headers: { 'x-api-key': readKey } }).then((answer) => answer.json());

/** The one trace of a service whose root has that name. */
async function arrived(service, root) {
  const { traces } = await until(`${root} of ${service}`, async () => {
    const answer = await asked(`{ resource.service.name = "${service}" && name = "${root}" }`);
    return answer.traces?.length > 0 && answer;
  });
  assert.equal(traces.length, 1);
  assert.equal(traces[0].rootName, root);
}

const ASK = (url) => `fetch(${url}).then((answer) => answer.text())`;

test('Node.js: Express', async () => {
  await writeFile(path.join(scratch, 'express-app.cjs'), `
${block('node', 'First thing').replace("'node-api'", "'first-express'")}
const express = require('express');
${block('node', 'Express').replace('{ /* ... */ }', 'res.json([])')}
const server = app.listen(0, () => ${ASK('`http://127.0.0.1:${server.address().port}/api/users`')}.then(() => server.close()));
`);
  await shell([block('node', 'Install')], 'node express-app.cjs');
  await arrived('first-express', 'GET /api/users');
});

test('Node.js: Fastify', async () => {
  await writeFile(path.join(scratch, 'fastify-app.cjs'), `
${block('node', 'First thing').replace("'node-api'", "'first-fastify'")}
const fastify = require('fastify')();
${block('node', 'Fastify')}
fastify.get('/api/users', async () => []);
fastify.listen({ port: 0 }).then((url) => ${ASK('`${url}/api/users`')}).then(() => fastify.close());
`);
  await shell([block('node', 'Install')], 'node fastify-app.cjs');
  await arrived('first-fastify', 'GET /api/users');
});

const SERVE_ONE = `
import threading, urllib.request, wsgiref.simple_server
with wsgiref.simple_server.make_server("127.0.0.1", 0, app) as site:
    threading.Thread(target=site.handle_request).start()
    assert urllib.request.urlopen(f"http://127.0.0.1:{site.server_port}/api/users").status == 200
`;

const PYTHON_APPS = {
  Django: (blocks) => `
${blocks}
from django.conf import settings
settings.configure(MIDDLEWARE=MIDDLEWARE, ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="of a test")
from django.core.wsgi import get_wsgi_application
from django.http import JsonResponse
from django.urls import path
urlpatterns = [path("api/users", lambda request: JsonResponse([], safe=False))]
app = get_wsgi_application()
${SERVE_ONE}`,
  FastAPI: (blocks) => `
from fastapi import FastAPI
from fastapi.testclient import TestClient
${blocks}
app.get("/api/users")(lambda: [])
assert TestClient(app).get("/api/users").status_code == 200
`,
  Flask: (blocks) => `
from flask import Flask
${blocks}
app.get("/api/users")(lambda: [])
${SERVE_ONE}`,
};

for (const [framework, around] of Object.entries(PYTHON_APPS)) {
  test(`Python: ${framework}`, async () => {
    const service = `first-${framework.toLowerCase()}`;
    const init = block('python', 'First thing').replace('"orders"', `"${service}"`);
    const file = path.join(scratch, `${service}.py`);
    await writeFile(file, around(`${init}\n${block('python', framework)}`));
    await shell([block('python', 'Install')], `'${PYTHON}' '${file}'`, { PYTHONPATH: path.join(ROOT, 'sdk/python/src') });
    await arrived(service, 'GET /api/users');
  });
}

test('Go: Gin', async () => {
  const example = path.join(ROOT, 'examples/three-services/go');
  const modules = await readFile(path.join(example, 'go.mod'), 'utf8');
  await writeFile(path.join(scratch, 'go.mod'), modules.replace('../../../sdk/go', path.join(ROOT, 'sdk/go')));
  await writeFile(path.join(scratch, 'go.sum'), await readFile(path.join(example, 'go.sum')));
  const [, imported, main] = /^(import .*)\n([^]*)$/.exec(block('go', 'At the start of main').replace('"users"', '"first-gin"'));
  await writeFile(path.join(scratch, 'main.go'), `package main

${imported}
import (
	"context"
	"log"
	"net/http/httptest"

	"github.com/gin-gonic/gin"
)

func listUsers(c *gin.Context) { c.JSON(200, []string{}) }

func main() {
${main}
	r.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/users", nil))
}
`);
  await shell([block('go', 'Install')], 'go run .');
  await arrived('first-gin', 'GET /users');
});

/** Opens a page whose module, `source` of its key, was bundled as its reader's bundler would; waits for its trace. */
async function open(service, loader, source) {
  let html;
  const site = createServer((_, response) => response.setHeader('content-type', 'text/html').end(html));
  await new Promise((resolve) => site.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${site.address().port}`;
  let browser;
  try {
    const key = await createKey('--kind', 'browser', '--origin', origin);
    const { outputFiles: [script] } = await build({
      stdin: { contents: source(key), loader, resolveDir: scratch }, bundle: true, write: false, jsx: 'automatic',
      define: { 'process.env.TRACEKIT_API_KEY': JSON.stringify(key), 'process.env.NODE_ENV': '"production"' },
    });
    html = `<!doctype html><link rel=icon href="data:,"><div id=root></div><script>${script.text}</script>`;
    browser = await openBrowser();
    const { page, complaints } = await openPage(browser);
    await page.goto(`${origin}/users`);
    await page.goto('about:blank'); // pagehide sends what waits
    await until(`a trace of ${service}`, async () =>
      (await asked(`{ resource.service.name = "${service}" }`)).traces.length > 0);
    assert.deepEqual(complaints, []);
  } finally {
    await browser?.close();
    site.closeAllConnections();
    site.close();
  }
}

test('a page', async () => {
  await shell([block('browser', 'Install')], ':');
  await open('my-app', 'js', (key) => block('browser', 'Before', key));
});

test('React', async () => {
  await shell([block('react', 'Install')], ':');
  await open('my-react-app', 'jsx', (key) => `
import { createRoot } from 'react-dom/client';
const App = () => <h1>Users</h1>;
${block('react', 'Before', key)}`);
});

test("OpenTelemetry's own SDK, and one span by hand", async () => {
  await writeFile(path.join(scratch, 'otel.mjs'), `
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { defaultResource, detectResources, envDetector } from '@opentelemetry/resources';
import { NodeTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-node';
const provider = new NodeTracerProvider({
  resource: defaultResource().merge(detectResources({ detectors: [envDetector] })),
  spanProcessors: [new SimpleSpanProcessor(new OTLPTraceExporter())],
});
provider.getTracer('first').startSpan('take order').end();
await provider.shutdown();
`);
  await shell([block('opentelemetry', "For OpenTelemetry's")], 'node otel.mjs');
  await arrived('orders', 'take order');
  await shell([block('opentelemetry', 'Or one span')], ':');
  await arrived('hello', 'first span');
});
