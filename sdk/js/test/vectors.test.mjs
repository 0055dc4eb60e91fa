/** The shared vectors, run on the shared sources. */

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import { source, vectors } from './support/sources.mjs';

const { parseTraceparent, formatTraceparent } = await source('traceparent');
const { parseTracestate, formatTracestate, setMember } = await source('tracestate');
const { extract, inject } = await source('propagation');
const { propagationTo, resolveUrl } = await source('targets');
const { threshold, isSampled, rootTracestate } = await source('sampling');
const retry = await source('retry');
const { tracesUrl } = await source('endpoint');
const { redactUrl } = await source('redact');
const { checkedRate } = await source('options');
const { Tracer } = await source('tracer');
const { Attributes } = await source('attributes');
const { otlpEncoder } = await source('otlp');

function each(file, section, check) {
  describe(`${file}.json: ${section}`, () => {
    for (const one of vectors(file)[section]) test(one.name, () => check(one));
  });
}

function tracer(options = {}) {
  return new Tracer({
    randomHex: (bytes) => randomBytes(bytes).toString('hex'),
    sampleRate: 1,
    enabled: true,
    current: () => undefined,
    globalTags: new Attributes(),
    export: () => {},
    ...options,
  });
}

function headersOf(context) {
  const headers = {};
  inject(context, (name, value) => (headers[name] = value));
  return headers;
}

each('traceparent', 'parse', ({ headers, expect }) => {
  const { spanId: parentId, ...found } = parseTraceparent(headers) ?? {};
  assert.deepEqual(parentId ? { ...found, parentId } : null, expect);
});

each('tracestate', 'parse', ({ headers, members }) => {
  assert.deepEqual(parseTracestate(headers), members);
});

each('tracestate', 'make', ({ members, header }) => {
  assert.equal(formatTracestate(members) || null, header);
});

each('tracestate', 'set', ({ members, key, value, header }) => {
  assert.equal(formatTracestate(setMember(members, key, value)), header);
});

each('headers', 'make', ({ span, expect }) => {
  const tracestate = formatTracestate(span.tracestate);
  const made = headersOf({ ...span, tracestate });
  assert.equal(made.traceparent, formatTraceparent(span));
  assert.deepEqual({ tracestate: null, ...made }, expect);
});

each('headers', 'continue', ({ incoming, expect }) => {
  const parent = extract(incoming.traceparent, incoming.tracestate);
  const server = tracer().start('server', { parent: parent ?? null });
  const { traceparent, tracestate = null } = headersOf(server.startSpan('client'));
  const [version, traceId, spanId, flags] = traceparent.split('-');
  const [, traceIdIn, spanIdIn] = (incoming.traceparent[0] ?? '').split('-');
  assert.equal(version, '00');
  assert.equal(traceId === traceIdIn, expect.sameTrace);
  assert.match(traceId, /^[0-9a-f]{32}$/);
  assert.match(spanId, /^[0-9a-f]{16}$/);
  assert.notEqual(spanId, spanIdIn);
  assert.deepEqual({ flags, tracestate }, { flags: expect.flags, tracestate: expect.tracestate });
});

const targetsOf = (list) =>
  list?.map((one) => (typeof one === 'string' ? one : new RegExp(one.regexp, one.flags)));

for (const section of ['absolute', 'browser']) {
  each('targets', section, ({ page, targets, url, expect }) => {
    const list = targetsOf(targets) ?? undefined;
    const { origin } = new URL(page);
    for (let time = 0; time < 3; time++) {
      assert.equal(propagationTo(resolveUrl(url, page), list, origin), expect);
    }
  });
}

each('targets', 'server', ({ targets, url, expect }) => {
  const list = targetsOf(targets) ?? undefined;
  assert.equal(propagationTo(resolveUrl(url), list, undefined), expect);
});

test('sampling.json: thresholds', () => {
  for (const { rate, th } of vectors('sampling').thresholds) {
    const limit = threshold(rate);
    assert.equal(limit === undefined ? null : rootTracestate(limit), th && `ot=th:${th}`);
  }
});

