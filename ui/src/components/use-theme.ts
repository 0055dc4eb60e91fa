// The theme in force, for what is drawn on a canvas and must be drawn again in other colours.

import { useEffect, useState } from 'preact/hooks';

const shown = () => document.documentElement.dataset.theme ?? 'light';

export function useTheme(): string {
  const [theme, setTheme] = useState(shown());
  useEffect(() => {
    const observer = new MutationObserver(() => setTheme(shown()));
    observer.observe(document.documentElement, { attributeFilter: ['data-theme'] });
    return () => observer.disconnect();
  }, []);
  return theme;
}

/** What CSS makes of `var(--token)`, as a canvas needs it; other colours stay. */
export function resolvedColour(colour: string): string {
  const name = /^var\((--[\w-]+)\)$/.exec(colour)?.[1];
  return name ? getComputedStyle(document.documentElement).getPropertyValue(name).trim() : colour;
}
