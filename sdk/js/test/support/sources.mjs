/** The shared sources and the vectors, for tests. */

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

/** Imports a TypeScript file of sdk/js as it stands. */
export async function source(name) {
  const { outputFiles } = await build({
    entryPoints: [here(`../../${name}.ts`)],
    bundle: true,
    format: 'esm',
    write: false,
  });
  const text = Buffer.from(outputFiles[0].contents).toString('base64');
  return import(`data:text/javascript;base64,${text}`);
}

export const vectors = (name) => JSON.parse(readFileSync(here(`../../../spec/${name}.json`)));
