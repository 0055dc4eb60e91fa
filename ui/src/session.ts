// Who is asking, as the server sees it.

import { signal } from '@preact/signals';
import { ApiError, api, signedOut, type Whoami } from './api';

export const whoami = signal<Whoami | null>(null);

/** Learns who is signed in. A server that is not there yet is the pages' matter to report. */
export async function loadWhoami(): Promise<void> {
  try {
    whoami.value = await api.whoami();
  } catch (error) {
    whoami.value = null;
    if (!(error instanceof ApiError)) throw error;
  }
}

export async function signIn(key: string): Promise<void> {
  await api.signIn(key);
  await loadWhoami();
  signedOut.value = whoami.value === null;
}

export async function signOut(): Promise<void> {
  await api.signOut();
  whoami.value = null;
  signedOut.value = true;
}
