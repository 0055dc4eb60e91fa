// One span: what it is, where its time is, and all it carries.

import type { Attributes, Span, SpanEvent, SpanLink } from '../api';
import { CopyButton } from '../components/copy';
import { Problem } from '../components/problem';
import { formatDuration, formatInstant, formatOffset, plural } from '../format';
import { quote } from '../query';
import { href } from '../router';
import type { OpenTrace } from '../trace/analysis';
import { isAsync } from '../trace/marks';
import { piecesOf } from '../trace/critical';
import { Kind, errorFlag, idOf, isOrphan, kindOf, nameOf, serviceOf } from '../trace/trace';
import { AttributeTable } from './attributes';
import { curlOf } from './curl';
import { Protocol } from './protocol';
import { Dropped, Fact, Section } from './section';

interface Props {
  traceId: string;
  open: OpenTrace;
  /** Its number in the trace. */
  span: number;
  /** Its JSON, when it has come. */
  whole: Span | null;
  error: unknown;
  onOpen: (key: string) => void;
  onFit: () => void;
  onFind: ((text: string) => void) | null;
}

export function SpanDetails(props: Props) {
  const { open, span, whole, error, onOpen, onFind } = props;
  const id = idOf(open.trace.spans, span);
  return (
    <>
      {whole && <Protocol attributes={whole.attributes ?? {}} />}
      <Failure open={open} number={span} span={whole} onOpen={onOpen} />
      <Facts {...props} id={id} />
      {whole && <Actions {...props} id={id} />}
      {error !== null && <Problem error={error} />}
      {whole && <Carried whole={whole} onFind={onFind} />}
    </>
  );
}

