// The rows of the waterfall as they stand: in one of two layouts, without what is folded away, with
// gaps if they are asked for. Nothing is kept per row but numbers; `read` makes the one that is
// shown.

import type { OpenTrace } from '../trace/analysis';
import { bothWays, gapNames, GapKind } from '../trace/gaps';
import { isAsync } from '../trace/marks';
import { Mark, idOf, isError, isOrphan, nameOf, spanOf, type Trace } from '../trace/trace';
import { formatDuration } from '../format';

/** `services`: a block for each visit to a service. `tree`: the spans alone. */
export type Layout = 'services' | 'tree';

export interface RowView {
  type: 'service' | 'span' | 'gap';
  depth: number;
  label: string;
  service: string;
  offsetNano: number;
  durationNano: number;
  /** The span of the row; of a gap: whose time it is. -1: a service row nothing folded into. */
  span: number;
  /** Of a service's row, else -1. */
  visit: number;
  /** Names the row in the URL and across reloads: a span id, or `visit:` and its first span's. */
  key: string;
  isError: boolean;
  isOrphan: boolean;
  isAsync: boolean;
  isCritical: boolean;
  /** Something failed among what is folded away. */
  hidesError: boolean;
  /** Rows folded away under it; null: nothing could be. */
  hidden: number | null;
}

enum Fold {
  /** What is indented under the row. */
  Own = 1,
  /** Of a service's row: all that was called from it, too. */
  All = 2,
}

export interface RowOptions {
  layout: Layout;
  gaps: boolean;
  /** By service: how far its clock is ahead; null: times as they were sent. */
  clocks: Float64Array | null;
}

export class Rows {
  readonly trace: Trace;
  count = 0;
  /** By line of the layout. */
  readonly #fold: Uint8Array;
  readonly #depth: Uint32Array;
  readonly #end: Uint32Array;
  #depthMax = -1;
  /** The line of the layout at each index, and the gap, or -1; both null: every line is shown. */
  #lines: Uint32Array | null = null;
  #gapAt: Int32Array | null = null;

  constructor(
    readonly open: OpenTrace,
    readonly options: RowOptions,
  ) {
    this.trace = open.trace;
    const from = options.layout === 'tree' ? this.trace.spans : this.trace.rows;
    this.#depth = from.depth;
    this.#end = from.end;
    this.#fold = new Uint8Array(from.count);
    this.#layOut();
  }

  read(index: number): RowView {
    const line = this.#lineAt(index);
    const gap = this.#gapAt?.[index] ?? -1;
    if (gap >= 0) return this.#readGap(gap, line);
    const { spans, visits, services } = this.trace;
    const what = this.#whatAt(line);
    const visit = what < 0 ? ~what : -1;
    const span = visit < 0 ? what : visits.folded[visit]!;
    const service = visit < 0 ? spans.service[span]! : visits.service[visit]!;
    const hidden = this.#foldEnd(line) - line - 1;
    const canFold = this.#end[line]! > line + 1 || this.#wholeEnd(line) > line + 1;
    return {
      type: visit < 0 ? 'span' : 'service',
      depth: this.#depth[line]!,
      label: visit < 0 ? nameOf(this.trace, span) : services[service]!.name,
      service: services[service]!.name,
      offsetNano: this.#shifted(visit < 0 ? spans.start[span]! : visits.start[visit]!, service),
      durationNano: visit < 0 ? spans.duration[span]! : visits.duration[visit]!,
      span,
      visit,
      key: this.#keyOf(visit, span),
      isError: visit < 0 ? isError(spans, span) : visits.failed[visit] === 1,
      isOrphan: span >= 0 && isOrphan(spans, span),
      isAsync: span >= 0 && isAsync(spans, span),
      isCritical: span >= 0 && (spans.marks[span]! & Mark.Critical) !== 0,
      hidesError: hidden > 0 && this.#hidesError(visit, span),
      hidden: canFold ? hidden : null,
    };
  }

  /** The index of a row, or of the nearest one above that it is folded into; -1: no such row. */
  indexOf(key: string): number {
    const line = this.#lineOf(key);
    return line < 0 ? -1 : this.#indexOfLine(line);
  }

