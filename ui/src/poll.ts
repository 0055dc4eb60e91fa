// Asking again and again, one at a time, only while somebody looks.

/**
 * Runs `ask` at once and then `pause()` milliseconds after each end; a null pause ends it. While
 * the page is hidden nothing is asked. Returns how to stop, which also aborts what is under way.
 */
export function poll(
  ask: (signal: AbortSignal) => Promise<void>,
  pause: () => number | null,
): () => void {
  const stopping = new AbortController();
  let timer = 0;
  let busy = false;

  const round = async () => {
    if (busy || stopping.signal.aborted) return;
    busy = true;
    await ask(stopping.signal);
    busy = false;
    schedule();
  };
  const schedule = () => {
    clearTimeout(timer);
    const wait = pause();
    if (wait === null || stopping.signal.aborted || document.hidden) return;
    timer = window.setTimeout(round, wait);
  };
  const onVisible = () => !document.hidden && schedule();

  document.addEventListener('visibilitychange', onVisible);
  void round();
  return () => {
    stopping.abort();
    clearTimeout(timer);
    document.removeEventListener('visibilitychange', onVisible);
  };
}
