/** Where spans go. */

export const DEFAULT_ENDPOINT = 'http://localhost:4318';

const TRACES_PATH = '/v1/traces';
const LOOPBACK = /^(localhost|127\.|\[::1\])/i;

/**
 * The URL that spans are posted to: a base URL with `/v1/traces` behind it, which is not doubled
 * when it is there already. A bare host is taken as https, on this machine as http. Nothing when
 * it is no web address.
 */
export function tracesUrl(endpoint: string | undefined): string | undefined {
  let text = endpoint?.trim() || DEFAULT_ENDPOINT;
  if (!text.includes('://')) text = (LOOPBACK.test(text) ? 'http://' : 'https://') + text;
  try {
    const url = new URL(text);
    if (!/^https?:$/.test(url.protocol)) return undefined;
    const path = url.pathname.replace(/\/+$/, '');
    return url.origin + (path.endsWith(TRACES_PATH) ? path : path + TRACES_PATH);
  } catch {
    return undefined;
  }
}
