import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { policyOf } from '../policy.mjs';

const ui = dirname(dirname(fileURLToPath(import.meta.url)));
const gzipBytesMax = 110_000;

test(
  'the build writes index.html and hashed assets, small, the same each time',
  { timeout: 60_000 },
  () => {
    const out = mkdtempSync(join(tmpdir(), 'tracekit-ui-'));
    try {
      const build = () => {
        execFileSync(process.execPath, [join(ui, 'build.mjs'), '--out', out], { cwd: tmpdir() });
        const names = readdirSync(join(out, 'assets'))
          .sort()
          .map((name) => join('assets', name));
        return Object.fromEntries(
          ['index.html', ...names].map((name) => [name, readFileSync(join(out, name))]),
        );
      };
      const first = build();
      assert.deepEqual(build(), first);
      const names = Object.keys(first);
      assert.ok(
        names.slice(1).every((name) => /-[A-Z0-9]{8}\.(js|css|svg)$/.test(name)),
        names.join(),
      );
      const html = first['index.html'].toString();
      for (const [, url] of html.matchAll(/(?:src|href)="([^"]+)"/g)) {
        assert.ok(names.includes(url.slice(1)), `${url} is not built`);
      }
      assert.doesNotMatch(html, /style=|\son\w+=|%[A-Z]+%/);
      const policy = policyOf(html);
      for (const tag of ['script', 'style']) {
        const texts = [...html.matchAll(new RegExp(`<${tag}[^>]*>([^]*?)</${tag}>`, 'g'))];
        const inline = texts.map(([, text]) => text).filter(Boolean);
        assert.equal(inline.length, 1, `one ${tag} is inline`);
        const hash = createHash('sha256').update(inline[0]).digest('base64');
        assert.match(
          policy,
          new RegExp(`${tag}-src 'self' 'sha256-${hash.replace(/[+/]/g, '\\$&')}';`),
        );
      }
      assert.doesNotMatch(policyOf() + policy, /unsafe|\*|http/);
      const size = names.reduce((sum, name) => sum + gzipSync(first[name]).length, 0);
      assert.ok(size < gzipBytesMax, `${size} bytes gzip`);
    } finally {
      rmSync(out, { recursive: true });
    }
  },
);
