// One trace: what it is about, the waterfall or another view of it, and the panel of what is open
// (`?span=`).

import { useEffect, useLayoutEffect, useState } from 'preact/hooks';
import { ApiError } from '../api';
import { Problem } from '../components/problem';
import { poll } from '../poll';
import { currentProject, href } from '../router';
import type { OpenTrace } from '../trace/analysis';
import { loadFirst, loadWhole } from '../trace/load';
import { nameOf, rootOf, serviceOf, type Trace } from '../trace/trace';
import { TraceView } from '../waterfall/trace-view';

const againMillis = 2000;
/** A trace that ended this recently may still grow. */
const settledAfterMillis = 60_000;
/** A trace this big is not fetched again for a span or two. */
const refetchSpansMax = 10_000;

function mayGrow(trace: Trace): boolean {
  const endMillis = Number(trace.startNano / 1000000n) + trace.durationNano / 1e6;
  return Date.now() - endMillis < settledAfterMillis && trace.spanCount < refetchSpansMax;
}

export function TracePage({ traceId }: { traceId: string }) {
  const [open, setOpen] = useState<OpenTrace | null>(null);
  const [error, setError] = useState<unknown>(null);

  // Not after the first paint, as an effect would be: the browser paints while the server answers.
  useLayoutEffect(() => {
    let known: Trace | null = null;
    let isWhole = false;
    let failure: unknown = null;
    const project = currentProject();
    const ask = async (signal: AbortSignal) => {
      try {
        const first = await loadFirst(traceId, project, signal);
        if (signal.aborted) return;
        const grew = first.trace.spanCount !== known?.spanCount;
        failure = null;
        setError(null);
        if (!grew && isWhole) return;
        if (grew && (first.analysis !== null || known === null)) setOpen(first);
        known = first.trace;
        isWhole = first.analysis !== null;
        if (isWhole) return;
        const whole = await loadWhole(traceId, project, signal);
        if (signal.aborted) return;
        isWhole = true;
        setOpen(whole);
      } catch (thrown) {
        if (signal.aborted) return;
        failure = thrown;
        setError(thrown);
      }
    };
    const isPassing = () =>
      failure instanceof ApiError && (failure.status === 404 || failure.status === 0);
    const pause = () => ((failure ? isPassing() : known && mayGrow(known)) ? againMillis : null);
    return poll(ask, pause);
  }, [traceId]);

  useEffect(() => {
    const { service, operation } = open ? titleOf(open.trace) : { service: 'Trace', operation: '' };
    document.title = `${service} ${operation} · TraceKit`;
  }, [open]);

  if (open)
    return <TraceView traceId={traceId} open={open} error={error} {...titleOf(open.trace)} />;
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

/** As in the list: the root's service, and its operation when that says more. */
function titleOf(trace: Trace): { service: string; operation: string } {
  const root = rootOf(trace.spans);
  if (trace.spans.count === 0) return { service: trace.services[0]?.name ?? '', operation: '' };
  const service = serviceOf(trace, root);
  const name = nameOf(trace, root);
  return { service, operation: name === service ? '' : name };
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
        {' · '}
        <a href="/docs/verify">Nothing comes? Let tracekit verify look</a>
      </p>
    </div>
  );
}
