// The URL is the page's whole state. `location` is a signal of it; pages read it and nothing else,
// so that reload, back, forward and a shared link all show the same thing.

import { signal } from '@preact/signals';

export interface Place {
  path: string;
  params: URLSearchParams;
}

const read = (): Place => ({
  path: window.location.pathname,
  params: new URLSearchParams(window.location.search),
});

export const place = signal<Place>(read());

type Params = Record<string, string | null | undefined>;

/**
 * A link within the page. The chosen project stays in force until a link names another one; null or
 * empty values are left out.
 */
export function href(path: string, params: Params = {}): string {
  const all = new URLSearchParams();
  for (const [key, value] of Object.entries({ project: currentProject(), ...params })) {
    if (value) all.set(key, value);
  }
  const query = all.toString();
  return query ? `${path}?${query}` : path;
}

export function currentProject(): string | null {
  return place.value.params.get('project');
}

/** Goes to a new place, which "back" leaves again. */
export function navigate(to: string): void {
  const { path } = place.value;
  history.pushState(null, '', to);
  place.value = read();
  window.scrollTo(0, 0);
  // The link that had the focus goes with its page: one reads on where the new one begins. Who
  // chooses in the bar goes on choosing: it stays.
  if (place.value.path !== path && !document.activeElement?.matches('.top-bar select'))
    document.getElementById('main')?.focus({ preventScroll: true });
}

/** Changes where we are without a step in the history. */
export function replace(to: string): void {
  history.replaceState(null, '', to);
  place.value = read();
}

/** Lets ordinary links work without loading the page again; starts listening once. */
export function startRouter(): void {
  window.addEventListener('popstate', () => (place.value = read()));
  document.addEventListener('click', (event) => {
    const link = (event.target as Element).closest?.('a[href]') as HTMLAnchorElement | null;
    const plain =
      event.button === 0 &&
      !event.ctrlKey &&
      !event.metaKey &&
      !event.shiftKey &&
      !event.altKey &&
      !event.defaultPrevented;
    if (!link || !plain || link.target || link.origin !== window.location.origin) return;
    if (/^\/(api|docs)\//.test(link.pathname) || link.hash) return;
    event.preventDefault();
    navigate(link.pathname + link.search);
  });
}
