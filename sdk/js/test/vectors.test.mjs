/** The shared vectors, run on the shared sources. */

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import { decodeRequest } from './support/protobuf.mjs';
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
const attributes = await source('attributes');
const exporter = await source('exporter');
const { parseBaggage, formatBaggage, ...baggage } = await source('baggage');
const { jsonSpan, jsonRequest } = await source('otlp');
const { NodeSpan, Tracer, drawWords, protobufSpan, protobufRequest } = await source(
  'tracer',
  '../node/src/ids',
  '../node/src/otlp',
  '../node/src/span',
);

function each(file, section, check) {
  describe(`${file}.json: ${section}`, () => {
    for (const one of vectors(file)[section]) test(one.name, () => check(one));
  });
}

function tracer(options = {}) {
  return new Tracer({
    draw: drawWords(),
    sampleRate: 1,
    enabled: true,
    current: () => undefined,
    globalTags: new attributes.Attributes(),
    export: () => {},
    Span: NodeSpan,
    ...options,
  });
}

function headersOf(context) {
  const headers = {};
  inject(context, (name, value) => (headers[name] = value));
  return headers;
}

each('traceparent', 'parse', ({ headers, expect }) => {
  const { spanId: parentId, tracestate, ...found } = parseTraceparent(headers) ?? {};
  assert.equal(tracestate ?? '', '');
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
    trace: abstract.traceId,
    id: abstract.spanId,
    parent: abstract.parentSpanId ?? '',
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

each('otlp', 'cases', ({ resource, scope, spans, json, protobufHex }) => {
  const made = tracer();
  const start = (name, options) => made.start(name, options);
  const ended = spans.map((abstract) => spanOf({ sampled: true, ...abstract }, start));
  const service = tags(resource);
  assert.deepEqual(JSON.parse(jsonRequest(service, scope)(ended.map(jsonSpan))), json);
  const bytes = protobufRequest(service, scope)(ended.map(protobufSpan));
  assert.deepEqual(decodeRequest(bytes), decodeRequest(Buffer.from(protobufHex, 'hex')));
});

each('w3c', 'cases', ({ requests }) => {
  for (const { headers, calls = 1, expect } of requests) {
    const of = (wanted) => headers.filter(([name]) => name.toLowerCase() === wanted).map(([, value]) => value);
    const parent = extract(of('traceparent'), of('tracestate'));
    const server = tracer().start('server', { parent: parent ?? null });
    const sent = Array.from({ length: calls }, () => headersOf(server.startSpan('client')));
    assert.equal(new Set(sent.map(({ traceparent }) => traceparent)).size, calls);
    for (const { traceparent, tracestate = null } of sent) {
      assert.match(traceparent, /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/);
      const [, traceId, spanId, flags] = traceparent.split('-');
      assert.equal(traceId, server.traceId);
      const incoming = String(of('traceparent')[0]);
      assert.equal(incoming.includes(traceId), expect.sameTrace);
      assert.ok(!incoming.includes(spanId));
      assert.deepEqual({ flags, tracestate }, { flags: expect.flags, tracestate: expect.tracestate });
    }
  }
});

each('baggage', 'parse', ({ headers, members }) => {
  assert.deepEqual(parseBaggage(headers), members);
});

each('baggage', 'make', ({ members, header }) => {
  assert.equal(formatBaggage(members) || null, header);
});

each('baggage', 'continue', ({ incoming, expect }) => {
  assert.equal(formatBaggage(parseBaggage(incoming.baggage)) || null, expect);
});

test('limits.json: the constants', () => {
  const limits = vectors('limits');
  assert.deepEqual(
    [attributes.COUNT_MAX, attributes.SPAN_BYTES_MAX, attributes.STRING_BYTES_MAX],
    [limits.attributesMax, limits.spanBytesMax, limits.stringBytesMax],
  );
  assert.deepEqual([attributes.ITEMS_MAX, attributes.DEPTH_MAX], [limits.arrayItemsMax, limits.depthMax]);
  assert.deepEqual(
    [exporter.QUEUE_MAX, exporter.QUEUE_BYTES_MAX, exporter.BATCH_MAX, exporter.INTERVAL_MS],
    [limits.queueSpansMax, limits.queueBytesMax, limits.batchSpansMax, limits.batchDelayMs],
  );
  const { membersMax, bytesMax } = vectors('baggage');
  assert.deepEqual([baggage.MEMBERS_MAX, baggage.BYTES_MAX], [membersMax, bytesMax]);
});

/** An ended span as both encodings tell it. */
function encodings(span) {
  const service = [{ 'service.name': 'limits' }, { name: 's', version: '1' }];
  const bytes = protobufRequest(...service)([protobufSpan(span)]);
  const bodies = [JSON.parse(jsonRequest(...service)([jsonSpan(span)])), decodeRequest(bytes)];
  return bodies.map((body) => body.resourceSpans[0].scopeSpans[0].spans[0]);
}

const count = (list = []) => list.length;

each('limits', 'counts', (one) => {
  const span = tracer().start('limits');
  const keys = (n = 0) => Object.fromEntries(Array.from({ length: n }, (_, i) => [`k${i}`, i]));
  span.setTags(keys(one.attributes)).setTags(keys(one.again));
  for (let i = 0; i < (one.events ?? 0); i++) span.addEvent('e', keys(one.eventAttributes));
  for (let i = 0; i < (one.links ?? 0); i++) span.addLink(tracer().start('linked'));
  span.end();
  for (const out of encodings(span).slice(one.links ? 1 : 0)) {
    const event = out.events?.[0] ?? {};
    const found = {
      kept: {
        attributes: count(out.attributes),
        events: count(out.events),
        links: count(out.links),
        eventAttributes: count(event.attributes),
      },
      dropped: {
        attributes: out.droppedAttributesCount ?? 0,
        events: out.droppedEventsCount ?? 0,
        links: out.droppedLinksCount ?? 0,
        eventAttributes: event.droppedAttributesCount ?? 0,
      },
    };
    for (const what of ['kept', 'dropped']) {
      for (const name in one[what]) assert.equal(found[what][name], one[what][name], `${what} ${name}`);
    }
  }
});

each('limits', 'truncation', ({ text, expect }) => {
  const whole = (pieces) => pieces.map(([piece, times]) => piece.repeat(times)).join('');
  const span = tracer().start('limits').setTag('text', whole(text));
  span.end();
  for (const { attributes: [{ value }] } of encodings(span)) {
    assert.ok(value.stringValue === whole(expect), 'not cut at the right place');
  }
});

test('limits.json: a span that would be too long loses attributes and events, which are counted', () => {
  const span = tracer().start('limits');
  const long = 'x'.repeat(vectors('limits').stringBytesMax);
  for (let i = 0; i < 10; i++) span.setTag(`k${i}`, long).addEvent('e', { long });
  span.setTag('short', 1).end();
  for (const out of encodings(span)) {
    assert.ok(JSON.stringify(out).length < vectors('limits').spanBytesMax * 1.1);
    assert.equal(count(out.attributes) + (out.droppedAttributesCount ?? 0), 11);
    assert.equal(count(out.events) + (out.droppedEventsCount ?? 0), 10);
    assert.equal(out.attributes.at(-1).key, 'short');
  }
});
