// The whole of the span that is open: what the columns do not tell comes as its JSON.

import { useEffect, useState } from 'preact/hooks';
import { api, type Span } from '../api';

export interface SpanAnswer {
  id: string;
  span: Span | null;
  /** Why it did not come. */
  error: unknown;
}

/** Null as long as the answer is on its way, or when no span is asked for. */
export function useSpan(traceId: string, id: string | null, spanCount: number): SpanAnswer | null {
  const [answer, setAnswer] = useState<SpanAnswer | null>(null);
  useEffect(() => {
    if (id === null) return;
    const stopping = new AbortController();
    api.span(traceId, id, stopping.signal).then(
      (span) => setAnswer({ id, span, error: null }),
      (error) => stopping.signal.aborted || setAnswer({ id, span: null, error }),
    );
    return () => stopping.abort();
  }, [traceId, id, spanCount]);
  return answer?.id === id ? answer : null;
}
