/** An hour of a shop, always the same: the document's trace a hundred times, some slow, some broken. */

import { documentTrace } from './document.mjs';

const MS = 1_000_000n;
const seconds = 1000n * MS;

/** A small generator, so that every run has the same spans. */
function random(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

const spansOf = (body) => body.resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans));
const tag = (key, value) => ({ key, value: typeof value === 'number' ? { intValue: value } : { stringValue: value } });

/** The document's trace under another id, later, its database slower; of a tenant and a release. */
function request(number, startNano, next) {
  const body = documentTrace(startNano);
  const isSlow = next() < 0.2;
  const factor = BigInt(Math.round((isSlow ? 3 + next() * 2 : 0.6 + next()) * 1000));
  for (const span of spansOf(body)) {
    span.traceId = (number + 1).toString(16).padStart(32, 'a');
    for (const time of ['startTimeUnixNano', 'endTimeUnixNano']) {
      span[time] = String(startNano + ((BigInt(span[time]) - startNano) * factor) / 1000n);
    }
    span.attributes.push(tag('tenant.id', isSlow ? 'acme' : `tenant-${number % 5}`));
    if (next() < 0.06) span.status = { code: 2, message: 'deadline exceeded' };
  }
  return body;
}

/** The page calls a backend that its trace headers are not sent to: two traces of what was one request. */
function broken(number, startNano) {
  const span = (traceId, spanId, parentSpanId, name, kind, [at, length], attributes) => ({
    traceId: (number + 1).toString(16).padStart(32, traceId), spanId, parentSpanId, name, kind,
    startTimeUnixNano: String(startNano + BigInt(at) * MS), endTimeUnixNano: String(startNano + BigInt(at + length) * MS),
    attributes: Object.entries(attributes).map(([key, value]) => tag(key, value)),
  });
  const program = (name, language, ...spans) => ({
    resource: { attributes: [tag('service.name', name), tag('telemetry.sdk.language', language), tag('telemetry.sdk.name', 'tracekit')] },
    scopeSpans: [{ spans }],
  });
  const call = { 'http.request.method': 'GET', 'url.full': 'http://billing.test:3001/api/bill', 'tracekit.propagation': 'not_target' };
  const served = { 'http.request.method': 'GET', 'url.path': '/api/bill', 'server.address': 'billing.test', 'server.port': 3001, 'user_agent.original': 'Mozilla/5.0 Chrome/140' };
  return {
    resourceSpans: [
      program('checkout page', 'webjs', span('b', '00000000000000a1', '', 'click', 1, [0, 120], { 'url.full': 'http://localhost/' }),
        span('b', '00000000000000a2', '00000000000000a1', 'GET /api/bill', 3, [10, 100], call)),
      program('billing', 'nodejs', span('c', '00000000000000b1', '', 'GET /api/bill', 2, [20, 60], served)),
    ],
  };
}

/** The bodies, oldest first; the last ends a minute before `nowNano`. */
export function anHour(nowNano) {
  const next = random(7);
  const begin = nowNano - 3500n * seconds;
  return [
    ...Array.from({ length: 100 }, (_, i) => request(i, begin + BigInt(i) * 34n * seconds, next)),
    ...Array.from({ length: 3 }, (_, i) => broken(i, begin + BigInt(i) * 600n * seconds)),
  ];
}

/** Trace ids of the seed: the longest request, the shortest, one that is broken. */
export function examples(bodies) {
  const lengths = bodies.slice(0, 100).map((body) => {
    const spans = spansOf(body);
    const times = spans.flatMap((span) => [BigInt(span.startTimeUnixNano), BigInt(span.endTimeUnixNano)]);
    const [first, last] = [times.reduce((a, b) => (a < b ? a : b)), times.reduce((a, b) => (a > b ? a : b))];
    return { id: spans[0].traceId, length: last - first };
  });
  lengths.sort((a, b) => (a.length < b.length ? -1 : 1));
  return { fast: lengths[0].id, slow: lengths.at(-1).id, broken: spansOf(bodies.at(-1))[0].traceId };
}