  /** The index of a span's row, made visible. */
  reveal(key: string): number {
    const line = this.#lineOf(key);
    if (line < 0) return -1;
    return this.revealLine(line);
  }

  revealLine(line: number): number {
    let changed = false;
    for (let above = 0; above < line; above++) {
      if (this.#fold[above] === 0 || this.#foldEnd(above) <= line) continue;
      this.#fold[above] = 0;
      changed = true;
    }
    if (changed) this.#layOut();
    return this.#indexOfLine(line);
  }

  /** The row a row is indented under; -1 at the top of a visit. */
  parentOf(index: number): number {
    const depth = this.read(index).depth;
    for (let above = index - 1; above >= 0 && depth > 0; above--) {
      if (this.#depth[this.#lineAt(above)]! < depth && (this.#gapAt?.[above] ?? -1) < 0)
        return above;
    }
    return -1;
  }

  isFolded(index: number): boolean {
    return this.#fold[this.#lineAt(index)] !== 0;
  }

  /** Folds or unfolds a row; `all`: with everything that was called from it. */
  fold(index: number, folded: boolean, all: boolean): void {
    const line = this.#lineAt(index);
    if (folded) this.#fold[line] = all ? Fold.All : Fold.Own;
    else if (all) this.#fold.fill(0, line, Math.max(this.#wholeEnd(line), this.#end[line]!));
    else this.#fold[line] = 0;
    this.#layOut();
  }

  /** Shows rows down to this depth, within each visit. */
  foldBelow(depth: number): void {
    const count = this.#fold.length;
    for (let line = 0; line < count; line++) {
      this.#fold[line] = this.#depth[line]! >= depth && this.#end[line]! > line + 1 ? Fold.Own : 0;
    }
    this.#layOut();
  }

  /** The deepest row there is. */
  get depthMax(): number {
    if (this.#depthMax < 0)
      for (const depth of this.#depth) this.#depthMax = Math.max(this.#depthMax, depth);
    return this.#depthMax;
  }

  /** Folds as those of other rows, of a trace that has grown, are. */
  foldLike(other: Rows): void {
    if (other.options.layout !== this.options.layout) return;
    const isSame = other.trace.spanCount === this.trace.spanCount;
    if (isSame) this.#fold.set(other.#fold.subarray(0, this.#fold.length));
    this.#layOut();
  }

  /** The next line after (or before) `line` for which `matches`; around the end, else -1. */
  nextLine(line: number, step: 1 | -1, matches: (span: number, visit: number) => boolean): number {
    const count = this.#fold.length;
    for (let tried = 1; tried <= count; tried++) {
      const at = (((line + step * tried) % count) + count) % count;
      const what = this.#whatAt(at);
      if (matches(what < 0 ? this.trace.visits.folded[~what]! : what, what < 0 ? ~what : -1))
        return at;
    }
    return -1;
  }

  /** How many of the lines down to this one match. */
  countLines(to: number, matches: (span: number, visit: number) => boolean): number {
    let count = 0;
    for (let line = 0; line <= to; line++) {
      const what = this.#whatAt(line);
      const visit = what < 0 ? ~what : -1;
      if (matches(visit < 0 ? what : this.trace.visits.folded[visit]!, visit)) count++;
    }
    return count;
  }

  lineAt(index: number): number {
    return index < 0 ? -1 : this.#lineAt(index);
  }

  get lineCount(): number {
    return this.#fold.length;
  }

  #lineAt(index: number): number {
    return this.#lines === null ? index : this.#lines[index]!;
  }

  #whatAt(line: number): number {
    return this.options.layout === 'tree' ? line : this.trace.rows.what[line]!;
  }

  #lineOfSpan(span: number): number {
    return this.options.layout === 'tree' ? span : this.trace.spans.row[span]!;
  }

  #shifted(start: number, service: number): number {
    return start - (this.options.clocks?.[service] ?? 0);
  }

