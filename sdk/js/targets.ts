/**
 * `tracePropagationTargets`: which requests may carry trace headers.
 *
 * What is matched is scheme, host, port and path of the resolved URL. User-info, query and
 * fragment are cut off first, so that a third party that names our host there gets nothing.
 */

export type Target = string | RegExp;

/** The attribute `tracekit.propagation`: headers were sent, or why they were not. */
export type Propagation = 'sent' | 'not_target' | 'same_origin_default';

function matches(target: Target, text: string): boolean {
  if (typeof target === 'string') return target !== '' && text.includes(target);
  target.lastIndex = 0;
  const found = target.test(text);
  target.lastIndex = 0;
  return found;
}

/**
 * @param url the resolved URL, or nothing when it is invalid
 * @param targets unset = the default: the same origin in a browser, everything on a server
 * @param origin the page's origin; nothing on a server
 */
export function propagationTo(
  url: URL | undefined,
  targets: readonly Target[] | undefined,
  origin: string | undefined,
): Propagation {
  const web = url !== undefined && /^https?:$/.test(url.protocol);
  if (!targets) {
    return web && (!origin || url.origin === origin) ? 'sent' : 'same_origin_default';
  }
  const text = web ? url.origin + url.pathname : '';
  return web && targets.some((target) => matches(target, text)) ? 'sent' : 'not_target';
}

/** Resolves `text`; nothing when it is no URL. */
export function resolveUrl(text: string, base?: string): URL | undefined {
  try {
    return new URL(text, base);
  } catch {
    return undefined;
  }
}
