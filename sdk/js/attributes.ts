/**
 * Tags, as they are given. What a tag holds is fixed when it is set: what happens to an array or
 * an object later does not change it. They are written as OTLP when the span ends.
 */

/** What a tag may hold. Other objects become their JSON text; null and undefined take it away. */
export type TagValue = string | number | boolean | bigint | Date | readonly TagValue[] | object;

export type Tags = Readonly<Record<string, TagValue | null | undefined>>;

/** A value as OTLP has it: nothing in it changes any more. */
export type Plain = string | number | boolean | bigint | readonly Plain[];

/** Per span, per event and per link; what is beyond is dropped and counted. */
export const COUNT_MAX = 128;

/** What OTLP's text of one span may come to. */
export const SPAN_BYTES_MAX = 262_144;

export const STRING_BYTES_MAX = 32_768;
export const ITEMS_MAX = 128;
export const DEPTH_MAX = 8;
/** Of one tag, in all its lists or its JSON: one that holds itself many times over would take for ever. */
export const VALUES_MAX = 16_384;

/** Cuts what is too long, before the character that does not fit. */
export function cut(text: string): string {
  if (text.length * 3 <= STRING_BYTES_MAX) return text;
  return text.slice(0, new TextEncoder().encodeInto(text, new Uint8Array(STRING_BYTES_MAX)).read);
}

/** A name, which may be given as anything. */
export function nameOf(value: unknown): string {
  if (typeof value === 'string') return value;
  try {
    return String(value);
  } catch {
    return '[object]';
  }
}

/** How many values of this tag may still be looked at. */
let room = 0;

/** Any object may throw when it is looked at. */
function plainObject(value: object, depth: number): Plain {
  if (!depth) room = VALUES_MAX;
  try {
    if (Array.isArray(value) && depth < DEPTH_MAX) {
      return value.slice(0, ITEMS_MAX).filter(() => room-- > 0).map((item) => plain(item, depth + 1));
    }
    const text =
      (value as Partial<Date>).toISOString?.() ??
      JSON.stringify(value, (_key, one: unknown) => room-- > 0 && one);
    return cut(text);
  } catch {
    return '[object]';
  }
}

/** Never throws. */
function plain(value: TagValue, depth: number): Plain {
  if (typeof value === 'string') return cut(value);
  if (typeof value === 'boolean' || typeof value === 'number') return value;
  if (typeof value !== 'bigint') return plainObject(value, depth);
  return BigInt.asIntN(64, value) === value ? value : String(value);
}

/** Attributes in the order they were first set; setting one again replaces its value. */
export class Attributes {
  /** @internal */ readonly keys: string[] = [];
  /** @internal */ readonly values: Plain[] = [];
  /** How many found no room. */
  dropped = 0;

  set(key: string, value: TagValue | null | undefined): void {
    const { keys, values } = this;
    key = nameOf(key);
    // Most keys are interned, which this loop can tell apart without reading them.
    let index = keys.length - 1;
    while (index >= 0 && keys[index] !== key) index--;
    if (value === null || value === undefined) {
      if (index >= 0) {
        keys.splice(index, 1);
        values.splice(index, 1);
      }
    } else if (index >= 0) {
      values[index] = plain(value, 0);
    } else if (keys.length >= COUNT_MAX) {
      this.dropped++;
    } else {
      keys.push(key);
      values.push(plain(value, 0));
    }
  }

  setAll(tags: Tags | undefined): void {
    try {
      for (const key in tags) this.set(key, tags[key]);
    } catch {
      // a getter of the app's: what comes behind it is left out
    }
  }

  /** Takes from `others` what is not set here. */
  inherit({ keys, values }: Attributes): void {
    for (let i = 0; i < keys.length; i++) {
      if (!this.keys.includes(keys[i]!)) this.set(keys[i]!, values[i]);
    }
  }
}
