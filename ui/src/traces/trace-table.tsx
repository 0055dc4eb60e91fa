// One row per trace. The name is the link and covers the whole row.

import { useRef } from 'preact/hooks';
import type { Summary } from '../api';
import { BrokenBadge } from '../components/broken-badge';
import { ServiceChips } from '../components/service-chips';
import { formatClock, formatCount, formatDuration, formatInstant, plural } from '../format';
import { href } from '../router';
import { useRowsInSight } from './rows-in-sight';

export function TraceTable({ traces }: { traces: Summary[] }) {
  const longest = traces.reduce((most, trace) => Math.max(most, Number(trace.durationNano)), 1);
  const body = useRef<HTMLTableSectionElement>(null);
  const { first, end, rowHeight } = useRowsInSight(body, traces.length);
  return (
    <table class="traces" aria-label="Traces, newest first" aria-rowcount={traces.length + 1}>
      <thead>
        <tr aria-rowindex={1}>
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
      <tbody ref={body}>
        <Room height={first * rowHeight} />
        {traces.slice(first, end).map((trace, i) => (
          <TraceRow key={trace.traceId} trace={trace} index={first + i} longest={longest} />
        ))}
        <Room height={(traces.length - end) * rowHeight} />
      </tbody>
    </table>
  );
}

/** As high as the rows that are not made. */
function Room({ height }: { height: number }) {
  if (height <= 0) return null;
  return (
    <tr class="room" aria-hidden="true" style={{ height: `${height}px` }}>
      <td colSpan={6} />
    </tr>
  );
}

interface RowProps {
  trace: Summary;
  /** From the newest. */
  index: number;
  longest: number;
}

function TraceRow({ trace, index, longest }: RowProps) {
  const { date, time } = formatClock(trace.startTimeUnixNano);
  const share = (Number(trace.durationNano) / longest) * 100;
  return (
    <tr data-testid="trace" data-trace-id={trace.traceId} data-row aria-rowindex={index + 2}>
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
      <td class="t-spans num right">{formatCount(trace.spanCount)}</td>
      {trace.errorCount > 0 ? (
        <td class="t-errors num right error-text" title={plural(trace.errorCount, 'error')}>
          <span class="mark mark-error" aria-hidden="true" /> {formatCount(trace.errorCount)}
        </td>
      ) : (
        <td class="t-errors num right muted">–</td>
      )}
      <td class="t-duration num right">
        {formatDuration(trace.durationNano)}
        <span class="share" aria-hidden="true" style={{ '--share': `${share}%` }} />
      </td>
    </tr>
  );
}
