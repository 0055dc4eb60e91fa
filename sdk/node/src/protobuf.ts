/**
 * Protobuf's wire format, written into slabs: one piece of memory holds some hundred spans, and
 * what is in it leaves with the last request that it has a part in.
 *
 * A field whose length is not known yet gets one byte for it; `close` moves the contents when that
 * is too little, which is rare.
 */

import { IdWords } from './ids.js';

const SLAB_BYTES = 131_072;
/** Up to here a loop over characters is faster than a call into the runtime. */
const SHORT = 64;

export const WIRE_VARINT = 0;
export const WIRE_FIXED64 = 1;
export const WIRE_BYTES = 2;
export const WIRE_FIXED32 = 5;

/** Part of a slab. */
export interface Piece {
  readonly slab: Buffer;
  readonly start: number;
  readonly length: number;
}

/** So many keys are remembered as bytes; programs that make keys up are no slower for it. */
const KEYS_MAX = 1_024;

/** How many bytes a varint takes, of at most 35 bits. */
export function varintSize(value: number): number {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x20_0000 ? 3 : value < 0x1000_0000 ? 4 : 5;
}

/** The tags of the fields of KeyValue, and of AnyValue's members. */
export interface ValueTags {
  readonly key: number;
  readonly value: number;
  readonly string: number;
  readonly bool: number;
  readonly int: number;
  readonly double: number;
}

/** What stands in front of an attribute's value, in words: copied four bytes at a time. */
interface Key {
  readonly words: Int32Array;
  readonly bytes: number;
}

/** Of this machine: the words of an id are bytes that happen to lie in words. */
const LITTLE_ENDIAN = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;

const viewOf = (slab: Buffer): DataView => new DataView(slab.buffer, slab.byteOffset, slab.length);

export class Writer {
  private _slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
  private _view = viewOf(this._slab);
  private _start = 0;
  private _at = 0;
  private readonly _keys = new Map<string, Key>();

  /** Where the next byte goes; a mark stays good while one piece is written. */
  get position(): number {
    return this._at - this._start;
  }

  /** What was written since the last piece. */
  piece(): Piece {
    const start = this._start;
    this._start = this._at;
    return { slab: this._slab, start, length: this._at - start };
  }

  /** Takes back what was written from `mark` on. */
  rewind(mark: number): void {
    this._at = this._start + mark;
  }

  /** Makes room for `bytes` more, in another slab if need be. */
  private _reserve(bytes: number): void {
    if (this._at + bytes <= this._slab.length) return;
    const used = this._at - this._start;
    const slab = Buffer.allocUnsafeSlow(Math.max(SLAB_BYTES, 2 * (used + bytes)));
    this._slab.copy(slab, 0, this._start, this._at);
    this._slab = slab;
    this._view = viewOf(slab);
    this._start = 0;
    this._at = used;
  }

  private _varint(value: number): void {
    const slab = this._slab;
    if (value < 0x80) {
      slab[this._at++] = value;
      return;
    }
    while (value >= 0x80) {
      slab[this._at++] = (value % 0x80) | 0x80;
      value = value < 0x8000_0000 ? value >>> 7 : Math.floor(value / 0x80);
    }
    slab[this._at++] = value;
  }

  /** A whole number from 0 to 2^53. */
  varint(tag: number, value: number): void {
    this._reserve(12);
    this._varint(tag);
    this._varint(value);
  }

  /** A whole number of 64 bits, two's complement. */
  int64(tag: number, value: bigint): void {
    this._reserve(12);
    this._varint(tag);
    let rest = BigInt.asUintN(64, value);
    for (; rest >= 0x80n; rest >>= 7n) this._slab[this._at++] = Number(rest & 0x7fn) | 0x80;
    this._slab[this._at++] = Number(rest);
  }

  fixed32(tag: number, value: number): void {
    this._reserve(6);
    this._varint(tag);
    this._view.setUint32(this._at, value, true);
    this._at += 4;
  }

