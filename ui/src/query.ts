// What the search box holds, and what the server is asked. The service filter is no parameter of
// the API: it becomes part of the query, and an error's position is mapped back to what was typed.

const traceIdPattern = /^[0-9a-f]{32}$/i;
const traceparentPattern = /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$/i;

/** The trace id if the text is nothing but one, or a whole `traceparent`. */
export function asTraceId(text: string): string | null {
  const trimmed = text.trim();
  if (traceIdPattern.test(trimmed)) return trimmed.toLowerCase();
  return traceparentPattern.exec(trimmed)?.[1]?.toLowerCase() ?? null;
}

export interface AskedQuery {
  text: string;
  /** Where what was typed begins within `text`. */
  offset: number;
}

/** A text as TraceQL and shorthand write it. */
export const quote = (text: string) => '"' + text.replace(/["\\]/g, '\\$&') + '"';

/** Narrows what was typed to spans of one service. */
export function withService(typed: string, service: string): AskedQuery {
  const leading = typed.length - typed.trimStart().length;
  const text = typed.trim();
  if (!service) return { text, offset: -leading };
  const condition = `resource.service.name = ${quote(service)}`;
  if (!text) return { text: `{ ${condition} }`, offset: 0 };
  if (!text.startsWith('{')) {
    // In front, so that a word cut short does not take the filter for its value.
    const before = `service:${quote(service)} `;
    return { text: before + text, offset: before.length - leading };
  }
  if (closingBrace(text) === text.length - 1) {
    const inner = text.slice(1, -1);
    if (!inner.trim()) return { text: `{ ${condition} }`, offset: 0 };
    const before = `{ ${condition} && (`;
    return { text: `${before}${inner}) }`, offset: before.length - 1 - leading };
  }
  const before = `{ ${condition} } && `;
  return { text: before + text, offset: before.length - leading };
}

/**
 * Narrows a whole `{ … }` to spans that meet one more condition; null where the query is more than
 * that.
 */
export function withCondition(query: string, condition: string): string | null {
  const text = query.trim();
  if (!text.startsWith('{') || closingBrace(text) !== text.length - 1) return null;
  const inner = text.slice(1, -1).trim();
  return inner && inner !== 'true' ? `{ (${inner}) && ${condition} }` : `{ ${condition} }`;
}

/** Where the brace closes that opens the text, strings passed over; -1 if it does not. */
export function closingBrace(text: string): number {
  let depth = 0;
  let quoteMark = '';
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!;
    if (quoteMark) {
      if (c === '\\' && quoteMark === '"') i++;
      else if (c === quoteMark) quoteMark = '';
    } else if (c === '"' || c === '`') quoteMark = c;
    else if (c === '{') depth++;
    else if (c === '}' && --depth === 0) return i;
  }
  return -1;
}

/**
 * Where an error the server found lies in what was typed. The server counts characters, a string
 * here counts UTF-16 units.
 */
export function typedPosition(asked: AskedQuery, typed: string, position: number): number {
  const units = [...asked.text].slice(0, position).join('').length;
  return Math.min(Math.max(units - asked.offset, 0), typed.length);
}

/** A query that finds spans with this attribute. */
export function attributeQuery(
  scope: 'span' | 'resource',
  key: string,
  value: string | number | boolean,
): string {
  const plainKey = /^[A-Za-z_][\w.-]*$/.test(key);
  // In TraceQL 42 is not 42.0; in shorthand it is both, and JSON no longer knows which it was.
  if (typeof value === 'number' && plainKey) return `${key}=${value}`;
  const shown = typeof value === 'string' ? quote(value) : String(value);
  return `{ ${scope}.${plainKey ? key : quote(key)} = ${shown} }`;
}

/** Whether a Date can hold it, in any time zone. */
export const isDate = (millis: number) => Math.abs(millis) < 8.64e15 - 86_400_000;

const relative = /^-(\d+)(m|h|d)$/;
const unitMillis: Record<string, number> = { m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `-15m` becomes the time it means now; anything else is the server's to read. */
export function resolveTime(text: string | null, nowMillis = Date.now()): string | undefined {
  const match = relative.exec(text ?? '');
  const millis = match ? nowMillis - Number(match[1]) * unitMillis[match[2]!]! : NaN;
  return isDate(millis) ? new Date(millis).toISOString() : text || undefined;
}
