// Reads docs/formats/columns.md: the binary answer for one trace. It may be the first rows of a
// trace only; spans are then numbered among those that are there.

import type { ServiceCount } from '../api';
import { markSpans } from './marks';
import {
  errorFlag,
  textOf,
  type Rows,
  type Spans,
  type Texts,
  type Trace,
  type Visits,
} from './trace';

const version = 2;
const magic = [0x54, 0x4b, 0x43, 0x4f, 0x4c, 0x0d, 0x0a, 0x1a];
const headerSize = 64;
const serviceType = 0;
const typeMask = 3;
const noSpan = 128;
/** Span flags that are kept: error, orphan, kind. */
const kept = 0x7c;

export function readColumns(buffer: ArrayBuffer): Trace {
  const bytes = new Uint8Array(buffer);
  const view = new DataView(buffer);
  if (bytes.length < headerSize || magic.some((byte, i) => bytes[i] !== byte))
    throw new Error('The answer is no trace in columns');
  if (view.getUint32(8, true) !== version)
    throw new Error('The server is of another version than this page: reload it');
  const reader = new Reader(bytes, headerSize);
  const serviceTable = Array.from({ length: view.getUint32(48, true) }, () => [
    reader.varint(),
    reader.varint(),
    reader.varint(),
  ]);
  const texts = readTexts(reader, view.getUint32(52, true));
  const services = serviceTable.map(([name, spanCount, errorCount]): ServiceCount => {
    return { name: textOf(texts, name!), spanCount: spanCount!, errorCount: errorCount! };
  });
  const rowCount = view.getUint32(28, true);
  const rowTotal = view.getUint32(20, true);
  const tables = readTables(reader, rowCount, rowCount < rowTotal);
  markSpans(tables.spans);
  return {
    startNano: view.getBigUint64(32, true),
    durationNano: Number(view.getBigUint64(40, true)),
    spanCount: view.getUint32(12, true),
    errorCount: view.getUint32(16, true),
    rowTotal,
    isBroken: view.getUint32(56, true) !== 0,
    services,
    texts,
    ...tables,
  };
}

class Reader {
  constructor(
    readonly bytes: Uint8Array,
    public at: number,
  ) {}

  varint(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.bytes[this.at++]!;
      value += (byte & 127) * scale;
      if (!(byte >= 128)) return value;
    }
  }

  column(): Uint8Array {
    const { bytes, at } = this;
    const size =
      (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
    this.at += 4 + size;
    if (!(this.at <= bytes.length)) throw new Error('The answer ends early');
    return bytes.subarray(at + 4, at + 4 + size);
  }

  /** A column of `count` varints. */
  numbers<Numbers extends Float64Array | Uint32Array>(into: Numbers): Numbers {
    const column = this.column();
    let at = 0;
    for (let i = 0; i < into.length; i++) {
      let byte = column[at++]!;
      let value = byte & 127;
      for (let scale = 128; byte >= 128; scale *= 128) {
        byte = column[at++]!;
        value += (byte & 127) * scale;
      }
      into[i] = value;
    }
    if (at !== column.length) throw new Error('A column of the answer is damaged');
    return into;
  }

  /** The same, of zigzag numbers that each are the difference to the one before. */
  sums(count: number): Float64Array {
    const into = this.numbers(new Float64Array(count));
    let sum = 0;
    for (let i = 0; i < count; i++) {
      const number = into[i]!;
      sum += number % 2 === 0 ? number / 2 : -(number + 1) / 2;
      into[i] = sum;
    }
    return into;
  }
}

function readTexts(reader: Reader, count: number): Texts {
  const from = reader.at;
  const bounds = new Uint32Array(2 * count);
  for (let i = 0; i < count; i++) {
    const size = reader.varint();
    bounds[2 * i] = reader.at - from;
    reader.at += size;
    bounds[2 * i + 1] = reader.at - from;
  }
  // A copy, so that the whole answer need not be kept for it.
  return { bytes: reader.bytes.slice(from, reader.at), bounds };
}