  /** Microseconds as nanoseconds, which no double holds: in two halves. `tag` is one byte. */
  nanos(tag: number, micros: number): void {
    this._reserve(9);
    const at = this._at;
    const high = Math.floor(micros / 0x1_0000_0000);
    const low = (micros - high * 0x1_0000_0000) * 1_000;
    const carry = Math.floor(low / 0x1_0000_0000);
    this._slab[at] = tag;
    this._view.setUint32(at + 1, low - carry * 0x1_0000_0000, true);
    this._view.setUint32(at + 5, high * 1_000 + carry, true);
    this._at = at + 9;
  }

  double(tag: number, value: number): void {
    this._reserve(10);
    this._varint(tag);
    this._view.setFloat64(this._at, value, true);
    this._at += 8;
  }

  /** An id: bytes of a pool, or digits when it came from somebody else. */
  id(tag: number, id: IdWords | { toString(): string }): void {
    if (!(id instanceof IdWords)) return this.hex(tag, String(id));
    const { pool, from, to } = id;
    this._reserve(18);
    let at = this._at;
    this._slab[at] = tag;
    this._slab[at + 1] = (to - from) * 4;
    at += 2;
    for (let i = from; i < to; i++, at += 4) this._view.setInt32(at, pool[i]!, LITTLE_ENDIAN);
    this._at = at;
  }

  /** Bytes given in lower-case hexadecimal, of fewer than 128. */
  hex(tag: number, digits: string): void {
    const bytes = digits.length >> 1;
    this._reserve(bytes + 2);
    const slab = this._slab;
    let at = this._at;
    slab[at++] = tag;
    slab[at++] = bytes;
    for (let i = 0; i < digits.length; i += 2) {
      const high = digits.charCodeAt(i);
      const low = digits.charCodeAt(i + 1);
      slab[at++] = (((high & 15) + (high >> 6) * 9) << 4) | ((low & 15) + (low >> 6) * 9);
    }
    this._at = at;
  }

