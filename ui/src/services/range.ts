// The time that the services' pages look at: start and end of the URL, an hour unless told.

import type { TimeRange } from '../components/time-choice';
import { resolveTime } from '../query';

export const readRange = (params: URLSearchParams): TimeRange => ({
  start: params.get('start') || '-1h',
  end: params.get('end') ?? '',
});

/** As the server is asked, now. */
export const askedRange = (range: TimeRange) => ({
  start: resolveTime(range.start),
  end: resolveTime(range.end),
});

/** Does it end now, so that there will be more? */
export const isLive = (range: TimeRange) => !range.end;

export const instant = (millis: number) => new Date(millis).toISOString();
