// The operations of a service, most spans first; each leads to its traces. All time: the store keeps
// their counts so.

import type { Operation } from '../api';
import type { TimeRange } from '../components/time-choice';
import { formatCount, formatDuration } from '../format';
import { quote } from '../query';
import { href } from '../router';
import { formatShare } from './service-table';

interface Props {
  operations: Operation[];
  service: string;
  range: TimeRange;
}

export function OperationTable({ operations, service, range }: Props) {
  const rows = [...operations].sort((a, b) => b.spanCount - a.spanCount);
  return (
    <div class="table-scroll">
      <table class="operations" aria-label="Operations">
        <thead>
          <tr>
            <th scope="col">Operation</th>
            <th scope="col">Kind</th>
            {['Spans', 'Errors', 'p50', 'p95', 'p99'].map((title) => (
              <th key={title} scope="col" class="right">
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={`${row.kind} ${row.name}`} data-testid="operation">
              <td>
                <a
                  class="row-link"
                  href={href('/traces', { service, q: `{ name = ${quote(row.name)} }`, ...range })}
                >
                  <bdi>{row.name || '(no name)'}</bdi>
                </a>
              </td>
              <td class="muted">{(row.kind ?? '').toLowerCase()}</td>
              <td class="num right">{formatCount(row.spanCount)}</td>
              <td class={`num right ${row.errorCount > 0 ? 'error-text' : 'muted'}`}>
                {formatShare(row.errorCount / Math.max(row.spanCount, 1))}
              </td>
              <td class="num right">{formatDuration(row.p50Nano)}</td>
              <td class="num right">{formatDuration(row.p95Nano)}</td>
              <td class="num right">{formatDuration(row.p99Nano)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
