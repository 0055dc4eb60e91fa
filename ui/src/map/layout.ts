// Places boxes in columns, from callers to those they call: cycles are cut, each box stands one
// column behind the last that calls it, and boxes of a column are ordered so that lines cross little
// (Sugiyama's method). A line over several columns gets a thin place of its own in each.

export interface Point {
  x: number;
  y: number;
}

export interface Layout {
  width: number;
  height: number;
  /** By number of the box: its top left corner. */
  boxes: Point[];
  /** By number of the line: from the caller's right edge to the callee's left. */
  lines: Point[][];
}

export interface Sizes {
  width: number;
  height: number;
  /** Between columns, and between what stands below each other. */
  columnGap: number;
  gap: number;
}

/** Of a line's place in a column that it passes. */
const thin = 12;

type Line = readonly [from: number, to: number];

interface Item {
  column: number;
  height: number;
  /** Middle. */
  y: number;
  before: number[];
  after: number[];
}

/** True for each line that must point backwards for the rest to have no cycle. */
function findBackward(count: number, lines: readonly Line[]): boolean[] {
  const backward = lines.map(([from, to]) => from === to);
  const out: number[][] = Array.from({ length: count }, () => []);
  const hasCaller = new Array<boolean>(count).fill(false);
  lines.forEach(([from, to], line) => {
    if (from === to) return;
    out[from]!.push(line);
    hasCaller[to] = true;
  });
  const state = new Uint8Array(count); // 1: on the way, 2: done
  const all = Array.from({ length: count }, (_, box) => box);
  const starts = [...all.filter((box) => !hasCaller[box]), ...all];
  for (const start of starts) {
    if (state[start] !== 0) continue;
    const path: { box: number; next: number }[] = [{ box: start, next: 0 }];
    state[start] = 1;
    while (path.length > 0) {
      const top = path[path.length - 1]!;
      const line = out[top.box]![top.next++];
      if (line === undefined) {
        state[top.box] = 2;
        path.pop();
        continue;
      }
      const to = lines[line]![1];
      if (state[to] === 1) backward[line] = true;
      if (state[to] !== 0) continue;
      state[to] = 1;
      path.push({ box: to, next: 0 });
    }
  }
  return backward;
}

/** By box: one more than the column of its last caller; who has none stands before its first callee. */
function findColumns(count: number, lines: readonly Line[]): number[] {
  const column = new Array<number>(count).fill(0);
  const waitingFor = new Array<number>(count).fill(0);
  const out: number[][] = Array.from({ length: count }, () => []);
  for (const [from, to] of lines) {
    out[from]!.push(to);
    waitingFor[to]!++;
  }
  const isSource = waitingFor.map((callers) => callers === 0);
  const ready = [...waitingFor.keys()].filter((box) => isSource[box]);
  for (let at = 0; at < ready.length; at++) {
    for (const to of out[ready[at]!]!) {
      column[to] = Math.max(column[to]!, column[ready[at]!]! + 1);
      if (--waitingFor[to]! === 0) ready.push(to);
    }
  }
  for (let box = 0; box < count; box++) {
    if (!isSource[box] || out[box]!.length === 0) continue;
    column[box] = Math.min(...out[box]!.map((to) => column[to]!)) - 1;
  }
  return column;
}

const mean = (numbers: number[]) => numbers.reduce((sum, one) => sum + one, 0) / numbers.length;

/** In the order of what they are joined to in the column beside. */
function order(columns: number[][], items: Item[]): void {
  const place = new Array<number>(items.length).fill(0);
  const number = (column: number[]) => column.forEach((item, at) => (place[item] = at));
  columns.forEach(number);
  const sweep = (column: number[], side: 'before' | 'after') => {
    const wish = new Map(
      column.map((item) => {
        const beside = items[item]![side];
        return [item, beside.length > 0 ? mean(beside.map((one) => place[one]!)) : place[item]!];
      }),
    );
    column.sort((a, b) => wish.get(a)! - wish.get(b)!);
    number(column);
  };
  for (let round = 0; round < 6; round++) {
    for (const column of columns) sweep(column, 'before');
    for (const column of [...columns].reverse()) sweep(column, 'after');
  }
}

