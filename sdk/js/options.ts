/** What `init` takes in every JavaScript SDK, and how it is checked. */

import { DEFAULT_ENDPOINT, tracesUrl } from './endpoint.js';
import type { Log } from './log.js';
import type { Target } from './targets.js';

export interface Options {
  /** Always from the environment, never a literal: `process.env.TRACEKIT_API_KEY`. */
  apiKey?: string | undefined;
  /** Unique to each service: the waterfall groups spans by it. */
  serviceName?: string | undefined;
  /** Base URL of the server; `/v1/traces` is added when missing. */
  endpoint?: string | undefined;
  environment?: string | undefined;
  release?: string | undefined;
  /** Share of new traces that are kept, 0 to 1. A continued trace follows its caller. */
  sampleRate?: number | undefined;
  /** Which requests get `traceparent` and `tracestate`. */
  tracePropagationTargets?: readonly Target[] | undefined;
  /** Says what the SDK does. */
  debug?: boolean | undefined;
  /** False switches everything off. */
  enabled?: boolean | undefined;
}

/** An invalid endpoint is said loudly; spans then go to the default. */
export function checkedUrl(endpoint: string | undefined, log: Log): string {
  const url = tracesUrl(endpoint);
  if (url) return url;
  log.loud('endpoint', `endpoint ${endpoint} is no web address; using ${DEFAULT_ENDPOINT}`);
  return tracesUrl(undefined)!;
}

/** An invalid rate is said loudly; everything is kept then. */
export function checkedRate(rate: number | undefined, log: Log): number {
  if (rate === undefined || (rate >= 0 && rate <= 1)) return rate ?? 1;
  log.loud('sampleRate', `sampleRate ${rate} is not between 0 and 1; using 1`);
  return 1;
}

/** Without a key the app runs untraced. Says so, once, or in debug mode what was set up. */
export function reportSetUp(
  log: Log,
  hasKey: boolean,
  set: { url: string; serviceName: string; sampleRate: number },
): void {
  if (!hasKey) {
    log.loud('key', 'no API key: spans are not sent. Set TRACEKIT_API_KEY.');
  }
  log.debug(`${set.serviceName} sends to ${set.url}, sample rate ${set.sampleRate}`);
}

/** Targets that are neither strings nor regular expressions are said loudly and left out. */
export function checkedTargets(
  targets: Options['tracePropagationTargets'],
  log: Log,
): readonly Target[] | undefined {
  if (targets === undefined || targets === null) return undefined;
  const list: unknown[] = [targets].flat();
  const valid = list.filter((one) => typeof one === 'string' || one instanceof RegExp);
  if (valid.length < list.length) {
    log.loud('targets', 'tracePropagationTargets takes strings and RegExps');
  }
  return valid as Target[];
}
