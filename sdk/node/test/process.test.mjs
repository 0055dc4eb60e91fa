/** How the SDK behaves in a process of its own: environment, loud lines, the end. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startSink, until } from '../../js/test/support/sink.mjs';

const TIMEOUT = { timeout: 300_000 };
const here = fileURLToPath(new URL('.', import.meta.url));

let sink;

beforeEach(async () => {
  sink = await startSink();
});

afterEach(() => sink.close());

/** Runs a script, as CommonJS unless it begins with an import; nothing of our own environment. */
function start(script, env = {}) {
  const type = script.trimStart().startsWith('import') ? 'module' : 'commonjs';
  const child = spawn(process.execPath, [`--input-type=${type}`, '-e', script], {
    cwd: here,
    env: { PATH: process.env.PATH, TRACEKIT_ENDPOINT: sink.url, ...env },
  });
  const ended = new Promise((resolve) => {
    const out = { stdout: '', stderr: '' };
    for (const stream of ['stdout', 'stderr']) {
      child[stream].setEncoding('utf8').on('data', (text) => (out[stream] += text));
    }
    child.on('close', (code, signal) => resolve({ code, signal, ...out }));
  });
  const printed = new Promise((resolve) => child.stdout.once('data', resolve));
  return { child, ended, printed };
}

const run = (script, env) => start(script, env).ended;
const KEY = { TRACEKIT_API_KEY: 'from-environment' };
const lines = (text) => text.split('\n').filter((line) => line.includes('[tracekit]'));

