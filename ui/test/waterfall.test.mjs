import assert from 'node:assert/strict';
import { test } from 'node:test';
import { columnsOf } from './columns.mjs';
import { baseNano, failedTrace, goldenTrace, makeTrace } from './fixture-data.mjs';
import { load } from './load.mjs';

const { ticks } = await load('waterfall/axis.ts');
const { Viewport } = await load('waterfall/viewport.ts');
const { Rows } = await load('waterfall/rows.ts');
const { colourIndex } = await load('waterfall/colour.ts');
const time = await load('waterfall/time-window.ts');
const { readColumns } = await load('trace/columns.ts');
const { analyse } = await load('trace/analysis.ts');
const { boxOf, ownPieces, shade } = await load('waterfall/bar.ts');

const opened = (json, limit) => {
  const bytes = columnsOf(json, limit);
  const trace = readColumns(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
  return { trace, analysis: limit ? null : analyse(trace) };
};
const rowsOf = (json, options = {}) =>
  new Rows(opened(json), { layout: 'services', gaps: false, clocks: null, ...options });
const labels = (rows) => Array.from({ length: rows.count }, (_, i) => rows.read(i).label);

test('ticks are round, start at 0 and stay on the axis', () => {
  const all = (to, most) => ticks({ from: 0, to }, most);
  assert.deepEqual(
    all(420e6, 5).map((tick) => tick.nanos / 1e6),
    [0, 100, 200, 300, 400],
  );
  assert.deepEqual(
    all(1e9, 4).map((tick) => tick.percent),
    [0, 25, 50, 75, 100],
  );
  assert.deepEqual(
    all(150e9, 4).map((tick) => tick.nanos / 1e9),
    [0, 60, 120],
  );
  assert.deepEqual(
    ticks({ from: 95e6, to: 205e6 }, 3).map((tick) => tick.nanos / 1e6),
    [100, 150, 200],
  );
  for (const duration of [1, 7, 999, 1234, 5e4, 3.3e7, 8e9, 61e9, 9e12, 9e15]) {
    for (const most of [1, 3, 9]) {
      const found = all(duration, most);
      assert.ok(found.length <= most + 1, `${duration} ${most}: ${found.length}`);
      assert.ok(found.every((tick) => tick.percent >= 0 && tick.percent <= 100));
    }
  }
});

test('a window of time zooms at a point, moves, and stays within the trace', () => {
  const all = time.whole(1000);
  assert.deepEqual(time.zoom(all, 2, 0.5, 1000), { from: 250, to: 750 });
  assert.deepEqual(time.zoom(all, 2, 0, 1000), { from: 0, to: 500 });
  assert.deepEqual(time.zoom({ from: 0, to: 500 }, 0.25, 0.5, 1000), all);
  assert.deepEqual(time.pan({ from: 250, to: 750 }, 0.1, 1000), { from: 300, to: 800 });
  assert.deepEqual(time.pan({ from: 250, to: 750 }, 9, 1000), { from: 500, to: 1000 });
  assert.deepEqual(time.readWindow('100-200', 1000), { from: 100, to: 200 });
  for (const odd of [null, '', 'x', '200-100', '5', '1-2-3']) {
    assert.deepEqual(time.readWindow(odd, 1000), all);
  }
  assert.equal(time.writeWindow(all, 1000), null);
  assert.equal(time.writeWindow({ from: 100.4, to: 200.2 }, 1000), '100-201');
  let deep = time.whole(1e9);
  for (let i = 0; i < 200; i++) deep = time.zoom(deep, 1.5, 0.3, 1e9);
  assert.ok(deep.to > deep.from && Math.abs(deep.from - 3e8) < 1000, JSON.stringify(deep));
});

test('a short list is scrolled pixel by pixel', () => {
  const view = new Viewport(100, 26, 260);
  assert.equal(view.height, 2600);
  assert.equal(view.topRow(130), 5);
  assert.equal(view.rowTop(7, 130), 182);
  assert.equal(view.scrollTopShowing(7, 130), 130);
  assert.equal(view.scrollTopShowing(2, 130), 52);
  assert.equal(view.scrollTopShowing(99, 0), 2340);
});

test('a list that fits is never scrolled', () => {
  const view = new Viewport(8, 26, 600);
  assert.equal(view.topRow(0), 0);
  assert.equal(view.scrollTopShowing(7, 0), 0);
});

test('a million rows stay under the browsers’ height and every one can be reached', () => {
  const view = new Viewport(1_000_000, 26, 700);
  assert.ok(view.height < 16_700_000);
  assert.equal(view.topRow(0), 0);
  const bottom = view.height - 700;
  assert.ok(Math.abs(view.topRow(bottom) - (1_000_000 - 700 / 26)) < 0.001);
  for (const index of [0, 1, 499_999, 999_999]) {
    const scrollTop = view.scrollTopShowing(index, 0);
    const top = view.rowTop(index, scrollTop) - scrollTop;
    assert.ok(top >= -1 && top + 26 <= 701, `${index}: ${top}`);
  }
});

test('a row is found again by its key', () => {
  for (const options of [{}, { layout: 'tree' }, { gaps: true }]) {
    const rows = rowsOf(goldenTrace(), options);
    for (let index = 0; index < rows.count; index++) {
      const row = rows.read(index);
      if (row.type !== 'gap') assert.equal(rows.indexOf(row.key), index, row.label);
    }
    assert.equal(rows.indexOf('none'), -1);
    assert.equal(rows.indexOf('ffffffffffffffff'), -1);
  }
});

test('the tree has a row for each span, and its own times', () => {
  const rows = rowsOf(goldenTrace(), { layout: 'tree' });
  const seen = Array.from({ length: rows.count }, (_, i) => rows.read(i));
  assert.deepEqual(
    seen.map((row) => [row.depth, row.label, row.durationNano / 1e6]),
    [
      [0, 'React Frontend', 420],
      [1, 'fetch /api/users', 380],
      [2, 'Node.js API', 360],
      [3, 'GET /api/users', 300],
      [4, 'GET /users', 240],
      [5, 'db.Query', 180],
      [3, 'validate-auth', 40],
    ],
  );
});

test('a row knows the row it is indented under', () => {
  const rows = rowsOf(goldenTrace());
  assert.deepEqual(
    [0, 1, 2, 3, 4, 5, 6, 7].map((i) => rows.parentOf(i)),
    [-1, 0, -1, 2, 2, -1, 5, 6],
  );
});

test('a row folds what is indented under it, a service all that it called too', () => {
  const rows = rowsOf(goldenTrace());
  rows.fold(2, true, false);
  assert.deepEqual(labels(rows), [
    'React Frontend',
    'fetch /api/users',
    'Node.js API',
    'Go Microservice',
    'GET /users',
    'db.Query',
  ]);
  assert.equal(rows.read(2).hidden, 2);
  rows.fold(2, true, true);
  assert.deepEqual(labels(rows), ['React Frontend', 'fetch /api/users', 'Node.js API']);
  assert.equal(rows.read(2).hidden, 5);
  assert.equal(rows.indexOf('00f067aa0ba902b7'), 2, 'a hidden row is where it is folded into');
  assert.equal(rows.reveal('00f067aa0ba902b7'), 7);
  rows.foldBelow(0);
  assert.deepEqual(labels(rows), ['React Frontend', 'Node.js API', 'Go Microservice']);
  rows.foldBelow(1);
  assert.equal(rows.count, 7);
  rows.foldBelow(9);
  assert.equal(rows.count, 8);
});

test('gaps are rows of their own, named and bounded', () => {
  const rows = rowsOf(goldenTrace(), { gaps: true });
  const gaps = Array.from({ length: rows.count }, (_, i) => rows.read(i))
    .filter((row) => row.type === 'gap')
    .map((row) => [row.label, row.offsetNano / 1e6, row.durationNano / 1e6]);
  assert.deepEqual(gaps.slice(0, 4), [
    ['own work or not instrumented', 0, 20],
    ['own work or not instrumented', 400, 20],
    ['request on the way, at most 20ms: network + queue', 20, 10],
    ['response on the way, at most 20ms: network + queue', 390, 10],
  ]);
});

test('an error marks its span and its visit, and no other', () => {
  const rows = rowsOf(failedTrace());
  const marks = Array.from({ length: rows.count }, (_, i) => [
    rows.read(i).label,
    rows.read(i).isError,
  ]);
  assert.deepEqual(marks, [
    ['checkout', true],
    ['POST /checkout', true],
    ['payments', true],
    ['charge', true],
    ['ledger', false],
    ['settle', false],
  ]);
  assert.equal(rows.read(5).isOrphan, true);
});

test('a bar is cut off at the edges, and shows where a span worked itself', () => {
  assert.deepEqual(boxOf(100, 200, { from: 0, to: 1000 }), { left: 10, width: 10 });
  assert.deepEqual(boxOf(-1e9, 1e12, { from: 0, to: 1000 }), { left: -2, width: 104 });
  const open = opened(goldenTrace());
  const own = (span) =>
    ownPieces(open, span)
      .flat()
      .map((share) => Math.round(share * 380));
  assert.deepEqual(own(1), [0, 10, 370, 380]);
  assert.equal(shade(ownPieces(open, 5)), '');
  const many = Array.from({ length: 500 }, (_, i) => ({
    id: (i + 2).toString(16).padStart(16, '0'),
    parent: '0000000000000001',
    name: 'child',
    service: 's',
    at: i * 10,
    for: 4,
  }));
  const root = { id: '0000000000000001', name: 'root', service: 's', at: 0, for: 5000 };
  const pieces = ownPieces(opened(makeTrace('1'.repeat(32), baseNano, [root, ...many])), 0);
  assert.ok(pieces.length <= 24 && pieces.at(-1)[1] === 1, String(pieces));
});

test('a service keeps its colour, and the document’s three services have three', () => {
  const services = ['React Frontend', 'Node.js API', 'Go Microservice'];
  assert.equal(new Set(services.map(colourIndex)).size, 3);
  assert.deepEqual(services.map(colourIndex), services.map(colourIndex));
  for (let i = 0; i < 1000; i++) assert.ok(colourIndex(`s${i}`) >= 0 && colourIndex(`s${i}`) < 12);
});
