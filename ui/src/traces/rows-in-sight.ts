// Which rows of a long table are elements: those in sight and some around them. The table scrolls with
// the page, its rows are all of one height, and room as high as the others stands for them.

import type { RefObject } from 'preact';
import { useLayoutEffect, useState } from 'preact/hooks';

export interface RowsInSight {
  first: number;
  end: number;
  /** Pixels, of any row. */
  rowHeight: number;
}

/** So many more rows are made at either end; when fewer than a third are left there, they are made anew. */
const ahead = 12;
/** A page of the list is made whole, so that the browser's own search finds what is in it. */
const wholeMax = 50;
/** So many rows are printed at most: some twenty pages. */
const printedMax = 1000;

/** As last seen: "back" finds the table as high as it was. */
let rowHeight = 35;

/** `body` has a child for each row that is in sight, in order, marked by `data-row`. */
export function useRowsInSight(body: RefObject<HTMLElement>, count: number): RowsInSight {
  const [rows, setRows] = useState<RowsInSight>(() => ({
    first: 0,
    end: Math.ceil(innerHeight / rowHeight),
    rowHeight,
  }));
  useLayoutEffect(() => {
    const look = (event?: Event) => {
      const made = body.current!.querySelectorAll('[data-row]');
      const [top, bottom] = [made[0]!, made[made.length - 1]!].map(
        (row) => row.getBoundingClientRect().top,
      );
      if (made.length > 1) rowHeight = (bottom! - top!) / (made.length - 1);
      const hidden = -body.current!.getBoundingClientRect().top / rowHeight;
      const from = Math.floor(hidden);
      const to = Math.ceil(hidden + innerHeight / rowHeight);
      setRows((was) => {
        const isEnough =
          event?.type !== 'afterprint' &&
          was.rowHeight === rowHeight &&
          was.first <= Math.max(from - ahead / 3, 0) &&
          was.end >= Math.min(to + ahead / 3, count);
        return isEnough ? was : { first: Math.max(from - ahead, 0), end: to + ahead, rowHeight };
      });
    };
    const print = () => setRows({ first: 0, end: printedMax, rowHeight });
    look();
    addEventListener('scroll', look, { passive: true });
    addEventListener('resize', look);
    addEventListener('beforeprint', print);
    addEventListener('afterprint', look);
    return () => {
      removeEventListener('scroll', look);
      removeEventListener('resize', look);
      removeEventListener('beforeprint', print);
      removeEventListener('afterprint', look);
    };
  }, [count]);
  return count > wholeMax ? rows : { first: 0, end: count, rowHeight };
}
