// What /traces shows is said by its URL: q, service, start, end.

import { resolveTime, withService } from '../query';

export interface Search {
  q: string;
  service: string;
  /** RFC 3339, nanoseconds, or how long ago: `-15m`, `-6h`, `-7d`. */
  start: string;
  end: string;
}

export function readSearch(params: URLSearchParams): Search {
  const read = (name: string) => params.get(name) ?? '';
  return { q: read('q'), service: read('service'), start: read('start'), end: read('end') };
}

const pageSize = '50';

/** What the server is asked for the first page of what is found. */
export const firstPage = (search: Search) => ({
  q: withService(search.q, search.service).text,
  start: resolveTime(search.start),
  end: resolveTime(search.end),
  limit: pageSize,
});
