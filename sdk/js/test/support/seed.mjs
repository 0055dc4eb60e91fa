/**
 * The document's code blocks, cut out of it as they are. It lies beside the tree; without it the
 * tests that need it say so and are skipped.
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../../..', import.meta.url));
const shared = process.env.TRACEKIT_SHARED || join(root, '..', 'shared');

function read() {
  try {
    return readFileSync(join(shared, 'seed', 'tracekit-distributed-tracing.txt'), 'utf8');
  } catch {
    return undefined;
  }
}

const text = read();

/** For `test`'s options: false, or why it is skipped. */
export const skipped = text === undefined && `the document is not in ${join(shared, 'seed')}`;

/** From the first occurrence of `from` through the next one of `to`. */
export function block(from, to) {
  const start = text.indexOf(from);
  const end = text.indexOf(to, start);
  if (start < 0 || end < 0) throw new Error(`the document has no block ${from} … ${to}`);
  return text.slice(start, end + to.length);
}
