/** Where the SDK runs: in a page, in a worker, or on a server that only renders pages. */

export const inPage = typeof document === 'object';

/** Workers have requests and errors, and nothing to click on. */
export const inBrowser = inPage || typeof importScripts === 'function';

export function randomHex(bytes: number): string {
  const random = crypto.getRandomValues(new Uint8Array(bytes));
  return Array.from(random, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

declare const importScripts: unknown;

/** What relative URLs are relative to. */
export const pageBase = (): string => (inPage ? document.baseURI : location.href);
