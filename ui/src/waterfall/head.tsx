// What trace this is: whose request, how long, how many spans, when.

import { BrokenBadge } from '../components/broken-badge';
import { CopyButton } from '../components/copy';
import { formatClock, formatDuration, formatInstant, plural } from '../format';
import { href } from '../router';
import type { Trace } from '../trace/trace';

interface Props {
  traceId: string;
  trace: Trace;
  service: string;
  operation: string;
}

export function TraceHead({ traceId, trace, service, operation }: Props) {
  const start = String(trace.startNano);
  const { date, time } = formatClock(start);
  return (
    <header class="trace-head">
      <h1>
        <bdi>{service}</bdi> {operation && <bdi class="t-operation">{operation}</bdi>}
      </h1>
      <ul class="trace-facts num">
        <li>
          <strong>{formatDuration(trace.durationNano)}</strong>
        </li>
        <li>{plural(trace.spanCount, 'span')}</li>
        <li>{plural(trace.services.length, 'service')}</li>
        <li class={trace.errorCount > 0 ? 'error-text' : 'muted'}>
          {plural(trace.errorCount, 'error')}
        </li>
        {trace.isBroken && (
          <li>
            <BrokenBadge />
          </li>
        )}
        <li class="muted" title={formatInstant(start)}>
          {date} {time}
        </li>
      </ul>
      <p class="trace-id">
        <span class="muted">Trace</span> <code data-testid="trace-id">{traceId}</code>
        <CopyButton text={traceId} label="Copy trace id" />
        <a href={href(`/api/v1/traces/${traceId}`)} target="_blank" rel="noreferrer">
          JSON
        </a>
        <a
          href={href('/compare', { second: traceId, service, operation: operation || service })}
          title="Compare with the median of this operation"
        >
          Compare
        </a>
      </p>
    </header>
  );
}