each('sampling', 'decisions', ({ rate, traceId, sampled }) => {
  assert.equal(isSampled(traceId, threshold(rate)), sampled);
});

test('sampling.json: an invalid rate is said loudly and taken as 1', () => {
  for (const rate of [...vectors('sampling').invalidRates, NaN, '0.5x']) {
    const said = [];
    assert.equal(checkedRate(rate, { loud: (key) => said.push(key) }), 1);
    assert.equal(said.length, 1);
  }
});

test('an unsampled root says so and carries no threshold', () => {
  const { traceparent, tracestate } = headersOf(tracer({ sampleRate: 0 }).start('root'));
  assert.match(traceparent, /-02$/);
  assert.equal(tracestate, undefined);
});

test('retry.json: limits', () => {
  const { attemptsMax, delayMsInitial, delayMsMax } = vectors('retry');
  assert.deepEqual(
    [retry.ATTEMPTS_MAX, retry.DELAY_MS_INITIAL, retry.DELAY_MS_MAX],
    [attemptsMax, delayMsInitial, delayMsMax],
  );
});

each('retry', 'outcomes', ({ status, outcome }) => {
  assert.equal(retry.outcomeOf(status), outcome);
});

each('retry', 'delays', ({ attempt, retryAfter, now, delayMs }) => {
  const [from, to] = [delayMs].flat().length === 2 ? delayMs : [delayMs, delayMs];
  for (let time = 0; time < 20; time++) {
    const delay = retry.retryDelay(attempt, retryAfter, Date.parse(now));
    assert.ok(delay >= from && delay <= to, `${delay} is not within ${from} and ${to}`);
  }
});

each('endpoint', 'cases', ({ endpoint, url }) => {
  assert.equal(tracesUrl(endpoint ?? undefined) ?? null, url);
});

each('redaction', 'urls', ({ url, expect }) => {
  assert.equal(redactUrl(url), expect);
});

function plain(value) {
  const [[kind, held]] = Object.entries(value);
  if (kind === 'int') return Number(held);
  return kind === 'array' ? held.map(plain) : held;
}

const tags = (pairs = []) => Object.fromEntries(pairs.map(([key, value]) => [key, plain(value)]));

/** The parent as the tracer knows it: a span of ours, or what a caller's headers said. */
function parentOf(abstract, start) {
  if (!abstract.parentSpanId) return null;
  return abstract.parentIsRemote ? { ...abstract, spanId: abstract.parentSpanId } : start('parent');
}

/** An ended span, recorded by the tracer and then put at the abstract one's place and time. */
function spanOf(abstract, start) {
  const span = start(abstract.name, { kind: abstract.kind, parent: parentOf(abstract, start) });
  span.setTags(tags(abstract.attributes));
  for (const event of abstract.events ?? []) span.addEvent(event.name, tags(event.attributes));
  const { code, message } = abstract.status ?? { code: 'UNSET' };
  span.setStatus(code, message).end();
  const micros = (nanos) => Number(nanos.slice(0, -3));
  Object.assign(span, {
    traceId: abstract.traceId,
    spanId: abstract.spanId,
    parentSpanId: abstract.parentSpanId ?? '',
    random: abstract.random === true,
    tracestate: abstract.traceState ?? '',
    startMicros: micros(abstract.startTimeUnixNano),
    endMicros: micros(abstract.endTimeUnixNano),
    eventsDropped: abstract.droppedEventsCount ?? 0,
  });
  span.attributes.dropped = abstract.droppedAttributesCount ?? 0;
  span.events.forEach((event, index) => {
    event.micros = micros(abstract.events[index].timeUnixNano);
  });
  return span;
}

each('otlp', 'cases', ({ resource, scope, spans, json }) => {
  const made = tracer();
  const start = (name, options) => made.start(name, options);
  const ended = spans.map((abstract) => spanOf({ sampled: true, ...abstract }, start));
  assert.deepEqual(JSON.parse(otlpEncoder(tags(resource), scope)(ended)), json);
});
