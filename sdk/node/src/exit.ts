/** Spans leave before the process does. */

const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

let installed = false;

/**
 * Calls `flush` when the process runs out of work and on SIGTERM and SIGINT. What happens after
 * that is what would have happened without it: a signal nobody else listens to ends the process.
 * The listener goes first, to see those that leave the list as they are called (`once`).
 */
export function flushAtExit(flush: () => Promise<unknown>, isIdle: () => boolean): void {
  if (installed) return;
  installed = true;
  process.on('beforeExit', () => {
    if (!isIdle()) void flush();
  });
  for (const signal of SIGNALS) {
    const listener = (): void => {
      const alone = process.listenerCount(signal) === 1;
      void flush().then(() => {
        if (!alone) return;
        process.removeListener(signal, listener);
        process.kill(process.pid, signal);
      });
    };
    process.prependListener(signal, listener);
  }
}
