// What /traces shows is said by its URL: q, service, start, end.

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
