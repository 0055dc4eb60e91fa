// Whose clock instants are read on: the reader's or UTC. One choice for the whole page, kept on this
// machine. Whoever shows an instant reads `zone` while rendering, and is rendered again.

import { signal } from '@preact/signals';

export type Zone = 'local' | 'utc';

const storageKey = 'tracekit.zone';

function keptZone(): Zone {
  try {
    return localStorage.getItem(storageKey) === 'utc' ? 'utc' : 'local';
  } catch {
    return 'local'; // storage is forbidden here
  }
}

export const zone = signal<Zone>(keptZone());

export function chooseZone(choice: Zone): void {
  zone.value = choice;
  try {
    if (choice === 'local') localStorage.removeItem(storageKey);
    else localStorage.setItem(storageKey, choice);
  } catch {
    // the choice then lasts until the page is left
  }
}

/** How far the chosen zone's clock is ahead of UTC at that moment, minutes. */
export function zoneOffset(millis: number): number {
  return zone.value === 'utc' ? 0 : Math.round(-new Date(millis).getTimezoneOffset());
}

/** `2026-01-01T12:30:05.007`: what the chosen zone's clock shows; no zone is named. */
export function clockText(millis: number): string {
  return new Date(millis + zoneOffset(millis) * 60_000).toISOString().slice(0, -1);
}

/** The moment at which the chosen zone's clock shows this; NaN where it is no time. */
export function clockMillis(text: string): number {
  return Date.parse(zone.value === 'utc' ? text + 'Z' : text);
}
