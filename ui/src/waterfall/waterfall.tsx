// The unified waterfall: header with the time axis, and the pool's rows under it. It is one tab
// stop; all else is keys, listed in keys.tsx.

import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { formatDuration } from '../format';
import { ticks, tickWidthMin } from './axis';
import { RowPool, type Drawing } from './row-pool';
import type { Rows } from './rows';
import { useTimeDrag } from './time-drag';
import { useTimeWheel } from './time-wheel';
import type { TimeWindow } from './time-window';

interface Props {
  rows: Rows;
  /** Changes whenever rows were folded. */
  folds: number;
  drawing: Drawing;
  /** The key of the row shown in the panel, if any. */
  openKey: string | null;
  activeKey: string | null;
  onActive: (key: string) => void;
  onOpen: (key: string) => void;
  onClose: () => void;
  onFold: (index: number, folded: boolean, all: boolean) => void;
  onWindow: (window: TimeWindow) => void;
  /** A double click, or `f`: the time of this row. */
  onFit: (key: string) => void;
  /** Keys that are the page's; true if it took it. */
  onKey: (key: string) => boolean;
}

export function Waterfall(props: Props) {
  const { rows, folds, drawing, openKey, activeKey, onActive, onOpen, onFold } = props;
  const grid = useRef<HTMLDivElement>(null);
  const head = useRef<HTMLDivElement>(null);
  const body = useRef<HTMLDivElement>(null);
  const pool = useRef<RowPool | null>(null);
  const open = openKey ? rows.indexOf(openKey) : -1;
  const active = activeKey ? rows.indexOf(activeKey) : -1;

  useLayoutEffect(() => {
    pool.current = new RowPool(grid.current!, body.current!, head.current!);
    return () => pool.current!.destroy();
  }, []);
  // Who came here from another page has the keys at once; who has the focus elsewhere keeps it.
  useEffect(() => {
    if (document.activeElement?.id === 'main') grid.current!.focus({ preventScroll: true });
  }, []);
  useLayoutEffect(() => pool.current!.show(rows, drawing), [rows, folds, drawing]);
  useLayoutEffect(() => pool.current!.mark(active, open), [rows, folds, active, open]);
  useEffect(() => {
    if (activeKey) pool.current!.scrollTo(rows.indexOf(activeKey));
  }, [activeKey, rows]);
  useTimeWheel({
    area: grid,
    boxOf: (area) => area.querySelector('.wf-head .wf-timeline')!.getBoundingClientRect(),
    window: drawing.window,
    durationNano: rows.trace.durationNano,
    onWindow: props.onWindow,
  });

  const go = (index: number) => {
    const { key } = rows.read(Math.max(0, Math.min(index, rows.count - 1)));
    onActive(key);
    if (openKey) onOpen(key); // the panel follows
  };
  const left = (all: boolean) => {
    if (active < 0) return;
    const canFold = rows.read(active).hidden !== null && !rows.isFolded(active);
    if (canFold || all) onFold(active, true, all);
    else if (rows.parentOf(active) >= 0) go(rows.parentOf(active));
  };
  const right = (all: boolean) => {
    if (active < 0) return;
    if (rows.isFolded(active) || all) onFold(active, false, all);
    else if (rows.read(active).hidden !== null) go(active + 1);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const page = pool.current!.pageSize;
    const moves: Record<string, () => void> = {
      ArrowDown: () => go(active + 1),
      ArrowUp: () => go(active - 1),
      j: () => go(active + 1),
      k: () => go(active - 1),
      PageDown: () => go(active + page),
      PageUp: () => go(active - page),
      Home: () => go(0),
      End: () => go(rows.count - 1),
      ArrowLeft: () => left(event.shiftKey),
      ArrowRight: () => right(event.shiftKey),
      Enter: () => active >= 0 && onOpen(rows.read(active).key),
      Escape: props.onClose,
    };
    const move = moves[event.key];
    if (move) move();
    else if (!props.onKey(event.key)) return;
    event.preventDefault();
  };

  const rowAt = (event: MouseEvent) => {
    const row = (event.target as Element).closest<HTMLElement>('[data-testid="row"]');
    return row ? Number(row.dataset.index) : -1;
  };
  const onClick = (event: MouseEvent) => {
    const index = rowAt(event);
    if (index < 0) return;
    onActive(rows.read(index).key);
    const isCaret = (event.target as Element).closest('.wf-caret') !== null;
    if (isCaret && rows.read(index).hidden !== null)
      onFold(index, !rows.isFolded(index), event.shiftKey || event.altKey);
    else onOpen(rows.read(index).key);
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
      onDblClick={(event) => {
        const index = rowAt(event);
        if (index >= 0) props.onFit(rows.read(index).key);
      }}
      onFocus={() => active < 0 && rows.count > 0 && onActive(rows.read(0).key)}
    >
      <Header headRef={head} window={drawing.window} onWindow={props.onWindow} />
      <div ref={body} class="wf-body" role="rowgroup" />
    </div>
  );
}

interface HeaderProps {
  headRef: { current: HTMLDivElement | null };
  window: TimeWindow;
  onWindow: (window: TimeWindow) => void;
}

/** The column names, the axis, and the lines that continue its ticks down behind the rows. */
function Header({ headRef, window, onWindow }: HeaderProps) {
  const axis = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(600);
  useLayoutEffect(() => {
    const observer = new ResizeObserver(() => setWidth(axis.current?.clientWidth ?? 600));
    observer.observe(axis.current!);
    return () => observer.disconnect();
  }, []);
  const { brush, handlers } = useTimeDrag(axis, window, onWindow);
  const marks = ticks(window, Math.floor(width / tickWidthMin));
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
        <div
          role="columnheader"
          class="wf-timeline"
          aria-label="Timeline"
          title="Drag to zoom"
          ref={axis}
          {...handlers}
        >
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
          {brush && (
            <span
              class="wf-brush"
              style={{ left: `${brush[0] * 100}%`, width: `${(brush[1] - brush[0]) * 100}%` }}
            />
          )}
        </div>
        <div role="columnheader" class="wf-duration">
          Duration
        </div>
      </div>
    </>
  );
}
