import assert from 'node:assert/strict';
import { test } from 'node:test';
import { load } from './load.mjs';

const query = await load('query.ts');
const id = '4bf92f3577b34da6a3ce929d0e0e4736';

test('a bare trace id, or a whole traceparent, is known for what it is', () => {
  assert.equal(query.asTraceId(` ${id.toUpperCase()} \n`), id);
  assert.equal(query.asTraceId(`00-${id}-00f067aa0ba902b7-01`), id);
  for (const other of [id.slice(1), id + '0', `x=${id}`, '', 'g' + id.slice(1)]) {
    assert.equal(query.asTraceId(other), null);
  }
});

test('the service filter becomes part of the query', () => {
  const ask = (typed, service) => query.withService(typed, service).text;
  assert.equal(ask(' a=1 ', ''), 'a=1');
  assert.equal(ask('', 'api'), '{ resource.service.name = "api" }');
  assert.equal(ask('{ }', 'api'), '{ resource.service.name = "api" }');
  assert.equal(ask('a=', 'Node.js API'), 'service:"Node.js API" a=');
  assert.equal(
    ask('{ .a = 1 || .b = 2 }', 'api'),
    '{ resource.service.name = "api" && ( .a = 1 || .b = 2 ) }',
  );
  assert.equal(ask('{ .a = "}" }', 'api'), '{ resource.service.name = "api" && ( .a = "}" ) }');
  assert.equal(
    ask('{ .a = 1 } && { .b = 2 }', 'api'),
    '{ resource.service.name = "api" } && { .a = 1 } && { .b = 2 }',
  );
});

test('a service name cannot break out of its quotes', () => {
  assert.equal(query.withService('', 'a"b\\').text, '{ resource.service.name = "a\\"b\\\\" }');
});

test('a position in what was asked is found again in what was typed', () => {
  for (const typed of [
    'x@',
    'name=🚀👩‍🚀 @',
    '  x@',
    '{ .a = @ }',
    '  { .a = @ }',
    '{ .a } && { @ }',
  ]) {
    for (const service of ['', 'api']) {
      const asked = query.withService(typed, service);
      const found = query.typedPosition(asked, typed, [...asked.text].indexOf('@'));
      assert.equal(found, typed.indexOf('@'), `${typed} / ${service}`);
    }
  }
  const asked = query.withService('a', 'api');
  assert.equal(query.typedPosition(asked, 'a', 99), 1);
});

test('an attribute is asked for in the language that finds it', () => {
  const ask = query.attributeQuery;
  assert.equal(ask('span', 'user.plan', 'say "hi"'), '{ span.user.plan = "say \\"hi\\"" }');
  assert.equal(ask('resource', 'ok', true), '{ resource.ok = true }');
  assert.equal(ask('span', 'order.id', 42), 'order.id=42');
  assert.equal(ask('span', 'a key', 'v'), '{ span."a key" = "v" }');
});

test('a time ago becomes the time it means, all else stays', () => {
  const now = Date.parse('2026-01-01T12:00:00Z');
  assert.equal(query.resolveTime('-15m', now), '2026-01-01T11:45:00.000Z');
  assert.equal(query.resolveTime('-7d', now), '2025-12-25T12:00:00.000Z');
  assert.equal(query.resolveTime('-99999999999d', now), '-99999999999d', 'before all dates');
  assert.equal(query.resolveTime('2026-01-01T00:00:00Z', now), '2026-01-01T00:00:00Z');
  assert.equal(query.resolveTime('', now), undefined);
});
