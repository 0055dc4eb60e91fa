// All services: how much they do, how often it fails, how long it takes.

import { useEffect } from 'preact/hooks';
import { api } from '../api';
import { Problem } from '../components/problem';
import { TimeChoice } from '../components/time-choice';
import { groupsOf } from '../metrics/groups';
import { useAnswer } from '../metrics/use-answer';
import { currentProject, href, navigate, place } from '../router';
import { askedRange, isLive, readRange } from '../services/range';
import { ServiceTable, type ServiceRow } from '../services/service-table';

export function ServicesPage() {
  const range = readRange(place.value.params);
  const id = JSON.stringify([range, currentProject()]);
  useEffect(() => {
    document.title = 'Services · TraceKit';
  }, []);
  const { answer, error } = useAnswer(id, isLive(range), async (signal) => {
    const asked = { ...askedRange(range), by: 'service' };
    const [steps, whole] = await Promise.all([
      api.metrics(asked, signal),
      api.metrics({ ...asked, step: '36500d' }, signal),
    ]);
    const totals = new Map(groupsOf(whole).map((group) => [group.label, group]));
    const seconds = Number(BigInt(whole.endTimeUnixNano) - BigInt(whole.startTimeUnixNano)) / 1e9;
    return groupsOf(steps).map((group) => rowOf(group, totals.get(group.label), seconds));
  });
  return (
    <div class="page">
      <div class="page-head">
        <h1>Services</h1>
        <span class="spacer" />
        <TimeChoice
          range={range}
          bounded
          onChoose={(chosen) =>
            navigate(href('/services', { ...chosen, sort: place.value.params.get('sort') }))
          }
        />
      </div>
      {error !== null && <Problem error={error} />}
      {answer === null && error === null && (
        <p class="loading" role="status">
          Loading…
        </p>
      )}
      {answer !== null && answer.length === 0 && (
        <p class="nothing">
          No service sent a span in this time. <a href={href('/traces')}>All traces</a>
        </p>
      )}
      {answer !== null && answer.length > 0 && <ServiceTable rows={answer} range={range} />}
    </div>
  );
}

type Group = ReturnType<typeof groupsOf>[number];

function rowOf(group: Group, whole: Group | undefined, seconds: number): ServiceRow {
  const rate = whole?.rate[0] ?? 0;
  return {
    name: group.label,
    rate,
    spans: Math.round(rate * seconds),
    errorShare: rate > 0 ? (whole?.errors[0] ?? 0) / rate : 0,
    p50: whole?.p50[0] ?? null,
    p95: whole?.p95[0] ?? null,
    p99: whole?.p99[0] ?? null,
    rates: group.rate,
    p95s: group.p95,
  };
}
