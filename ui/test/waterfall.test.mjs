import assert from 'node:assert/strict';
import { test } from 'node:test';
import { failedTrace, goldenTrace } from './fixture-data.mjs';
import { load } from './load.mjs';

const { ticks } = await load('waterfall/axis.ts');
const { Viewport } = await load('waterfall/viewport.ts');
const { JsonRows } = await load('waterfall/rows.ts');
const { colourIndex } = await load('waterfall/colour.ts');

test('ticks are round, start at 0 and stay on the axis', () => {
  assert.deepEqual(
    ticks(420e6, 5).map((tick) => tick.nanos / 1e6),
    [0, 100, 200, 300, 400],
  );
  assert.deepEqual(
    ticks(1e9, 4).map((tick) => tick.percent),
    [0, 25, 50, 75, 100],
  );
  assert.deepEqual(
    ticks(150e9, 4).map((tick) => tick.nanos / 1e9),
    [0, 60, 120],
  );
  assert.deepEqual(ticks(0, 5), [{ nanos: 0, percent: 0 }]);
  for (const duration of [1, 7, 999, 1234, 5e4, 3.3e7, 8e9, 61e9, 9e12, 9e15]) {
    for (const most of [1, 3, 9]) {
      const found = ticks(duration, most);
      assert.ok(found.length <= most + 1, `${duration} ${most}: ${found.length}`);
      assert.ok(found.every((tick) => tick.percent >= 0 && tick.percent <= 100));
    }
  }
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
  const rows = new JsonRows(goldenTrace());
  assert.equal(rows.count, 8);
  for (let index = 0; index < rows.count; index++) {
    assert.equal(rows.indexOf(rows.read(index).key), index);
  }
  assert.equal(rows.indexOf('none'), -1);
});

test('a row knows the row it is indented under, and a visit its last row', () => {
  const rows = new JsonRows(goldenTrace());
  assert.deepEqual(
    [0, 1, 2, 3, 4, 5, 6, 7].map((i) => rows.parentOf(i)),
    [-1, 0, -1, 2, 2, -1, 5, 6],
  );
  assert.deepEqual(
    [0, 2, 5].map((i) => rows.visitEnd(i)),
    [2, 5, 8],
  );
});

test('an error marks its span and its visit, and no other', () => {
  const rows = new JsonRows(failedTrace());
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

test('a service keeps its colour, and the document’s three services have three', () => {
  const services = ['React Frontend', 'Node.js API', 'Go Microservice'];
  assert.equal(new Set(services.map(colourIndex)).size, 3);
  assert.deepEqual(services.map(colourIndex), services.map(colourIndex));
  for (let i = 0; i < 1000; i++) assert.ok(colourIndex(`s${i}`) >= 0 && colourIndex(`s${i}`) < 12);
});
