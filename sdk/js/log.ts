/** What the SDK says. It has one voice for the user's eye, and a second one in debug mode. */

export interface Log {
  /** Something the user must know; said once for each `key`. */
  loud: (key: string, message: string) => void;
  debug: (message: string) => void;
}

export function makeLog(debug: boolean, say: (line: string) => void = console.warn): Log {
  const said = new Set<string>();
  return {
    loud(key, message) {
      if (said.has(key)) return;
      said.add(key);
      say(`[tracekit] ${message}`);
    },
    debug(message) {
      if (debug) say(`[tracekit] debug: ${message}`);
    },
  };
}
