// Writes the table of src/api/page.h: `node embed-page.mjs OUT.c [DIR]`, every file of DIR gzipped;
// without DIR an empty table.

import { createHash } from 'node:crypto';
import { readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { policyOf } from '../ui/policy.mjs';

const types = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.woff2': 'font/woff2',
};

function* walk(folder, path = '') {
  for (const name of readdirSync(join(folder, path)).sort()) {
    const inner = `${path}/${name}`;
    if (statSync(join(folder, inner)).isDirectory()) yield* walk(folder, inner);
    else yield inner;
  }
}

const [out, folder] = process.argv.slice(2);
const arrays = [];
const rows = [];
for (const path of folder ? walk(folder) : []) {
  const type = types[extname(path)];
  if (!type) throw new Error(`${path}: no content type is known for this ending`);
  const bytes = readFileSync(join(folder, path));
  const etag = createHash('sha256').update(bytes).digest('hex').slice(0, 16);
  const policy = policyOf(extname(path) === '.html' ? bytes.toString() : '');
  const packed = gzipSync(bytes, { level: 9 });
  const name = `file_${rows.length}`;
  arrays.push(`static const unsigned char ${name}[] = {${packed.join(',')}};`);
  const served = path.replace(/(\/docs)?\/index\.html$/, (whole, docs) => docs ?? whole);
  rows.push(`    {"${served.startsWith('/docs/') ? served.replace(/\.html$/, '') : served}", "${type}", "\\"${etag}\\"", "${policy}", ${name}, sizeof ${name}, ${bytes.length}},`);
}
writeFileSync(out, `/* Made by cmake/embed-page.mjs. */
#include "api/page.h"

${arrays.join('\n')}

const struct tk_page_file tk_page_files[] = {
${rows.join('\n')}
    {0},
};
const size_t tk_page_file_count = ${rows.length};
`);
