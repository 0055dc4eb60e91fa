// What is known of one row of the waterfall: a span, or a visit to a service.

import type { ComponentChildren } from 'preact';
import type { Attributes, Span, SpanEvent, SpanLink, Trace, Value } from '../api';
import { CopyButton } from '../components/copy';
import { CloseIcon } from '../components/icons';
import { formatDuration, formatInstant, formatOffset, plural } from '../format';
import { href } from '../router';
import { AttributeTable } from './attributes';
import { colourOf } from './colour';
import type { JsonRows } from './rows';

interface Props {
  rows: JsonRows;
  index: number;
  onOpen: (key: string) => void;
  onClose: () => void;
}

export function Panel({ rows, index, onOpen, onClose }: Props) {
  const { trace } = rows;
  const row = rows.read(index);
  const span = trace.spans[row.span ?? -1];
  const onKeyDown = (event: KeyboardEvent) => event.key === 'Escape' && onClose();
  return (
    <aside class="panel" data-testid="panel" aria-label="Details" onKeyDown={onKeyDown}>
      <header class="panel-head" style={{ '--service': colourOf(row.service) }}>
        <h2>
          <span class="wf-swatch" />
          <bdi>{row.label}</bdi>
        </h2>
        <button type="button" class="button-icon" aria-label="Close details" onClick={onClose}>
          <CloseIcon />
        </button>
      </header>
      <div class="panel-body">
        {span ? (
          <SpanDetails key={span.spanId} trace={trace} span={span} onOpen={onOpen} />
        ) : (
          <VisitDetails rows={rows} index={index} onOpen={onOpen} />
        )}
      </div>
    </aside>
  );
}

const hasAny = (attributes: Attributes | undefined) => Object.keys(attributes ?? {}).length > 0;

interface SpanProps {
  trace: Trace;
  span: Span;
  onOpen: (key: string) => void;
}

function SpanDetails({ trace, span, onOpen }: SpanProps) {
  const attributes = span.attributes ?? {};
  const events = span.events ?? [];
  const links = span.links ?? [];
  const scope = span.scope === undefined ? undefined : trace.scopes[span.scope];
  const resource = span.resource === undefined ? undefined : trace.resources[span.resource];
  return (
    <>
      <HttpLine attributes={attributes} />
      <StatusNotice span={span} />
      <Facts span={span} trace={trace} onOpen={onOpen} />
      <Section title="Tags" count={Object.keys(attributes).length}>
        <AttributeTable attributes={attributes} scope="span" />
        <Dropped count={span.droppedAttributesCount} noun="tag" />
      </Section>
      {events.length > 0 && (
        <Section title="Events" count={events.length}>
          {events.map((event, i) => (
            <EventDetails key={i} event={event} start={span.startTimeUnixNano} />
          ))}
          <Dropped count={span.droppedEventsCount} noun="event" />
        </Section>
      )}
      {links.length > 0 && (
        <Section title="Links" count={links.length}>
          {links.map((link, i) => (
            <LinkDetails key={i} link={link} />
          ))}
          <Dropped count={span.droppedLinksCount} noun="link" />
        </Section>
      )}
      <Section title="Resource" count={Object.keys(resource?.attributes ?? {}).length}>
        <AttributeTable attributes={resource?.attributes} scope="resource" />
      </Section>
      {scope?.name && (
        <Section title="Scope">
          <p>
            <bdi>{scope.name}</bdi> <span class="muted">{scope.version}</span>
          </p>
          {hasAny(scope.attributes) && <AttributeTable attributes={scope.attributes} />}
        </Section>
      )}
    </>
  );
}

function Facts({ span, trace, onOpen }: SpanProps) {
  const offset = BigInt(span.startTimeUnixNano) - BigInt(trace.startTimeUnixNano);
  const hasParent = trace.spans.some((other) => other.spanId === span.parentSpanId);
  return (
    <dl class="facts">
      <Fact name="Service">
        <bdi>{span.serviceName}</bdi>
      </Fact>
      <Fact name="Operation">
        <bdi>{span.name}</bdi>
      </Fact>
      <Fact name="Kind">{span.kind ?? 'INTERNAL'}</Fact>
      <Fact name="Status">{span.status?.code ?? 'UNSET'}</Fact>
      <Fact name="Duration">{formatDuration(span.durationNano)}</Fact>
      {span.selfTimeNano !== undefined && (
        <Fact name="Self time">{formatDuration(span.selfTimeNano)}</Fact>
      )}
      <Fact name="Start">
        {formatOffset(String(offset))}
        <span class="muted fact-more">{formatInstant(span.startTimeUnixNano)}</span>
      </Fact>
      <Fact name="Span id">
        <code>{span.spanId}</code>
        <CopyButton text={span.spanId} label="Copy span id" />
      </Fact>
      {span.parentSpanId && (
        <Fact name="Parent">
          {hasParent ? (
            <button type="button" class="link" onClick={() => onOpen(span.parentSpanId!)}>
              <code>{span.parentSpanId}</code>
            </button>
          ) : (
            <code>{span.parentSpanId}</code>
          )}
          {!hasParent && <span class="muted fact-more">parent not received</span>}
        </Fact>
      )}
      {span.traceState && (
        <Fact name="Trace state">
          <code>{span.traceState}</code>
        </Fact>
      )}
    </dl>
  );
}

