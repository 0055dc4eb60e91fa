// What the page reads out of the columns, and finds out about them, without a browser.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { columnsOf } from './columns.mjs';
import {
  baseNano,
  failedTrace,
  goldenTrace,
  hostileTrace,
  makeTrace,
  random,
} from './fixture-data.mjs';
import { load } from './load.mjs';

const { readColumns } = await load('trace/columns.ts');
const { analyse } = await load('trace/analysis.ts');
const { find } = await load('trace/find.ts');
const { findInTags, tagTexts } = await load('trace/tags.ts');
const { causes, isAsync, pathUp } = await load('trace/marks.ts');
const { idOf, nameOf, serviceOf, spanOf } = await load('trace/trace.ts');
const { isSkewed } = await load('trace/skew.ts');
const { lanesOf } = await load('waterfall/lanes.ts');
const { curlOf } = await load('panel/curl.ts');

const buffer = (bytes) => bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
const read = (json, limit) => readColumns(buffer(columnsOf(json, limit)));
const id = (n) => n.toString(16).padStart(16, '0');
const made = (...spans) => read(makeTrace('1'.repeat(32), baseNano, spans));

/** A tree of services that call each other, in which spans outlive their parents now and then. */
function randomTrace(seed, count) {
  const next = random(seed);
  const spans = [{ id: id(1), name: 'root', service: 'a', at: 0, for: 1000 }];
  for (let i = 2; i <= count; i++) {
    const parent = spans[Math.floor(next() * spans.length)];
    spans.push({
      id: id(i),
      parent: next() < 0.02 ? id(i + 1e6) : parent.id,
      name: next() < 0.1 ? 'abc'[Math.floor(next() * 3)] : `op ${Math.floor(next() * 9)}`,
      service: next() < 0.6 ? parent.service : 'abc'[Math.floor(next() * 3)],
      kind: ['SERVER', 'CLIENT', 'INTERNAL', 'CONSUMER'][Math.floor(next() * 4)],
      at: parent.at + parent.for * next(),
      for: parent.for * next(),
      status: next() < 0.1 ? { code: 'ERROR' } : undefined,
    });
  }
  return makeTrace('2'.repeat(32), baseNano, spans);
}

test('every span is read as it was written, for traces of many shapes', () => {
  const shapes = [
    goldenTrace(),
    failedTrace(),
    hostileTrace(),
    randomTrace(1, 2),
    randomTrace(2, 900),
  ];
  for (const json of shapes) {
    const trace = read(json);
    assert.equal(trace.spans.count, json.spans.length);
    assert.deepEqual(trace.services, json.services);
    json.spans.forEach((span, i) => {
      const { spans } = trace;
      const start = Number(BigInt(span.startTimeUnixNano) - BigInt(json.startTimeUnixNano));
      assert.deepEqual(
        [idOf(spans, i), nameOf(trace, i), serviceOf(trace, i), spans.depth[i], spans.start[i]],
        [span.spanId, span.name, span.serviceName, span.depth, start],
      );
      assert.equal(spans.duration[i], Number(span.durationNano));
      assert.equal(spans.self[i], Number(span.selfTimeNano));
      assert.equal(spanOf(spans, span.spanId), i);
      const parent = spans.parent[i];
      if (!span.orphan)
        assert.equal(parent < 0 ? undefined : idOf(spans, parent), span.parentSpanId);
    });
  }
});

test('the first rows alone are a tree, too, and the same rows', () => {
  const json = randomTrace(3, 600);
  const whole = read(json);
  for (const limit of [1, 2, 37, 400]) {
    const part = read(json, limit);
    assert.equal(part.rows.count, limit);
    assert.equal(part.rowTotal, whole.rowTotal);
    for (let row = 0; row < limit; row++) {
      const [mine, its] = [part.rows.what[row], whole.rows.what[row]];
      assert.equal(mine < 0, its < 0);
      if (mine >= 0) assert.equal(idOf(part.spans, mine), idOf(whole.spans, its));
    }
  }
});

test('a damaged answer is refused, wherever it is cut', () => {
  const bytes = columnsOf(goldenTrace());
  for (let size = 0; size < bytes.length; size++) {
    assert.throws(() => readColumns(buffer(bytes.subarray(0, size))), `cut at ${size}`);
  }
  const other = Uint8Array.from(bytes);
  other[8] = 9;
  assert.throws(() => readColumns(other.buffer), /another version/);
});

test('the critical path sums to the document’s 420 ms', () => {
  const trace = read(goldenTrace());
  const { path } = analyse(trace);
  const of = {};
  path.span.forEach((span, i) => {
    of[nameOf(trace, span)] = (of[nameOf(trace, span)] ?? 0) + (path.to[i] - path.from[i]) / 1e6;
  });
  assert.equal(
    Object.values(of).reduce((sum, part) => sum + part),
    420,
  );
  assert.deepEqual(of, {
    'React Frontend': 40,
    'fetch /api/users': 20,
    'Node.js API': 20,
    'GET /api/users': 60,
    'GET /users': 60,
    'db.Query': 180,
    'validate-auth': 40,
  });
});

