// A request again, into the same trace: method, URL and `traceparent`, never a body or a secret.

import type { Attributes } from '../api';

/** Null if the span was no HTTP request whose whole URL is known. */
export function curlOf(traceId: string, spanId: string, attributes: Attributes): string | null {
  const url = attributes['url.full'] ?? attributes['http.url'] ?? servedUrl(attributes);
  const method = attributes['http.request.method'] ?? attributes['http.method'] ?? 'GET';
  if (typeof url !== 'string' || typeof method !== 'string') return null;
  // It is pasted into a terminal: no option of curl's, nothing that ends a line or kills it.
  if (!isWeb.test(url) || !isToken.test(method)) return null;
  const flags = method === 'GET' ? '' : `-X ${shellQuoted(method)} `;
  const header = shellQuoted(`traceparent: 00-${traceId}-${spanId}-01`);
  // -g: brackets and braces are the URL's, no pattern.
  return `curl -g ${flags}-H ${header} ${shellQuoted(withoutUser(url))}`;
}

/** What a server was asked, which tells of it in pieces. */
function servedUrl(attributes: Attributes): string | null {
  const { 'server.address': host, 'server.port': port, 'url.path': path } = attributes;
  if (typeof host !== 'string' || typeof path !== 'string') return null;
  if (!/^[\w.-]+$/.test(host) || !path.startsWith('/')) return null;
  const scheme = attributes['url.scheme'] === 'https' ? 'https' : 'http';
  const at = port === undefined || port === (scheme === 'https' ? 443 : 80) ? '' : `:${port}`;
  const query = attributes['url.query'] ? `?${String(attributes['url.query'])}` : '';
  // Some SDKs give the path decoded: what would end it, or be no URL, is encoded again.
  const encoded = path.replace(/[^\x21-\x7e\ud800-\udfff]|[?#]/gu, encodeURIComponent);
  return `${scheme}://${host}${at}${encoded}${query}`;
}

const isWeb = /^https?:\/\/[^\x00-\x1f\x7f-\x9f]+$/i;
const isToken = /^[\w!#$%&'*+.^`|~-]+$/;

const shellQuoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;

/** User and password are cut off. */
const withoutUser = (url: string) => url.replace(/^([a-z]+:\/\/)[^/?#]*@/i, '$1');
