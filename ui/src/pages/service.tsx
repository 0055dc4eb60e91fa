// One service: its rate, errors and latencies over time, and its operations.

import { useEffect, useMemo } from 'preact/hooks';
import { api } from '../api';
import { Problem } from '../components/problem';
import { TimeChoice } from '../components/time-choice';
import { formatDuration, formatRate } from '../format';
import { Chart } from '../metrics/chart';
import { groupsOf, timesMillis } from '../metrics/groups';
import { useAnswer } from '../metrics/use-answer';
import { withService } from '../query';
import { currentProject, href, navigate, place } from '../router';
import { OperationTable } from '../services/operation-table';
import { askedRange, instant, isLive, readRange } from '../services/range';
import { colourOf } from '../waterfall/colour';

export function ServicePage({ name }: { name: string }) {
  const range = readRange(place.value.params);
  const here = `/services/${encodeURIComponent(name)}`;
  const id = JSON.stringify([name, range, currentProject()]);
  useEffect(() => {
    document.title = `${name} · TraceKit`;
  }, [name]);
  const metrics = useAnswer(id, isLive(range), (signal) =>
    api.metrics({ ...askedRange(range), q: withService('', name).text }, signal),
  );
  const operations = useAnswer(id, isLive(range), (signal) => api.operations(name, signal));
  const shown = useMemo(() => {
    if (!metrics.answer) return null;
    const group = groupsOf(metrics.answer)[0];
    return group ? { group, times: timesMillis(metrics.answer) } : null;
  }, [metrics.answer]);
  const zoom = (startMillis: number, endMillis: number) =>
    navigate(href(here, { start: instant(startMillis), end: instant(endMillis) }));
  const lines = useMemo(() => {
    const group = shown?.group;
    if (!group) return null;
    return {
      rate: [{ name: 'spans', values: group.rate, colour: colourOf(name) }],
      errors: [{ name: 'errors', values: group.errors, colour: 'var(--error)' }],
      latency: [
        { name: 'p50', values: group.p50, colour: 'var(--good)' },
        { name: 'p95', values: group.p95, colour: 'var(--accent)' },
        { name: 'p99', values: group.p99, colour: 'var(--warning)' },
      ],
    };
  }, [shown, name]);
  const perSecond = (value: number) => formatRate(value) + '/s';

  return (
    <div class="page">
      <p class="crumbs">
        <a href={href('/services', { ...range })}>Services</a>
      </p>
      <div class="page-head">
        <h1 style={{ '--service': colourOf(name) }}>
          <span class="wf-swatch" /> <bdi>{name}</bdi>
        </h1>
        <a class="button" href={href('/traces', { service: name, ...range })}>
          Its traces
        </a>
        <span class="spacer" />
        <TimeChoice
          range={range}
          bounded
          onChoose={(chosen) => navigate(href(here, { ...chosen }))}
        />
      </div>
      {metrics.error !== null && <Problem error={metrics.error} />}
      {shown === null && metrics.answer !== null && (
        <p class="nothing">It sent no span in this time.</p>
      )}
      {shown !== null && lines !== null && (
        <div class="charts" data-testid="charts">
          <Chart
            title="Spans a second"
            times={shown.times}
            lines={lines.rate}
            format={perSecond}
            onRange={zoom}
          />
          <Chart
            title="Errors a second"
            times={shown.times}
            lines={lines.errors}
            format={perSecond}
            onRange={zoom}
          />
          <Chart
            title="Duration"
            times={shown.times}
            lines={lines.latency}
            format={formatDuration}
            onRange={zoom}
          />
        </div>
      )}
      <h2>Operations</h2>
      {operations.error !== null && <Problem error={operations.error} />}
      {operations.answer !== null && (
        <OperationTable operations={operations.answer} service={name} range={range} />
      )}
    </div>
  );
}
