// One trace: its summary, the waterfall, and the panel of the row that is open (`?span=`).

import { useEffect, useLayoutEffect, useMemo, useState } from 'preact/hooks';
import { ApiError, api, type Trace } from '../api';
import { BrokenBadge } from '../components/broken-badge';
import { CopyButton } from '../components/copy';
import { Problem } from '../components/problem';
import { ServiceChips } from '../components/service-chips';
import { formatClock, formatDuration, formatInstant, plural } from '../format';
import { poll } from '../poll';
import { href, place, replace } from '../router';
import { Panel } from '../waterfall/panel';
import { JsonRows } from '../waterfall/rows';
import { Waterfall } from '../waterfall/waterfall';

const againMillis = 2000;
/** A trace that ended this recently may still grow. */
const settledAfterMillis = 60_000;
/** A trace this big is not fetched again for a span or two. */
const refetchSpansMax = 10_000;

function mayGrow(trace: Trace): boolean {
  const end = BigInt(trace.startTimeUnixNano) + BigInt(trace.durationNano);
  const age = Date.now() - Number(end / 1000000n);
  return age < settledAfterMillis && trace.spanCount < refetchSpansMax;
}

export function TracePage({ traceId }: { traceId: string }) {
  const [trace, setTrace] = useState<Trace | null>(null);
  const [error, setError] = useState<unknown>(null);

  // Not after the first paint, as an effect would be: the browser paints while the server answers.
  useLayoutEffect(() => {
    let known: Trace | null = null;
    let failure: unknown = null;
    const ask = async (signal: AbortSignal) => {
      try {
        const found = await api.trace(traceId, signal);
        if (signal.aborted) return;
        const grew = found.spanCount !== known?.spanCount;
        known = found;
        failure = null;
        if (grew) setTrace(found);
      } catch (thrown) {
        if (signal.aborted) return;
        failure = thrown;
      }
      setError(failure);
    };
    const isPassing = () =>
      failure instanceof ApiError && (failure.status === 404 || failure.status === 0);
    const pause = () => ((failure ? isPassing() : known && mayGrow(known)) ? againMillis : null);
    return poll(ask, pause);
  }, [traceId]);

  useEffect(() => {
    const { service, operation } = trace ? rootOf(trace) : { service: 'Trace', operation: '' };
    document.title = `${service} ${operation} · TraceKit`;
  }, [trace]);

  if (trace) return <TraceView trace={trace} />;
  if (error instanceof ApiError && error.status === 404) return <NotHere traceId={traceId} />;
  if (error !== null)
    return (
      <div class="page">
        <Problem error={error} />
      </div>
    );
  return (
    <p class="loading" role="status">
      Loading…
    </p>
  );
}

function NotHere({ traceId }: { traceId: string }) {
  return (
    <div class="center-card" data-testid="not-found">
      <h1>No such trace yet</h1>
      <p>
        No span of <code class="wrap">{traceId}</code> has arrived.
      </p>
      <p class="muted">This page looks again every two seconds.</p>
      <p>
        <a href={href('/traces')}>All traces</a>
      </p>
    </div>
  );
}

/** As in the list: the root's service, and its operation when that says more. */
function rootOf(trace: Trace): { service: string; operation: string } {
  const { serviceName = '', name = trace.traceId } =
    trace.spans.find((span) => span.depth === 0 && !span.orphan) ?? trace.spans[0] ?? {};
  return { service: serviceName, operation: name === serviceName ? '' : name };
}

function TraceView({ trace }: { trace: Trace }) {
  const rows = useMemo(() => new JsonRows(trace), [trace]);
  const openKey = place.value.params.get('span');
  const index = useMemo(() => (openKey ? rows.indexOf(openKey) : -1), [rows, openKey]);
  const here = `/traces/${trace.traceId}`;
  const open = (key: string) => replace(href(here, { span: key }));
  const close = () => {
    if (!openKey) return;
    replace(href(here));
    document.querySelector<HTMLElement>('[role="treegrid"]')?.focus();
  };
  return (
    <div class={`trace-page ${index >= 0 ? 'has-panel' : ''}`}>
      <TraceHead trace={trace} />
      <Waterfall rows={rows} openKey={openKey} onOpen={open} onClose={close} />
      {index >= 0 && <Panel rows={rows} index={index} onOpen={open} onClose={close} />}
    </div>
  );
}

function TraceHead({ trace }: { trace: Trace }) {
  const { date, time } = formatClock(trace.startTimeUnixNano);
  const { service, operation } = rootOf(trace);
  return (
    <header class="trace-head">
      <h1>
        <bdi>{service}</bdi> {operation && <bdi class="t-operation">{operation}</bdi>}
      </h1>
      <p class="trace-id">
        <span class="muted">Trace</span> <code data-testid="trace-id">{trace.traceId}</code>
        <CopyButton text={trace.traceId} label="Copy trace id" />
      </p>
      <ul class="trace-facts num">
        <li>
          <strong>{formatDuration(trace.durationNano)}</strong>
        </li>
        <li>{plural(trace.spanCount, 'span')}</li>
        <li>{plural(trace.services.length, 'service')}</li>
        <li class={trace.errorCount > 0 ? 'error-text' : 'muted'}>
          {plural(trace.errorCount, 'error')}
        </li>
        {trace.broken && (
          <li>
            <BrokenBadge />
          </li>
        )}
        <li class="muted" title={formatInstant(trace.startTimeUnixNano)}>
          {date} {time}
        </li>
        <li>
          <a href={href(`/api/v1/traces/${trace.traceId}`)} target="_blank" rel="noreferrer">
            JSON
          </a>
        </li>
      </ul>
      <ServiceChips services={trace.services} />
    </header>
  );
}
