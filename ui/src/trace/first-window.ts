// The first rows of a trace. The question is asked before the page's main script is even parsed
// (boot.ts), and taken over by whoever wants the answer.

/** Most traces are there whole with this. */
export const firstRows = 2000;

interface Early {
  url: string;
  answer: Promise<Response>;
}

declare global {
  interface Window {
    earlyColumns?: Early;
  }
}

export function columnsUrl(traceId: string, project: string | null, limit: number): string {
  const params = new URLSearchParams({ ids: '1' });
  if (limit > 0) params.set('limit', String(limit));
  if (project) params.set('project', project);
  return `/api/v1/traces/${encodeURIComponent(traceId)}/columns?${params}`;
}

/** Asks already if the address is that of a trace. */
export function askEarly(): void {
  const traceId = /^\/traces\/([^/]+)$/.exec(location.pathname)?.[1];
  if (!traceId) return;
  const project = new URLSearchParams(location.search).get('project');
  const url = columnsUrl(traceId, project, firstRows);
  const answer = fetch(url);
  answer.catch(() => {}); // whoever takes it over is told
  window.earlyColumns = { url, answer };
}

/** The answer that boot.ts asked for, once, or a new one. */
export function askColumns(url: string, signal: AbortSignal): Promise<Response> {
  const early = window.earlyColumns;
  window.earlyColumns = undefined;
  return early?.url === url ? early.answer : fetch(url, { signal });
}
