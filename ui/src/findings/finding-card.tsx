// One finding: what is wrong, the evidence, the cause, and the cure as it is written in the language
// of the service that has to change.

import type { ComponentChildren } from 'preact';
import type { Finding } from '../api';
import { CopyButton } from '../components/copy';
import { formatAgo, formatInstant, plural } from '../format';
import { href } from '../router';

const tones = { error: 'error', warning: 'warning', hint: 'hint' } as const;
const confidences = {
  certain: 'certain: the spans say so',
  likely: 'likely: nothing else that is known looks so',
  possible: 'possible: one of several explanations',
};

/** The server's words, whose names and code stand between backticks. */
export function Words({ text }: { text: string }) {
  return (
    <bdi class="wrap">
      {text.split('`').map((part, i) => (i % 2 ? <code key={i}>{part}</code> : part))}
    </bdi>
  );
}

interface Props {
  finding: Finding;
  /** Of its title, below what stands over it. */
  Heading: 'h2' | 'h3';
  /** Where its evidence is, in words and as links. */
  children: ComponentChildren;
}

export function FindingCard({ finding, Heading, children }: Props) {
  const { rule, severity, confidence, message, cause, fix, snippet, language, docs } = finding;
  return (
    <article class={`finding finding-${tones[severity]}`} data-testid="finding" data-rule={rule}>
      <Heading class="finding-title">
        <span class={`badge badge-${tones[severity]}`}>{severity}</span> <Words text={message} />
      </Heading>
      <dl class="finding-facts">
        <dt>Cause</dt>
        <dd>
          <Words text={cause} /> <span class="muted">({confidences[confidence]})</span>
        </dd>
        <dt>Cure</dt>
        <dd>
          <Words text={fix} />
          {snippet && <Snippet text={snippet} language={language} />}
        </dd>
        <dt>Evidence</dt>
        <dd>{children}</dd>
      </dl>
      <p>
        <a href={docs}>
          More about <code>{rule}</code>
        </a>
      </p>
    </article>
  );
}

function Snippet({ text, language }: { text: string; language: string | undefined }) {
  return (
    <div class="snippet">
      {/* Code scrolls sideways, so the keyboard must be able to reach it. */}
      <pre tabIndex={0} aria-label={`The cure${language ? ` (${language})` : ''}`}>
        {text}
      </pre>
      <CopyButton text={text} label="Copy the cure" />
    </div>
  );
}

/** Where in the project it was found. */
export function TracesWithIt({ finding }: { finding: Finding }) {
  const { traces, traceCount, spans, lastSeenUnixNano } = finding;
  return (
    <>
      {plural(traceCount, 'trace')}, last seen{' '}
      <time title={formatInstant(lastSeenUnixNano)}>{formatAgo(lastSeenUnixNano)}</time>:{' '}
      {traces.map((id, i) => (
        <span key={id}>
          {i > 0 && ', '}
          <a href={href(`/traces/${id}`, { span: i === 0 ? spans[0] : null })}>
            <code>{id.slice(0, 8)}…</code>
          </a>
        </span>
      ))}
      {traceCount > traces.length && ` and ${traceCount - traces.length} more`}
    </>
  );
}

/** Evidence outside of the trace. */
export function OtherTrace({ finding: { other } }: { finding: Finding }) {
  if (!other) return null;
  const to = href(`/traces/${other.traceId}`, {
    span: other.spanId,
    ...(other.project ? { project: other.project } : {}),
  });
  return (
    <>
      {' · '}
      <a href={to}>
        What <bdi>{other.service}</bdi> recorded
        {other.project && (
          <>
            {' '}
            in project <bdi>{other.project}</bdi>
          </>
        )}
      </a>
    </>
  );
}