/** What came with the span besides its times. */
function Carried({ whole, onFind }: { whole: Span; onFind: Props['onFind'] }) {
  const attributes = whole.attributes ?? {};
  const events = whole.events ?? [];
  const links = whole.links ?? [];
  const { resource, scope } = whole;
  return (
    <>
      <Section title="Tags" count={Object.keys(attributes).length}>
        <AttributeTable attributes={attributes} scope="span" onFind={onFind} />
        <Dropped count={whole.droppedAttributesCount} noun="tag" />
      </Section>
      {events.length > 0 && (
        <Section title="Events" count={events.length}>
          {events.map((event, i) => (
            <EventDetails key={i} event={event} start={whole.startTimeUnixNano} />
          ))}
          <Dropped count={whole.droppedEventsCount} noun="event" />
        </Section>
      )}
      {links.length > 0 && (
        <Section title="Links" count={links.length}>
          {links.map((link, i) => (
            <LinkDetails key={i} link={link} />
          ))}
          <Dropped count={whole.droppedLinksCount} noun="link" />
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

const hasAny = (attributes: Attributes | undefined) => Object.keys(attributes ?? {}).length > 0;

const kindNames: Record<Kind, string> = {
  [Kind.Unset]: 'INTERNAL',
  [Kind.Internal]: 'INTERNAL',
  [Kind.Server]: 'SERVER',
  [Kind.Client]: 'CLIENT',
  [Kind.Producer]: 'PRODUCER',
  [Kind.Consumer]: 'CONSUMER',
};

interface FactsProps extends Props {
  id: string;
}

function Facts({ open, span, id, whole, onOpen }: FactsProps) {
  const { trace } = open;
  const { spans } = trace;
  const parent = spans.parent[span]!;
  const failed = (spans.flags[span]! & errorFlag) !== 0;
  const instant = trace.startNano + BigInt(Math.round(spans.start[span]!));
  return (
    <dl class="facts">
      <Fact name="Service">
        <bdi>{serviceOf(trace, span)}</bdi>
      </Fact>
      <Fact name="Operation">
        <bdi>{nameOf(trace, span)}</bdi>
      </Fact>
      <Fact name="Kind">{kindNames[kindOf(spans, span)]}</Fact>
      <Fact name="Status">{whole?.status?.code ?? (failed ? 'ERROR' : 'UNSET')}</Fact>
      <Fact name="Duration">
        {formatDuration(spans.duration[span]!)}
        <Usual open={open} span={span} />
      </Fact>
      <Fact name="Self time">
        {formatDuration(spans.self[span]!)}
        <CriticalTime open={open} span={span} />
      </Fact>
      <Fact name="Start">
        {formatOffset(spans.start[span]!)}
        <span class="muted fact-more">
          {formatInstant(whole?.startTimeUnixNano ?? String(instant))}
        </span>
      </Fact>
      <Fact name="Span id">
        <code>{id}</code>
        <CopyButton text={id} label="Copy span id" />
      </Fact>
      {parent >= 0 && (
        <Fact name="Parent">
          <button type="button" class="link" onClick={() => onOpen(idOf(spans, parent))}>
            <bdi>{nameOf(trace, parent).trim() || '(no name)'}</bdi>
          </button>
          {isAsync(spans, span) && <span class="muted fact-more">does not wait for it</span>}
        </Fact>
      )}
      {isOrphan(spans, span) && whole?.parentSpanId && (
        <Fact name="Parent">
          <code>{whole.parentSpanId}</code>
          <span class="muted fact-more">not received</span>
        </Fact>
      )}
      <Sampling whole={whole} />
    </dl>
  );
}

/** How this one compares to the others of the same name in this trace. */
function Usual({ open, span }: { open: OpenTrace; span: number }) {
  const stats = open.analysis?.statistics;
  if (!stats) return null;
  const { spans } = open.trace;
  for (let group = 0; group < stats.count; group++) {
    if (stats.name[group] !== spans.name[span] || stats.service[group] !== spans.service[span])
      continue;
    if (stats.spans[group]! < 3) return null;
    return (
      <span class="muted fact-more">
        median of {plural(stats.spans[group]!, 'such span')} here:{' '}
        {formatDuration(stats.p50[group]!)}
      </span>
    );
  }
  return null;
}

function CriticalTime({ open, span }: { open: OpenTrace; span: number }) {
  if (!open.analysis) return null;
  const { path } = open.analysis;
  const [first, end] = piecesOf(path, span);
  let sum = 0;
  for (let i = first; i < end; i++) sum += path.to[i]! - path.from[i]!;
  return sum > 0 ? (
    <span class="muted fact-more">{formatDuration(sum)} of the critical path</span>
  ) : null;
}

/** `ot=th:…` of the trace state says which share of traces was kept. */
function Sampling({ whole }: { whole: Span | null }) {
  if (!whole?.traceState) return null;
  const threshold = /(?:^|[,;:=])(?:ot=)?(?:[^,]*;)?th:([0-9a-f]{1,14})/.exec(
    whole.traceState,
  )?.[1];
  const kept = threshold ? 1 - parseInt(threshold.padEnd(14, '0'), 16) / 2 ** 56 : 1;
  return (
    <Fact name="Trace state">
      <code>{whole.traceState}</code>
      {kept < 1 && kept > 0 && (
        <span class="muted fact-more">
          sampled: stands for about {Math.round(1 / kept).toLocaleString('en-US')} such traces
        </span>
      )}
    </Fact>
  );
}

function Actions({ traceId, open, span, id, whole, onFit }: FactsProps) {
  const link = window.location.origin + href(`/traces/${traceId}`, { span: id });
  const curl = curlOf(traceId, id, whole?.attributes ?? {});
  return (
    <p class="panel-actions">
      <CopyButton text={link} label="Copy a link to this span">
        Link
      </CopyButton>
      {curl && (
        <CopyButton text={curl} label="Copy as curl, with this trace’s traceparent">
          curl
        </CopyButton>
      )}
      <CopyButton text={JSON.stringify(whole, null, 2)} label="Copy the span as JSON">
        JSON
      </CopyButton>
      <button type="button" class="button" onClick={onFit} title="Show the time of this span ( f )">
        Zoom
      </button>
      <a
        class="button"
        href={href('/traces', {
          q: `{ resource.service.name = ${quote(serviceOf(open.trace, span))} && name = ${quote(nameOf(open.trace, span))} }`,
        })}
      >
        Find such spans
      </a>
      <a
        class="button"
        title="Spans whose links name this one"
        href={href('/traces', {
          q: `{ link:traceID = ${quote(traceId)} && link:spanID = ${quote(id)} }`,
        })}
      >
        Linked from
      </a>
      <a
        class="button"
        data-testid="compare"
        title="Compare with a trace that took as long as half of this operation"
        href={href('/compare', {
          second: traceId,
          second_span: open.trace.spans.parent[span]! < 0 ? null : id,
          service: serviceOf(open.trace, span),
          operation: nameOf(open.trace, span),
        })}
      >
        Compare with the median
      </a>
    </p>
  );
}

interface FailureProps {
  open: OpenTrace;
  number: number;
  span: Span | null;
  onOpen: (key: string) => void;
}

function Failure({ open, number, span, onOpen }: FailureProps) {
  const { spans } = open.trace;
  const failed = (spans.flags[number]! & errorFlag) !== 0;
  const cause = failed ? firstCause(open, number) : number;
  return (
    <>
      {failed && (
        <div class="notice notice-error" data-testid="error">
          <strong>Error</strong>
          {span?.status?.message && <p class="wrap">{span.status.message}</p>}
          {cause !== number && (
            <p>
              Failed first:{' '}
              <button type="button" class="link" onClick={() => onOpen(idOf(spans, cause))}>
                <bdi>{nameOf(open.trace, cause).trim() || '(no name)'}</bdi>
              </button>{' '}
              <span class="muted">
                <bdi>{serviceOf(open.trace, cause)}</bdi>
              </span>
            </p>
          )}
        </div>
      )}
      {isOrphan(spans, number) && (
        <div class="notice notice-warning" data-testid="orphan">
          <strong>Parent not received</strong>
          <p>
            This span names a parent that is not in the trace: still on its way, sampled out, or
            lost.
          </p>
        </div>
      )}
    </>
  );
}

/** The deepest span below that failed, the first of them. */
function firstCause({ trace }: OpenTrace, span: number): number {
  const { flags, depth, end } = trace.spans;
  let cause = span;
  for (let below = span + 1; below < end[span]!; below++) {
    if ((flags[below]! & errorFlag) !== 0 && depth[below]! > depth[cause]!) cause = below;
  }
  return cause;
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
