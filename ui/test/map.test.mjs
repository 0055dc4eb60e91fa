// Where the boxes of the map stand, and what a click on a call asks.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { load } from './load.mjs';

const { layOut } = await load('map/layout.ts');
const { choose, queryOf, shownCallsMax, shownNodesMax } = await load('map/calls.ts');
const sizes = { width: 100, height: 40, columnGap: 50, gap: 10 };

test('who calls stands left of whom it calls', () => {
  const { boxes, width } = layOut(4, [[0, 1], [1, 2], [0, 3], [3, 2]], sizes); // prettier-ignore
  assert.deepEqual(boxes.map(({ x }) => x), [0, 150, 300, 150]); // prettier-ignore
  assert.equal(width, 400);
});

test('boxes of a column do not touch', () => {
  const lines = Array.from({ length: 60 }, (_, i) => [i % 7, 7 + ((i * 13) % 30)]);
  const { boxes, height } = layOut(37, lines, sizes);
  for (const a of boxes) {
    assert.ok(a.y >= 0 && a.y + sizes.height <= height + 1e-6);
    for (const b of boxes) {
      if (a !== b && a.x === b.x) assert.ok(Math.abs(a.y - b.y) >= sizes.height + sizes.gap - 1e-6);
    }
  }
});

test('a cycle is cut, and the line that closes it still leads from caller to callee', () => {
  const { boxes, lines } = layOut(3, [[0, 1], [1, 2], [2, 0]], sizes); // prettier-ignore
  assert.deepEqual(boxes.map(({ x }) => x), [0, 150, 300]); // prettier-ignore
  assert.equal(lines[2][0].x, 300, 'from the left of the last');
  assert.equal(lines[2].at(-1).x, 100, 'to the right of the first');
});

test('one that calls itself, one alone, and none at all are placed', () => {
  assert.equal(layOut(1, [[0, 0]], sizes).lines[0].length, 2);
  assert.deepEqual(layOut(1, [], sizes).boxes, [{ x: 0, y: 0 }]);
  assert.equal(layOut(0, [], sizes).boxes.length, 0);
});

test('a source stands before its first callee, not far to the left', () => {
  const { boxes } = layOut(4, [[0, 1], [1, 2], [3, 2]], sizes); // prettier-ignore
  assert.equal(boxes[3].x, 150);
});

test('a line over several columns passes between the boxes there', () => {
  const { boxes, lines } = layOut(3, [[0, 1], [1, 2], [0, 2]], sizes); // prettier-ignore
  const passing = lines[2].slice(1, -1);
  assert.equal(passing.length, 2);
  for (const { y } of passing) {
    assert.ok(y < boxes[1].y || y > boxes[1].y + sizes.height, `${y}, ${boxes[1].y}`);
  }
});

const numbers = { callCount: 1, errorCount: 0, p50Nano: '1', p95Nano: '1', p99Nano: '1' };
const service = (name) => ({ name, kind: 'service', ...numbers });

test('a click on a call asks for its traces', () => {
  const nodes = [
    service('a "b"'),
    service('c'),
    { name: 'postgresql', kind: 'database', attribute: 'db.system.name', ...numbers },
    { name: 'orders', kind: 'messaging', attribute: 'messaging.destination.name', ...numbers },
    { name: 'x.y', kind: 'external', attribute: 'url.full', ...numbers },
  ];
  const ask = (caller, callee) => queryOf({ nodes }, { caller, callee, ...numbers });
  assert.equal(
    ask(0, 1),
    String.raw`{ resource.service.name = "a \"b\"" } > { resource.service.name = "c" }`,
  );
  assert.equal(
    ask(1, 1),
    '{ resource.service.name = "c" && (kind = client || kind = producer) } > { resource.service.name = "c" }',
  );
  assert.equal(ask(1, 2), '{ resource.service.name = "c" && span.db.system.name = "postgresql" }');
  assert.equal(
    ask(3, 1),
    '{ resource.service.name = "c" && kind = consumer && span.messaging.destination.name = "orders" }',
  );
  assert.equal(
    ask(1, 4),
    String.raw`{ resource.service.name = "c" && span.url.full =~ "[a-z]+://([^/@]*@)?x\\.y([:/?#].*)?" }`,
  );
});

test('of a map too large to draw the busiest is drawn, or what is around one', () => {
  const nodes = Array.from({ length: 300 }, (_, i) => ({ ...service(`s${i}`), callCount: i }));
  const calls = Array.from({ length: 299 }, (_, i) => ({ caller: i, callee: i + 1, ...numbers }));
  const all = choose({ nodes, calls }, '');
  assert.ok(!all.isWhole && all.nodes.length <= shownNodesMax && all.calls.length <= shownCallsMax);
  assert.equal(all.nodes[0], 299);
  const around = choose({ nodes, calls }, 's7');
  assert.deepEqual([around.nodes[0], ...around.nodes.slice(1).sort()], [7, 6, 8]);
  assert.ok(around.isWhole);
  assert.equal(choose({ nodes, calls }, 'nobody').nodes.length, all.nodes.length);
});
