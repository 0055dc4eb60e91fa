/** What to do after an answer, OTLP/HTTP's rules: try again only when the server may recover. */

export const ATTEMPTS_MAX = 5;
export const DELAY_MS_INITIAL = 1_000;
export const DELAY_MS_MAX = 60_000;

export type Outcome = 'delivered' | 'retry' | 'drop';

/** @param status of HTTP; null when there was no answer */
export function outcomeOf(status: number | null): Outcome {
  if ([null, 429, 502, 503, 504].includes(status)) return 'retry';
  return status! >= 200 && status! < 300 ? 'delivered' : 'drop';
}

/**
 * How long to wait after the `attempt`-th try, in milliseconds.
 *
 * @param retryAfter the header: seconds or a date; anything else is as good as none
 */
export function retryDelay(
  attempt: number,
  retryAfter: string | null | undefined,
  now = Date.now(),
): number {
  const header = String(retryAfter).trim();
  const asked = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - now;
  const valid = /^\d+$|^[A-Z][a-z]{2}, /.test(header) && !isNaN(asked);
  const grown = DELAY_MS_INITIAL * 2 ** (attempt - 1);
  const delay = valid ? asked : grown * (1 + Math.random()) / 2;
  return Math.min(Math.max(delay, 0), DELAY_MS_MAX);
}
