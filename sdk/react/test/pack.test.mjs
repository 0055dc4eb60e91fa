/** What users install: both packages of pages, packed, in an empty project, offline. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const TIMEOUT = { timeout: 180_000 };
const sdk = fileURLToPath(new URL('../..', import.meta.url));
const react = dirname(createRequire(import.meta.url).resolve('react/package.json'));

test('browser and react install and load, by import and by require', TIMEOUT, () => {
  const folder = mkdtempSync(join(tmpdir(), 'tracekit-pack-'));
  try {
    const npm = (args) =>
      execFileSync('npm', [...args, '--silent'], { cwd: folder, encoding: 'utf8' }).trim();
    const sources = [join(sdk, 'browser'), join(sdk, 'react'), react];
    const packed = npm(['pack', '--ignore-scripts', ...sources]).split('\n');
    writeFileSync(join(folder, 'package.json'), '{"private":true}');
    npm(['install', '--offline', '--no-audit', '--no-fund', ...packed.map((name) => `./${name}`)]);
    const program = `
      import TraceKit from '@tracekit/browser';
      import { TraceKit as headers } from '@tracekit/browser/propagation';
      import { TraceKitErrorBoundary, TraceKit as fromReact } from '@tracekit/react';
      import { createRequire } from 'node:module';
      const require = createRequire(import.meta.url);
      const same = [fromReact, require('@tracekit/browser').TraceKit, require('@tracekit/react').TraceKit];
      console.log(same.every((one) => one === TraceKit), typeof headers.init, typeof TraceKitErrorBoundary,
        typeof require('@tracekit/browser/propagation').init);`;
    writeFileSync(join(folder, 'main.mjs'), program);
    const said = execFileSync(process.execPath, ['main.mjs'], { cwd: folder, encoding: 'utf8' });
    assert.equal(said.trim(), 'true function function function');
    const installed = (name) => existsSync(join(folder, 'node_modules/@tracekit', name));
    for (const name of ['browser/dist/tracekit.iife.js', 'browser/dist/propagation.iife.js', 'browser/README.md', 'react/README.md']) {
      assert.ok(installed(name), name);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});
