// Numbers and times as people read them. Nanoseconds come as decimal strings; a span's length and
// its offset within a trace fit a double, a time since the epoch does not and goes through BigInt.

import { clockText, zoneOffset } from './zone';

const durationUnits = [
  { suffix: 'ns', nanos: 1 },
  { suffix: 'µs', nanos: 1e3 },
  { suffix: 'ms', nanos: 1e6 },
  { suffix: 's', nanos: 1e9 },
] as const;

/** `420ms`, `1.25s`, `180µs`: three digits that matter, no idle zeros. From a minute: `2m 5s`. */
export function formatDuration(nanos: number | string): string {
  const value = Number(nanos);
  if (!Number.isFinite(value)) return '–';
  if (value < 0) return '-' + formatDuration(-value);
  if (value >= 59.95e9) return formatLong(Math.round(value / 1e9));
  for (const [index, unit] of durationUnits.entries()) {
    const text = threeDigits(value / unit.nanos);
    // 999.6 µs rounds to 1000: that is the next unit's business.
    const isLast = index === durationUnits.length - 1;
    if (Number(text) < 1000 || isLast) return text + unit.suffix;
  }
  return '–';
}

/** Of the units that durations of less than a minute are written in. */
export const nanosIn: Record<string, number> = Object.fromEntries(
  durationUnits.map(({ suffix, nanos }) => [suffix, nanos]),
);

/** In one unit, as a query has it: `537ms`, `137s`. */
export const queryDuration = (nanos: number) =>
  nanos < 59.95e9 ? formatDuration(nanos) : `${Math.round(nanos / 1e9)}s`;

/** Time since something began: `+20ms`, or `0`. */
export function formatOffset(nanos: number | string): string {
  const value = Number(nanos);
  if (value === 0) return '0';
  return value > 0 ? '+' + formatDuration(value) : formatDuration(value);
}

function threeDigits(value: number): string {
  return value >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(3)));
}

function formatLong(seconds: number): string {
  const parts: [number, string][] = [
    [Math.floor(seconds / 86400), 'd'],
    [Math.floor(seconds / 3600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'm'],
    [seconds % 60, 's'],
  ];
  const first = parts.findIndex(([count]) => count > 0);
  const shown = parts.slice(first, first + 2).filter(([count]) => count > 0);
  return shown.map(([count, unit]) => count + unit).join(' ');
}

/** The same, spelled for a screen reader: `420 milliseconds`. */
export function speakDuration(nanos: number | string): string {
  const names: Record<string, string> = {
    ns: 'nanoseconds',
    µs: 'microseconds',
    ms: 'milliseconds',
    s: 'seconds',
    m: 'minutes',
    h: 'hours',
    d: 'days',
  };
  return formatDuration(nanos).replace(/(ns|µs|ms|[smhd])(?= |$)/g, (unit) => ' ' + names[unit]);
}

/** An RFC 3339 time in the chosen zone with all nine digits. */
export function formatInstant(unixNano: string): string {
  const nanos = BigInt(unixNano);
  const millis = Number(nanos / 1000000n);
  const rest = String(nanos % 1000000n).padStart(6, '0');
  return clockText(millis) + rest + offsetText(zoneOffset(millis));
}

/** `Z`, `+05:30`. */
function offsetText(minutes: number): string {
  if (minutes === 0) return 'Z';
  const size = Math.abs(minutes);
  return `${minutes < 0 ? '-' : '+'}${two(Math.floor(size / 60))}:${two(size % 60)}`;
}

const two = (n: number) => String(n).padStart(2, '0');

/** The day in the chosen zone: `2026-01-01`. */
export const formatDay = (unixNano: string) => formatInstant(unixNano).slice(0, 10);

/** The clock of the chosen zone, to the millisecond; the date only when it is not today. */
export function formatClock(unixNano: string, now = new Date()): { date: string; time: string } {
  const [date, time] = clockText(Number(BigInt(unixNano) / 1000000n)).split('T') as [
    string,
    string,
  ];
  return { date: clockText(now.getTime()).startsWith(date) ? '' : date, time };
}

/** `3 minutes ago`, from nanoseconds since the epoch. */
export function formatAgo(unixNano: string, nowMillis = Date.now()): string {
  const seconds = Math.round((nowMillis - Number(BigInt(unixNano) / 1000000n)) / 1000);
  const steps: [number, string][] = [
    [86400, 'day'],
    [3600, 'hour'],
    [60, 'minute'],
  ];
  for (const [size, name] of steps) {
    if (seconds >= size) return plural(Math.floor(seconds / size), name) + ' ago';
  }
  return seconds < 5 ? 'just now' : plural(seconds, 'second') + ' ago';
}

export function formatCount(count: number): string {
  return count.toLocaleString('en-US');
}

const byteUnits = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** `1.5 MiB`: three digits, in the units of the server's flags. */
export function formatBytes(bytes: number): string {
  let unit = 0;
  for (; bytes >= 1023.5 && unit < byteUnits.length - 1; unit++) bytes /= 1024;
  const digits = unit === 0 || bytes >= 99.95 ? 0 : bytes >= 9.995 ? 1 : 2;
  return `${bytes.toFixed(digits)} ${byteUnits[unit]}`;
}

/** What the server writes, as `10GiB`; NaN where it is no size. */
export function parseBytes(text: string): number {
  const [, count, unit] = /^(\d+)([KMGT]iB|B)$/.exec(text) ?? [];
  return unit ? Number(count) * 1024 ** byteUnits.indexOf(unit) : NaN;
}

const ageUnits: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };

/** What the server writes, as `36h`, in seconds; NaN where it is no time. */
export function parseAge(text: string): number {
  const [, count, unit] = /^(\d+)([smhdw])$/.exec(text) ?? [];
  return unit ? Number(count) * ageUnits[unit]! : NaN;
}

/** Three digits that matter of a number a second, two of less than one. */
export function formatRate(perSecond: number): string {
  if (perSecond === 0) return '0';
  return perSecond >= 100
    ? Math.round(perSecond).toLocaleString('en-US')
    : String(Number(perSecond.toPrecision(perSecond < 1 ? 2 : 3)));
}

/** How often, in the unit of which there is at least one: `12/s`, `5/min`, `3/h`. */
export function formatFrequency(perSecond: number): string {
  if (perSecond === 0) return '0';
  if (perSecond >= 0.995) return formatRate(perSecond) + '/s';
  if (perSecond >= 0.995 / 60) return formatRate(perSecond * 60) + '/min';
  return formatRate(perSecond * 3600) + '/h';
}

/** The same for a screen reader: `12 a second`. */
export const speakFrequency = (perSecond: number) =>
  formatFrequency(perSecond)
    .replace('/s', ' a second')
    .replace('/min', ' a minute')
    .replace('/h', ' an hour');

/** `1 span`, `2 spans`. */
export function plural(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`;
}