test('pieces of any critical path lie end to end', () => {
  for (let seed = 10; seed < 30; seed++) {
    const trace = read(randomTrace(seed, 200));
    const { path } = analyse(trace);
    const pieces = Array.from(path.span, (_, i) => [path.from[i], path.to[i]]);
    pieces.sort((a, b) => a[0] - b[0]);
    assert.equal(pieces[0][0], 0);
    assert.equal(pieces.at(-1)[1], 1000e6);
    pieces.slice(1).forEach(([from], i) => assert.equal(from, pieces[i][1]));
  }
});

test('what nobody waits for is async and not on the critical path', () => {
  const trace = made(
    { id: id(1), name: 'request', service: 'a', at: 0, for: 100 },
    { id: id(2), parent: id(1), name: 'work', service: 'a', at: 10, for: 50 },
    { id: id(3), parent: id(1), name: 'runs on', service: 'a', at: 20, for: 500 },
    { id: id(4), parent: id(1), name: 'later', service: 'a', at: 200, for: 5 },
    { id: id(5), parent: id(1), name: 'send', service: 'a', kind: 'PRODUCER', at: 70, for: 20 },
    { id: id(6), parent: id(5), name: 'consume', service: 'b', kind: 'CONSUMER', at: 75, for: 10 },
  );
  const names = (test) =>
    Array.from({ length: 6 }, (_, i) => i)
      .filter(test)
      .map((i) => nameOf(trace, i));
  assert.deepEqual(
    names((i) => isAsync(trace.spans, i)),
    ['runs on', 'consume', 'later'],
  );
  const { path } = analyse(trace);
  assert.deepEqual([...new Set(Array.from(path.span, (span) => nameOf(trace, span)))].sort(), [
    'request',
    'send',
    'work',
  ]);
});

test('an error is followed from its cause up', () => {
  const trace = read(failedTrace());
  const [first, ...others] = causes(trace.spans, 9);
  assert.deepEqual(others, []);
  assert.deepEqual(
    pathUp(trace.spans, first).map((span) => nameOf(trace, span)),
    ['charge', 'POST /checkout'],
  );
});

/** Calls from a to b whose clock is ahead by `ahead` ms. */
const calls = (ahead, lengths) =>
  lengths.flatMap(([at, there, work, back], i) => [
    {
      id: id(10 * i + 2),
      parent: id(1),
      name: 'call',
      service: 'a',
      kind: 'CLIENT',
      at,
      for: there + work + back,
    },
    {
      id: id(10 * i + 3),
      parent: id(10 * i + 2),
      name: 'serve',
      service: 'b',
      kind: 'SERVER',
      at: at + there + ahead,
      for: work,
    },
  ]);
const root = { id: id(1), name: 'root', service: 'a', at: 0, for: 1000 };

test('clock skew is bounded by all calls between two services', () => {
  const skewOf = (ahead) => {
    const trace = made(
      root,
      ...calls(ahead, [
        [100, 5, 50, 9],
        [300, 2, 50, 30],
        [500, 9, 50, 3],
      ]),
    );
    return analyse(trace);
  };
  const { skews, clocks } = skewOf(90);
  assert.deepEqual(
    skews.map(({ least, most, calls }) => [least / 1e6, most / 1e6, calls]),
    [[87, 92, 3]],
  );
  assert.equal(isSkewed(skews[0]), true);
  assert.deepEqual(
    [...clocks].map((clock) => clock / 1e6),
    [0, 89.5],
  );
  assert.equal(isSkewed(skewOf(0).skews[0]), false);
  assert.deepEqual([...skewOf(0).clocks], [0, 0]);
});

test('a server that is done after its answer was read has no other clock', () => {
  const { skews, clocks } = analyse(made(root, ...calls(0, [[100, 5, 90, -20]])));
  assert.ok(skews[0].least > 0);
  assert.equal(isSkewed(skews[0]), false);
  assert.deepEqual([...clocks], [0, 0]);
});

test('statistics count, and find the middle', () => {
  const spans = [4, 1, 3, 2, 100].map((length, i) => ({
    id: id(i + 2),
    parent: id(1),
    name: 'op',
    service: 'a',
    at: 0,
    for: length,
    status: i === 4 ? { code: 'ERROR' } : undefined,
  }));
  const trace = made(root, ...spans);
  const { statistics: stats } = analyse(trace);
  const op = [...stats.spans].indexOf(5);
  assert.deepEqual(
    ['spans', 'errors', 'total', 'p50', 'p95', 'max'].map((column) => stats[column][op]),
    [5, 1, 110e6, 3e6, 100e6, 100e6],
  );
});

