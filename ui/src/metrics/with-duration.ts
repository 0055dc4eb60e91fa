// What is chosen on the heatmap, as part of the query.

import { nanosIn, queryDuration } from '../format';
import { closingBrace } from '../query';

/** As `duration>=537ms`, alone among words. */
const durationBound = /(^|\s)duration(>=|<)([\d.]+)(ns|µs|ms|s)(?!\S)/g;

/** Narrows what was typed to spans that took this long: `from <= duration < to` nanoseconds. */
export function withDuration(typed: string, from: number, to: number): string {
  const text = typed.trim();
  const bounds = (sign: string) => [
    ...(from > 0 ? [`duration${sign}>=${sign}${queryDuration(from)}`] : []),
    ...(Number.isFinite(to) ? [`duration${sign}<${sign}${queryDuration(to)}`] : []),
  ];
  if (!text.startsWith('{')) {
    const rest = text.replace(durationBound, (_all, _space, sign, count, unit) => {
      const nanos = Number(count) * nanosIn[unit]!;
      if (sign === '<') to = Math.min(to, nanos);
      else from = Math.max(from, nanos);
      return '';
    });
    return [rest.trim(), ...bounds('')].join(' ').trim();
  }
  const conditions = bounds(' ').join(' && ');
  if (!conditions || closingBrace(text) !== text.length - 1) return text;
  const inner = text.slice(1, -1).trim();
  return inner ? `{ (${inner}) && ${conditions} }` : `{ ${conditions} }`;
}
