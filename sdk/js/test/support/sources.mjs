/** The shared sources and the vectors, for tests. */

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

/** Imports TypeScript files of sdk/js as they stand; several share what they import. */
export async function source(...names) {
  const contents = names.map((name) => `export * from './${name}.ts';`).join('\n');
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: here('../..') },
    tsconfigRaw: { compilerOptions: { useDefineForClassFields: false } },
    bundle: true,
    platform: 'node',
    format: 'esm',
    write: false,
  });
  const text = Buffer.from(outputFiles[0].contents).toString('base64');
  return import(`data:text/javascript;base64,${text}`);
}

export const vectors = (name) => JSON.parse(readFileSync(here(`../../../spec/${name}.json`)));
