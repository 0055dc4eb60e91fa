import assert from 'node:assert/strict';
import { test } from 'node:test';
import { load } from './load.mjs';

const format = await load('format.ts');

test('a duration is written as people write it', () => {
  const cases = [
    [0, '0ns'],
    [1, '1ns'],
    [999, '999ns'],
    [1000, '1µs'],
    [180_000, '180µs'],
    [1500, '1.5µs'],
    [999_499, '999µs'],
    [999_600, '1ms'],
    [420_000_000, '420ms'],
    ['420000000', '420ms'],
    [12_500_000, '12.5ms'],
    [1_250_000_000, '1.25s'],
    [1_000_000_000, '1s'],
    [1_005_000_000, '1s'],
    [1_006_000_000, '1.01s'],
    [59_940_000_000, '59.9s'],
    [59_950_000_000, '1m'],
    [60_000_000_000, '1m'],
    [125_000_000_000, '2m 5s'],
    [3_600_000_000_000, '1h'],
    [3_661_000_000_000, '1h 1m'],
    [90_000_000_000_000, '1d 1h'],
    [-20_000_000, '-20ms'],
    ['9223372036854775807', '106751d 23h'],
    [NaN, '–'],
  ];
  for (const [nanos, expected] of cases) assert.equal(format.formatDuration(nanos), expected);
});

test('no duration between two units is ever written as a thousand of the smaller one', () => {
  for (let power = 3; power <= 9; power += 3) {
    for (let off = -600; off <= 600; off += 50) {
      const text = format.formatDuration(10 ** power + (off * 10 ** power) / 100_000);
      assert.doesNotMatch(text, /^1000/, text);
    }
  }
});

test('a duration is spoken with the whole name of its unit', () => {
  assert.equal(format.speakDuration(180e6), '180 milliseconds');
  assert.equal(format.speakDuration(125e9), '2 minutes 5 seconds');
});

test('an instant keeps all nine digits', () => {
  assert.equal(format.formatInstant('1767225600123456789'), '2026-01-01T00:00:00.123456789Z');
  assert.equal(format.formatInstant('1767225600000000001'), '2026-01-01T00:00:00.000000001Z');
});

test('the date is shown only when it is not today', () => {
  const now = new Date(2026, 0, 1, 12, 30, 5, 7);
  const nano = (date) => String(BigInt(date.getTime()) * 1000000n);
  assert.deepEqual(format.formatClock(nano(now), now), { date: '', time: '12:30:05.007' });
  const before = new Date(2025, 11, 31, 23, 59, 59, 999);
  assert.deepEqual(format.formatClock(nano(before), now), {
    date: '2025-12-31',
    time: '23:59:59.999',
  });
});

test('an offset of nothing is 0, and one before the start is negative', () => {
  assert.equal(format.formatOffset('0'), '0');
  assert.equal(format.formatOffset(20e6), '+20ms');
  assert.equal(format.formatOffset(-34e6), '-34ms');
});

test('how often is told in the unit of which there is at least one', () => {
  const told = [0, 120, 1, 0.5, 1 / 60, 0.001].map((rate) => format.formatFrequency(rate));
  assert.deepEqual(told, ['0', '120/s', '1/s', '30/min', '1/min', '3.6/h']);
  assert.equal(format.speakFrequency(0.5), '30 a minute');
});

test('how long ago is counted in the largest unit', () => {
  const ago = (seconds) => format.formatAgo('1767225600000000000', 1767225600000 + seconds * 1000);
  assert.deepEqual([0, 30, 60, 7200, 172800].map(ago), [
    'just now',
    '30 seconds ago',
    '1 minute ago',
    '2 hours ago',
    '2 days ago',
  ]);
});

test('bytes are three digits in the units of the flags, and the flags are read again', () => {
  const cases = [
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1.00 KiB'],
    [10.2 * 1024, '10.2 KiB'],
    [102.4 * 1024, '102 KiB'],
    [1023.9 * 1024, '1.00 MiB'],
    [3 * 2 ** 40, '3.00 TiB'],
    [5000 * 2 ** 40, '5000 TiB'],
  ];
  for (const [bytes, text] of cases) assert.equal(format.formatBytes(bytes), text);
  assert.equal(format.parseBytes('10GiB'), 10 * 2 ** 30);
  assert.equal(format.parseBytes('7B'), 7);
  for (const text of ['default', 'none', '10 GB', ''])
    assert.ok(Number.isNaN(format.parseBytes(text)));
});

test('an age that the server writes is read in seconds', () => {
  const cases = { '90s': 90, '5m': 300, '36h': 129_600, '7d': 604_800, '2w': 1_209_600 };
  for (const [text, seconds] of Object.entries(cases)) assert.equal(format.parseAge(text), seconds);
  for (const text of ['default', 'none', 'soon', '1d12h', '7 d', ''])
    assert.ok(Number.isNaN(format.parseAge(text)), text);
});
