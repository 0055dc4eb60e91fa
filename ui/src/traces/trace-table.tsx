// One row per trace. The name is the link and covers the whole row.

import type { Summary } from '../api';
import { BrokenBadge } from '../components/broken-badge';
import { ServiceChips } from '../components/service-chips';
import { formatClock, formatCount, formatDuration, formatInstant, plural } from '../format';
import { href } from '../router';

export function TraceTable({ traces }: { traces: Summary[] }) {
  const longest = traces.reduce((most, trace) => Math.max(most, Number(trace.durationNano)), 1);
  return (
    <table class="traces" aria-label="Traces, newest first">
      <thead>
        <tr>
          <th scope="col">Start</th>
          <th scope="col">Trace</th>
          <th scope="col">Services</th>
          <th scope="col" class="right">
            Spans
          </th>
          <th scope="col" class="right">
            Errors
          </th>
          <th scope="col" class="right">
            Duration
          </th>
        </tr>
      </thead>
      <tbody>
        {traces.map((trace) => (
          <TraceRow key={trace.traceId} trace={trace} longest={longest} />
        ))}
      </tbody>
    </table>
  );
}

function TraceRow({ trace, longest }: { trace: Summary; longest: number }) {
  const { date, time } = formatClock(trace.startTimeUnixNano);
  const share = (Number(trace.durationNano) / longest) * 100;
  return (
    <tr data-testid="trace" data-trace-id={trace.traceId}>
      <td class="t-start num" title={formatInstant(trace.startTimeUnixNano)}>
        {date && <span class="muted">{date} </span>}
        {time}
      </td>
      <td class="t-name">
        <a class="row-link" href={href(`/traces/${trace.traceId}`)}>
          <bdi class="t-service">{trace.rootServiceName || 'unknown service'}</bdi>
          {trace.rootName !== trace.rootServiceName && (
            <bdi class="t-operation">{trace.rootName || 'root not received'}</bdi>
          )}
        </a>
        {trace.broken && <BrokenBadge />}
      </td>
      <td class="t-services">
        <ServiceChips services={trace.services} />
      </td>
      <td class="t-spans num right">
        {formatCount(trace.spanCount)}
        <span class="unit"> spans</span>
      </td>
      <td class="t-errors num right">
        {trace.errorCount > 0 ? (
          <span class="error-text" title={plural(trace.errorCount, 'error')}>
            <span class="mark mark-error" aria-hidden="true" /> {formatCount(trace.errorCount)}
            <span class="unit"> errors</span>
          </span>
        ) : (
          <span class="muted">–</span>
        )}
      </td>
      <td class="t-duration num right">
        {formatDuration(trace.durationNano)}
        <span class="share" aria-hidden="true">
          <span style={{ width: `${share}%` }} />
        </span>
      </td>
    </tr>
  );
}
