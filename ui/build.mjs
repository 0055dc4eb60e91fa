// Builds the page: `node ui/build.mjs [--out DIR] [--watch]`, DIR is ui/dist unless told.
//
// What lands in DIR is all there is to serve: index.html, the documents, and under assets/ files whose names carry
// a hash of their content, so that they may be cached for ever. The server embeds every file under
// DIR at its own path.

import { context } from 'esbuild';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { minify } from 'terser';
import { firstMinutes, writeDocs } from './docs.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const { values: options } = parseArgs({
  options: {
    out: { type: 'string', default: join(here, 'dist') },
    watch: { type: 'boolean', default: false },
  },
});
const out = resolve(options.out);

/** Fills index.html with the names of what was just built. */
const writeIndex = {
  name: 'write-index',
  setup(build) {
    build.onStart(() => rmSync(join(out, 'assets'), { recursive: true, force: true }));
    build.onEnd(async (result) => {
      if (result.errors.length > 0) return;
      const url = { FAVICON: copyHashed('favicon.svg') };
      for (const [path, output] of Object.entries(result.metafile.outputs)) {
        const name = '/' + relative(out, resolve(here, path)).replaceAll('\\', '/');
        if (output.entryPoint?.endsWith('boot.ts')) url.BOOT = name;
        if (output.entryPoint?.endsWith('main.tsx')) url.MAIN = name;
        if (output.entryPoint?.endsWith('worker.ts')) url.WORKER = name;
        if (path.endsWith('.css')) url[output.entryPoint ? 'DOCS' : 'STYLE'] = name;
      }
      url.MAIN = putHashed('main.js', await smaller(takeAsset(url.MAIN)));
      // What the first paint needs comes with the document: no second trip for it.
      const inline = {
        STYLE: takeAsset(url.STYLE),
        BOOT: readFileSync(join(out, url.BOOT), 'utf8'),
      };
      for (const text of Object.values(inline)) {
        if (/<\/(script|style)/.test(text)) throw new Error('what is inline would end its element');
      }
      const html = readFileSync(join(here, 'src/index.html'), 'utf8');
      writeFileSync(
        join(out, 'index.html'),
        html.replace(/%([A-Z]+)%/g, (_, key) => (inline[key] ?? url[key]).trim()),
      );
      writeDocs(out, url);
    });
  },
};

/** `import blocks from 'docs:first-minutes'`: what the documents say, not a copy of it. */
const readFirstMinutes = {
  name: 'first-minutes',
  setup(build) {
    build.onResolve({ filter: /^docs:first-minutes$/ }, ({ path }) => ({
      path,
      namespace: 'docs',
    }));
    build.onLoad({ filter: /./, namespace: 'docs' }, () => ({
      contents: JSON.stringify(firstMinutes()),
      loader: 'json',
    }));
  },
};

function takeAsset(path) {
  const text = readFileSync(join(out, path), 'utf8');
  rmSync(join(out, path));
  return text;
}

/** What Terser finds that esbuild leaves: 4 % of what is sent. */
async function smaller(script) {
  const { code } = await minify(script, { ecma: 2020 });
  return code;
}

const copyHashed = (name) => putHashed(name, readFileSync(join(here, 'src', name)));

function putHashed(name, bytes) {
  const hash = createHash('sha256').update(bytes).digest('hex').slice(0, 8).toUpperCase();
  const path = 'assets/' + name.replace('.', `-${hash}.`);
  mkdirSync(join(out, 'assets'), { recursive: true });
  writeFileSync(join(out, path), bytes);
  return '/' + path;
}

const builder = await context({
  absWorkingDir: here,
  entryPoints: ['src/boot.ts', 'src/main.tsx', 'src/trace/worker.ts', 'src/styles/docs.css'],
  entryNames: 'assets/[name]-[hash]',
  outdir: out,
  bundle: true,
  minify: true,
  format: 'iife',
  target: ['es2022', 'chrome111', 'firefox113', 'safari16.2'],
  jsx: 'automatic',
  jsxImportSource: 'preact',
  metafile: true,
  legalComments: 'none',
  logLevel: 'warning',
  plugins: [readFirstMinutes, writeIndex],
});
await builder.rebuild();
if (options.watch) await builder.watch();
else await builder.dispose();
