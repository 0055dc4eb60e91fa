// Imports a TypeScript module of the page into a test.

import { build } from 'esbuild';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const source = join(dirname(fileURLToPath(import.meta.url)), '../src');

export async function load(name) {
  const { outputFiles } = await build({
    entryPoints: [join(source, name)],
    bundle: true,
    format: 'esm',
    write: false,
    target: 'node18',
  });
  const code = Buffer.from(outputFiles[0].contents).toString('base64');
  return import(`data:text/javascript;base64,${code}`);
}
