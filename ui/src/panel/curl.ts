// A request again, into the same trace: method, URL and `traceparent`, never a body or a secret.

import type { Attributes } from '../api';

/** Null if the span was no HTTP request whose whole URL is known. */
export function curlOf(traceId: string, spanId: string, attributes: Attributes): string | null {
  const url = attributes['url.full'] ?? attributes['http.url'];
  const method = attributes['http.request.method'] ?? attributes['http.method'] ?? 'GET';
  if (typeof url !== 'string' || typeof method !== 'string') return null;
  const flags = method === 'GET' ? '' : `-X ${shellQuoted(method)} `;
  const header = shellQuoted(`traceparent: 00-${traceId}-${spanId}-01`);
  return `curl ${flags}-H ${header} ${shellQuoted(withoutUser(url))}`;
}

const shellQuoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;

/** User and password are cut off. */
const withoutUser = (url: string) => url.replace(/^([a-z]+:\/\/)[^/?#]*@/i, '$1');
