// Over the list: how long the spans took that the search selects, when. What is dragged over becomes
// the search.

import { useMemo } from 'preact/hooks';
import { ApiError, api, type Summary } from '../api';
import { groupsOf, stepMillis, timesMillis } from '../metrics/groups';
import { Heatmap, type Choice } from '../metrics/heatmap';
import { useAnswer } from '../metrics/use-answer';
import { resolveTime, withDuration, withService } from '../query';
import { currentProject, href, navigate } from '../router';
import { writeRest } from '../why/why';
import type { Search } from './search';

interface Props {
  search: Search;
  traces: Summary[];
  live: boolean;
}

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
  const { answer, error } = useAnswer(id, live, (signal) =>
    api.metrics(
      {
        q: withService(search.q, search.service).text,
        start: startOf(search, traces),
        end: endOf(search, traces, live),
      },
      signal,
    ),
  );
  const shown = useMemo(() => {
    const group = answer ? groupsOf(answer)[0] : undefined;
    if (!answer || !group) return null;
    return { times: timesMillis(answer), step: stepMillis(answer), ...group.histogram };
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
  if (shown === null || shown.counts.length === 0) return null;
  return <Heatmap {...shown} onChoose={choose} />;
}
