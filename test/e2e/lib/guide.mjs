/** The blocks of the guide: docs/distributed-tracing.md, docs/verify.md and docs/troubleshooting/. */

import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';

import { ROOT } from './stack.mjs';

const DOCS = path.join(ROOT, 'docs');
const PAGES = ['distributed-tracing.md', 'verify.md',
  ...readdirSync(path.join(DOCS, 'troubleshooting')).map((name) => `troubleshooting/${name}`)];

/** `{page, language, text}` of every block. */
export function blocks() {
  return PAGES.flatMap((page) => {
    const text = readFileSync(path.join(DOCS, page), 'utf8');
    return [...text.matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(([, language, inside]) => ({ page, language, text: inside }));
  });
}

/** The shell commands, block by block: `{page, lines}`. */
export function commands() {
  return blocks().filter(({ language }) => language === 'sh')
    .map(({ page, text }) => ({ page, lines: text.trim().split('\n') }));
}
