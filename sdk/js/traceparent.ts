/**
 * `traceparent`, W3C Trace Context level 2, section 3.2.
 *
 * A reader takes any version from 00 to fe; a writer writes 00. Of the flags only `sampled` and
 * `random` have a meaning: the other bits are neither refused nor passed on.
 */

/** What travels between services: whose child the next span is. */
export interface SpanContext {
  readonly traceId: string;
  readonly spanId: string;
  readonly sampled: boolean;
  /** The last 56 bits of the trace id are random (level 2). Passed on as it came. */
  readonly random: boolean;
  /** The tracestate header, ready to send; empty = none. */
  readonly tracestate: string;
}

const SAMPLED = 1;
const RANDOM = 2;
const GRAMMAR = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-[^]*)?$/;
const ZERO = /^0+$/;

/** Strips what RFC 9110 allows around a field value: spaces and tabs, nothing else. */
export function trimField(value: string): string {
  return /^[ \t]|[ \t]$/.test(value) ? value.replace(/^[ \t]+|[ \t]+$/g, '') : value;
}

/**
 * Reads the header. `values` are all the values received: two headers, even equal ones, mean
 * that nobody can tell which caller is meant, so the trace starts anew.
 */
export function parseTraceparent(
  values: readonly string[],
  tracestate = '',
): SpanContext | undefined {
  const match = values.length === 1 && GRAMMAR.exec(trimField(values[0]!));
  if (!match) return undefined;
  const [, version, traceId, spanId, digits, tail] = match as unknown as string[];
  if (version === 'ff' || (version === '00' && tail !== undefined)) return undefined;
  if (ZERO.test(traceId!) || ZERO.test(spanId!)) return undefined;
  const flags = parseInt(digits!, 16);
  return {
    traceId: traceId!,
    spanId: spanId!,
    sampled: (flags & SAMPLED) !== 0,
    random: (flags & RANDOM) !== 0,
    tracestate,
  };
}

/** The trace flags as a number, for the header and for OTLP. */
export function traceFlags(context: Pick<SpanContext, 'sampled' | 'random'>): number {
  return (context.sampled ? SAMPLED : 0) | (context.random ? RANDOM : 0);
}

/** Makes the header of a request whose caller is `context`. */
export function formatTraceparent(context: Omit<SpanContext, 'tracestate'>): string {
  return `00-${context.traceId}-${context.spanId}-0${traceFlags(context)}`;
}
