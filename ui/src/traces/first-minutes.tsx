// Nothing has arrived yet: how to send the first span to this very server, in the reader's stack.
// The lines to copy are those of docs/sdk; what stands there for the server and the key is replaced.

import blocks from 'docs:first-minutes';
import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { api } from '../api';
import { CopyButton } from '../components/copy';
import { Problem } from '../components/problem';
import { currentProject, href, place, replace } from '../router';
import { whoami } from '../session';

type Stack = keyof typeof blocks;
type Kind = 'server' | 'browser';

const names: Record<Stack, string> = {
  browser: 'Browser',
  react: 'React',
  node: 'Node.js',
  go: 'Go',
  python: 'Python',
  c: 'C, C++',
  opentelemetry: 'OpenTelemetry',
};
const stacks = Object.keys(names) as Stack[];

const kindOf = (stack: Stack): Kind =>
  stack === 'browser' || stack === 'react' ? 'browser' : 'server';

/** A document's block for this server. Without a key the place stays, or its lines are left out. */
function fill(text: string, key: string | undefined, needsKey: boolean): string {
  const lines = text.replaceAll('http://localhost:4318', window.location.origin).split('\n');
  const kept = key || needsKey ? lines : lines.filter((line) => !line.includes('…'));
  return kept.join('\n').replaceAll('…', () => key ?? '…');
}

export function FirstMinutes({ live }: { live: ComponentChildren }) {
  const [keys, setKeys] = useState<{ [kind in Kind]?: string }>({});
  const stack = stacks.find((each) => each === place.value.params.get('setup')) ?? 'browser';
  const kind = kindOf(stack);
  const key = keys[kind];
  // TraceKit's SDKs send nothing without a key; to OpenTelemetry's, `--dev` is open.
  const needsKey = whoami.value?.kind !== 'dev' || stack !== 'opentelemetry';
  const project = currentProject() ?? whoami.value?.project.name ?? 'default';
  return (
    <section class="first-minutes" aria-labelledby="first-title" data-testid="empty">
      <header>
        <h2 id="first-title">Send the first trace</h2>
        {live}
      </header>
      <p>
        Nothing has arrived in <bdi class="wrap">{project}</bdi> yet. Set up one service, make it
        work once, and its trace opens here by itself.
      </p>
      <Tabs chosen={stack} />
      <div
        id="setup"
        role="tabpanel"
        aria-labelledby={`setup-${stack}`}
        class="setup"
        data-testid="setup"
      >
        {needsKey || key ? (
          <KeyStep
            key={kind}
            kind={kind}
            made={key !== undefined}
            project={project}
            onMade={(made) => setKeys({ ...keys, [kind]: made })}
          />
        ) : (
          <p>
            The server runs with <code>--dev</code>: from this machine no key is needed.
          </p>
        )}
        {blocks[stack].map(({ caption, text }) => (
          <Snippet key={caption} title={caption} text={fill(text, key, needsKey)} />
        ))}
        <p>
          <a href={`/docs/sdk/${stack}`}>Docs: {names[stack]}</a>
          {' · '}
          <a href="/docs/distributed-tracing">Docs: one trace through several services</a>
          {' · '}
          <a href="/docs/verify">Nothing comes? Let tracekit verify look</a>
        </p>
      </div>
    </section>
  );
}

/** One tab stop; the arrow keys choose, as WAI-ARIA's tabs do. */
function Tabs({ chosen }: { chosen: Stack }) {
  const choose = (stack: Stack) =>
    replace(href('/traces', { ...Object.fromEntries(place.value.params), setup: stack }));
  const onKeyDown = (event: KeyboardEvent) => {
    const at = stacks.indexOf(chosen);
    const last = stacks.length - 1;
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: last }[event.key];
    if (to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const stack = stacks[(to + stacks.length) % stacks.length]!;
    choose(stack);
    document.getElementById(`setup-${stack}`)?.focus();
  };
  return (
    <div class="tabs" role="tablist" aria-label="Your stack" onKeyDown={onKeyDown}>
      {stacks.map((stack) => (
        <button
          key={stack}
          type="button"
          id={`setup-${stack}`}
          role="tab"
          aria-selected={stack === chosen}
          aria-controls="setup"
          tabIndex={stack === chosen ? 0 : -1}
          onClick={() => choose(stack)}
        >
          {names[stack]}
        </button>
      ))}
    </div>
  );
}

interface KeyStepProps {
  kind: Kind;
  made: boolean;
  project: string;
  onMade: (key: string) => void;
}

function KeyStep({ kind, made, project, onMade }: KeyStepProps) {
  const [origin, setOrigin] = useState('http://localhost:3000');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const make = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    try {
      const origins = kind === 'browser' ? origin.split(/[\s,]+/).filter(Boolean) : [];
      const { key } = await api.createKey({ project, kind, name: 'first minutes', origins });
      setError(null);
      onMade(key!);
    } catch (thrown) {
      setError(thrown);
    }
    setBusy(false);
  };
  return (
    <>
      <div role="status">
        {made && (
          <p class="notice notice-good" data-testid="key-made">
            The key is in the lines below. It is not shown again: copy them now.
          </p>
        )}
      </div>
      {!made && (
        <form class="key-step" onSubmit={make} aria-label="Key">
          {kind === 'browser' && (
            <label class="field">
              <span>Where your page is served</span>
              <input
                name="origin"
                required
                value={origin}
                onInput={(event) => setOrigin(event.currentTarget.value)}
              />
            </label>
          )}
          <button class="button button-primary" type="submit" disabled={busy}>
            Make a key
          </button>
          <span class="muted">
            {kind === 'browser'
              ? 'It may only send spans, and only from there. '
              : 'It may only send spans. '}
            {whoami.value?.kind === 'dev' &&
              'The server runs with --dev: from this machine none is needed, but TraceKit’s SDKs send only with one.'}
          </span>
        </form>
      )}
      {error !== null && <Problem error={error} />}
    </>
  );
}

function Snippet({ title, text }: { title: string; text: string }) {
  return (
    <div class="copy-block">
      <h3>
        {title} <CopyButton text={text} label={`Copy: ${title}`} />
      </h3>
      <pre tabIndex={0} aria-label={title}>
        {text}
      </pre>
    </div>
  );
}
