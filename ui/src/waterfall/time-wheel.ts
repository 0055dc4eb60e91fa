// The wheel over a time axis: with Ctrl (or a pinch) it zooms at the pointer, with Shift or
// sideways it moves along; else the page scrolls.

import { useLayoutEffect, useRef } from 'preact/hooks';
import { pan, zoom, type TimeWindow } from './time-window';

const wheelZoom = 1.0015;

interface Axis {
  /** Where the wheel is listened to. */
  area: { current: HTMLElement | null };
  /** The box of the area's time axis. */
  boxOf: (area: HTMLElement) => DOMRect;
  window: TimeWindow;
  durationNano: number;
  onWindow: (window: TimeWindow) => void;
}

export function useTimeWheel(axis: Axis): void {
  const latest = useRef(axis);
  latest.current = axis;
  useLayoutEffect(() => {
    const area = axis.area.current!;
    const onWheel = (event: WheelEvent) => {
      const { boxOf, window, durationNano, onWindow } = latest.current;
      const box = boxOf(area);
      if (event.ctrlKey || event.metaKey) {
        const share = Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
        onWindow(zoom(window, wheelZoom ** -event.deltaY, share, durationNano));
      } else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
        onWindow(pan(window, (event.deltaX || event.deltaY) / box.width, durationNano));
      } else return;
      event.preventDefault();
    };
    area.addEventListener('wheel', onWheel, { passive: false });
    return () => area.removeEventListener('wheel', onWheel);
  }, []);
}