/** Each as near as can be to what it is joined to, none over another. */
function place(columns: number[][], items: Item[], gap: number): void {
  const distance = (a: Item, b: Item) =>
    (a.height + b.height) / 2 + (a.height === thin && b.height === thin ? 0 : gap);
  const settle = (column: number[], wish: number[]) => {
    const down = [...wish];
    const up = [...wish];
    for (let i = 1; i < column.length; i++) {
      const far = distance(items[column[i - 1]!]!, items[column[i]!]!);
      down[i] = Math.max(down[i]!, down[i - 1]! + far);
    }
    for (let i = column.length - 2; i >= 0; i--) {
      const far = distance(items[column[i]!]!, items[column[i + 1]!]!);
      up[i] = Math.min(up[i]!, up[i + 1]! - far);
    }
    // Both keep the distances, so their middle does.
    column.forEach((item, i) => (items[item]!.y = (down[i]! + up[i]!) / 2));
  };
  for (const column of columns) settle(column, new Array<number>(column.length).fill(0));
  for (let round = 0; round < 6; round++) {
    const isForth = round % 2 === 0;
    for (const column of isForth ? columns : [...columns].reverse()) {
      const wish = column.map((item) => {
        const beside = [...items[item]!.before, ...items[item]!.after];
        return beside.length > 0 ? mean(beside.map((one) => items[one]!.y)) : items[item]!.y;
      });
      settle(column, wish);
    }
  }
}

export function layOut(count: number, lines: readonly Line[], sizes: Sizes): Layout {
  const backward = findBackward(count, lines);
  const forward = lines.map(([from, to], i): Line => (backward[i] ? [to, from] : [from, to]));
  const column = findColumns(
    count,
    forward.filter(([from, to]) => from !== to),
  );
  const items: Item[] = column.map((at) => ({
    column: at,
    height: sizes.height,
    y: 0,
    before: [],
    after: [],
  }));
  /** By line: what it goes through, from left to right. */
  const ways = forward.map(([from, to]) => {
    const way = [from];
    for (let at = column[from]! + 1; from !== to && at < column[to]!; at++) {
      items.push({ column: at, height: thin, y: 0, before: [], after: [] });
      way.push(items.length - 1);
    }
    way.push(to);
    for (let i = 1; from !== to && i < way.length; i++) {
      items[way[i - 1]!]!.after.push(way[i]!);
      items[way[i]!]!.before.push(way[i - 1]!);
    }
    return way;
  });
  const columns: number[][] = [];
  items.forEach((item, number) => (columns[item.column] ??= []).push(number));
  order(columns, items);
  place(columns, items, sizes.gap);

  const top = Math.min(0, ...items.map((item) => item.y - item.height / 2));
  const bottom = Math.max(0, ...items.map((item) => item.y + item.height / 2));
  const left = (item: Item) => item.column * (sizes.width + sizes.columnGap);
  const middle = (item: Item) => item.y - top;
  return {
    width: Math.max(columns.length, 1) * (sizes.width + sizes.columnGap) - sizes.columnGap,
    height: bottom - top,
    boxes: items
      .slice(0, count)
      .map((item) => ({ x: left(item), y: middle(item) - sizes.height / 2 })),
    lines: ways.map((way, line) => {
      const [from, to] = lines[line]!;
      const points = way.flatMap((number, i) => {
        const item = items[number]!;
        const enter = { x: left(item), y: middle(item) };
        const leave = { x: left(item) + sizes.width, y: middle(item) };
        if (i === 0) return [leave];
        return i === way.length - 1 ? [enter] : [enter, leave];
      });
      return backward[line] && from !== to ? points.reverse() : points;
    }),
  };
}