/** Method, status and address of an HTTP span, by today's or older semantic conventions. */
function HttpLine({ attributes }: { attributes: Attributes }) {
  const first = (...keys: string[]): Value | undefined =>
    keys.map((key) => attributes[key]).find((value) => value !== undefined);
  const status = first('http.response.status_code', 'http.status_code');
  const method = first('http.request.method', 'http.method');
  const target = first('url.full', 'http.url', 'http.route', 'url.path', 'http.target');
  if (status === undefined && method === undefined) return null;
  const level = Number(status) >= 500 ? 'error' : Number(status) >= 400 ? 'warning' : 'good';
  return (
    <p class="http">
      {status !== undefined && (
        <span class={`badge badge-${level}`} data-testid="http-status">
          {String(status)}
        </span>
      )}
      {method !== undefined && <strong>{String(method)}</strong>}
      {target !== undefined && <bdi>{String(target)}</bdi>}
    </p>
  );
}

function StatusNotice({ span }: { span: Span }) {
  return (
    <>
      {span.status?.code === 'ERROR' && (
        <div class="notice notice-error" data-testid="error">
          <strong>Error</strong>
          {span.status.message && <p class="wrap">{span.status.message}</p>}
        </div>
      )}
      {span.orphan && (
        <div class="notice notice-warning" data-testid="orphan">
          <strong>Parent not received</strong>
          <p>
            This span names a parent that is not in the trace: still on its way, not sampled, or
            lost.
          </p>
        </div>
      )}
    </>
  );
}

function EventDetails({ event, start }: { event: SpanEvent; start: string }) {
  const offset = BigInt(event.timeUnixNano) - BigInt(start);
  const { 'exception.stacktrace': stack, ...attributes } = event.attributes ?? {};
  const isException = event.name === 'exception' || stack !== undefined;
  return (
    <div class={`event ${isException ? 'event-exception' : ''}`} data-testid="event">
      <p class="event-head">
        <strong>
          <bdi>{event.name}</bdi>
        </strong>
        <span class="muted num">{formatOffset(String(offset))}</span>
      </p>
      {hasAny(attributes) && <AttributeTable attributes={attributes} />}
      {stack !== undefined && (
        // A stack scrolls sideways, so the keyboard must be able to reach it.
        <pre class="stack" data-testid="stack" tabIndex={0} aria-label="Stack trace">
          {String(stack)}
        </pre>
      )}
    </div>
  );
}

function LinkDetails({ link }: { link: SpanLink }) {
  return (
    <div class="event" data-testid="link">
      <p>
        <a href={href(`/traces/${link.traceId}`, { span: link.spanId })}>
          <code>{link.traceId}</code> <span class="muted">span</span> <code>{link.spanId}</code>
        </a>
      </p>
      {hasAny(link.attributes) && <AttributeTable attributes={link.attributes} />}
    </div>
  );
}

interface VisitProps {
  rows: JsonRows;
  index: number;
  onOpen: (key: string) => void;
}

/** A service row no span folded into: the spans of one visit to the service, taken together. */
function VisitDetails({ rows, index, onOpen }: VisitProps) {
  const row = rows.read(index);
  const end = rows.visitEnd(index);
  const entry = index + 1 < end ? rows.read(index + 1) : null;
  let errors = 0;
  for (let i = index + 1; i < end; i++) if (rows.read(i).isError) errors++;
  return (
    <dl class="facts">
      <Fact name="Service">
        <bdi>{row.service}</bdi>
      </Fact>
      <Fact name="Duration">{formatDuration(row.durationNano)}</Fact>
      <Fact name="Start">{formatOffset(row.offsetNano)}</Fact>
      <Fact name="Spans">{plural(end - index - 1, 'span')} in this visit</Fact>
      <Fact name="Errors">{errors}</Fact>
      {entry && (
        <Fact name="Entered by">
          <button type="button" class="link" onClick={() => onOpen(entry.key)}>
            <bdi>{entry.label}</bdi>
          </button>
        </Fact>
      )}
    </dl>
  );
}

function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div class="fact">
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Section({
  title,
  count,
  children,
}: {
  title: string;
  count?: number;
  children: ComponentChildren;
}) {
  return (
    <section class="panel-section">
      <h3>
        {title} {count !== undefined && <span class="muted num">{count}</span>}
      </h3>
      {children}
    </section>
  );
}

function Dropped({ count, noun }: { count: number | undefined; noun: string }) {
  return count ? <p class="muted">{plural(count, noun)} dropped by the SDK.</p> : null;
}
