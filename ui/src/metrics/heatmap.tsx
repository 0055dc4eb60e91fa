// How long spans took, over time: a column for each step, a row for each doubling of the duration,
// the darker the more. Drag over it to look at those spans alone.

import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { resolvedColour, useTheme } from '../components/use-theme';
import { formatClock, formatCount, formatDuration } from '../format';

interface Props {
  times: number[];
  step: number;
  bounds: number[];
  counts: number[][];
  onChoose: (choice: Choice) => void;
}

export interface Choice {
  startMillis: number;
  endMillis: number;
  /** Nanoseconds; `from <= duration < to`. */
  from: number;
  to: number;
}

interface Cell {
  column: number;
  row: number;
}

const height = 112;
const rowsMin = 6;
const rowsMax = 12;

/**
 * The rows that are shown, `[first, end)`: up to the last bucket that holds anything, and not more
 * than twelve doublings. What is shorter than those counts in the first.
 */
export function usedRows(bounds: number[], counts: number[][]): [number, number] {
  const used = bounds.map((_, row) => counts.some((step) => (step[row] ?? 0) > 0));
  const end = Math.max(used.lastIndexOf(true) + 1, Math.min(rowsMin, bounds.length));
  const first = Math.max(used.indexOf(true), end - rowsMax, 0);
  return [Math.min(first, Math.max(end - rowsMin, 0)), end];
}

/** The counts of the shown rows alone, what is below them added to the first. */
export function shownCounts(counts: number[][], first: number, end: number): number[][] {
  return counts.map((step) => {
    const below = step.slice(0, first).reduce((a, b) => a + b, 0);
    return Array.from({ length: end - first }, (_, i) => (step[first + i] ?? 0) + (i ? 0 : below));
  });
}

export function Heatmap({ times, step, bounds, counts, onChoose }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [from, setFrom] = useState<Cell | null>(null);
  const [over, setOver] = useState<Cell | null>(null);
  const theme = useTheme();
  const [first, end] = usedRows(bounds, counts);
  const rows = end - first;
  const cells = useMemo(() => shownCounts(counts, first, end), [counts, first, end]);
  /** Of a shown row. The first begins at 0. */
  const lower = (row: number) => (row === 0 ? 0 : bounds[first + row - 1]!);
  const upper = (row: number) => bounds[first + row] ?? Infinity;
  const total = counts.reduce((sum, each) => sum + each.reduce((a, b) => a + b, 0), 0);

  useEffect(() => {
    const element = canvas.current!;
    const draw = () => {
      const width = element.clientWidth;
      const scale = devicePixelRatio || 1;
      element.width = width * scale;
      element.height = height * scale;
      const context = element.getContext('2d')!;
      context.scale(scale, scale);
      const most = cells.flat().reduce((a, b) => Math.max(a, b), 1);
      context.fillStyle = resolvedColour('var(--accent)');
      const [w, h] = [width / times.length, height / rows];
      cells.forEach((column, x) =>
        column.forEach((count, row) => {
          if (count === 0) return;
          context.globalAlpha = 0.1 + 0.9 * Math.sqrt(count / most);
          context.fillRect(x * w, (rows - 1 - row) * h, Math.max(w - 1, 1), h - 1);
        }),
      );
    };
    draw();
    const resize = new ResizeObserver(draw);
    resize.observe(element);
    return () => resize.disconnect();
  }, [times, cells, theme]);

  const cellAt = (event: PointerEvent): Cell => {
    const box = canvas.current!.getBoundingClientRect();
    const part = (at: number, size: number, count: number) =>
      Math.min(Math.max(Math.floor((at / size) * count), 0), count - 1);
    return {
      column: part(event.clientX - box.left, box.width, times.length),
      row: rows - 1 - part(event.clientY - box.top, box.height, rows),
    };
  };
  const choose = (a: Cell, b: Cell) => {
    const [low, high] = [Math.min(a.row, b.row), Math.max(a.row, b.row)];
    onChoose({
      startMillis: times[Math.min(a.column, b.column)]!,
      endMillis: times[Math.max(a.column, b.column)]! + step,
      from: lower(low),
      to: upper(high),
    });
  };
  const onUp = (event: PointerEvent) => {
    if (from) choose(from, cellAt(event));
    setFrom(null);
  };

  const chosen = from && over ? boxOf(from, over) : null;
  return (
    <figure class="heatmap">
      <div class="heatmap-scale num muted" aria-hidden="true">
        <span>{formatDuration(upper(rows - 1))}</span>
        <span>0</span>
      </div>
      <div class="heatmap-field">
        <canvas
          ref={canvas}
          role="img"
          aria-label={`Durations over time of ${formatCount(total)} spans, most between ${inWords(bounds, counts)}`}
          data-testid="heatmap"
          onPointerDown={(event) => {
            event.currentTarget.setPointerCapture(event.pointerId);
            setFrom(cellAt(event));
            setOver(cellAt(event));
          }}
          onPointerMove={(event) => setOver(cellAt(event))}
          onPointerUp={onUp}
          onPointerCancel={() => setFrom(null)}
          onPointerLeave={() => !from && setOver(null)}
        />
        {chosen && (
          <div
            class="heatmap-chosen"
            style={{
              left: `${(chosen.left / times.length) * 100}%`,
              width: `${((chosen.right - chosen.left) / times.length) * 100}%`,
              top: `${((rows - chosen.top) / rows) * 100}%`,
              height: `${((chosen.top - chosen.bottom) / rows) * 100}%`,
            }}
          />
        )}
      </div>
      <figcaption class="muted num" aria-hidden="true">
        {over
          ? `${clock(times[over.column]!)} · ${formatDuration(lower(over.row))} to ${formatDuration(upper(over.row))} · ${formatCount(cells[over.column]?.[over.row] ?? 0)} spans`
          : `${clock(times[0]!)} to ${clock(times[times.length - 1]! + step)} · ${formatCount(total)} spans by when and how long; drag to look closer`}
      </figcaption>
    </figure>
  );
}

const clock = (millis: number) => {
  const { date, time } = formatClock(String(Math.round(millis)) + '000000');
  return (date ? date + ' ' : '') + time.slice(0, 8);
};

function boxOf(a: Cell, b: Cell) {
  return {
    left: Math.min(a.column, b.column),
    right: Math.max(a.column, b.column) + 1,
    bottom: Math.min(a.row, b.row),
    top: Math.max(a.row, b.row) + 1,
  };
}

/** `67ms and 134ms`: the bucket that holds most. */
function inWords(bounds: number[], counts: number[][]): string {
  const sums = bounds.map((_, row) => counts.reduce((sum, step) => sum + (step[row] ?? 0), 0));
  const row = sums.indexOf(Math.max(...sums));
  if (row < 0) return 'nothing';
  return `${formatDuration(row === 0 ? 0 : bounds[row - 1]!)} and ${formatDuration(bounds[row]!)}`;
}
