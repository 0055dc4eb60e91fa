// The few icons of the page, drawn on a 16 pixel grid in the colour of the text.

import type { ComponentChildren } from 'preact';

const icon = (children: ComponentChildren) => () => (
  <svg
    class="icon"
    viewBox="0 0 16 16"
    width="16"
    height="16"
    fill="none"
    stroke="currentColor"
    stroke-width="1.5"
    stroke-linecap="round"
    stroke-linejoin="round"
    aria-hidden="true"
  >
    {children}
  </svg>
);

export const SearchIcon = icon(
  <>
    <circle cx="7" cy="7" r="4.5" />
    <path d="m10.5 10.5 3.5 3.5" />
  </>,
);
export const FilterIcon = icon(<path d="M2.5 3.5h11l-4 5v4.5l-3-1.5v-3z" />);
export const CopyIcon = icon(
  <>
    <rect x="5.5" y="5.5" width="8" height="8" rx="1.5" />
    <path d="M10.5 3.5v-1h-8v8h1" />
  </>,
);
export const DoneIcon = icon(<path d="m3 8.5 3.5 3.5L13 4.5" />);
export const CloseIcon = icon(<path d="m4 4 8 8m0-8-8 8" />);
export const PauseIcon = icon(<path d="M5.5 3.5v9m5-9v9" />);
export const PlayIcon = icon(<path d="M5 3.5v9l7-4.5z" />);
export const SunIcon = icon(
  <>
    <circle cx="8" cy="8" r="2.8" />
    <path d="M8 1.5v1m0 11v1m6.5-6.5h-1m-11 0h-1" />
    <path d="m12.6 3.4-.7.7m-7.8 7.8-.7.7m0-9.2.7.7m7.8 7.8.7.7" />
  </>,
);
export const MoonIcon = icon(<path d="M13.5 9.7A6 6 0 0 1 6.3 2.5a6 6 0 1 0 7.2 7.2z" />);
export const ScreenIcon = icon(
  <>
    <rect x="2" y="2.5" width="12" height="8.5" rx="1" />
    <path d="M5.5 13.5h5" />
  </>,
);
export const Logo = () => (
  <svg class="logo" viewBox="0 0 20 20" width="20" height="20" aria-hidden="true">
    <rect x="1" y="3" width="18" height="3.4" rx="1.7" fill="var(--logo-1)" />
    <rect x="4" y="8.3" width="12" height="3.4" rx="1.7" fill="var(--logo-2)" />
    <rect x="9" y="13.6" width="7" height="3.4" rx="1.7" fill="var(--logo-3)" />
  </svg>
);
