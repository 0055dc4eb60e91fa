// Over the list: how long the spans took that the search selects, when; how many there are and how
// many fail. What is dragged over becomes the search.

import { useMemo } from 'preact/hooks';
import { ApiError, api, type Metrics, type Summary } from '../api';
import { formatDuration, formatFrequency } from '../format';
import { groupsOf, stepMillis, timesMillis, type Group } from '../metrics/groups';
import { Heatmap, type Choice } from '../metrics/heatmap';
import { Sparkline } from '../metrics/sparkline';
import { useAnswer } from '../metrics/use-answer';
import { withDuration } from '../metrics/with-duration';
import { resolveTime, withService } from '../query';
import { currentProject, href, navigate } from '../router';
import { formatShare } from '../services/service-table';
import { writeRest } from '../why/why';
import type { Search } from './search';

interface Props {
  search: Search;
  traces: Summary[];
  live: boolean;
}

/** A step that is longer than any time: one number for all of it. */
const whole = '36500d';
const minuteNano = 60_000_000_000n;

/** Without bounds the time of what is listed, to the minute, so that a new trace is no new question. */
function startOf(search: Search, traces: Summary[]): string | undefined {
  if (search.start) return resolveTime(search.start);
  const oldest = traces[traces.length - 1]?.startTimeUnixNano;
  if (!oldest) return undefined;
  return String((BigInt(oldest) / minuteNano) * minuteNano);
}

function endOf(search: Search, traces: Summary[], live: boolean): string | undefined {
  if (search.end) return resolveTime(search.end);
  const newest = traces[0]?.startTimeUnixNano;
  if (live || search.start || !newest) return undefined;
  return String((BigInt(newest) / minuteNano + 2n) * minuteNano);
}

/** The last answer, so that "back" finds the list where it was: below this. */
let kept: { id: string | null; both: [Metrics, Metrics | null] } | null = null;

export function Overview({ search, traces, live }: Props) {
  const start = startOf(search, traces);
  const asksNumbers = /\|\s*\w+(_over_time)?\s*\(/.test(search.q);
  const id =
    start === undefined || asksNumbers
      ? null
      : JSON.stringify([
          search,
          search.start ? '' : start,
          live ? '' : endOf(search, traces, live),
          currentProject(),
        ]);
  const { answer: newest, error } = useAnswer(id, live, (signal) => {
    const asked = {
      q: withService(search.q, search.service).text,
      start: startOf(search, traces),
      end: endOf(search, traces, live),
    };
    return Promise.all([
      api.metrics(asked, signal),
      // Without the numbers of all of the time there is still the picture.
      api.metrics({ ...asked, step: whole }, signal).catch(() => null),
    ]);
  });
  if (newest) kept = { id, both: newest };
  const both = newest ?? (kept?.id === id ? kept.both : null);
  const answer = both && both[0];
  const shown = useMemo(() => {
    const group = answer ? groupsOf(answer)[0] : undefined;
    if (!answer || !group) return null;
    const histogram = { times: timesMillis(answer), step: stepMillis(answer), ...group.histogram };
    return { histogram, group };
  }, [answer]);
  // What is chosen is looked at beside the rest of what is shown.
  const rest = answer && {
    ...search,
    start: answer.startTimeUnixNano,
    end: answer.endTimeUnixNano,
  };
  const choose = (choice: Choice) =>
    navigate(
      href('/traces', {
        ...search,
        q: withDuration(search.q, choice.from, choice.to),
        start: new Date(choice.startMillis).toISOString(),
        end: new Date(choice.endMillis).toISOString(),
        rest: rest && writeRest(rest),
      }),
    );
  // A query that /metrics refuses (a pipeline) still finds traces: then there is no picture of it.
  if (error !== null && !(error instanceof ApiError)) throw error;
  if (shown === null || shown.histogram.counts.length === 0) return null;
  return (
    <div class="overview">
      <Heatmap {...shown.histogram} onChoose={choose} />
      <Numbers steps={shown.group} all={both?.[1] ? groupsOf(both[1])[0] : undefined} />
    </div>
  );
}

/** How many, how many failed, how long: over all of the time, and how it went. */
function Numbers({ steps, all }: { steps: Group; all: Group | undefined }) {
  const [rate, errors] = [all?.rate[0] ?? 0, all?.errors[0] ?? 0];
  const share = formatShare(rate > 0 ? errors / rate : 0);
  const rows: [name: string, text: string, values: Group['rate'], colour: string][] = [
    ['Spans', all ? formatFrequency(rate) : '–', steps.rate, 'var(--accent)'],
    ['Errors', share, steps.errors, 'var(--error)'],
  ];
  for (const name of ['p50', 'p95', 'p99'] as const) {
    const nanos = all?.[name][0] ?? null;
    const text = nanos === null ? '–' : formatDuration(nanos);
    rows.push([name, text, steps[name], 'var(--muted)']);
  }
  return (
    <dl class="numbers" data-testid="numbers">
      {rows.map(([name, text, values, colour]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd class={`num ${name === 'Errors' && errors > 0 ? 'error-text' : ''}`}>
            <Sparkline values={values} colour={colour} />
            {text}
          </dd>
        </div>
      ))}
    </dl>
  );
}
