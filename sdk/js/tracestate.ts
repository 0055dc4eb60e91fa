/**
 * `tracestate`, W3C Trace Context level 2, section 3.3: a list of at most 32 members, the most
 * recently changed one in front. One bad member discards the list, never the traceparent.
 */

import { trimField } from './traceparent.js';

export type Member = readonly [key: string, value: string];

const MEMBERS_MAX = 32;
const KEY = /^[a-z0-9][a-z0-9_\-*/@]{0,255}$/;
const VALUE = /^[ -+\--<>-~]{0,255}[!-+\--<>-~]$/;

/** Reads all the values received, in order, as one list; empty when it is to be discarded. */
export function parseTracestate(values: readonly string[]): Member[] {
  const members = new Map<string, string>();
  let count = 0;
  for (const text of values.join(',').split(',')) {
    const member = trimField(text);
    if (!member) continue;
    const equals = member.indexOf('=');
    const key = member.slice(0, Math.max(equals, 0));
    const value = member.slice(equals + 1);
    if (++count > MEMBERS_MAX || !KEY.test(key) || !VALUE.test(value)) return [];
    if (!members.has(key)) members.set(key, value);
  }
  return [...members];
}

/** The header's value; empty when there is nothing to send. */
export function formatTracestate(members: readonly Member[]): string {
  return members.map(([key, value]) => `${key}=${value}`).join(',');
}

/** `members` with `key` set: in front, once, and still no more than 32. */
export function setMember(members: readonly Member[], key: string, value: string): Member[] {
  const others = members.filter((member) => member[0] !== key);
  return [[key, value] as const, ...others].slice(0, MEMBERS_MAX);
}
