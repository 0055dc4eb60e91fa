/**
 * Builds the JavaScript packages into their dist/: `node sdk/js/build.mjs [browser] [react]
 * [node]`.
 *
 * The shared sources are bundled into each package, so that each installs alone. Types are emitted
 * twice, since TypeScript reads one file either as an ES module or as CommonJS.
 */

import { execFileSync } from 'node:child_process';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const sdk = dirname(dirname(fileURLToPath(import.meta.url)));
const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');

/** What page authors may count on: `??=` and class fields as they are written. */
const BROWSERS = ['chrome94', 'firefox93', 'safari15'];

/** Members that nobody outside of a bundle sees: private ones, and those of our own options. */
const INTERNAL = new RegExp(
  '^_|^(startMicros|endMicros|eventsDropped|parentIsRemote|statusMessage|recording|micros|setAll|' +
    'inherit|startChild|ended|draw|globalTags|rejected|hasHeader|opaque|scope|opened|closed|' +
    'touch|transport|exporter|tracer|fits|leave|loud)$',
);

const forBrowser = (external = []) => [
  { outfile: 'index.js', format: 'esm', external },
  { outfile: 'index.cjs', format: 'cjs', external },
];

const packages = {
  browser: {
    settings: { target: BROWSERS, minify: true, mangleProps: INTERNAL, sourcemap: true },
    outputs: [
      ...forBrowser(),
      { outfile: 'tracekit.iife.js', format: 'iife', globalName: 'TraceKit' },
    ],
  },
  react: {
    settings: { target: BROWSERS, minify: true, mangleProps: INTERNAL, sourcemap: true },
    outputs: forBrowser(['react']),
  },
  node: {
    settings: { target: 'node18', platform: 'node' },
    outputs: [{ outfile: 'index.cjs', format: 'cjs' }],
  },
};

/** One instance for `import` and `require` alike: the ES module only names what CommonJS holds. */
async function wrapCommonJs(dist) {
  const names = Object.keys(createRequire(import.meta.url)(join(dist, 'index.cjs')));
  const named = names.filter((name) => name !== 'default');
  writeFileSync(
    join(dist, 'index.js'),
    `import commonJs from './index.cjs';\n` +
      `export const { ${named.join(', ')} } = commonJs;\n` +
      `export default commonJs.TraceKit;\n`,
  );
}

function emitTypes(folder) {
  execFileSync(process.execPath, [tsc, '-p', folder], { stdio: 'inherit' });
  const types = join(folder, 'dist/types');
  cpSync(types, types + '-cjs', { recursive: true });
  writeFileSync(join(types, 'package.json'), '{"type":"module"}\n');
  writeFileSync(join(types + '-cjs', 'package.json'), '{"type":"commonjs"}\n');
}

async function buildPackage(name) {
  const { settings, outputs } = packages[name];
  const folder = join(sdk, name);
  const dist = join(folder, 'dist');
  const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  rmSync(dist, { recursive: true, force: true });
  for (const { outfile, ...output } of outputs) {
    await build({
      entryPoints: [join(folder, 'src/index.ts')],
      outfile: join(dist, outfile),
      bundle: true,
      define: { TRACEKIT_VERSION: JSON.stringify(version) },
      tsconfigRaw: { compilerOptions: { useDefineForClassFields: false } },
      logLevel: 'warning',
      ...settings,
      ...output,
    });
  }
  if (name === 'node') await wrapCommonJs(dist);
  emitTypes(folder);
  const main = readFileSync(join(dist, 'index.cjs'));
  const kilobytes = (gzipSync(main, { level: 9 }).length / 1000).toFixed(2);
  console.log(`@tracekit/${name}: ${main.length} bytes, ${kilobytes} kB gzip`);
}

const wanted = process.argv.slice(2);
for (const name of wanted.length ? wanted : Object.keys(packages)) await buildPackage(name);
