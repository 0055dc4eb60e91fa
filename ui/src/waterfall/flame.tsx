// The trace as a flame graph: time across, callers above what they call. Drawn on a canvas, so it
// is hidden from who cannot see it: the tree view has the same, row by row.

import { useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { formatDuration } from '../format';
import { endOf, idOf, isError, nameOf, serviceOf, type Trace } from '../trace/trace';
import { ticks, tickWidthMin } from './axis';
import { colourIndex } from './colour';
import { lanesOf } from './lanes';
import { textOn, token } from './palette';
import { dragMin, useTimeDrag } from './time-drag';
import { useTimeWheel } from './time-wheel';
import type { TimeWindow } from './time-window';

interface Props {
  trace: Trace;
  window: TimeWindow;
  onWindow: (window: TimeWindow) => void;
  onOpen: (key: string) => void;
  openKey: string | null;
  /** 1 for each span that is searched for. */
  found: Uint8Array | null;
  theme: string;
}

const laneHeight = 20;
/** As trace.css has it. */
const axisHeight = 22;
/** Narrower boxes have no room for a name. */
const labelMin = 30;

/** What was drawn, so that the pointer finds it again. */
interface Drawn {
  span: number;
  left: number;
  right: number;
  lane: number;
}

export function FlameView(props: Props) {
  const { trace, window, onWindow, onOpen } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const drawn = useRef<Drawn[]>([]);
  const pressedAt = useRef(0);
  const [size, setSize] = useState({ width: 0, height: 0, top: 0 });
  const [hint, setHint] = useState<{ span: number; x: number; y: number } | null>(null);
  const lanes = useMemo(() => lanesOf(trace.spans), [trace]);

  useLayoutEffect(() => {
    const element = scroller.current!;
    const measure = () =>
      setSize({
        width: element.clientWidth,
        height: Math.max(element.clientHeight - axisHeight, 0),
        top: element.scrollTop,
      });
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    element.addEventListener('scroll', measure, { passive: true });
    return () => {
      observer.disconnect();
      element.removeEventListener('scroll', measure);
    };
  }, []);
  useLayoutEffect(() => {
    if (size.width > 0) drawn.current = paint(canvas.current!, lanes.lane, size, props);
  }, [trace, lanes, size, window, props.found, props.theme, props.openKey]);
  useTimeWheel({
    area: scroller,
    boxOf: (area) => area.getBoundingClientRect(),
    window,
    durationNano: trace.durationNano,
    onWindow,
  });

  const { brush, handlers } = useTimeDrag(canvas, window, onWindow);
  const boxAt = (event: MouseEvent) => {
    const box = canvas.current!.getBoundingClientRect();
    const x = event.clientX - box.left;
    const lane = Math.floor((event.clientY - box.top + size.top) / laneHeight);
    const under = drawn.current.filter(
      (one) => one.lane === lane && x >= one.left - 1 && x <= one.right + 1,
    );
    return under[under.length - 1]; // what was drawn last lies on top
  };
  return (
    <div ref={scroller} class="flame" data-testid="flame" aria-hidden="true">
      <div class="flame-axis">
        {ticks(window, Math.floor(size.width / tickWidthMin)).map(({ nanos, percent }) => (
          <span key={nanos} class="wf-tick" data-testid="tick" style={{ left: `${percent}%` }}>
            {nanos === 0 ? '0' : formatDuration(nanos)}
          </span>
        ))}
      </div>
      <canvas
        ref={canvas}
        {...handlers}
        onMouseMove={(event) => {
          const box = boxAt(event);
          setHint(box ? { span: box.span, x: event.clientX, y: event.clientY } : null);
        }}
        onMouseLeave={() => setHint(null)}
        onMouseDown={(event) => (pressedAt.current = event.clientX)}
        onClick={(event) => {
          // A drag ends with a click, too.
          if (Math.abs(event.clientX - pressedAt.current) >= dragMin) return;
          const box = boxAt(event);
          if (box) onOpen(idOf(trace.spans, box.span));
        }}
      />
      <div style={{ height: `${Math.max(lanes.count * laneHeight - size.height, 0)}px` }} />
      {brush && (
        <span
          class="flame-brush"
          style={{ left: `${brush[0] * 100}%`, width: `${(brush[1] - brush[0]) * 100}%` }}
        />
      )}
      {hint && !brush && <Hint trace={trace} {...hint} />}
    </div>
  );
}

function Hint({ trace, span, x, y }: { trace: Trace; span: number; x: number; y: number }) {
  const left = Math.min(x + 12, globalThis.innerWidth - 300);
  return (
    <div class="flame-hint" style={{ left: `${left}px`, top: `${y + 16}px` }}>
      <strong>{nameOf(trace, span).slice(0, 200) || '(no name)'}</strong>
      <span class="muted">{serviceOf(trace, span).slice(0, 200)}</span>
      <span class="num">
        {formatDuration(trace.spans.duration[span]!)}{' '}
        <span class="muted">self {formatDuration(trace.spans.self[span]!)}</span>
      </span>
    </div>
  );
}

function paint(
  canvas: HTMLCanvasElement,
  lanes: Uint32Array,
  size: { width: number; height: number; top: number },
  { trace, window, found, openKey }: Props,
): Drawn[] {
  const { spans } = trace;
  const scale = globalThis.devicePixelRatio || 1;
  canvas.width = Math.round(size.width * scale);
  canvas.height = Math.round(size.height * scale);
  canvas.style.height = `${size.height}px`;
  const context = canvas.getContext('2d', { alpha: false })!;
  context.scale(scale, scale);
  context.fillStyle = token('--bg');
  context.fillRect(0, 0, size.width, size.height);
  context.font = `12px ${token('--font')}`;
  context.textBaseline = 'middle';
  const colours = Array.from({ length: 12 }, (_, i) => token(`--service-${i}`));
  const colourOf = trace.services.map(({ name }) => colours[colourIndex(name)]!);
  const error = token('--error');
  const textOf = new Map(colours.map((colour) => [colour, textOn(colour)]));
  const perNano = size.width / (window.to - window.from);
  const charWidth = context.measureText('abcdefghij').width / 10;
  const lastPixel = new Map<number, number>();
  const drawn: Drawn[] = [];

  const draw = (span: number, left: number, right: number) => {
    const top = lanes[span]! * laneHeight - size.top;
    if (top <= -laneHeight || top >= size.height) return;
    const [from, width] = [
      Math.max(left, 0),
      Math.max(Math.min(right, size.width) - Math.max(left, 0), 1),
    ];
    context.globalAlpha = found && found[span] === 0 ? 0.3 : 1;
    context.fillStyle = colourOf[spans.service[span]!]!;
    context.fillRect(from, top, width > 3 ? width - 1 : width, laneHeight - 1);
    if (isError(spans, span)) {
      context.fillStyle = error;
      context.fillRect(from, top + laneHeight - 4, width > 3 ? width - 1 : width, 3);
    }
    if (openKey !== null && width > 2 && idOf(spans, span) === openKey) {
      context.strokeStyle = token('--text');
      context.lineWidth = 2;
      context.strokeRect(from + 1, top + 1, width - 3, laneHeight - 3);
    }
    if (width >= labelMin) {
      const room = Math.floor((width - 8) / charWidth);
      const name = nameOf(trace, span);
      const told = `${name} ${formatDuration(spans.duration[span]!)}`;
      context.fillStyle = textOf.get(colourOf[spans.service[span]!]!)!;
      context.fillText(
        told.length <= room ? told : name.length > room ? name.slice(0, room - 1) + '…' : name,
        from + 4,
        top + laneHeight / 2,
      );
    }
    drawn.push({ span, left: from, right: from + width, lane: lanes[span]! });
  };

  for (let span = 0; span < spans.count;) {
    const left = (spans.start[span]! - window.from) * perNano;
    const right = (endOf(spans, span) - window.from) * perNano;
    const isTiny = right - left < 1;
    const pixel = Math.floor(left);
    const isSeen = right >= 0 && left <= size.width;
    // A span within a pixel that has one already adds nothing to see.
    if (isSeen && !(isTiny && lastPixel.get(lanes[span]!) === pixel)) {
      draw(span, left, right);
      lastPixel.set(lanes[span]!, pixel);
    }
    // What is below a tiny span is tiny, but for what outlives it.
    span = isTiny ? spans.end[span]! : span + 1;
  }
  context.globalAlpha = 1;
  return drawn;
}
