/**
 * Builds the JavaScript packages into their dist/: `node sdk/js/build.mjs [browser] [react]
 * [node]`.
 *
 * The shared sources are bundled into each package, so that each installs alone. Types are emitted
 * twice, since TypeScript reads one file either as an ES module or as CommonJS.
 */

import { execFileSync } from 'node:child_process';
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { minify } from 'terser';

const sdk = dirname(dirname(fileURLToPath(import.meta.url)));
const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');

/** What page authors may count on: `??=` and class fields as they are written. */
const BROWSERS = ['chrome94', 'firefox93', 'safari15'];

/** Members that nobody outside of a bundle sees: private ones, and those of our own options. */
const INTERNAL = new RegExp(
  '^_|^(startMicros|endMicros|eventsDropped|parentIsRemote|statusMessage|recording|micros|setAll|' +
    'inherit|ended|draw|globalTags|rejected|hasHeader|opaque|scope|opened|closed|' +
    'touch|transport|exporter|tracer|fits|leave|loud|' +
    'attributes|events|trace|entry|encode|current|targets|parent|at|traced|done|api)$',
);

const FOR_PAGES = { target: BROWSERS, minify: true, mangleProps: INTERNAL, sourcemap: true };

const bothFormats = (name, more) => [
  { outfile: `${name}.js`, format: 'esm', ...more },
  { outfile: `${name}.cjs`, format: 'cjs', ...more },
];
const script = (name, outfile) => ({ entry: name, outfile, format: 'iife', globalName: 'TraceKit' });

const packages = {
  browser: {
    settings: FOR_PAGES,
    outputs: [
      ...bothFormats('index'),
      ...bothFormats('propagation', { entry: 'propagation' }),
      script('index', 'tracekit.iife.js'),
      script('propagation', 'propagation.iife.js'),
    ],
  },
  react: {
    settings: FOR_PAGES,
    outputs: bothFormats('index', { external: ['react'] }),
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

/** What goes over the wire to every user of a page is worth a second minifier: 4 % less. */
async function minifyAgain(file, format) {
  const options = {
    module: format === 'esm',
    toplevel: format !== 'iife',
    ecma: 2020,
    compress: { passes: 3 },
    sourceMap: { content: readFileSync(`${file}.map`, 'utf8'), url: `${basename(file)}.map` },
  };
  const { code, map } = await minify(readFileSync(file, 'utf8'), options);
  writeFileSync(file, code);
  writeFileSync(`${file}.map`, map);
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
  for (const { entry = 'index', outfile, ...output } of outputs) {
    const file = join(dist, outfile);
    await build({
      entryPoints: [join(folder, `src/${entry}.ts`)],
      outfile: file,
      bundle: true,
      define: { TRACEKIT_VERSION: JSON.stringify(version) },
      tsconfigRaw: { compilerOptions: { useDefineForClassFields: false } },
      logLevel: 'warning',
      ...settings,
      ...output,
    });
    if (settings === FOR_PAGES) await minifyAgain(file, output.format);
  }
  if (name === 'node') await wrapCommonJs(dist);
  emitTypes(folder);
  for (const file of readdirSync(dist).filter((one) => /\.c?js$/.test(one))) {
    const text = readFileSync(join(dist, file));
    const kilobytes = (gzipSync(text, { level: 9 }).length / 1000).toFixed(2);
    console.log(`@tracekit/${name} ${file}: ${text.length} bytes, ${kilobytes} kB gzip`);
  }
}

const wanted = process.argv.slice(2);
for (const name of wanted.length ? wanted : Object.keys(packages)) await buildPackage(name);
