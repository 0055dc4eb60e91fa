// Fetches and reads a large trace beside the page. It answers once: the trace and what was found
// out about it, its memory handed over, or why not.

import { analyse, type OpenTrace } from './analysis';
import { readColumns } from './columns';

export type WorkerAnswer = { open: OpenTrace } | { failure: string };

onmessage = async ({ data: url }: MessageEvent<string>) => {
  try {
    const response = await fetch(url);
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    const trace = readColumns(await response.arrayBuffer());
    const open: OpenTrace = { trace, analysis: analyse(trace) };
    answer({ open }, buffersOf(open));
  } catch (error) {
    answer({ failure: String(error) }, []);
  }
};

const answer = postMessage as (message: WorkerAnswer, transfer: Transferable[]) => void;

function buffersOf(value: object, found = new Set<ArrayBuffer>()): ArrayBuffer[] {
  for (const inner of Object.values(value)) {
    if (ArrayBuffer.isView(inner)) found.add(inner.buffer as ArrayBuffer);
    else if (inner !== null && typeof inner === 'object') buffersOf(inner, found);
  }
  return [...found];
}
