// What can stand at the caret of the search box: a key, an operator or a value, in shorthand or in
// TraceQL. The store knows the keys and values; nothing here asks it by itself.

import type { Tag, TagValue } from '../api';
import { quote } from '../query';

export interface Suggestion {
  /** What is shown. */
  label: string;
  /** What replaces the text between `from` and the caret. */
  insert: string;
  detail: string;
}

export interface Place {
  kind: 'key' | 'operator' | 'value';
  /** Of a value. */
  key: string;
  /** What of it is typed already. */
  prefix: string;
  /** Where that begins, an opening quote included. */
  from: number;
  isTraceQL: boolean;
}

export interface Source {
  tags(prefix: string, signal: AbortSignal): Promise<Tag[]>;
  values(key: string, prefix: string, signal: AbortSignal): Promise<TagValue[]>;
}

const operators = ['=', '!=', '=~', '!~', '>', '>=', '<', '<='];
const scopes = ['span', 'resource', 'event', 'link', 'instrumentation'];

/** Intrinsics with a fixed set of values, and words that are a condition by themselves. */
const fixedValues: Record<string, string[]> = {
  status: ['error', 'ok', 'unset'],
  kind: ['server', 'client', 'internal', 'producer', 'consumer'],
};
const shorthandWords: [string, string][] = [
  ['error', 'the span failed'],
  ['service:', 'its service'],
  ['name:', 'its name'],
  ['status:', 'error, ok, unset'],
  ['kind:', 'server, client, …'],
  ['duration>', '200ms, 1.5s'],
];
const intrinsics: [string, string][] = [
  ['name', 'of the span'],
  ['status', 'error, ok, unset'],
  ['kind', 'server, client, …'],
  ['duration', 'of the span'],
  ['rootName', 'of the trace'],
  ['rootServiceName', 'of the trace'],
  ['traceDuration', 'from first start to last end'],
];

const word = String.raw`[^\s{}()=!<>~&|^,"\`:]`;
const valueEnd = new RegExp(
  String.raw`("[^"]+"|${word}+)\s*(=~|!~|!=|>=|<=|=|>|<|:)\s*("[^"]*|[^\s{}()&|"]*)$`,
);
const operatorEnd = new RegExp(String.raw`(?:^|[{(&|]\s*)(${word}+)\s+$`);
const keyEnd = new RegExp(`${word}*$`);

/** What the caret stands in, null inside of something that is finished. */
export function placeAt(text: string, caret: number): Place | null {
  const before = text.slice(0, caret);
  const isTraceQL = text.trimStart().startsWith('{');
  const value = valueEnd.exec(before);
  if (value) {
    const [, key, , typed] = value;
    const prefix = typed!.replace(/^"/, '');
    return {
      kind: 'value',
      key: key!.replace(/^"|"$/g, ''),
      prefix,
      from: caret - typed!.length,
      isTraceQL,
    };
  }
  if ((before.split('"').length - 1) % 2 === 1) return null; // in a text that is no value
  if (isTraceQL && operatorEnd.test(before)) {
    return { kind: 'operator', key: '', prefix: '', from: caret, isTraceQL };
  }
  if (isTraceQL && /["})\w]\s+$/.test(before) && !/(&&|\|\|)\s+$/.test(before)) return null;
  const prefix = keyEnd.exec(before)![0];
  return { kind: 'key', key: '', prefix, from: caret - prefix.length, isTraceQL };
}

/** `span.http` is `http` in scope `span`. */
function splitScope(key: string): { scope: string | null; name: string } {
  const dot = key.indexOf('.');
  const scope = key.slice(0, dot);
  if (dot === 0) return { scope: null, name: key.slice(1) };
  return scopes.includes(scope) ? { scope, name: key.slice(dot + 1) } : { scope: null, name: key };
}

const isPlain = (key: string) => /^[A-Za-z_][\w.\-/]*$/.test(key);
/** A key as it is written: shorthand has no scope, and an undotted key needs its dot. */
function writeKey(tag: Tag, isTraceQL: boolean): string {
  const name = isPlain(tag.key) ? tag.key : quote(tag.key);
  if (isTraceQL) return `${tag.scope === 'scope' ? 'instrumentation' : tag.scope}.${name}`;
  return tag.key.includes('.') || name !== tag.key ? name : '.' + name;
}

function writeValue({ value, type }: TagValue, isTraceQL: boolean): string {
  if (type !== 'string') return String(value);
  const text = String(value);
  return isTraceQL || !/^[\w./\-@]+$/.test(text) || /^-?\d/.test(text) ? quote(text) : text;
}

const starts = (text: string, prefix: string) =>
  text.toLowerCase().startsWith(prefix.toLowerCase());

const shownMax = 12;

export async function suggest(
  place: Place,
  source: Source,
  signal: AbortSignal,
): Promise<Suggestion[]> {
  const { kind, key, prefix, isTraceQL } = place;
  if (kind === 'operator') {
    return operators.map((text) => ({ label: text, insert: text + ' ', detail: '' }));
  }
  if (kind === 'value') {
    const fixed = fixedValues[key];
    if (fixed) {
      return fixed
        .filter((text) => starts(text, prefix))
        .map((text) => ({ label: text, insert: text + ' ', detail: '' }));
    }
    if (['name', 'duration', 'rootName', 'rootServiceName', 'traceDuration'].includes(key))
      return [];
    const name = key === 'service' ? 'service.name' : splitScope(key).name;
    const values = await source.values(name, prefix, signal);
    return values.slice(0, shownMax).map((one) => ({
      label: String(one.value),
      insert: writeValue(one, isTraceQL) + ' ',
      detail: `${one.count.toLocaleString('en-US')} spans`,
    }));
  }
  const words = (isTraceQL ? intrinsics : shorthandWords)
    .filter(([text]) => starts(text, prefix))
    .map(([text, detail]) => ({
      label: text,
      insert: isTraceQL || text === 'error' ? text + ' ' : text,
      detail,
    }));
  const { scope, name } = splitScope(prefix);
  const tags = (await source.tags(name, signal)).filter((tag) => !scope || tag.scope === scope);
  const keys = tags.map((tag) => ({
    label: writeKey(tag, isTraceQL),
    insert: writeKey(tag, isTraceQL) + (isTraceQL ? ' ' : '='),
    detail: isTraceQL ? tag.type : `${tag.scope}, ${tag.type}`,
  }));
  const seen = new Set<string>();
  return [...words, ...keys]
    .filter(({ label }) => !seen.has(label) && seen.add(label))
    .slice(0, shownMax);
}

/** The text with the suggestion taken, and where the caret then stands. */
export function take(text: string, caret: number, place: Place, insert: string) {
  const rest = text.slice(caret).replace(/^[^\s{}()&|]*/, '');
  const before = text.slice(0, place.from) + insert;
  const joined = insert.endsWith(' ') ? rest.replace(/^ /, '') : rest;
  return { text: before + joined, caret: before.length };
}
