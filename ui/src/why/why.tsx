// What is special about the spans that were chosen, on the heatmap or of an operation: the values
// that are more frequent among them than among the rest. The URL's `rest` says what that is: a
// search, as its own parameters.

import { api, type Difference, type Differences } from '../api';
import { Problem } from '../components/problem';
import { formatCount, plural } from '../format';
import { useAnswer } from '../metrics/use-answer';
import { quote, resolveTime, withCondition, withService } from '../query';
import { currentProject, href, place } from '../router';
import { readSearch, type Search } from '../traces/search';

export const writeRest = ({ q, service, start, end }: Search): string =>
  new URLSearchParams(
    Object.entries({ q, service, start, end }).filter(([, value]) => value),
  ).toString() || 'q=';

interface Props {
  search: Search;
  /** null: nothing was chosen. */
  rest: string | null;
}

export function Why({ search, rest }: Props) {
  const id = rest === null ? null : JSON.stringify([search, rest, currentProject()]);
  const { answer, error } = useAnswer(id, false, (signal) => ask(search, rest!, signal));
  if (rest === null) return null;
  return (
    <section class="why" aria-labelledby="why" data-testid="why">
      <h2 id="why">What is special about these spans</h2>
      {error !== null && <Problem error={error} />}
      {answer === null && error === null && (
        <p class="muted" role="status">
          Comparing them with the rest…
        </p>
      )}
      {answer && <Answer answer={answer} search={search} />}
    </section>
  );
}

function ask(search: Search, rest: string, signal: AbortSignal): Promise<Differences> {
  const other = readSearch(new URLSearchParams(rest));
  return api.differences(
    {
      q: withService(search.q, search.service).text,
      start: resolveTime(search.start),
      end: resolveTime(search.end),
      rest: withService(other.q, other.service).text,
      rest_start: resolveTime(other.start),
      rest_end: resolveTime(other.end),
      limit: '12',
    },
    signal,
  );
}

function Answer({ answer, search }: { answer: Differences; search: Search }) {
  const { selected, rest, differences } = answer;
  const counted = ({ spanCount, cut }: typeof rest) =>
    cut ? `the newest ${plural(spanCount, 'span')}` : plural(spanCount, 'span');
  const close = href('/traces', { ...search });
  return (
    <>
      <p class="muted" data-testid="why-counts">
        <span class="why-key why-selected" aria-hidden="true" /> Selected: {counted(selected)}.{' '}
        <span class="why-key" aria-hidden="true" /> The rest: {counted(rest)}.{' '}
        <a href={close}>Hide</a>
      </p>
      {differences.length === 0 && (
        <p>Nothing tells them apart: no value is clearly more frequent among them.</p>
      )}
      {differences.length > 0 && (
        <ul class="why-list">
          {differences.map((each, i) => (
            <li key={i} data-testid="difference">
              <What difference={each} query={selected.query} search={search} />
              <Shares
                selected={each.selectedCount / Math.max(selected.spanCount, 1)}
                rest={each.restCount / Math.max(rest.spanCount, 1)}
                counts={`${formatCount(each.selectedCount)} selected, ${formatCount(each.restCount)} others`}
              />
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

interface WhatProps {
  difference: Difference;
  query: string;
  search: Search;
}

/** The value, as a link to those of the selected spans that have it. */
function What({ difference, query, search }: WhatProps) {
  const { key, value } = difference;
  const narrowed = withCondition(query, conditionOf(difference));
  const shown = value === null ? 'none' : String(value).slice(0, 200) || '""';
  const words = (
    <>
      <bdi class="muted wrap">{key}</bdi>{' '}
      <bdi class={value === null ? 'muted' : 'value wrap'}>{shown}</bdi>
    </>
  );
  if (narrowed === null) return <span class="why-what">{words}</span>;
  const to = href('/traces', {
    ...search,
    service: null,
    q: narrowed,
    rest: place.value.params.get('rest'),
  });
  return (
    <a class="why-what" href={to} title="Only the selected spans that have this">
      {words}
    </a>
  );
}

/** As TraceQL. */
export function conditionOf({ scope, key, value }: Difference): string {
  const plain = /^[A-Za-z_][\w.-]*$/.test(key) ? key : quote(key);
  const name = scope === 'intrinsic' ? key : `${scope}.${plain}`;
  if (value === null) return `${name} = nil`;
  const isWord = typeof value !== 'string' || (scope === 'intrinsic' && key !== 'name');
  return `${name} = ${isWord ? value : quote(value)}`;
}

interface SharesProps {
  selected: number;
  rest: number;
  counts: string;
}

function Shares({ selected, rest, counts }: SharesProps) {
  const percent = (share: number) => `${Math.round(share * 100)} %`;
  return (
    <span class="why-shares num" title={counts}>
      <span class="why-bars" aria-hidden="true">
        <span class="why-selected" style={{ width: `${selected * 100}%` }} />
        <span style={{ width: `${rest * 100}%` }} />
      </span>
      <span class="why-percent">
        <span class="sr-only">of the selected </span>
        {percent(selected)} <span class="muted">against {percent(rest)}</span>
      </span>
    </span>
  );
}
