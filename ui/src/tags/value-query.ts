// The search for a value, in every place where its key stands.

import type { Tag, TagValue } from '../api';
import { quote } from '../query';

/** TraceQL for the spans that have it; null for a number that TraceQL cannot write. */
export function valueQuery(
  scopes: Tag['scope'][],
  key: string,
  { value, type }: Pick<TagValue, 'value' | 'type'>,
): string | null {
  if (type === 'double' && typeof value !== 'number') return null; // NaN, Infinity
  const name = /^[A-Za-z_][\w.-]*$/.test(key) ? key : quote(key);
  const text = String(value);
  // 42 is not 42.0 there.
  const isWhole = type === 'double' && /^-?\d+$/.test(text);
  const written = type === 'string' ? quote(text) : isWhole ? text + '.0' : text;
  const places = scopes.map((scope) => (scope === 'scope' ? 'instrumentation' : scope));
  const conditions = (places.length > 0 ? places : ['']).map(
    (place) => `${place}.${name} = ${written}`,
  );
  return `{ ${conditions.join(' || ')} }`;
}
