/**
 * What the JavaScript SDKs cost, beside OpenTelemetry's: `node node.mjs WHAT`, JSON to stdout.
 *
 * - spans N ours|theirs: CPU nanoseconds a span of N attributes, from its start until its OTLP bytes
 *   are ready, the batch's queue included; what would post them answers at once.
 * - request http|express|fastify bare|ours|theirs: CPU nanoseconds a request, without sockets, its
 *   spans until their OTLP bytes are ready; what would compress and post them answers at once.
 * - start nothing|ours|theirs: imports, sets up, and says its peak memory.
 * - bundle: the size of OpenTelemetry's in a page, gzipped.
 */

import { channel } from 'node:diagnostics_channel';
import { EventEmitter } from 'node:events';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { Server, IncomingMessage, ServerResponse } from 'node:http';
import { source } from '../../sdk/js/test/support/sources.mjs';

const require = createRequire(new URL('../../sdk/node/package.json', import.meta.url));
const RUNS = 15;
const SPANS = 16_384;
const BATCH = 512;
const REQUESTS = 2_048;

const ATTRIBUTES = {
  'http.request.method': 'GET', 'http.route': '/users/{id}', 'user.id': 'u-12345678',
  'tenant.id': 'acme-production', 'order.id': 4711, 'url.scheme': 'https',
  'server.address': 'api.yourapp.com', 'http.response.status_code': 200, ratio: 0.25, cached: true,
};

/** The median run, after warming up: CPU nanoseconds for each of `count`. */
async function median(count, work) {
  const runs = [];
  for (let run = 0; run < RUNS; run++) {
    const before = process.cpuUsage();
    await work();
    const { user, system } = process.cpuUsage(before);
    runs.push(((user + system) * 1000) / count);
  }
  return runs.sort((a, b) => a - b)[RUNS >> 1];
}

async function ourTracer() {
  const kit = await source('tracer', 'exporter', 'attributes', '../node/src/ids', '../node/src/otlp',
     '../node/src/span');
  let bytes = 0;
  const exporter = new kit.Exporter({
    url: 'nowhere', enabled: true, log: { loud() {}, debug() {} }, encode: kit.protobufSpan,
    request: kit.protobufRequest({ 'service.name': 'bench' }, { name: 'bench', version: '1' }),
    send: async (body) => ((bytes += body.length), { status: 200, text: '' }),
    rejected: () => [0, ''],
  });
  const tracer = new kit.Tracer({
    draw: kit.drawWords(), sampleRate: 1, enabled: true,
    current: () => undefined, globalTags: new kit.Attributes(), Span: kit.NodeSpan,
    export: (span) => exporter.add(span),
  });
  return {
    start: () => tracer.start('operation'),
    set: (span, key, value) => span.setTag(key, value),
    flush: () => exporter.flush(10_000),
    bytes: () => bytes,
  };
}

/** Of OpenTelemetry: batches become bytes, which are counted. */
function theirProvider() {
  const { NodeTracerProvider, BatchSpanProcessor } = require('@opentelemetry/sdk-trace-node');
  const { ProtobufTraceSerializer } = require('@opentelemetry/otlp-transformer');
  const { resourceFromAttributes } = require('@opentelemetry/resources');
  const sent = { bytes: 0, spans: 0 };
  const exporter = {
    export(spans, done) {
      sent.bytes += ProtobufTraceSerializer.serializeRequest(spans).length;
      sent.spans += spans.length;
      done({ code: 0 });
    },
    shutdown: async () => {},
    forceFlush: async () => {},
  };
  const options = { maxQueueSize: SPANS, maxExportBatchSize: BATCH, scheduledDelayMillis: 1e6 };
  const provider = new NodeTracerProvider({
    resource: resourceFromAttributes({ 'service.name': 'bench' }),
    spanProcessors: [new BatchSpanProcessor(exporter, options)],
  });
  return { provider, sent };
}

function theirTracer() {
  const { provider, sent } = theirProvider();
  const tracer = provider.getTracer('bench', '1');
  return {
    start: () => tracer.startSpan('operation'),
    set: (span, key, value) => span.setAttribute(key, value),
    flush: () => provider.forceFlush(),
    bytes: () => sent.bytes,
  };
}

async function spans(count, whose) {
  const tracer = whose === 'ours' ? await ourTracer() : theirTracer();
  const keys = Object.keys(ATTRIBUTES).slice(0, Number(count));
  const values = keys.map((key) => ATTRIBUTES[key]);
  const nanos = await median(SPANS, async () => {
    for (let i = 0; i < SPANS; i++) {
      const span = tracer.start();
      for (let n = 0; n < keys.length; n++) tracer.set(span, keys[n], values[n]);
      span.end();
      if (i % BATCH === BATCH - 1) await tracer.flush();
    }
  });
  return { nanos, bytes: tracer.bytes() / SPANS / RUNS };
}

/** What is beyond the bytes costs nothing here, as it does in `spans`: gzip and the request. */
function answerAtOnce() {
  const http = require('node:http');
  require('node:zlib').gzip = (body, done) => setImmediate(done, null, body);
  http.request = (_url, _options, answered) => {
    const end = () =>
      setImmediate(() => {
        const answer = Object.assign(new EventEmitter(), { statusCode: 200, headers: {} });
        answered(answer);
        answer.emit('end');
      });
    return Object.assign(new EventEmitter(), { end, destroy() {} });
  };
}

