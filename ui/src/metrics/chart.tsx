// Lines over time. Drag along the time to zoom in.

import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { resolvedColour, useTheme } from '../components/use-theme';
import { clockText, zone } from '../zone';

export interface Line {
  name: string;
  values: (number | null)[];
  /** A colour, or `var(--token)`. */
  colour: string;
}

interface Props {
  title: string;
  times: number[];
  lines: Line[];
  format: (value: number) => string;
  onRange: (startMillis: number, endMillis: number) => void;
}

const height = 150;

/** `15:20`; the date where the day begins. */
function clock(seconds: number): string {
  const text = clockText(seconds * 1000);
  const time = text.slice(11, 16);
  return time === '00:00' ? text.slice(5, 10) : time;
}

function axes(format: (value: number) => string): uPlot.Axis[] {
  const shared = {
    stroke: resolvedColour('var(--muted)'),
    grid: { stroke: resolvedColour('var(--line-faint)'), width: 1 },
    ticks: { show: false },
    font: '11px ' + getComputedStyle(document.body).fontFamily,
  };
  return [
    { ...shared, size: 24, space: 60, values: (_, splits) => splits.map(clock) },
    {
      ...shared,
      size: 58,
      values: (_, splits) => splits.map((value) => (value === 0 ? '0' : format(value))),
    },
  ];
}

/** The last step that is over and tells of every line: where nothing is pointed at, the legend says it. */
function lastWhole(lines: Line[]): number {
  let at = (lines[0]?.values.length ?? 0) - 2;
  while (at > 0 && lines.some(({ values }) => (values[at] ?? null) === null)) at--;
  return Math.max(at, 0);
}

/** `Rate: 12/s now, 40/s at most`, for who cannot see the lines. */
function inWords(title: string, lines: Line[], format: (value: number) => string): string {
  const said = lines.map(({ name, values }) => {
    const known = values.filter((value) => value !== null);
    if (known.length === 0) return `${name}: nothing`;
    return `${name}: ${format(known[known.length - 1]!)} last, ${format(Math.max(...known))} at most`;
  });
  return `${title}. ${said.join('; ')}`;
}

export function Chart({ title, times, lines, format, onRange }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const range = useRef(onRange);
  range.current = onRange;
  const theme = useTheme();
  const isUtc = zone.value === 'utc';

  useEffect(() => {
    const element = box.current!;
    const last = lastWhole(lines);
    const plot = new uPlot(
      {
        width: element.clientWidth,
        height,
        tzDate: (seconds) => {
          const at = new Date(seconds * 1000);
          return isUtc ? uPlot.tzDate(at, 'Etc/UTC') : at;
        },
        legend: { live: true },
        cursor: { points: { size: 5 }, drag: { setScale: false } },
        scales: { y: { range: (_, __, most) => [0, most > 0 ? most * 1.08 : 1] } },
        axes: axes(format),
        series: [
          {
            label: 'at',
            value: (_: uPlot, __: number, ___: number, at: number | null) => {
              const millis = times[at ?? last];
              return millis === undefined ? '–' : clockText(millis).slice(0, 16).replace('T', ' ');
            },
          },
          ...lines.map((line) => ({
            label: line.name,
            stroke: resolvedColour(line.colour),
            width: 1.5,
            spanGaps: false,
            points: { show: lines[0]!.values.filter((value) => value !== null).length < 3 },
            value: (_: uPlot, __: number, ___: number, at: number | null) => {
              const value = line.values[at ?? last] ?? null;
              return value === null ? '–' : format(value);
            },
          })),
        ],
        hooks: {
          setSelect: [
            (chosen) => {
              const { left, width } = chosen.select;
              if (width < 4) return;
              const at = (x: number) => Math.round(chosen.posToVal(x, 'x') * 1000);
              range.current(at(left), at(left + width));
            },
          ],
        },
      },
      [times.map((millis) => millis / 1000), ...lines.map(({ values }) => values)],
      element,
    );
    const resize = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height }));
    resize.observe(element);
    return () => {
      resize.disconnect();
      plot.destroy();
    };
  }, [times, lines, theme, isUtc]);

  return (
    <figure class="chart">
      <figcaption>{title}</figcaption>
      <p class="sr-only">{inWords(title, lines, format)}</p>
      <div ref={box} aria-hidden="true" />
    </figure>
  );
}
