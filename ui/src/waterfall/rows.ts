// The rows of the waterfall as the view needs them. The view only ever asks for the row at an index
// and keeps nothing per row, so that a trace of a million spans can be a file of columns behind
// this same interface; today it is the API's JSON.

import type { Row, Span, Trace } from '../api';

export interface RowView {
  type: Row['type'];
  depth: number;
  label: string;
  service: string;
  offsetNano: number;
  durationNano: number;
  /** Index into the trace's spans; null for a service row nothing folded into. */
  span: number | null;
  /** Names the row in the URL and across reloads: a span id, or `visit:` and its first span's. */
  key: string;
  isError: boolean;
  isOrphan: boolean;
}

export interface RowModel {
  readonly count: number;
  /** The length of the axis. */
  readonly durationNano: number;
  read(index: number): RowView;
  /** -1 if there is none. */
  indexOf(key: string): number;
  /** The row a row is indented under; -1 at the top of a visit. */
  parentOf(index: number): number;
}

export class JsonRows implements RowModel {
  readonly count: number;
  readonly durationNano: number;
  /** For service rows: 1 if a span of that visit failed. */
  readonly #visitFailed: Uint8Array;

  constructor(readonly trace: Trace) {
    this.count = trace.rows.length;
    this.durationNano = Number(trace.durationNano);
    this.#visitFailed = new Uint8Array(this.count);
    let visit = 0;
    trace.rows.forEach((row, index) => {
      if (row.type === 'service') visit = index;
      if (isError(this.#span(index))) this.#visitFailed[visit] = 1;
    });
  }

  read(index: number): RowView {
    const row = this.trace.rows[index]!;
    const span = this.#span(index);
    return {
      type: row.type,
      depth: row.depth,
      label: row.name,
      service: row.service,
      offsetNano: Number(row.offsetNano),
      durationNano: Number(row.durationNano),
      span: row.span ?? null,
      key: this.#key(index),
      isError: row.type === 'service' ? this.#visitFailed[index] === 1 : isError(span),
      isOrphan: span?.orphan === true,
    };
  }

  indexOf(key: string): number {
    for (let index = 0; index < this.count; index++) if (this.#key(index) === key) return index;
    return -1;
  }

  parentOf(index: number): number {
    const depth = this.trace.rows[index]!.depth;
    for (let above = index - 1; above >= 0 && depth > 0; above--) {
      if (this.trace.rows[above]!.depth < depth) return above;
    }
    return -1;
  }

  /** The row after the last one of the visit a service row begins. */
  visitEnd(index: number): number {
    let end = index + 1;
    while (end < this.count && this.trace.rows[end]!.type !== 'service') end++;
    return end;
  }

  #span(index: number): Span | undefined {
    return this.trace.spans[this.trace.rows[index]!.span ?? -1];
  }

  #key(index: number): string {
    const own = this.#span(index);
    if (own) return own.spanId;
    const next = index + 1 < this.count ? this.#span(index + 1) : undefined;
    return `${this.trace.rows[index]!.type === 'gap' ? 'gap' : 'visit'}:${next?.spanId ?? index}`;
  }
}

const isError = (span: Span | undefined) => span?.status?.code === 'ERROR';
