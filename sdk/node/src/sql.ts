/** What of a query may be shown: its text without its literals, and a short name. */

import { STRING_BYTES_MAX } from '../../js/attributes.js';

const WORD = '[\\w\\u0080-\\uffff]';
/** In some databases a backslash escapes a quote; in others it is a character like any. */
const tokens = (string: string): RegExp =>
  new RegExp(
    [
      `[eE]'(?:[^'\\\\]|\\\\(?:[^]|$)|'')*(?:'|$)`, // PostgreSQL's, where it always escapes
      string,
      `"(?:[^"]|"")*(?:"|$)`,
      '`(?:[^`]|``)*(?:`|$)',
      '--[^\\n]*',
      '/\\*[^]*?(?:\\*/|$)',
      `\\$(?!\\d)(${WORD}*)\\$[^]*?(?:\\$\\1\\$|$)`, // $tag$text$tag$
      `\\$${WORD}*`, // a parameter
      `\\.?\\d(?:${WORD}|\\.|(?<=[eE])[+-])*`,
      `${WORD}+`,
    ].join('|'),
    'g',
  );
const PLAIN = tokens(`'(?:[^']|'')*(?:'|$)`);
const ESCAPING = tokens(`'(?:[^'\\\\]|\\\\(?:[^]|$)|'')*(?:'|$)`);

/**
 * Puts ? in place of the literals: of strings, however they are quoted, and numbers. Of a long query
 * the beginning is read: no more is sent, and a literal of megabytes is more than an expression takes.
 */
export function sanitizeSql(query: string, backslashEscapes: boolean): string {
  return query.slice(0, STRING_BYTES_MAX).replace(backslashEscapes ? ESCAPING : PLAIN, (token) => {
    if (/^(?:'|\.?\d|\$[^]*\$)/.test(token)) return '?';
    return /^[eE]'/.test(token) ? `${token[0]}?` : token;
  });
}

const TARGET = new RegExp(
  `\\b(?:from|into|update|table|join)\\s+((?:"[^"]*"|\`[^\`]*\`|[.]|${WORD})+)`,
  'i',
);

/** `SELECT users`: the operation and what it is done to. Of few values, so that it can be a name. */
export function summarizeSql(sanitized: string): string {
  const operation = /^\s*(\w*)/.exec(sanitized)![1]!.toUpperCase();
  const target = TARGET.exec(sanitized)?.[1];
  return target ? `${operation} ${target}` : operation;
}
