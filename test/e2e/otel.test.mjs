/**
 * OpenTelemetry's own SDKs as clients of the server and as hops between our services (S45, S46, S48): ours -> OTel Node (OTLP
 * protobuf) -> OTel Python (gRPC) -> ours, one trace, and a Python service over OTLP/HTTP beside it.
 */

import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { ROOT, start, startServer, until } from './lib/stack.mjs';

const HERE = path.join(ROOT, 'test/e2e/services');
const PYTHON = process.env.TRACEKIT_PYTHON ?? path.join(ROOT, '.env/python/bin/python');

let server;
const services = [];

/** Starts a service whose next one is `next`; answers its URL. */
async function chain(name, command, file, next, env = {}) {
  const service = start(name, command, [path.join(HERE, file)], {
    env: {
      TRACEKIT_ENDPOINT: server.url, TRACEKIT_API_KEY: server.key, SERVICE_NAME: name, PORT: '0',
      ...(next ? { NEXT_URL: `${next}/work` } : {}), ...env,
    },
  });
  services.push(service);
  return service.ready;
}

before(async () => {
  server = await startServer();
});
after(async () => {
  await Promise.all(services.map((service) => service.stop()));
  await server?.close();
});

test('a trace stays whole through OpenTelemetry Node and Python, and comes back to us', async () => {
  const last = await chain('tracekit-last', 'node', 'tracekit-node.cjs');
  const python = await chain('otel-python-grpc', PYTHON, 'otel_python.py', last, { PROTOCOL: 'grpc' });
  const node = await chain('otel-node', 'node', 'otel-node.mjs', python);
  const first = await chain('tracekit-first', 'node', 'tracekit-node.cjs', node);
  const answer = await (await fetch(`${first}/work`)).json();
  const seen = answer.next.next.next; // what the last service was given
  assert.match(seen.traceparent, /^00-/);
  assert.match(seen.tracestate ?? '', /ot=th:0/, 'tracestate went through both hops');

  const id = seen.traceparent.slice(3, 35);
  const names = ['tracekit-first', 'otel-node', 'otel-python-grpc', 'tracekit-last'];
  const trace = await until('the trace of four services', async () => {
    const found = await server.get(`/api/v1/traces/${id}`);
    return found.spans.length >= 7 && names.every((name) => found.spans.some((span) => span.serviceName === name)) && found;
  });
  assert.equal(trace.spans.filter((span) => !span.parentSpanId).length, 1);
  assert.ok(trace.spans.every((span) => !span.orphan), 'every parent is there');
  assert.deepEqual(trace.rows.filter((row) => row.type === 'service').map((row) => row.service), names);
  const work = trace.spans.find((span) => span.serviceName === 'otel-node' && span.kind === 'SERVER');
  assert.deepEqual([work.attributes['order.id'], work.attributes.big, work.attributes.ratio, work.attributes.ok,
    work.attributes.list], [42, 2 ** 40, 0.5, true, ['a', 'b']]);
});

test('OpenTelemetry Python over OTLP/HTTP is found by its own attribute', async () => {
  const python = await chain('otel-python-http', PYTHON, 'otel_python.py', null, { PROTOCOL: 'http' });
  await (await fetch(`${python}/work`)).json();
  const query = encodeURIComponent('{ span.order.id = "42" && resource.service.name = "otel-python-http" }');
  const found = await until('the Python span', async () => {
    const answer = await server.get(`/api/v1/traces?q=${query}`);
    return answer.traces.length === 1 && answer.traces[0];
  });
  assert.equal(found.rootName, 'GET /work');
  assert.equal(found.spanCount, 1);
});
