// Time by operation: how often, how long, how much of it itself, how much of the critical path.

import { useState } from 'preact/hooks';
import { formatCount, formatDuration } from '../format';
import type { OpenTrace } from '../trace/analysis';
import type { Statistics } from '../trace/statistics';
import { textOf } from '../trace/trace';
import { colourOf } from './colour';
import { mostOf } from './story';

type Column = 'spans' | 'errors' | 'total' | 'self' | 'critical' | 'p50' | 'p95' | 'max';

const columns: [Column, string, string][] = [
  ['spans', 'Spans', 'How many'],
  ['errors', 'Errors', 'Spans that failed'],
  ['self', 'Self', 'Time in which no child of theirs ran'],
  ['critical', 'Critical', 'Time on the critical path'],
  ['total', 'Total', 'Durations taken together'],
  ['p50', 'p50', 'Half of the spans took at most this'],
  ['p95', 'p95', '95 of 100 spans took at most this'],
  ['max', 'Longest', 'The longest span'],
];
const shownMax = 200;

export function StatisticsTable({
  open,
  onFind,
}: {
  open: OpenTrace;
  onFind: (text: string) => void;
}) {
  const [by, setBy] = useState<Column>('self');
  if (open.analysis === null) return <p class="loading">Waiting for the whole trace…</p>;
  const { trace } = open;
  const stats = open.analysis.statistics;
  const groups = mostOf(Float64Array.from(stats[by]), shownMax);
  const selfTotal = stats.self.reduce((sum, part) => sum + part, 0) || 1;
  const show = (group: number, column: Column) => {
    const value = stats[column][group]!;
    if (column === 'spans') return formatCount(value);
    if (column === 'errors') return value === 0 ? '' : formatCount(value);
    return column === 'critical' && value === 0 ? '' : formatDuration(value);
  };
  return (
    <div
      class="statistics"
      data-testid="statistics"
      tabIndex={0}
      role="region"
      aria-label="Operations"
    >
      <table>
        <thead>
          <tr>
            <th scope="col">Operation</th>
            {columns.map(([column, name, title]) => (
              <th
                key={column}
                scope="col"
                class="right"
                aria-sort={by === column ? 'descending' : undefined}
              >
                <button type="button" class="sort" title={title} onClick={() => setBy(column)}>
                  {name}
                </button>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {groups.map((group) => (
            <tr
              key={group}
              style={{ '--service': colourOf(trace.services[stats.service[group]!]!.name) }}
            >
              <Operation
                open={open}
                stats={stats}
                group={group}
                onFind={onFind}
                share={stats.self[group]! / selfTotal}
              />
              {columns.map(([column]) => (
                <td key={column} class={`right num ${column === 'errors' ? 'error-text' : ''}`}>
                  {show(group, column)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {stats.count > shownMax && (
        <p class="muted more">
          The {shownMax} with the most of it, of {formatCount(stats.count)}.
        </p>
      )}
    </div>
  );
}

interface OperationProps {
  open: OpenTrace;
  stats: Statistics;
  group: number;
  share: number;
  onFind: (text: string) => void;
}

function Operation({ open, stats, group, share, onFind }: OperationProps) {
  const name = textOf(open.trace.texts, stats.name[group]!);
  const service = open.trace.services[stats.service[group]!]!.name;
  return (
    <th scope="row">
      <span class="statistics-name">
        <span class="wf-swatch" />
        <button
          type="button"
          class="link"
          onClick={() => onFind(name)}
          title="Find them in the waterfall"
        >
          <bdi>{name.slice(0, 300).trim() || '(no name)'}</bdi>
        </button>
        <bdi class="muted">{service.slice(0, 100)}</bdi>
      </span>
      <span class="statistics-share" style={{ width: `${share * 100}%` }} />
    </th>
  );
}
