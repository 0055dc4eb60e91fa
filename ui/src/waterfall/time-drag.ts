// A drag along the time axis: selects the part to be shown.

import { useState } from 'preact/hooks';
import type { TimeWindow } from './time-window';

/** A click moves a little, too. */
export const dragMin = 4;

export function useTimeDrag(
  axis: { current: HTMLElement | null },
  window: TimeWindow,
  onWindow: (window: TimeWindow) => void,
) {
  const [drag, setDrag] = useState<[from: number, to: number] | null>(null);
  const shareAt = (event: PointerEvent) => {
    const box = axis.current!.getBoundingClientRect();
    return Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
  };
  const handlers = {
    onPointerDown: (event: PointerEvent) => {
      if (event.button !== 0) return;
      axis.current!.setPointerCapture(event.pointerId);
      setDrag([shareAt(event), shareAt(event)]);
    },
    onPointerMove: (event: PointerEvent) => drag && setDrag([drag[0], shareAt(event)]),
    onPointerCancel: () => setDrag(null),
    onPointerUp: (event: PointerEvent) => {
      if (!drag) return;
      setDrag(null);
      const [from, to] = ordered([drag[0], shareAt(event)]);
      if ((to - from) * axis.current!.clientWidth < dragMin) return;
      const width = window.to - window.from;
      onWindow({ from: window.from + from * width, to: window.from + to * width });
    },
  };
  return { brush: drag && ordered(drag), handlers };
}

const ordered = ([a, b]: [number, number]): [number, number] => (a < b ? [a, b] : [b, a]);
