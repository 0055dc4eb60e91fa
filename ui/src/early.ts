// Answers that were asked for before the page's script was read (boot.ts), each taken over once by
// whoever asks for the same.

declare global {
  interface Window {
    early?: Map<string, Promise<Response>>;
  }
}

type Params = Record<string, string | null | undefined>;

/** Where the API answers that; empty parameters are left out. */
export function apiUrl(path: string, params: Params): string {
  const all = new URLSearchParams();
  for (const [key, value] of Object.entries(params)) if (value) all.set(key, value);
  const query = all.toString();
  return '/api/v1' + path + (query ? '?' + query : '');
}

export function askEarly(url: string): void {
  const answer = fetch(url, { headers: { Accept: 'application/json' } });
  answer.catch(() => {}); // whoever takes it over is told
  (window.early ??= new Map()).set(url, answer);
}

/** The answer that was asked for early, once; later there is none. */
export function takeEarly(url: string): Promise<Response> | undefined {
  const answer = window.early?.get(url);
  window.early?.delete(url);
  return answer;
}
