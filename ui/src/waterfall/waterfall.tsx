// The unified waterfall: header with the time axis, and the pool's rows under it. It is one tab
// stop; arrows move, Enter opens, Escape closes.

import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { formatDuration } from '../format';
import { ticks } from './axis';
import { RowPool } from './row-pool';
import type { RowModel } from './rows';

interface Props {
  rows: RowModel;
  /** The key of the row shown in the panel, if any. */
  openKey: string | null;
  onOpen: (key: string) => void;
  onClose: () => void;
}

const tickWidthMin = 58;

export function Waterfall({ rows, openKey, onOpen, onClose }: Props) {
  const grid = useRef<HTMLDivElement>(null);
  const head = useRef<HTMLDivElement>(null);
  const body = useRef<HTMLDivElement>(null);
  const pool = useRef<RowPool | null>(null);
  const [activeKey, setActiveKey] = useState<string | null>(null);
  const open = useMemo(() => (openKey ? rows.indexOf(openKey) : -1), [rows, openKey]);
  const active = useMemo(() => (activeKey ? rows.indexOf(activeKey) : -1), [rows, activeKey]);

  useLayoutEffect(() => {
    pool.current = new RowPool(grid.current!, body.current!, head.current!);
    return () => pool.current!.destroy();
  }, []);
  useLayoutEffect(() => pool.current!.show(rows), [rows]);
  useLayoutEffect(() => pool.current!.mark(active, open), [rows, active, open]);
  useEffect(() => {
    if (!openKey) return;
    setActiveKey(openKey);
    pool.current!.scrollTo(rows.indexOf(openKey));
  }, [openKey]);

  const go = (index: number) => {
    const to = Math.max(0, Math.min(index, rows.count - 1));
    const { key } = rows.read(to);
    setActiveKey(key);
    pool.current!.scrollTo(to);
    if (openKey) onOpen(key); // the panel follows
  };

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const page = pool.current!.pageSize;
    const moves: Record<string, () => void> = {
      ArrowDown: () => go(active + 1),
      ArrowUp: () => go(active - 1),
      PageDown: () => go(active + page),
      PageUp: () => go(active - page),
      Home: () => go(0),
      End: () => go(rows.count - 1),
      ArrowLeft: () => active >= 0 && rows.parentOf(active) >= 0 && go(rows.parentOf(active)),
      Enter: () => active >= 0 && onOpen(rows.read(active).key),
      Escape: onClose,
    };
    const move = moves[event.key];
    if (!move) return;
    event.preventDefault();
    move();
  };

  const onClick = (event: MouseEvent) => {
    const row = (event.target as Element).closest<HTMLElement>('[data-testid="row"]');
    if (row) onOpen(rows.read(Number(row.dataset.index)).key);
  };

  return (
    <div
      ref={grid}
      class="wf"
      role="treegrid"
      aria-label="Waterfall"
      tabIndex={0}
      aria-rowcount={rows.count + 1}
      onKeyDown={onKeyDown}
      onClick={onClick}
      onFocus={() => active < 0 && rows.count > 0 && setActiveKey(rows.read(0).key)}
    >
      <Header headRef={head} durationNano={rows.durationNano} />
      <div ref={body} class="wf-body" role="rowgroup" />
    </div>
  );
}

interface HeaderProps {
  headRef: { current: HTMLDivElement | null };
  durationNano: number;
}

/** The column names, the axis, and the lines that continue its ticks down behind the rows. */
function Header({ headRef, durationNano }: HeaderProps) {
  const axis = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(600);
  useLayoutEffect(() => {
    const observer = new ResizeObserver(() => setWidth(axis.current?.clientWidth ?? 600));
    observer.observe(axis.current!);
    return () => observer.disconnect();
  }, []);
  const marks = ticks(durationNano, Math.floor(width / tickWidthMin));
  return (
    <>
      <div class="wf-lines" aria-hidden="true">
        <div class="wf-timeline">
          {marks.map((tick) => (
            <span key={tick.nanos} class="wf-line" style={{ left: `${tick.percent}%` }} />
          ))}
        </div>
      </div>
      <div ref={headRef} class="wf-head" role="row" aria-rowindex={1}>
        <div role="columnheader" class="wf-service">
          Service
        </div>
        <div role="columnheader" class="wf-timeline" aria-label="Timeline" ref={axis}>
          Timeline
          {marks.map((tick) => (
            <span
              key={tick.nanos}
              class="wf-tick"
              data-testid="tick"
              aria-hidden="true"
              style={{ left: `${tick.percent}%` }}
            >
              {tick.nanos === 0 ? '0' : formatDuration(tick.nanos)}
            </span>
          ))}
        </div>
        <div role="columnheader" class="wf-duration">
          Duration
        </div>
      </div>
    </>
  );
}
