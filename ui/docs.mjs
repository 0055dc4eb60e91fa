// Renders docs/**/*.md into pages that need no script: `writeDocs(out, url)`, called by build.mjs.
//
// docs/sdk/node.md becomes DIR/docs/sdk/node.html, which the server answers at /docs/sdk/node;
// docs/README.md is /docs. Links between the Markdown files become links between the pages; a link
// that leaves docs/ loses its address, for the binary does not carry what it points to.

import { Marked } from 'marked';
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';

const docs = fileURLToPath(new URL('../docs', import.meta.url));

/** What stands in the list beside every page, in this order; a page that is not here ends up last. */
const contents = [
  ['Start', ['distributed-tracing', 'doctor', 'verify', 'mcp']],
  [
    'When something is wrong',
    [
      'troubleshooting/not-connected',
      'troubleshooting/missing-backend',
      'troubleshooting/cors',
      'troubleshooting/one-service',
      'troubleshooting/gaps',
      'troubleshooting/backend-not-extracting',
      'findings',
    ],
  ],
  [
    'SDKs',
    ['sdk/browser', 'sdk/react', 'sdk/node', 'sdk/go', 'sdk/python', 'sdk/c', 'sdk/opentelemetry'],
  ],
  ['Reference', ['query', 'api', 'operations', 'performance']],
  ['Formats', ['formats/segment', 'formats/log', 'formats/columns']],
];

const escape = (text) =>
  text.replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c]);

/** The anchor of a heading, as readers of the Markdown files know it. */
export const slug = (text) =>
  text
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');

function names(folder = '') {
  return readdirSync(join(docs, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = posix.join(folder, entry.name);
    if (entry.isDirectory()) return names(path);
    return path.endsWith('.md') ? [path.slice(0, -3)] : [];
  });
}

/** Where a link of the page `from` leads in the server; null when out of docs/. */
function target(from, href) {
  if (/^[a-z]+:|^#|^\//i.test(href)) return href;
  const [path, anchor] = href.split('#');
  const name = posix.normalize(posix.join(posix.dirname(from), path));
  if (name.startsWith('..') || !name.endsWith('.md')) return null;
  return address(name.slice(0, -3)) + (anchor ? '#' + anchor : '');
}

const address = (name) => (name === 'README' ? '/docs' : '/docs/' + name);

function render(name, text) {
  const marked = new Marked({
    renderer: {
      heading({ tokens, depth, text }) {
        const id = slug(text.replaceAll('`', ''));
        return `<h${depth} id="${escape(id)}">${this.parser.parseInline(tokens)}</h${depth}>\n`;
      },
      link({ href, tokens }) {
        const to = target(name, href);
        const words = this.parser.parseInline(tokens);
        return to === null ? words : `<a href="${escape(to)}">${words}</a>`;
      },
      table(token) {
        // What is wide scrolls by itself; the keyboard must be able to reach it.
        const cells = (row, tag) =>
          row
            .map((cell) => {
              const kind = cell.text ? tag : 'td'; // a heading says something
              return `<${kind}>${this.parser.parseInline(cell.tokens)}</${kind}>`;
            })
            .join('');
        const head = token.header.some((cell) => cell.text)
          ? `<thead><tr>${cells(token.header, 'th')}</tr></thead>`
          : '';
        const body = token.rows.map((row) => `<tr>${cells(row, 'td')}</tr>`).join('\n');
        return `<div class="scroll" tabindex="0"><table>${head}<tbody>${body}</tbody></table></div>\n`;
      },
      code({ text }) {
        return `<pre tabindex="0"><code>${escape(text)}</code></pre>\n`;
      },
      html({ text }) {
        return escape(text); // the documents have none
      },
      image({ text }) {
        return escape(text);
      },
    },
  });
  return marked.parse(text);
}

/** The stacks of the page's first minutes, in the order of its tabs; each is docs/sdk/<name>.md. */
const stacks = ['browser', 'react', 'node', 'go', 'python', 'c', 'opentelemetry'];

/**
 * `{ node: [{ caption, text }, …], … }`: the code blocks of docs/sdk that are marked, behind their
 * language, as "```js first-minutes Caption". The page puts its address and the reader's key in
 * place of `http://localhost:4318` and `…`, so each stack has both.
 */
export function firstMinutes() {
  const blocksOf = (name) => {
    const tokens = new Marked().lexer(readFileSync(join(docs, 'sdk', name + '.md'), 'utf8'));
    const blocks = tokens.flatMap(({ type, lang = '', text }) => {
      const caption = type === 'code' && /^\w+ first-minutes (.+)$/.exec(lang)?.[1];
      return caption ? [{ caption, text }] : [];
    });
    for (const place of ['http://localhost:4318', '…']) {
      if (!blocks.some(({ text }) => text.includes(place))) {
        throw new Error(`docs/sdk/${name}.md: no block of the first minutes has ${place}`);
      }
    }
    return blocks;
  };
  return Object.fromEntries(stacks.map((name) => [name, blocksOf(name)]));
}

export function writeDocs(out, url) {
  const all = names();
  const titles = new Map();
  for (const name of all) {
    const title = /^# (.+)$/m.exec(readFileSync(join(docs, name + '.md'), 'utf8'));
    if (!title) throw new Error(`docs/${name}.md has no title`);
    titles.set(name, title[1].replaceAll('`', ''));
  }
  const listed = contents.flatMap(([, pages]) => pages);
  const others = all.filter((name) => name !== 'README' && !listed.includes(name));
  rmSync(join(out, 'docs'), { recursive: true, force: true });
  for (const name of all) {
    const item = (page) =>
      `<li><a href="${address(page)}"${page === name ? ' aria-current="page"' : ''}>${escape(titles.get(page))}</a></li>`;
    const nav = [...contents, ['More', others]]
      .map(([head, pages]) => {
        const known = pages.filter((page) => titles.has(page));
        return known.length ? `<h2>${head}</h2><ul>${known.map(item).join('')}</ul>` : '';
      })
      .join('');
    const body = render(name, readFileSync(join(docs, name + '.md'), 'utf8'));
    const path = join(out, 'docs', (name === 'README' ? 'index' : name) + '.html');
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(
      path,
      `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8" />
<title>${escape(titles.get(name))} – TraceKit</title>
<meta name="viewport" content="width=device-width, initial-scale=1" />
<meta name="color-scheme" content="light dark" />
<link rel="icon" href="${url.FAVICON}" type="image/svg+xml" />
<script src="${url.BOOT}"></script>
<link rel="stylesheet" href="${url.DOCS}" />
</head>
<body>
<a class="skip" href="#text">Skip to the text</a>
<header><a class="home" href="/traces">TraceKit</a> <a href="/docs">Docs</a></header>
<div class="columns">
<nav aria-label="Documents">${nav}</nav>
<main id="text">
${body}</main>
</div>
</body>
</html>
`,
    );
  }
}
