// One of the two traces: its rows on the time axis of both.

import { useEffect, useMemo, useState } from 'preact/hooks';
import { Problem } from '../components/problem';
import { formatClock, formatDuration, formatInstant, plural } from '../format';
import { currentProject, href } from '../router';
import type { OpenTrace } from '../trace/analysis';
import { loadFirst } from '../trace/load';
import { spanOf } from '../trace/trace';
import { colourOf } from '../waterfall/colour';
import { Rows, type RowView } from '../waterfall/rows';

const rowsMax = 60;

interface Props {
  title: string;
  traceId: string;
  /** Only this span and what is below it. */
  spanId: string | null;
  /** The length of the axis, nanoseconds. */
  longest: number;
}

export function Side({ title, traceId, spanId, longest }: Props) {
  const [open, setOpen] = useState<OpenTrace | null>(null);
  const [error, setError] = useState<unknown>(null);
  useEffect(() => {
    const stopping = new AbortController();
    setOpen(null);
    setError(null);
    loadFirst(traceId, currentProject(), stopping.signal).then(
      setOpen,
      (thrown) => stopping.signal.aborted || setError(thrown),
    );
    return () => stopping.abort();
  }, [traceId]);
  return (
    <section class="side" aria-label={title} data-testid="side">
      <h2>
        {title} <a href={href(`/traces/${traceId}`, { span: spanId })}>Open</a>
      </h2>
      {error !== null && <Problem error={error} />}
      {open && <SideRows open={open} spanId={spanId} longest={longest} />}
    </section>
  );
}

function SideRows({
  open,
  spanId,
  longest,
}: { open: OpenTrace } & Omit<Props, 'title' | 'traceId'>) {
  const startNano = String(open.trace.startNano);
  const { date, time } = formatClock(startNano);
  const { rows, total, start } = useMemo(() => firstRows(open, spanId), [open, spanId]);
  return (
    <>
      <p class="muted num">
        {plural(open.trace.spanCount, 'span')}, {plural(open.trace.services.length, 'service')},{' '}
        <time title={formatInstant(startNano)}>
          {date} {time}
        </time>
      </p>
      <ul class="side-rows">
        {rows.map((row) => (
          <li key={row.key} style={{ '--service': colourOf(row.service) }} data-testid="side-row">
            <span
              class="side-label"
              style={{ paddingInlineStart: `${Math.min(row.depth, 8) * 12}px` }}
            >
              <bdi class={row.type === 'service' ? 'side-service' : ''}>
                {row.label.slice(0, 200).trim() || '(no name)'}
              </bdi>
            </span>
            <span class="side-axis" aria-hidden="true">
              <span class={row.isError ? 'is-error' : ''} style={boxOf(row, start, longest)} />
            </span>
            <span class="num right">{formatDuration(row.durationNano)}</span>
          </li>
        ))}
      </ul>
      {total > rows.length && <p class="muted">and {plural(total - rows.length, 'more row')}</p>}
    </>
  );
}

/** Of the whole trace the rows of the waterfall, of a span those of the tree below it. */
function firstRows(open: OpenTrace, spanId: string | null) {
  const { spans, rowTotal } = open.trace;
  const top = spanId ? spanOf(spans, spanId) : -1;
  const made = new Rows(open, { layout: top < 0 ? 'services' : 'tree', gaps: false, clocks: null });
  const [first, end] = top < 0 ? [0, made.count] : [top, spans.end[top]!];
  const rows: RowView[] = [];
  for (let i = first; i < end && rows.length < rowsMax; i++) rows.push(made.read(i));
  const depth = rows[0]?.depth ?? 0;
  return {
    rows: rows.map((row) => ({ ...row, depth: row.depth - depth })),
    total: top < 0 ? Math.max(rowTotal, made.count) : end - first,
    start: top < 0 ? 0 : spans.start[top]!,
  };
}

function boxOf({ offsetNano, durationNano }: RowView, start: number, longest: number) {
  const left = Math.min(Math.max(((offsetNano - start) / longest) * 100, 0), 100);
  const width = Math.min(Math.max((durationNano / longest) * 100, 0), 100 - left);
  return { left: `${left}%`, width: `${width}%` };
}