  #keyOf(visit: number, span: number): string {
    const { spans, visits } = this.trace;
    return span >= 0 ? idOf(spans, span) : `visit:${idOf(spans, visits.entry[visit]!)}`;
  }

  #readGap(gap: number, line: number): RowView {
    const { spans, services } = this.trace;
    const gaps = this.open.analysis!.gaps;
    const span = gaps.span[gap]!;
    const kind = gaps.kind[gap]! as GapKind;
    const service = spans.service[span]!;
    const most = bothWays(spans, span);
    const onTheWay = kind === GapKind.Request || kind === GapKind.Response;
    // The bound first: a narrow column cuts the end.
    const [name, ...why] = gapNames[kind].split(':');
    const bound = onTheWay && most > 0 ? `, at most ${formatDuration(most)}` : '';
    return {
      type: 'gap',
      depth: this.#depth[line]! + 1,
      label: [name + bound, ...why].join(':'),
      service: services[service]!.name,
      offsetNano: this.#shifted(gaps.from[gap]!, service),
      durationNano: gaps.to[gap]! - gaps.from[gap]!,
      span,
      visit: -1,
      key: `gap:${gap}`,
      isError: false,
      isOrphan: false,
      isAsync: kind === GapKind.Async,
      isCritical: false,
      hidesError: false,
      hidden: null,
    };
  }

  #hidesError(visit: number, span: number): boolean {
    const { spans, visits } = this.trace;
    if (visit >= 0) return visits.failed[visit] === 1;
    return (spans.marks[span]! & Mark.ErrorBelow) !== 0;
  }

  #lineOf(key: string): number {
    if (key.startsWith('gap:')) {
      const span = this.open.analysis?.gaps.span[Number(key.slice(4))];
      return span === undefined ? -1 : this.#lineOfSpan(span);
    }
    const isVisit = key.startsWith('visit:');
    const span = spanOf(this.trace.spans, isVisit ? key.slice(6) : key);
    if (span < 0) return -1;
    const line = this.#lineOfSpan(span);
    // A visit's row is the one above its first span's.
    return isVisit && this.options.layout === 'services' && line > 0 ? line - 1 : line;
  }

  #indexOfLine(line: number): number {
    if (this.#lines === null) return line;
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#lines[middle]! < line) low = middle + 1;
      else high = middle;
    }
    if (this.#lines[low] === line) return low;
    low--;
    while (low > 0 && (this.#gapAt?.[low] ?? -1) >= 0) low--;
    return low;
  }

  /** Behind all that was called from a service's row. */
  #wholeEnd(line: number): number {
    const what = this.#whatAt(line);
    return what < 0 ? this.trace.visits.end[~what]! : this.#end[line]!;
  }

  #foldEnd(line: number): number {
    const fold = this.#fold[line];
    if (fold === 0) return line + 1;
    return fold === Fold.All ? this.#wholeEnd(line) : this.#end[line]!;
  }

  #layOut(): void {
    const { gaps } = this.options;
    const total = this.#fold.length;
    const found = gaps ? this.open.analysis?.gaps : undefined;
    if (!found && this.#fold.indexOf(1) < 0 && this.#fold.indexOf(2) < 0) {
      this.#lines = this.#gapAt = null;
      this.count = total;
      return;
    }
    const lines = new Uint32Array(total + (found?.span.length ?? 0));
    const gapAt = found ? new Int32Array(lines.length).fill(-1) : null;
    const firstGap = found && firstOf(found.span, this.trace.spans.count);
    let count = 0;
    for (let line = 0; line < total; line = this.#foldEnd(line)) {
      lines[count++] = line;
      if (!firstGap || this.#fold[line] !== 0) continue;
      const what = this.#whatAt(line);
      const span = what < 0 ? this.trace.visits.folded[~what]! : what;
      if (span < 0) continue;
      for (let gap = firstGap[span]!; found.span[gap] === span; gap++) {
        gapAt![count] = gap;
        lines[count++] = line;
      }
    }
    this.#lines = lines.subarray(0, count);
    this.#gapAt = gapAt;
    this.count = count;
  }
}

/** By span, the first of its entries in a sorted column; the column's end if there is none. */
function firstOf(column: Uint32Array, spanCount: number): Uint32Array {
  const first = new Uint32Array(spanCount).fill(column.length);
  for (let i = column.length - 1; i >= 0; i--) first[column[i]!] = i;
  return first;
}
