// Opens a trace: its first rows at once, read here, as they are wanted now; the whole of a larger
// one by a worker.

import { ApiError, readProblem } from '../api';
import { analyse, type OpenTrace } from './analysis';
import { readColumns } from './columns';
import { takeEarly } from '../early';
import { columnsUrl, firstRows } from './first-window';
import type { WorkerAnswer } from './worker';

// build.mjs writes its name into index.html.
const workerUrl = (document.currentScript as HTMLScriptElement | null)?.dataset.worker ?? '';

export async function loadFirst(
  traceId: string,
  project: string | null,
  signal: AbortSignal,
): Promise<OpenTrace> {
  let response: Response;
  try {
    const url = columnsUrl(traceId, project, firstRows);
    response = await (takeEarly(url) ?? fetch(url, { signal }));
  } catch (error) {
    if (signal.aborted) throw error;
    throw new ApiError(0, 'The server does not answer', String(error));
  }
  if (!response.ok) throw await readProblem(response);
  const trace = readColumns(await response.arrayBuffer());
  return { trace, analysis: trace.rows.count < trace.rowTotal ? null : analyse(trace) };
}

export function loadWhole(
  traceId: string,
  project: string | null,
  signal: AbortSignal,
): Promise<OpenTrace> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(workerUrl);
    const end = () => worker.terminate();
    signal.addEventListener('abort', end);
    worker.onerror = () => {
      end();
      reject(new Error('The trace could not be read'));
    };
    worker.onmessage = ({ data }: MessageEvent<WorkerAnswer>) => {
      end();
      if ('open' in data) resolve(data.open);
      else reject(new ApiError(0, 'The rest of the trace did not come', data.failure));
    };
    worker.postMessage(new URL(columnsUrl(traceId, project, 0), window.location.origin).href);
  });
}