describe('the environment', TIMEOUT, () => {
  test('sets everything up when init is not called, and code beats it', async () => {
    const span = `TraceKit.startSpan('one').end();`;
    const env = {
      ...KEY,
      TRACEKIT_SERVICE_NAME: 'from env',
      TRACEKIT_ENVIRONMENT: 'staging',
      TRACEKIT_RELEASE: '1.2.3',
    };
    await run(`const TraceKit = require('@tracekit/node'); ${span}`, env);
    const init = `TraceKit.init({ serviceName: 'from code', apiKey: 'k', environment: '' });`;
    await run(`const { TraceKit } = require('@tracekit/node'); ${init} ${span}`, env);
    const [first, second] = sink.spans.map(({ resource }) => resource);
    assert.equal(first['service.name'], 'from env');
    assert.equal(first['deployment.environment.name'], 'staging');
    assert.equal(first['service.version'], '1.2.3');
    assert.equal(second['service.name'], 'from code');
    assert.equal(second['deployment.environment.name'], 'staging');
    assert.deepEqual(sink.requests.map(({ headers }) => headers['x-api-key']), ['from-environment', 'k']);
  });

  test("falls back on OpenTelemetry's", async () => {
    await run(`require('@tracekit/node').startSpan('one').end()`, {
      TRACEKIT_ENDPOINT: '',
      OTEL_EXPORTER_OTLP_ENDPOINT: sink.url,
      OTEL_EXPORTER_OTLP_HEADERS: 'x-api-key=otel%20key',
      OTEL_SERVICE_NAME: 'otel name',
      OTEL_RESOURCE_ATTRIBUTES: 'service.version=9,deployment.environment.name=prod',
    });
    const [{ resource }] = sink.spans;
    assert.equal(resource['service.name'], 'otel name');
    assert.equal(resource['service.version'], '9');
    assert.equal(resource['deployment.environment.name'], 'prod');
    assert.equal(sink.requests[0].headers['x-api-key'], 'otel key');
  });

  test("keeps OpenTelemetry's other resource attributes and headers, but not against ours", async () => {
    const span = `require('@tracekit/node').startSpan('one').end()`;
    const env = {
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${sink.url}/v1/traces`,
      OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20theirs,X-API-Key=theirs',
      OTEL_RESOURCE_ATTRIBUTES: 'team=a%20b,Case=kept,service.name=named,telemetry.sdk.name=no',
      TRACEKIT_ENDPOINT: '',
    };
    await run(span, env);
    await run(span, { ...env, TRACEKIT_API_KEY: ' ours\n' });
    const [{ resource }] = sink.spans;
    assert.equal(resource.team, 'a b');
    assert.equal(resource.Case, 'kept');
    assert.equal(resource['service.name'], 'named');
    assert.equal(resource['telemetry.sdk.name'], 'tracekit');
    assert.deepEqual(sink.requests.map(({ headers }) => headers['x-api-key']), ['theirs', 'ours']);
    assert.deepEqual(sink.requests.map(({ headers }) => headers.authorization), Array(2).fill('Bearer theirs'));
  });

  test("understands OpenTelemetry's samplers", async () => {
    const cases = [['always_off', '1', 0], ['always_on', '0', 1], ['parentbased_traceidratio', '0', 0], ['', '0', 0]];
    for (const [sampler, argument, sent] of cases) {
      const before = sink.spans.length;
      await run(`require('@tracekit/node').startSpan('one').end()`, {
        ...KEY,
        OTEL_TRACES_SAMPLER: sampler,
        OTEL_TRACES_SAMPLER_ARG: argument,
      });
      assert.equal(sink.spans.length - before, sent, `${sampler} ${argument}`);
    }
  });

  test('a bad value is one loud line and no harm', async () => {
    const { code, stderr } = await run(`require('@tracekit/node').startSpan('one').end()`, {
      ...KEY,
      TRACEKIT_SAMPLE_RATE: 'half',
    });
    assert.equal(code, 0);
    assert.equal(lines(stderr).length, 1);
    assert.match(stderr, /sampleRate/);
    assert.equal(sink.spans.length, 1);
  });
});

describe('loud lines', TIMEOUT, () => {
  test('a missing key is one, and the app runs', async () => {
    const { code, stdout, stderr } = await run(`
      const { TraceKit, tracekit } = require('@tracekit/node');
      TraceKit.init({ serviceName: 'api' });
      TraceKit.startSpan('x', () => tracekit.captureException(new Error('e')));
      console.log('still here');`);
    assert.deepEqual([code, stdout], [0, 'still here\n']);
    assert.equal(lines(stderr).length, 1);
    assert.match(stderr, /no API key.*TRACEKIT_API_KEY/);
    assert.equal(sink.requests.length, 0);
  });

  test('a dead server is one, however many spans are lost', async () => {
    const { code, stderr } = await run(
      `const t = require('@tracekit/node');
       const timer = setInterval(() => t.startSpan('x').end(), 1);
       setTimeout(async () => { clearInterval(timer); await t.flush(300); await t.flush(300);
         await t.shutdown(2000); }, 100);`,
      { ...KEY, TRACEKIT_ENDPOINT: 'http://127.0.0.1:1' },
    );
    assert.equal(code, 0);
    assert.equal(lines(stderr).length, 1);
    assert.match(stderr, /no answer from/);
    assert.match(stderr, /127\.0\.0\.1:1\/v1\/traces/);
  });

  test('a refused key is one', async () => {
    sink.answers.push({ status: 401 });
    const { stderr } = await run(`require('@tracekit/node').startSpan('x').end()`, KEY);
    assert.equal(lines(stderr).length, 1);
    assert.match(stderr, /refuses the API key/);
  });

  test('debug mode says endpoint, service, sampler and the first export', async () => {
    const { stderr } = await run(`require('@tracekit/node').startSpan('x').end()`, {
      ...KEY,
      TRACEKIT_DEBUG: '1',
      TRACEKIT_SERVICE_NAME: 'svc',
    });
    assert.match(stderr, /svc sends to .*\/v1\/traces, sample rate 1/);
    assert.match(stderr, /exported 1 spans .*: 200/);
  });

  test('enabled: false is silent', async () => {
    const { stderr } = await run(
      `require('@tracekit/node').init({ enabled: false }).startSpan('x').end()`,
    );
    assert.deepEqual(lines(stderr), []);
    assert.equal(sink.requests.length, 0);
  });
});

describe('the end', TIMEOUT, () => {
  const app = (more = '') => `
    const { tracekit } = require('@tracekit/node');
    tracekit.init();
    tracekit.startSpan('last words').end();
    setInterval(() => {}, 1000);
    ${more}
    console.log('ready');`;

  for (const signal of ['SIGTERM', 'SIGINT']) {
    test(`${signal} sends what is waiting, then ends the process as ever`, async () => {
      const { child, ended, printed } = start(app(), KEY);
      await printed;
      child.kill(signal);
      assert.equal((await ended).signal, signal);
      assert.equal(sink.spans.length, 1);
    });
  }

  test('an app with its own SIGTERM handler decides itself', async () => {
    const own = `process.on('SIGTERM', () => setTimeout(() => process.exit(7), 500));`;
    const { child, ended, printed } = start(app(own), KEY);
    await printed;
    child.kill('SIGTERM');
    assert.equal((await ended).code, 7);
    assert.equal(sink.spans.length, 1);
  });

  test('a handler that was there before us, for one time only, counts too', async () => {
    const script = `process.once('SIGTERM', () => setTimeout(() => process.exit(7), 500)); ${app()}`;
    const { child, ended, printed } = start(script, KEY);
    await printed;
    child.kill('SIGTERM');
    assert.equal((await ended).code, 7);
    assert.equal(sink.spans.length, 1);
  });

  test('SIGTERM with a server that never answers is bounded', async () => {
    sink.answers = { length: 1, shift: () => ({ status: 503 }) };
    const { child, ended, printed } = start(app(), KEY);
    await printed;
    child.kill('SIGTERM');
    assert.equal((await ended).signal, 'SIGTERM');
  });

  test('a script that is done sends before it ends', async () => {
    const { code } = await run(
      `import { TraceKit } from '@tracekit/node';
       import tracekit, { startSpan } from '@tracekit/node';
       import * as all from '@tracekit/node';
       if (tracekit !== TraceKit || all.tracekit !== TraceKit) process.exit(1);
       await startSpan('quick', async () => {});`,
      KEY,
    );
    assert.equal(code, 0);
    assert.deepEqual(sink.spans.map(({ name }) => name), ['quick']);
  });

  test('two processes draw different ids', async () => {
    const script = `require('@tracekit/node').startSpan('x').end()`;
    await Promise.all([run(script, KEY), run(script, KEY)]);
    await until(() => sink.spans.length === 2);
    const [one, two] = sink.spans;
    assert.notEqual(one.traceId, two.traceId);
    assert.notEqual(one.resource['service.instance.id'], two.resource['service.instance.id']);
  });
});
