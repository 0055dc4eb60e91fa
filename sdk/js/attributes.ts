/** Tags, as they are given and as OTLP/JSON writes them. */

/** What a tag may hold. Other objects are kept as their JSON text, null and undefined not at all. */
export type TagValue = string | number | boolean | bigint | Date | readonly TagValue[] | object;

export type Tags = Readonly<Record<string, TagValue | null | undefined>>;

export type AnyValue =
  | { stringValue: string }
  | { boolValue: boolean }
  | { intValue: string }
  | { doubleValue: number | string }
  | { arrayValue: { values: AnyValue[] } };

/** Per span, per event and per array; what is beyond is dropped and, on spans, counted. */
export const COUNT_MAX = 128;

const LENGTH_MAX = 32_768;
const DEPTH_MAX = 8;

/** Cuts the string and replaces lone surrogates, which are not Unicode. */
function text(value: string): string {
  const cut = value.length > LENGTH_MAX ? value.slice(0, LENGTH_MAX) : value;
  return /[\ud800-\udfff]/.test(cut) ? cut.replace(/\p{Surrogate}/gu, '\ufffd') : cut;
}

function number(value: number): AnyValue {
  if (Number.isSafeInteger(value)) return { intValue: String(value) };
  return { doubleValue: Number.isFinite(value) ? value : String(value) };
}

function objectText(value: object): string {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return Object.prototype.toString.call(value);
  }
}

/** Copies the value: what happens to it later does not change the tag. Never throws. */
export function anyValue(value: TagValue | null | undefined, depth = 0): AnyValue {
  switch (typeof value) {
    case 'string':
      return { stringValue: text(value) };
    case 'boolean':
      return { boolValue: value };
    case 'number':
      return number(value);
    case 'bigint':
      return BigInt.asIntN(64, value) === value
        ? { intValue: String(value) }
        : { stringValue: text(String(value)) };
  }
  if (Array.isArray(value) && depth < DEPTH_MAX) {
    const items = value.slice(0, COUNT_MAX) as TagValue[];
    return { arrayValue: { values: items.map((item) => anyValue(item, depth + 1)) } };
  }
  if (value instanceof Date && !isNaN(+value)) return { stringValue: value.toISOString() };
  return { stringValue: text(objectText(value as object)) };
}

/** Attributes in the order they were first set; setting one again replaces its value. */
export class Attributes {
  private readonly _values = new Map<string, AnyValue>();
  /** How many found no room. */
  dropped = 0;

  set(key: string, value: TagValue | null | undefined): void {
    if (value === null || value === undefined) return;
    if (this._values.size >= COUNT_MAX && !this._values.has(key)) this.dropped++;
    else this._values.set(key, anyValue(value));
  }

  setAll(tags: Tags | undefined): void {
    for (const key in tags) this.set(key, tags[key]);
  }

  /** Takes from `others` what is not set here. */
  inherit(others: Attributes): void {
    for (const [key, value] of others._values) {
      if (!this._values.has(key) && this._values.size < COUNT_MAX) this._values.set(key, value);
    }
  }

  delete(key: string): void {
    this._values.delete(key);
  }

  /** OTLP's list; nothing when empty, so that JSON leaves the member out. */
  toJSON(): { key: string; value: AnyValue }[] | undefined {
    if (!this._values.size) return undefined;
    return Array.from(this._values, ([key, value]) => ({ key, value }));
  }
}
