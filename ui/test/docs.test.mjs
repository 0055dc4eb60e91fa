// The documents as pages: every link leads somewhere, nothing needs a script.

import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const dist = join(dirname(fileURLToPath(import.meta.url)), '../dist');
const pages = readdirSync(join(dist, 'docs'), { recursive: true })
  .filter((name) => name.endsWith('.html'))
  .map((name) => ['/docs/' + name.slice(0, -5), readFileSync(join(dist, 'docs', name), 'utf8')]);
const byAddress = new Map(pages.map(([path, html]) => [path.replace(/\/index$/, ''), html]));

test('the guide, its symptoms and every SDK are there', () => {
  for (const path of ['', '/distributed-tracing', '/troubleshooting/cors', '/sdk/node', '/api']) {
    assert.ok(byAddress.has('/docs' + path), path);
  }
});

for (const [path, html] of byAddress) {
  test(`${path}: a title, no script of its own, and every link leads somewhere`, () => {
    assert.match(html, /<title>\S.* – TraceKit<\/title>/);
    assert.equal(html.match(/<h1[ >]/g)?.length, 1);
    assert.doesNotMatch(html, /<script>|<style|style=|\son\w+=/);
    for (const [, href] of html.matchAll(/(?:href|src)="([^"]+)"/g)) {
      if (/^https?:/.test(href) || href === '/traces') continue;
      const [to, anchor] = href.split('#');
      const target = to === '' ? html : byAddress.get(to);
      if (to.startsWith('/assets/')) assert.ok(existsSync(join(dist, to)), href);
      else assert.ok(target, `${href} is no page`);
      if (anchor) assert.ok(target.includes(`id="${anchor}"`), `${href}: no such place`);
    }
  });
}
