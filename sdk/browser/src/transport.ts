/** Posts batches from a page, and the last ones while it goes away. Never rejects. */

import type { Reply } from '../../js/exporter.js';

const TIMEOUT_MS = 10_000;

/** A page that goes away may have 64 KiB under way in all; some is left for the app. */
const LEAVING_BYTES_MAX = 60_000;

/** The page's own fetch, from before it was traced. */
const pageFetch = globalThis.fetch;

export interface Transport {
  send: (body: string, leaving: boolean) => Promise<Reply>;
  /** Whether the body may still be sent while the page goes away. */
  fits: (body: string) => boolean;
}

const bytesOf = (body: string): number => new Blob([body]).size;

export function makeTransport(url: string, apiKey: string): Transport {
  let bytesLeft = LEAVING_BYTES_MAX;

  async function post(body: string, keepalive: boolean): Promise<Reply> {
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), TIMEOUT_MS);
    try {
      const answer = await pageFetch(url, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', 'X-API-Key': apiKey },
        credentials: 'omit',
        signal: abort.signal,
        keepalive,
        body,
      });
      const retryAfter = answer.headers.get('retry-after');
      return { status: answer.status, retryAfter, text: await answer.text() };
    } catch (error) {
      return { status: null, text: String(error) };
    } finally {
      clearTimeout(timer);
    }
  }

  /** For browsers whose fetch ends with the page. A beacon cannot carry the key in a header. */
  function beacon(body: string): Reply {
    const blob = new Blob([body], { type: 'application/json' });
    const taken = navigator.sendBeacon(`${url}?api_key=${encodeURIComponent(apiKey)}`, blob);
    return { status: taken ? 202 : null, text: '' };
  }

  return {
    fits: (body) => bytesOf(body) <= bytesLeft,

    async send(body, leaving) {
      if (!leaving) return post(body, false);
      if (!('keepalive' in Request.prototype)) return beacon(body);
      const bytes = bytesOf(body);
      bytesLeft -= bytes;
      const reply = await post(body, true);
      bytesLeft += bytes;
      return reply;
    },
  };
}
