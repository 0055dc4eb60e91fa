// What the search box offers at the caret, in both of its languages.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { load } from './load.mjs';

const { placeAt, suggest, take } = await load('traces/complete.ts');
const signal = new AbortController().signal;
const source = {
  tags: async (prefix) =>
    [
      { key: 'order.id', scope: 'span', type: 'int' },
      { key: 'attempt', scope: 'span', type: 'int' },
      { key: 'odd key', scope: 'span', type: 'string' },
      { key: 'service.name', scope: 'resource', type: 'string' },
    ].filter(({ key }) => key.startsWith(prefix)),
  values: async (key, prefix) =>
    (key === 'order.id'
      ? [{ value: 42, type: 'int', count: 3 }]
      : [
          { value: 'api', type: 'string', count: 1200 },
          { value: 'Go Microservice', type: 'string', count: 2 },
          { value: '42', type: 'string', count: 1 },
        ]
    ).filter(({ value }) => String(value).startsWith(prefix)),
};
const at = (text) => {
  const caret = text.indexOf('|') < 0 ? text.length : text.indexOf('|');
  return [text.replace('|', ''), caret];
};
const offered = async (text) => {
  const [plain, caret] = at(text);
  const place = placeAt(plain, caret);
  return place ? (await suggest(place, source, signal)).map(({ insert }) => insert) : null;
};

test('shorthand offers its words and keys, then the values of a key', async () => {
  assert.deepEqual(await offered('or'), ['order.id=']);
  assert.deepEqual(await offered('error ser'), ['service:', 'service.name=']);
  assert.deepEqual(await offered('a'), ['.attempt=']);
  assert.deepEqual(await offered('service:'), ['api ', '"Go Microservice" ', '"42" ']);
  assert.deepEqual(await offered('order.id=4'), ['42 ']);
  assert.deepEqual(await offered('status:'), ['error ', 'ok ', 'unset ']);
  assert.deepEqual(await offered('"odd key"=a'), ['api ']);
  assert.deepEqual(await offered('duration>2'), []);
});

test('TraceQL offers keys with their scope, operators, values in quotes', async () => {
  assert.deepEqual(await offered('{ span.or'), ['span.order.id ']);
  assert.deepEqual(await offered('{ sta'), ['status ']);
  assert.deepEqual((await offered('{ span.order.id ')).slice(0, 2), ['= ', '!= ']);
  assert.deepEqual(await offered('{ span.order.id = '), ['42 ']);
  assert.deepEqual(await offered('{ resource.service.name = "a'), ['"api" ']);
  assert.deepEqual(await offered('{ kind = s'), ['server ']);
  assert.deepEqual(await offered('{ status = error && span.o| }'), [
    'span.order.id ',
    'span."odd key" ',
  ]);
  assert.equal(await offered('{ name = "x" '), null);
  assert.equal(await offered('{ } '), null);
});

test('what is taken replaces what was typed, and the caret stands behind it', () => {
  const taken = (text, insert) => {
    const [plain, caret] = at(text);
    const { text: now, caret: then } = take(plain, caret, placeAt(plain, caret), insert);
    return now.slice(0, then) + '|' + now.slice(then);
  };
  assert.equal(taken('error or', 'order.id='), 'error order.id=|');
  assert.equal(taken('{ span.or| }', 'span.order.id '), '{ span.order.id |}');
  assert.equal(
    taken('{ resource.service.name = "a| }', '"api" '),
    '{ resource.service.name = "api" |}',
  );
  assert.equal(taken('service:a|pi error', 'api '), 'service:api |error');
});
