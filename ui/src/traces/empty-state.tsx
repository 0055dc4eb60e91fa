// Nothing has arrived yet: how to send the first span to this very server.

import { useMemo } from 'preact/hooks';
import { CopyButton } from '../components/copy';
import { href } from '../router';
import { whoami } from '../session';

const hex = (bytes: number) =>
  Array.from(crypto.getRandomValues(new Uint8Array(bytes)), (b) =>
    b.toString(16).padStart(2, '0'),
  ).join('');

function environment(): string {
  return [
    `export TRACEKIT_ENDPOINT=${window.location.origin}`,
    'export TRACEKIT_API_KEY=<a server key>',
  ].join('\n');
}

function openTelemetryEnvironment(needsKey: boolean): string {
  const lines = [`export OTEL_EXPORTER_OTLP_ENDPOINT=${window.location.origin}`];
  if (needsKey) lines.push('export OTEL_EXPORTER_OTLP_HEADERS="x-api-key=<a server key>"');
  return lines.join('\n');
}

function curl(needsKey: boolean): string {
  const span = JSON.stringify({
    resourceSpans: [
      {
        resource: { attributes: [{ key: 'service.name', value: { stringValue: 'hello' } }] },
        scopeSpans: [
          {
            spans: [
              {
                traceId: hex(16),
                spanId: hex(8),
                name: 'first span',
                kind: 1,
                startTimeUnixNano: '@@000000000',
                endTimeUnixNano: '@@250000000',
              },
            ],
          },
        ],
      },
    ],
  });
  // The shell puts the time in, so that the line works whenever it is run.
  const body = span.replaceAll('@@', "'$(date +%s)'");
  return [
    `curl ${window.location.origin}/v1/traces \\`,
    ...(needsKey ? ['  -H "X-API-Key: $TRACEKIT_API_KEY" \\'] : []),
    '  -H "Content-Type: application/json" \\',
    `  -d '${body}'`,
  ].join('\n');
}

export function EmptyState() {
  // TraceKit's SDKs send nothing without a key; to others `--dev` is open.
  const needsKey = whoami.value?.kind !== 'dev';
  const byHand = useMemo(() => curl(needsKey), [needsKey]);
  return (
    <section class="empty" data-testid="empty">
      <h2>No traces yet</h2>
      <p>
        This page is listening. Send spans to <code>{window.location.origin}</code> and they appear
        here within a second.
      </p>
      <Snippet title="Any TraceKit SDK" text={environment()} />
      <Snippet title="Any OpenTelemetry SDK" text={openTelemetryEnvironment(needsKey)} />
      <Snippet title="By hand" text={byHand} />
      <p class="muted">
        Keys are made in <a href={href('/settings')}>Settings</a>.
      </p>
    </section>
  );
}

function Snippet({ title, text }: { title: string; text: string }) {
  return (
    <div class="snippet">
      <h3>
        {title} <CopyButton text={text} label={`Copy: ${title}`} />
      </h3>
      <pre tabIndex={0} aria-label={title}>
        {text}
      </pre>
    </div>
  );
}
