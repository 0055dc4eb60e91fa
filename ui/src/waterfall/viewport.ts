// Which rows are in sight. Browsers cap an element's height (Chromium at 33.5 million pixels,
// Firefox at 17.9), so a taller list is scrolled by ratio: the bar's ends are the list's ends, and
// rows are laid out from the one that is on top.

const heightMax = 15_000_000;

export class Viewport {
  constructor(
    readonly count: number,
    readonly rowHeight: number,
    readonly viewHeight: number,
  ) {}

  /** The height the scrolled element gets. */
  get height(): number {
    return Math.min(this.count * this.rowHeight, heightMax);
  }

  /** The row at the upper edge, with its fraction already scrolled past. */
  topRow(scrollTop: number): number {
    const way = this.height - this.viewHeight;
    if (way <= 0) return 0;
    const rows = this.count - this.viewHeight / this.rowHeight;
    return (Math.min(scrollTop, way) / way) * rows;
  }

  /** Where row `index` is drawn within the scrolled element. */
  rowTop(index: number, scrollTop: number): number {
    if (this.count * this.rowHeight <= heightMax) return index * this.rowHeight;
    return Math.round(scrollTop + (index - this.topRow(scrollTop)) * this.rowHeight);
  }

  /** The scroll position nearest to this one that shows row `index` whole. */
  scrollTopShowing(index: number, scrollTop: number): number {
    const top = this.topRow(scrollTop);
    const rowsInView = this.viewHeight / this.rowHeight;
    if (index < top) return this.#scrollTopAt(index);
    if (index + 1 > top + rowsInView) return this.#scrollTopAt(index + 1 - rowsInView);
    return scrollTop;
  }

  #scrollTopAt(row: number): number {
    const rows = this.count - this.viewHeight / this.rowHeight;
    return rows <= 0 ? 0 : (row / rows) * (this.height - this.viewHeight);
  }
}
