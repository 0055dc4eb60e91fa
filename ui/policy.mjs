// The Content-Security-Policy of what is served: `policyOf(html)`. Nothing runs, styles or is asked for
// but this server's own; what index.html has within it (build.mjs) is allowed by its hash alone.

import { createHash } from 'node:crypto';

const hashes = (html, tag) =>
  [...html.matchAll(new RegExp(`<${tag}>([^]*?)</${tag}>`, 'g'))]
    .map(([, text]) => ` 'sha256-${createHash('sha256').update(text).digest('base64')}'`)
    .join('');

export const policyOf = (html = '') =>
  `default-src 'none'; script-src 'self'${hashes(html, 'script')}; ` +
  `style-src 'self'${hashes(html, 'style')}; img-src 'self' data:; connect-src 'self'; ` +
  `font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'`;
