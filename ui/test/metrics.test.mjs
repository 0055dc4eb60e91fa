// What the charts are made of, without a browser.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { load } from './load.mjs';

const { groupsOf } = await load('metrics/groups.ts');
const { sparkPath } = await load('metrics/sparkline.tsx');
const { withDuration } = await load('metrics/with-duration.ts');

test('series become groups by their label, in the order of the answer', () => {
  const labels = { 'resource.service.name': 'a' };
  const groups = groupsOf({
    series: [
      { name: 'rate', unit: '1/s', labels: { 'resource.service.name': 'b' }, values: [9] },
      { name: 'rate', unit: '1/s', labels, values: [1, null] },
      { name: 'p95', unit: 'ns', labels, values: [5, 6] },
      { name: 'histogram', unit: 'ns', labels, bounds: [2, 4], counts: [[1, 0]] },
    ],
  });
  assert.deepEqual(
    groups.map(({ label, rate }) => [label, rate]),
    [
      ['b', [9]],
      ['a', [1, null]],
    ],
  );
  assert.deepEqual(groups[1].p95, [5, 6]);
  assert.deepEqual(groups[1].histogram, { bounds: [2, 4], counts: [[1, 0]] });
});

test('a sparkline breaks where nothing is known, and shows a lonely value', () => {
  assert.equal(sparkPath([0, 10]), 'M0.0 19.0L100.0 1.0');
  assert.equal(sparkPath([null, 5, null]), 'M50.0 1.0h2');
  assert.equal(sparkPath([null, null]), '');
  assert.equal(sparkPath([0, 0]), 'M0.0 19.0L100.0 19.0');
});

test('a closer look never looks wider than what was typed', () => {
  assert.equal(withDuration('duration>=600ms', 2 ** 29, 2 ** 30), 'duration>=600ms duration<1.07s');
  assert.equal(
    withDuration('duration>=537ms error duration<1.07s', 0, 2 ** 31),
    'error duration>=537ms duration<1.07s',
  );
  assert.equal(withDuration('duration>1s', 0, 2 ** 31), 'duration>1s duration<2.15s');
});

test('a range of durations is added to what was typed, in its own language, once', () => {
  assert.equal(withDuration('', 8, 16), 'duration>=8ns duration<16ns');
  assert.equal(withDuration('error', 0, 16), 'error duration<16ns');
  assert.equal(withDuration('name:"a  b"', 0, 16), 'name:"a  b" duration<16ns');
  assert.equal(withDuration('error', 0, Infinity), 'error');
  assert.equal(
    withDuration('error duration>=8ns duration<16ns', 10, 12),
    'error duration>=10ns duration<12ns',
  );
  assert.equal(withDuration('', 2 ** 29, 2 ** 30), 'duration>=537ms duration<1.07s');
  assert.equal(withDuration('', 2 ** 12, 2 ** 37), 'duration>=4.1µs duration<137s');
  assert.equal(
    withDuration('{ status = error || kind = client }', 8, 16),
    '{ (status = error || kind = client) && duration >= 8ns && duration < 16ns }',
  );
  assert.equal(withDuration('{ }', 8, 16), '{ duration >= 8ns && duration < 16ns }');
  assert.equal(withDuration('{ } >> { }', 8, 16), '{ } >> { }');
});
