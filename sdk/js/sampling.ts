/**
 * OpenTelemetry's consistent probability sampling. The trace id's last 56 bits are a random
 * number R; a root is sampled when R >= T, and says T to everyone after it as `ot=th:T`.
 */

import type { Id } from './ids.js';

const DIGITS = 14;
const ALWAYS = '00000000000000';

/** T as 14 hexadecimal digits, so that comparing strings compares numbers; never = undefined. */
export function threshold(rate: number): string | undefined {
  const kept = BigInt(Math.floor(rate * 2 ** 56));
  if (kept === 0n) return undefined;
  return ((1n << 56n) - kept).toString(16).padStart(DIGITS, '0');
}

export function isSampled(traceId: Id, limit: string | undefined): boolean {
  return limit === ALWAYS || (limit !== undefined && String(traceId).slice(-DIGITS) >= limit);
}

/** The tracestate of a sampled root. */
export function rootTracestate(limit: string): string {
  return `ot=th:${limit.replace(/0+$/, '') || 0}`;
}
