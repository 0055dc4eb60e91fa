// Writes docs/formats/columns.md from a trace as the JSON API has it, so that tests can serve it.

const kinds = ['', 'INTERNAL', 'SERVER', 'CLIENT', 'PRODUCER', 'CONSUMER'];

/** A growing list of bytes. */
class Bytes {
  #bytes = new Uint8Array(1024);
  size = 0;

  byte(value) {
    if (this.size === this.#bytes.length) {
      const larger = new Uint8Array(2 * this.size);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#bytes[this.size++] = value;
  }
  bytes(values) {
    for (const value of values) this.byte(value);
  }
  varint(number) {
    for (; number >= 128; number = Math.floor(number / 128)) this.byte((number % 128) | 128);
    this.byte(number);
  }
  zigzag(number) {
    this.varint(number < 0 ? -2 * number - 1 : 2 * number);
  }
  text(text) {
    const bytes = new TextEncoder().encode(text);
    this.varint(bytes.length);
    this.bytes(bytes);
  }
  done() {
    return this.#bytes.slice(0, this.size);
  }
}

class Texts {
  #numbers = new Map();
  out = new Bytes();

  number(text) {
    if (!this.#numbers.has(text)) {
      this.#numbers.set(text, this.#numbers.size);
      this.out.text(text);
    }
    return this.#numbers.get(text);
  }
  get count() {
    return this.#numbers.size;
  }
}

export function columnsOf(trace, limit = 0) {
  const names = 'flags depth service name span parent start duration self ownStart ownDuration ids';
  const column = Object.fromEntries(names.split(' ').map((name) => [name, new Bytes()]));
  const positions = new Map();
  trace.spans.forEach((span, i) => positions.has(span.spanId) || positions.set(span.spanId, i));
  const services = new Map(trace.services.map((service, i) => [service.name, i]));
  const texts = new Texts();
  const rows = limit > 0 ? trace.rows.slice(0, limit) : trace.rows;
  let [lastSpan, lastStart] = [0, 0];
  for (const row of rows) {
    const span = trace.spans[row.span ?? -1];
    const isService = row.type === 'service';
    const start = Number(row.offsetNano);
    const error = span?.status?.code === 'ERROR' ? 4 : 0;
    const kind = Math.max(kinds.indexOf(span?.kind ?? ''), 0) << 4;
    column.flags.byte(
      (isService ? 0 : 1) | error | (span?.orphan ? 8 : 0) | kind | (span ? 0 : 128),
    );
    column.depth.varint(row.depth);
    column.service.varint(services.get(row.service));
    column.name.varint(texts.number(row.name));
    column.start.zigzag(start - lastStart);
    lastStart = start;
    column.duration.varint(Number(row.durationNano));
    if (!span) continue;
    column.span.zigzag(row.span - lastSpan);
    lastSpan = row.span;
    const parent = span.orphan ? undefined : positions.get(span.parentSpanId);
    column.parent.varint(parent === undefined ? 0 : row.span - parent);
    column.self.varint(Number(span.selfTimeNano));
    const id = new DataView(new ArrayBuffer(8));
    id.setBigUint64(0, BigInt('0x' + span.spanId), true);
    column.ids.bytes(new Uint8Array(id.buffer));
    if (!isService) continue;
    column.ownStart.varint(
      Number(BigInt(span.startTimeUnixNano) - BigInt(trace.startTimeUnixNano)) - start,
    );
    column.ownDuration.varint(Number(span.durationNano));
  }
  return assemble(trace, rows.length, services, texts, column);
}

function assemble(trace, rowCount, services, texts, column) {
  const table = new Bytes();
  for (const { name, spanCount, errorCount } of trace.services) {
    table.varint(texts.number(name));
    table.varint(spanCount);
    table.varint(errorCount);
  }
  const head = new DataView(new ArrayBuffer(64));
  [0x54, 0x4b, 0x43, 0x4f, 0x4c, 0x0d, 0x0a, 0x1a].forEach((byte, i) => head.setUint8(i, byte));
  const words = [2, trace.spanCount, trace.errorCount, trace.rows.length, 0, rowCount];
  words.forEach((word, i) => head.setUint32(8 + 4 * i, word, true));
  head.setBigUint64(32, BigInt(trace.startTimeUnixNano), true);
  head.setBigUint64(40, BigInt(trace.durationNano), true);
  [services.size, texts.count, trace.broken ? 1 : 0, 0].forEach((word, i) =>
    head.setUint32(48 + 4 * i, word, true),
  );
  const parts = [new Uint8Array(head.buffer), table.done(), texts.out.done()];
  for (const each of Object.values(column)) {
    const size = new Uint32Array([each.size]);
    parts.push(new Uint8Array(size.buffer), each.done());
  }
  return Buffer.concat(parts);
}