test('a search finds names in any case, and only where they are', () => {
  const trace = read(goldenTrace());
  const found = (text) => {
    const { spans } = find(trace, text);
    return Array.from(spans, (hit, i) => (hit ? nameOf(trace, i) : '')).filter(Boolean);
  };
  assert.deepEqual(found('DB.q'), ['db.Query']);
  assert.deepEqual(found('/users'), ['fetch /api/users', 'GET /api/users', 'GET /users']);
  assert.deepEqual(found('users\nGET'), []);
  assert.deepEqual([...find(trace, 'micro').visits], [0, 0, 1]);
  assert.equal(find(trace, 'micro').rowCount, 1);
  assert.equal(find(trace, 'react').rowCount, 1, 'a folded span and its row are one');
  const hostile = read(hostileTrace());
  const hit = find(hostile, 'EVIL').spans;
  assert.deepEqual([...hit].filter(Boolean).length, 1);
  assert.match(nameOf(hostile, hit.indexOf(1)), /evil/);
});

test('no two spans of a lane overlap', () => {
  const { spans } = read(randomTrace(5, 100));
  const { lane, count } = lanesOf(spans);
  const lanes = Array.from({ length: count }, () => []);
  for (let span = 0; span < spans.count; span++) {
    const [from, to] = [spans.start[span], spans.start[span] + spans.duration[span]];
    for (const [a, b] of lanes[lane[span]]) assert.ok(to <= a || from >= b || from === to);
    lanes[lane[span]].push([from, to]);
    if (spans.parent[span] >= 0) assert.ok(lane[span] > lane[spans.parent[span]]);
  }
});

test('a tag finds the spans that have it, and a part of it only where none has', () => {
  const base = { name: 'a', service: 'a', at: 0, for: 1 };
  const users = [1, 10, 100].map((user, i) => ({ 'user.id': user, role: i ? 'Admin' : 'admin' }));
  const spans = users.map((attributes, i) => ({ ...base, id: id(i + 1), attributes }));
  const json = makeTrace('1'.repeat(32), baseNano, spans);
  const trace = read(json);
  const texts = tagTexts(trace, json.spans);
  const found = (wanted) => {
    const { spans: inSpans } = findInTags(trace, texts, wanted);
    return [1, 2, 3].filter((n) => inSpans[spanOf(trace.spans, id(n))]);
  };
  assert.deepEqual(found('user.id=1'), [1]);
  assert.deepEqual(found('User.id=10'), [2]);
  assert.deepEqual(found('role=admin'), [1, 2, 3]);
  assert.deepEqual(found('user.id='), [1, 2, 3]);
  assert.deepEqual(found('r.id=10'), [2, 3]);
  assert.deepEqual(found('user.id=1000'), []);
});

test('curl repeats a request into the same trace, without what is secret, quoted', () => {
  const attributes = { 'url.full': "http://me:pw@host/a?b='c'", 'http.request.method': 'POST' };
  assert.equal(
    curlOf('t', 's', attributes),
    `curl -g -X 'POST' -H 'traceparent: 00-t-s-01' 'http://host/a?b='\\''c'\\'''`,
  );
  assert.equal(curlOf('t', 's', { 'http.route': '/a' }), null);
  const served = { 'server.address': 'shop.test', 'server.port': 8443, 'url.path': '/a' };
  assert.equal(
    curlOf('t', 's', { ...served, 'url.scheme': 'https', 'url.query': 'b=1' }),
    "curl -g -H 'traceparent: 00-t-s-01' 'https://shop.test:8443/a?b=1'",
  );
  const paths = {
    '/a#b?c': '/a%23b%3Fc',
    '/ä b\n': '/%C3%A4%20b%0A',
    '/a%23b[1]': '/a%23b[1]',
    '/🚀\ud800': '/%F0%9F%9A%80\ud800',
  };
  for (const [path, encoded] of Object.entries(paths)) {
    assert.equal(
      curlOf('t', 's', { ...served, 'url.path': path }),
      `curl -g -H 'traceparent: 00-t-s-01' 'http://shop.test:8443${encoded}'`,
    );
  }
  assert.equal(curlOf('t', 's', { ...served, 'server.address': '-o /etc/x' }), null);
  for (const url of ['-K/tmp/settings', 'file:///etc/passwd', 'http://host/\x03\nreboot\n']) {
    assert.equal(curlOf('t', 's', { 'url.full': url }), null);
  }
  assert.equal(
    curlOf('t', 's', { 'url.full': 'http://host/', 'http.request.method': 'G\x15' }),
    null,
  );
});
