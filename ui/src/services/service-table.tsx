// A row per service; the head of a column sorts by it (`?sort=`).

import type { TimeRange } from '../components/time-choice';
import { formatDuration, formatFrequency } from '../format';
import { Sparkline } from '../metrics/sparkline';
import { href, place, replace } from '../router';
import { colourOf } from '../waterfall/colour';

export interface ServiceRow {
  name: string;
  spans: number;
  /** Spans a second. */
  rate: number;
  /** 0 to 1. */
  errorShare: number;
  /** Nanoseconds. */
  p50: number | null;
  p95: number | null;
  p99: number | null;
  rates: (number | null)[];
  p95s: (number | null)[];
}

type SortKey = 'name' | 'rate' | 'errorShare' | 'p50' | 'p95' | 'p99';

const columns: [SortKey, string][] = [
  ['name', 'Service'],
  ['rate', 'Spans'],
  ['errorShare', 'Errors'],
  ['p50', 'p50'],
  ['p95', 'p95'],
  ['p99', 'p99'],
];

function sorted(rows: ServiceRow[], key: SortKey): ServiceRow[] {
  const by = (row: ServiceRow) => (key === 'name' ? 0 : (row[key] ?? -1));
  return [...rows].sort((a, b) => by(b) - by(a) || a.name.localeCompare(b.name));
}

export function formatShare(share: number): string {
  if (share === 0) return '–';
  const percent = share * 100;
  return (
    (percent < 0.1 ? '< 0.1' : String(Number(percent.toPrecision(percent < 10 ? 2 : 3)))) + ' %'
  );
}

export function ServiceTable({ rows, range }: { rows: ServiceRow[]; range: TimeRange }) {
  const { params } = place.value;
  const key = columns.find(([name]) => name === params.get('sort'))?.[0] ?? 'rate';
  return (
    <div class="table-scroll">
      <table class="services" aria-label="Services">
        <thead>
          <tr>
            {columns.map(([name, title]) => (
              <th
                key={name}
                scope="col"
                class={name === 'name' ? '' : 'right'}
                aria-sort={
                  name === key ? (name === 'name' ? 'ascending' : 'descending') : undefined
                }
              >
                <button
                  type="button"
                  class="sort"
                  onClick={() => replace(href('/services', { ...range, sort: name }))}
                >
                  {title}
                </button>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {sorted(rows, key).map((row) => (
            <Row key={row.name} row={row} range={range} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Row({ row, range }: { row: ServiceRow; range: TimeRange }) {
  const colour = colourOf(row.name);
  return (
    <tr data-testid="service">
      <td class="s-name" style={{ '--service': colour }}>
        <span class="wf-swatch" />
        <a class="row-link" href={href(`/services/${encodeURIComponent(row.name)}`, { ...range })}>
          <bdi>{row.name || 'unknown service'}</bdi>
        </a>
      </td>
      <td class="num right" title={`${row.spans.toLocaleString('en-US')} spans`}>
        <Sparkline values={row.rates} colour={colour} />{' '}
        <span class="with-spark">{formatFrequency(row.rate)}</span>
      </td>
      <td class={`num right ${row.errorShare > 0 ? 'error-text' : 'muted'}`}>
        {formatShare(row.errorShare)}
      </td>
      <td class="num right">{row.p50 === null ? '–' : formatDuration(row.p50)}</td>
      <td class="num right">
        <Sparkline values={row.p95s} colour={colour} />{' '}
        <span class="with-spark">{row.p95 === null ? '–' : formatDuration(row.p95)}</span>
      </td>
      <td class="num right">{row.p99 === null ? '–' : formatDuration(row.p99)}</td>
    </tr>
  );
}
