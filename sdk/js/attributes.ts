/**
 * Tags, as they are given and as OTLP/JSON writes them. A tag is written when it is set: what
 * happens to its value later does not change it, and nothing is left to do when spans leave.
 */

/** What a tag may hold. Other objects become their JSON text; null and undefined take it away. */
export type TagValue = string | number | boolean | bigint | Date | readonly TagValue[] | object;

export type Tags = Readonly<Record<string, TagValue | null | undefined>>;

/** Per span, per event and per array; what is beyond is dropped and, on spans, counted. */
export const COUNT_MAX = 128;

const LENGTH_MAX = 32_768;
const DEPTH_MAX = 8;

/** ASCII that JSON writes as it is: nearly all there is. */
const PLAIN = /^[ !#-[\]-~]*$/;

/** A string in JSON, cut, its lone surrogates replaced, since they are not Unicode. */
export function jsonText(value: string): string {
  if (value.length < 256 && PLAIN.test(value)) return `"${value}"`;
  return JSON.stringify(value.slice(0, LENGTH_MAX).replace(/[\ud800-\udfff]/gu, '\ufffd'));
}

function objectText(value: object): string {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return Object.prototype.toString.call(value);
  }
}

const stringValue = (text: string): string => `{"stringValue":${jsonText(text)}}`;
const intValue = (value: number | bigint): string => `{"intValue":"${value}"}`;

function numberValue(value: number): string {
  if (Number.isSafeInteger(value)) return intValue(value);
  return `{"doubleValue":${Number.isFinite(value) ? value : `"${value}"`}}`;
}

function arrayValue(values: readonly TagValue[], depth: number): string {
  const items = values.slice(0, COUNT_MAX).map((item) => anyValue(item, depth + 1));
  return `{"arrayValue":{"values":[${items}]}}`;
}

/** OTLP's AnyValue. Never throws. */
function anyValue(value: TagValue | null | undefined, depth = 0): string {
  switch (typeof value) {
    case 'string':
      return stringValue(value);
    case 'boolean':
      return `{"boolValue":${value}}`;
    case 'number':
      return numberValue(value);
    case 'bigint':
      return BigInt.asIntN(64, value) === value ? intValue(value) : stringValue(String(value));
  }
  if (Array.isArray(value) && depth < DEPTH_MAX) return arrayValue(value, depth);
  if (value instanceof Date && !isNaN(+value)) return stringValue(value.toISOString());
  return stringValue(objectText(value as object));
}

/** Attributes in the order they were first set; setting one again replaces its value. */
export class Attributes {
  private readonly _values = new Map<string, string>();
  /** How many found no room. */
  dropped = 0;

  set(key: string, value: TagValue | null | undefined): void {
    if (value === null || value === undefined) this._values.delete(key);
    else if (this._values.size >= COUNT_MAX && !this._values.has(key)) this.dropped++;
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

  /** OTLP's list in JSON, without its brackets; empty when there is nothing. */
  json(): string {
    let list = '';
    for (const [key, value] of this._values) {
      list += `${list && ','}{"key":${jsonText(key)},"value":${value}}`;
    }
    return list;
  }
}