function readTables(reader: Reader, count: number, isPart: boolean) {
  const flags = reader.column();
  if (flags.length !== count) throw new Error('A column of the answer is damaged');
  let spanCount = 0;
  let visitCount = 0;
  let foldedCount = 0;
  for (let row = 0; row < count; row++) {
    const hasSpan = (flags[row]! & noSpan) === 0;
    const isVisit = (flags[row]! & typeMask) === serviceType;
    if (hasSpan) spanCount++;
    if (isVisit) visitCount++;
    if (hasSpan && isVisit) foldedCount++;
  }
  const depth = reader.numbers(new Uint32Array(count));
  const service = reader.numbers(new Uint32Array(count));
  const name = reader.numbers(new Uint32Array(count));
  const position = reader.sums(spanCount);
  const up = reader.numbers(new Uint32Array(spanCount));
  const start = reader.sums(count);
  const duration = reader.numbers(new Float64Array(count));
  const self = reader.numbers(new Float64Array(spanCount));
  const ownStart = reader.numbers(new Float64Array(foldedCount));
  const ownDuration = reader.numbers(new Float64Array(foldedCount));
  const id = reader.column();
  const ids = new DataView(id.buffer, id.byteOffset, id.length);
  const numberOf = isPart ? ranks(position) : (place: number) => place;

  const spans = newSpans(spanCount);
  const visits = newVisits(visitCount);
  const rows: Rows = { count, what: new Int32Array(count), depth, end: new Uint32Array(count) };
  let nth = -1; // of the rows that have a span
  let visit = -1;
  let fold = 0;
  for (let row = 0; row < count; row++) {
    const flag = flags[row]!;
    const isVisit = (flag & typeMask) === serviceType;
    if (isVisit) {
      visit++;
      visits.row[visit] = row;
      visits.service[visit] = service[row]!;
      visits.start[visit] = start[row]!;
      visits.duration[visit] = duration[row]!;
      rows.what[row] = ~visit;
    }
    if ((flag & noSpan) !== 0) continue;
    nth++;
    const span = numberOf(position[nth]!);
    spans.parent[span] = up[nth] === 0 ? -1 : numberOf(position[nth]! - up[nth]!);
    spans.start[span] = isVisit ? start[row]! + ownStart[fold]! : start[row]!;
    spans.duration[span] = isVisit ? ownDuration[fold]! : duration[row]!;
    spans.self[span] = self[nth]!;
    spans.service[span] = service[row]!;
    spans.name[span] = name[row]!;
    spans.flags[span] = flag & kept;
    spans.row[span] = row;
    spans.id[2 * span] = ids.getUint32(8 * nth, true);
    spans.id[2 * span + 1] = ids.getUint32(8 * nth + 4, true);
    if (isVisit) {
      visits.folded[visit] = span;
      fold++;
    } else rows.what[row] = span;
  }
  measureSpans(spans);
  measureRows(rows);
  measureVisits(visits, rows, spans);
  return { spans, visits, rows };
}

/** Numbers for positions of which some are missing, in the same order. */
function ranks(positions: Float64Array): (position: number) => number {
  const rank = new Map([...positions].sort((a, b) => a - b).map((position, i) => [position, i]));
  return (position) => rank.get(position) ?? -1;
}

function newSpans(count: number): Spans {
  return {
    count,
    start: new Float64Array(count),
    duration: new Float64Array(count),
    self: new Float64Array(count),
    parent: new Int32Array(count),
    depth: new Uint32Array(count),
    end: new Uint32Array(count),
    service: new Uint32Array(count),
    name: new Uint32Array(count),
    flags: new Uint8Array(count),
    marks: new Uint8Array(count),
    row: new Uint32Array(count),
    id: new Uint32Array(2 * count),
  };
}

function newVisits(count: number): Visits {
  return {
    count,
    service: new Uint32Array(count),
    row: new Uint32Array(count),
    end: new Uint32Array(count),
    start: new Float64Array(count),
    duration: new Float64Array(count),
    folded: new Int32Array(count).fill(-1),
    entry: new Uint32Array(count),
    failed: new Uint8Array(count),
  };
}

/** Depths and ends: a parent stands before its children. */
function measureSpans({ count, parent, depth, end }: Spans): void {
  for (let span = 0; span < count; span++) {
    const above = parent[span]!;
    depth[span] = above < 0 ? 0 : depth[above]! + 1;
    end[span] = span + 1;
  }
  for (let span = count - 1; span >= 0; span--) {
    const above = parent[span]!;
    if (above >= 0 && end[span]! > end[above]!) end[above] = end[span]!;
  }
}

function measureRows({ count, depth, end }: Rows): void {
  for (let row = count - 1; row >= 0; row--) {
    let behind = row + 1;
    while (behind < count && depth[behind]! > depth[row]!) behind = end[behind]!;
    end[row] = behind;
  }
}

function measureVisits(visits: Visits, rows: Rows, spans: Spans): void {
  const visitOf = new Uint32Array(spans.count);
  for (let visit = 0; visit < visits.count; visit++) {
    const row = visits.row[visit]!;
    const folded = visits.folded[visit]!;
    const end = rows.end[row]!;
    visits.end[visit] = end;
    // Of a part of a trace, the last visit's first span may be missing.
    visits.entry[visit] = folded >= 0 ? folded : row + 1 < end ? rows.what[row + 1]! : 0;
    for (let inside = row; inside < end; inside++) {
      const span = inside === row ? folded : rows.what[inside]!;
      if (span < 0) continue;
      visitOf[span] = visit;
      if ((spans.flags[span]! & errorFlag) !== 0) visits.failed[visit] = 1;
    }
  }
  for (let visit = visits.count - 1; visit >= 0; visit--) {
    const caller = spans.parent[visits.entry[visit]!]!;
    if (caller < 0) continue;
    const above = visitOf[caller]!;
    if (above < visit && visits.end[visit]! > visits.end[above]!)
      visits.end[above] = visits.end[visit]!;
  }
}
