// The first rows of a trace, which are asked for early (boot.ts).

import { apiUrl } from '../early';

/** Most traces are there whole with this. */
export const firstRows = 2000;

export const columnsUrl = (traceId: string, project: string | null, limit: number) =>
  apiUrl(`/traces/${encodeURIComponent(traceId)}/columns`, {
    ids: '1',
    limit: limit > 0 ? String(limit) : null,
    project,
  });