  /** Writes text that is all ASCII at `at`; false when it is not. */
  private _ascii(text: string, at: number): boolean {
    const slab = this._slab;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code >= 0x80) return false;
      slab[at + i] = code;
    }
    return true;
  }

  /** Text as UTF-8; lone surrogates become U+FFFD. */
  string(tag: number, text: string): void {
    const { length } = text;
    this._reserve(length * 3 + 12);
    this._varint(tag);
    const at = this._at + 1;
    if (length < SHORT && this._ascii(text, at)) {
      this._slab[at - 1] = length;
      this._at = at + length;
      return;
    }
    const bytes = this._slab.write(text, at);
    this._at = at + bytes;
    this._length(at - this._start, bytes);
  }

  /** Remembers a key that is short and plain. */
  private _learn(field: number, key: string, value: number): Key | undefined {
    if (key.length >= SHORT || this._keys.size >= KEYS_MAX) return undefined;
    if (/[^\0-\x7f]/.test(key)) return undefined;
    const bytes = Buffer.alloc((key.length + 6) & ~3);
    bytes[0] = field;
    bytes[1] = key.length;
    bytes.write(key, 2, 'latin1');
    bytes[key.length + 2] = value;
    const words = Int32Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readInt32LE(i * 4));
    const known = { words, bytes: key.length + 3 };
    this._keys.set(key, known);
    return known;
  }

  /** Writes a short and plain value at `at`, length in front; 0 when it is none. */
  private _shortValue(at: number, value: unknown, tags: ValueTags): number {
    const slab = this._slab;
    if (typeof value === 'string') {
      const { length } = value;
      if (length >= SHORT || !this._ascii(value, at + 3)) return 0;
      slab[at] = length + 2;
      slab[at + 1] = tags.string;
      slab[at + 2] = length;
      return length + 3;
    }
    if (typeof value === 'boolean') {
      slab[at] = 2;
      slab[at + 1] = tags.bool;
      slab[at + 2] = value ? 1 : 0;
      return 3;
    }
    if (typeof value !== 'number') return 0;
    if (!Number.isSafeInteger(value)) {
      slab[at] = 9;
      slab[at + 1] = tags.double;
      this._view.setFloat64(at + 2, value, true);
      return 10;
    }
    if (value < 0 || value >= 0x8000_0000) return 0;
    let end = at + 2;
    for (let rest = value; ; rest >>>= 7) {
      slab[end++] = rest < 0x80 ? rest : (rest & 0x7f) | 0x80;
      if (rest < 0x80) break;
    }
    slab[at] = end - at - 1;
    slab[at + 1] = tags.int;
    return end - at;
  }

  /**
   * An attribute whose key and value are short and plain, as nearly all are, in one go; false, and
   * nothing written, when they are not.
   */
  attribute(tag: number, key: string, value: unknown, tags: ValueTags): boolean {
    const known = this._keys.get(key) ?? this._learn(tags.key, key, tags.value);
    if (!known) return false;
    this._reserve(2 * SHORT + 16);
    const at = this._at;
    const { words, bytes } = known;
    const view = this._view;
    for (let i = 0; i < words.length; i++) view.setInt32(at + 2 + i * 4, words[i]!, true);
    const whole = bytes + this._shortValue(at + 2 + bytes, value, tags);
    if (whole === bytes || whole >= 0x80) return false;
    const slab = this._slab;
    slab[at] = tag;
    slab[at + 1] = whole;
    this._at = at + 2 + whole;
    return true;
  }

  /** Begins a field that others are in; the mark is for `close`. */
  open(tag: number): number {
    this._reserve(8);
    this._varint(tag);
    this._at++;
    return this._at - this._start;
  }

  /** Begins a field that is likely to need two bytes for its length, for `closeLong`. */
  openLong(tag: number): number {
    this._at = this.open(tag) + this._start + 1;
    return this._at - this._start;
  }

  close(mark: number): void {
    this._length(mark, this._at - this._start - mark);
  }

  closeLong(mark: number): void {
    const from = this._start + mark;
    const bytes = this._at - from;
    if (bytes >= 0x80 && bytes < 0x4000) {
      this._slab[from - 2] = (bytes & 0x7f) | 0x80;
      this._slab[from - 1] = bytes >>> 7;
      return;
    }
    this._slab.copyWithin(from - 1, from, this._at--);
    this.close(mark - 1);
  }

  /** Writes the length of the contents from `mark` on into the byte in front, or makes room. */
  private _length(mark: number, bytes: number): void {
    const more = varintSize(bytes) - 1;
    if (more) {
      this._reserve(more);
      const from = this._start + mark;
      this._slab.copyWithin(from + more, from, this._at);
    }
    const end = this._at + more;
    this._at = this._start + mark - 1;
    this._varint(bytes);
    this._at = end;
  }
}

/** All pieces as one, with `head` in front. */
export function joined(head: Buffer, pieces: readonly Piece[]): Buffer {
  let bytes = head.length;
  for (const { length } of pieces) bytes += length;
  const whole = Buffer.allocUnsafe(bytes);
  let at = head.copy(whole);
  for (let i = 0; i < pieces.length; ) {
    const { slab, start } = pieces[i]!;
    let end = start;
    for (; i < pieces.length && pieces[i]!.slab === slab && pieces[i]!.start === end; i++) {
      end += pieces[i]!.length;
    }
    at += slab.copy(whole, at, start, end);
  }
  return whole;
}

/** Calls `visit` for each varint and each field of bytes; stops at what it cannot read. */
export function eachField(
  bytes: Uint8Array,
  visit: (field: number, varint: number, contents: Uint8Array) => void,
): void {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; at < bytes.length; scale *= 0x80) {
      const byte = bytes[at++]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
    return NaN;
  };
  while (at < bytes.length) {
    const tag = varint();
    const value = varint();
    const wire = tag & 7;
    if (isNaN(value) || (wire !== WIRE_VARINT && wire !== WIRE_BYTES)) return;
    const end = wire === WIRE_BYTES ? at + value : at;
    if (end > bytes.length) return;
    visit(tag >>> 3, value, bytes.subarray(at, end));
    at = end;
  }
}
