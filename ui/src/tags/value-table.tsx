// The values of one key, the most frequent first; each leads to the traces that have it.

import type { Tag, TagValue, ValueCounts } from '../api';
import type { TimeRange } from '../components/time-choice';
import { formatCount } from '../format';
import { formatValue } from '../panel/attributes';
import { href } from '../router';
import { formatShare } from '../services/service-table';
import { valueQuery } from './value-query';

interface Props {
  name: string;
  /** Where the key stands. */
  scopes: Tag['scope'][];
  answer: ValueCounts;
  range: TimeRange;
}

export function ValueTable({ name, scopes, answer, range }: Props) {
  const { values, valueCount, spanCount, errorCount } = answer;
  return (
    <>
      <h2 class="tag-name">
        <bdi>{name}</bdi>
      </h2>
      {values.length === 0 ? (
        <p class="nothing">No span of this time has a text, number or truth under this key.</p>
      ) : (
        <>
          <p class="muted" data-testid="tag-said">
            {formatCount(valueCount)} {valueCount === 1 ? 'value' : 'values'} on{' '}
            {formatCount(spanCount)} {spanCount === 1 ? 'span' : 'spans'}
            {errorCount > 0 && `, ${formatShare(errorCount / spanCount)} of them failed`}.
            {valueCount > values.length &&
              ` These are the ${formatCount(values.length)} most frequent; the search completes the others.`}
          </p>
          <div class="table-scroll">
            <table class="operations tag-values" aria-label={`Values of ${name}`}>
              <thead>
                <tr>
                  <th scope="col">Value</th>
                  {['Spans', 'Share', 'Errors'].map((title) => (
                    <th key={title} scope="col" class="right">
                      {title}
                    </th>
                  ))}
                </tr>
              </thead>
              <tbody>
                {values.map((each) => (
                  <Row
                    key={`${each.type} ${each.value}`}
                    each={each}
                    query={valueQuery(scopes, name, each)}
                    share={each.count / spanCount}
                    range={range}
                  />
                ))}
              </tbody>
            </table>
          </div>
        </>
      )}
    </>
  );
}

interface RowProps {
  each: TagValue;
  /** null: no query can say it. */
  query: string | null;
  share: number;
  range: TimeRange;
}

function Row({ each, query, share, range }: RowProps) {
  const failed = each.errorCount / each.count;
  const shown = <bdi>{formatValue(each.value)}</bdi>;
  return (
    <tr data-testid="tag-value">
      <td>
        {query === null ? (
          shown
        ) : (
          <a class="row-link" href={href('/traces', { ...range, q: query })}>
            {shown}
          </a>
        )}
        <span class="tag-share" style={{ width: `${share * 100}%` }} />
      </td>
      <td class="num right">{formatCount(each.count)}</td>
      <td class="num right">{formatShare(share)}</td>
      <td class={`num right ${failed > 0 ? 'error-text' : 'muted'}`}>{formatShare(failed)}</td>
    </tr>
  );
}
