// An answer of the server, asked for again while somebody looks.

import { useEffect, useState } from 'preact/hooks';
import { ApiError } from '../api';
import { poll } from '../poll';

const againMillis = 10_000;

export interface Asked<T> {
  answer: T | null;
  error: unknown;
}

/**
 * What `ask` resolves to. Another `id` is another question: the old answer goes. With `live` it is
 * asked every ten seconds; what the server refuses is not asked again. A null id asks nothing.
 */
export function useAnswer<T>(
  id: string | null,
  live: boolean,
  ask: (signal: AbortSignal) => Promise<T>,
): Asked<T> {
  const [state, setState] = useState<Asked<T> & { id: string | null }>({
    id: null,
    answer: null,
    error: null,
  });
  useEffect(() => {
    if (id === null) return;
    let refused = false;
    const round = async (signal: AbortSignal) => {
      try {
        const answer = await ask(signal);
        if (!signal.aborted) setState({ id, answer, error: null });
      } catch (error) {
        if (signal.aborted) return;
        refused = error instanceof ApiError && error.status >= 400 && error.status < 500;
        setState((was) => ({ id, answer: was.id === id ? was.answer : null, error }));
      }
    };
    return poll(round, () => (live && !refused ? againMillis : null));
  }, [id, live]);
  return state.id === id ? state : { answer: null, error: null };
}
