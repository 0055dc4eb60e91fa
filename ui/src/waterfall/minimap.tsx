// The whole trace in a strip, and the part of it that is shown. Drag beside the part to choose
// another, on it to move it. For the keyboard there are keys and buttons; so it is hidden from who
// cannot see it.

import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { isError, type Trace } from '../trace/trace';
import { paletteOf } from './palette';
import { useTimeDrag } from './time-drag';
import { isWhole, pan, whole, type TimeWindow } from './time-window';

interface Props {
  trace: Trace;
  window: TimeWindow;
  onWindow: (window: TimeWindow) => void;
  /** Colours are read anew when it changes. */
  theme: string;
}

export function Minimap({ trace, window, onWindow, theme }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    const observer = new ResizeObserver(() => setWidth(box.current?.clientWidth ?? 0));
    observer.observe(box.current!);
    return () => observer.disconnect();
  }, []);
  useLayoutEffect(() => {
    if (width > 0) paint(canvas.current!, trace);
  }, [trace, width, theme]);

  const all = whole(trace.durationNano);
  const { brush, handlers } = useTimeDrag(box, all, onWindow);
  const [from, to] = brush ?? [window.from / all.to, window.to / all.to];
  const [held, setHeld] = useState<number | null>(null);
  const hold = {
    onPointerDown: (event: PointerEvent) => {
      event.stopPropagation();
      (event.target as Element).setPointerCapture(event.pointerId);
      setHeld(event.clientX);
    },
    onPointerMove: (event: PointerEvent) => {
      if (held === null) return;
      const share = ((event.clientX - held) / width) * (all.to / (window.to - window.from));
      setHeld(event.clientX);
      onWindow(pan(window, share, trace.durationNano));
    },
    onPointerUp: () => setHeld(null),
    onPointerCancel: () => setHeld(null),
  };
  const isPart = brush !== null || !isWhole(window, trace.durationNano);
  return (
    <div
      ref={box}
      class="minimap"
      data-testid="minimap"
      aria-hidden="true"
      {...handlers}
      onDblClick={() => onWindow(all)}
    >
      <canvas ref={canvas} />
      {isPart && (
        <>
          <span class="minimap-off" style={{ left: 0, width: `${from * 100}%` }} />
          <span class="minimap-off" style={{ left: `${to * 100}%`, right: 0 }} />
          <span
            class="minimap-part"
            data-testid="minimap-part"
            style={{ left: `${from * 100}%`, width: `${(to - from) * 100}%` }}
            {...(brush ? {} : hold)}
          />
        </>
      )}
    </div>
  );
}

/** Spans from the top down in the order of the tree, as pixels: later ones over earlier ones. */
function paint(canvas: HTMLCanvasElement, { spans, durationNano, services }: Trace): void {
  const scale = Math.min(globalThis.devicePixelRatio || 1, 2);
  const width = (canvas.width = Math.round(canvas.clientWidth * scale));
  const height = (canvas.height = Math.round(canvas.clientHeight * scale));
  const context = canvas.getContext('2d');
  if (!context || width === 0 || height === 0) return;
  const { colours, error } = paletteOf(services);
  const image = context.createImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  const perNano = width / (durationNano || 1);
  const perSpan = Math.min(height / Math.max(spans.count, 1), 5 * scale);
  const thick = Math.max(1, Math.floor(perSpan) - (perSpan >= 3 ? 1 : 0));
  for (let span = 0; span < spans.count; span++) {
    const top = Math.floor(span * perSpan);
    const left = Math.max(Math.floor(spans.start[span]! * perNano), 0);
    const right = Math.ceil((spans.start[span]! + spans.duration[span]!) * perNano);
    const colour = isError(spans, span) ? error : colours[spans.service[span]!]!;
    for (let y = top; y < Math.min(top + thick, height); y++) {
      pixels.fill(colour, y * width + left, y * width + Math.min(Math.max(right, left + 1), width));
    }
  }
  context.putImageData(image, 0, 0);
}
