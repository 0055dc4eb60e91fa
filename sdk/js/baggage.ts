/** `baggage`, W3C Baggage: what a request's program wants to be known further down. */

import { trimField } from './traceparent.js';

/** Properties are kept as they came. */
export type BaggageMember = readonly [key: string, value: string, properties?: string];

export const MEMBERS_MAX = 64;
export const BYTES_MAX = 8_192;

const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/;
const OCTETS = /^[!#-+\--:<-[\]-~]*$/;
const ESCAPED = /[^!#$&-+\--:<-[\]-~]/gu;

/** Each run of escaped bytes is UTF-8 of its own; what is no escape stays. */
function decoded(text: string): string {
  return text.replace(/(?:%[0-9a-f]{2})+/gi, (run) => {
    const bytes = Uint8Array.from(run.slice(1).split('%'), (digits) => parseInt(digits, 16));
    return new TextDecoder().decode(bytes);
  });
}

/** Reads all the values received, in order, as one list; a bad member is left out alone. */
export function parseBaggage(values: readonly string[]): BaggageMember[] {
  const members = new Map<string, BaggageMember>();
  for (const text of values.join().split(',')) {
    const [, pair, properties] = /^([^;]*)(?:;([^]*))?$/.exec(text)!;
    const equals = pair!.indexOf('=');
    const key = trimField(pair!.slice(0, Math.max(equals, 0)));
    const value = trimField(pair!.slice(equals + 1));
    if (!TOKEN.test(key) || !OCTETS.test(value)) continue;
    if (members.size >= MEMBERS_MAX && !members.has(key)) continue;
    const kept = properties === undefined ? [] : [trimField(properties)];
    members.set(key, [key, decoded(value), ...kept] as unknown as BaggageMember);
  }
  return [...members.values()];
}

/** The header's value; empty when there is nothing to send. What does not fit is left out. */
export function formatBaggage(members: readonly BaggageMember[]): string {
  let header = '';
  let count = 0;
  for (const [key, value, properties] of members) {
    if (!TOKEN.test(key) || count >= MEMBERS_MAX) continue;
    const escaped = value.replace(ESCAPED, (one) => escapeText(one));
    const text = `${key}=${escaped}${properties ? `;${properties}` : ''}`;
    const longer = header ? `${header},${text}` : text;
    if (longer.length > BYTES_MAX) continue;
    header = longer;
    count++;
  }
  return header;
}

/** A lone surrogate is no text. */
function escapeText(character: string): string {
  try {
    return encodeURIComponent(character);
  } catch {
    return '%EF%BF%BD';
  }
}