/** What a tracer of each kind does to the frameworks, how it flushes, and the spans it has sent. */
function ourMiddleware() {
  answerAtOnce();
  const { TraceKit } = require('./dist/index.cjs');
  TraceKit.init({ apiKey: 'key', serviceName: 'bench' });
  return {
    http: (handler) => TraceKit.httpHandler(handler),
    express: (app) => app.use(TraceKit.Handlers.requestHandler()),
    fastify: (app) => app.register(TraceKit.fastifyPlugin),
    flush: () => TraceKit.flush(10_000),
    sent: () => TraceKit.stats().sent,
  };
}

function theirMiddleware() {
  const { registerInstrumentations } = require('@opentelemetry/instrumentation');
  const { HttpInstrumentation } = require('@opentelemetry/instrumentation-http');
  const { ExpressInstrumentation } = require('@opentelemetry/instrumentation-express');
  const { FastifyOtelInstrumentation } = require('@fastify/otel');
  const { provider, sent } = theirProvider();
  provider.register();
  const fastify = new FastifyOtelInstrumentation();
  const instrumentations = [new HttpInstrumentation(), new ExpressInstrumentation(), fastify];
  registerInstrumentations({ instrumentations });
  require('http'); // is patched when it is asked for
  return {
    http: (handler) => handler,
    express() {},
    fastify: (app) => app.register(fastify.plugin()),
    flush: () => provider.forceFlush(),
    sent: () => sent.spans,
  };
}

const untraced = { http: (handler) => handler, express() {}, fastify() {}, flush() {}, sent: () => 0 };

const SERVERS = {
  http: ({ http }) => new Server(http((_req, res) => res.end('{"id":42}'))),
  express(tracing) {
    const app = require('express')();
    tracing.express(app);
    app.get('/users/:id', (_req, res) => res.json({ id: 42 }));
    return new Server(app);
  },
  async fastify(tracing) {
    const app = require('fastify5')();
    await tracing.fastify(app);
    app.get('/users/:id', (_request, reply) => reply.send({ id: 42 }));
    await app.ready();
    return app.server;
  },
};

async function request(framework, whose) {
  const tracing = { bare: () => untraced, ours: ourMiddleware, theirs: theirMiddleware }[whose]();
  const one = await SERVERS[framework](tracing);
  const headers = {
    host: 'api.yourapp.com:8080', 'user-agent': 'bench/1',
    traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
  };
  const socket = new EventEmitter();
  Object.assign(socket, { remoteAddress: '127.0.0.1', destroy() {} });
  const started = channel('http.server.request.start');
  const emit = () => {
    const req = new IncomingMessage(socket);
    Object.assign(req, { method: 'GET', url: '/users/42', httpVersion: '1.1', headers });
    const res = new ServerResponse(req);
    // As node does.
    if (started.hasSubscribers) {
      started.publish({ request: req, response: res, socket, server: one });
    }
    one.emit('request', req, res);
    res.emit('finish');
    res.emit('close');
  };
  const nanos = await median(REQUESTS, async () => {
    for (let i = 0; i < REQUESTS; i++) {
      emit();
      if (i % 64 === 63) await new Promise((resolve) => setImmediate(resolve));
      if (i % BATCH === BATCH - 1) await tracing.flush();
    }
  });
  return { nanos, spans: tracing.sent() / REQUESTS / RUNS };
}

function start(whose) {
  if (whose === 'ours') require('./dist/index.cjs').TraceKit.init({ apiKey: 'key' });
  if (whose === 'theirs') {
    const { NodeTracerProvider, BatchSpanProcessor } = require('@opentelemetry/sdk-trace-node');
    const { OTLPTraceExporter } = require('@opentelemetry/exporter-trace-otlp-http');
    const spanProcessors = [new BatchSpanProcessor(new OTLPTraceExporter())];
    new NodeTracerProvider({ spanProcessors }).register();
  }
  const { user, system } = process.cpuUsage();
  return { millis: (user + system) / 1000, kibibytes: process.resourceUsage().maxRSS };
}

/** What a page loads of OpenTelemetry for the same: spans of fetch, XMLHttpRequest and the load, sent as OTLP. */
async function bundle() {
  const { build } = await import('esbuild');
  const { gzipSync } = await import('node:zlib');
  const contents = `
    import { WebTracerProvider, BatchSpanProcessor } from '@opentelemetry/sdk-trace-web';
    import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
    import { registerInstrumentations } from '@opentelemetry/instrumentation';
    import { FetchInstrumentation } from '@opentelemetry/instrumentation-fetch';
    import { XMLHttpRequestInstrumentation } from '@opentelemetry/instrumentation-xml-http-request';
    import { DocumentLoadInstrumentation } from '@opentelemetry/instrumentation-document-load';
    new WebTracerProvider({ spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())] }).register();
    const instrumentations = [new FetchInstrumentation(), new XMLHttpRequestInstrumentation(), new DocumentLoadInstrumentation()];
    registerInstrumentations({ instrumentations });`;
  const resolveDir = fileURLToPath(new URL('../../sdk/node', import.meta.url));
  const stdin = { contents, resolveDir };
  const options = { bundle: true, minify: true, format: 'esm', target: 'es2022', write: false };
  const { outputFiles } = await build({ stdin, ...options });
  return { bytes: gzipSync(outputFiles[0].contents, { level: 9 }).length };
}

const [what, ...rest] = process.argv.slice(2);
console.log(JSON.stringify(await { spans, request, start, bundle }[what](...rest)));
process.exit(0);
