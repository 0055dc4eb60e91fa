// What the trace is about, in words, before any row is read: where the time went, what failed
// first, what is missing, whose clock is wrong.

import type { ComponentChildren } from 'preact';
import { useMemo } from 'preact/hooks';
import { ServiceChips } from '../components/service-chips';
import { formatDuration, plural } from '../format';
import type { OpenTrace } from '../trace/analysis';
import { causes, pathUp } from '../trace/marks';
import { isSkewed, middle, type Skew } from '../trace/skew';
import { idOf, isOrphan, nameOf, serviceOf, textOf, type Trace } from '../trace/trace';
import { colourOf } from './colour';

interface Props {
  open: OpenTrace;
  isAligned: boolean;
  onAlign: (on: boolean) => void;
  onOpen: (key: string) => void;
  onFind: (text: string) => void;
  onNextOrphan: () => void;
}

const pathMax = 5;
const causesMax = 100;

export function Story({ open, isAligned, onAlign, onOpen, onFind, onNextOrphan }: Props) {
  const { trace, analysis } = open;
  const orphans = useMemo(() => countOrphans(trace), [trace]);
  const failedFirst = useMemo(() => causes(trace.spans, causesMax), [trace]);
  if (analysis === null)
    return (
      <div class="story">
        <StoryHead trace={trace}>
          <p class="muted" role="status" data-testid="rest">
            The first {trace.rows.count.toLocaleString('en-US')} of{' '}
            {trace.rowTotal.toLocaleString('en-US')} rows; the others are on their way…
          </p>
        </StoryHead>
      </div>
    );
  const skewed = analysis.skews.filter(isSkewed);
  return (
    <div class="story">
      <WhereTimeWent open={open} onFind={onFind} />
      <ErrorPath trace={trace} first={failedFirst} onOpen={onOpen} />
      {orphans > 0 && (
        <p data-testid="missing">
          <span class="mark mark-orphan" /> {plural(orphans, 'span')} without the parent{' '}
          {orphans === 1 ? 'it names' : 'they name'}: still on its way, sampled out, or lost.{' '}
          <button type="button" class="link" onClick={onNextOrphan}>
            Show {orphans === 1 ? 'it' : 'the next'}
          </button>
        </p>
      )}
      {skewed.length > 0 && (
        <p data-testid="skew">
          <span class="mark mark-clock" />{' '}
          {skewed
            .slice(0, 2)
            .map((skew) => sayOf(trace, skew))
            .join('; ')}
          {skewed.length > 2 && `; and ${skewed.length - 2} more`}.{' '}
          <label class="switch">
            <input
              type="checkbox"
              checked={isAligned}
              onChange={(event) => onAlign(event.currentTarget.checked)}
            />{' '}
            Align clocks
          </label>
        </p>
      )}
    </div>
  );
}

function countOrphans({ spans }: Trace): number {
  let count = 0;
  for (let span = 0; span < spans.count; span = spans.end[span]!) {
    if (isOrphan(spans, span)) count++;
  }
  return count;
}

function sayOf({ services }: Trace, skew: Skew): string {
  const offset = middle(skew);
  const { least, most } = skew;
  const [low, high] = offset < 0 ? [-most, -least] : [least, most];
  return (
    `${services[skew.callee]!.name}’s clock is ${formatDuration(Math.abs(offset))} ` +
    `${offset < 0 ? 'behind' : 'ahead of'} ${services[skew.caller]!.name}’s ` +
    `(${formatDuration(low)} to ${formatDuration(high)}, by ${plural(skew.calls, 'call')})`
  );
}

/** A heading, and at the other end whose colours are whose. */
function StoryHead({ trace, children }: { trace: Trace; children: ComponentChildren }) {
  return (
    <div class="story-head">
      {children}
      <ServiceChips services={trace.services} />
    </div>
  );
}

/** Pieces of the critical path by operation, the longest first. */
function WhereTimeWent({ open, onFind }: { open: OpenTrace; onFind: (text: string) => void }) {
  const { trace, analysis } = open;
  const stats = analysis!.statistics;
  const total = stats.critical.reduce((sum, part) => sum + part, 0);
  if (!(total > 0) || trace.spanCount < 2)
    return trace.services.length > 1 ? <StoryHead trace={trace}>{null}</StoryHead> : null;
  const longest = mostOf(stats.critical, 5).filter((group) => stats.critical[group]! > 0);
  const parts = longest.map((group) => ({
    name: textOf(trace.texts, stats.name[group]!),
    service: trace.services[stats.service[group]!]!.name,
    nanos: stats.critical[group]!,
  }));
  const rest = total - parts.reduce((sum, part) => sum + part.nanos, 0);
  const share = (nanos: number) => `${((nanos / total) * 100).toFixed(2)}%`;
  const percent = (nanos: number) => `${Math.round((nanos / total) * 100)} %`;
  return (
    <section class="went" aria-labelledby="went" data-testid="went">
      <StoryHead trace={trace}>
        <h2
          id="went"
          title="By the critical path: what would have to be shorter for the whole to be"
        >
          Where the time went
        </h2>
      </StoryHead>
      <div class="went-bar" aria-hidden="true">
        {parts.map((part, i) => (
          <span key={i} style={{ width: share(part.nanos), '--service': colourOf(part.service) }} />
        ))}
        {rest > total / 1000 && <span class="went-rest" style={{ width: share(rest) }} />}
      </div>
      <ul class="went-parts">
        {parts.map((part, i) => (
          <li key={i} style={{ '--service': colourOf(part.service) }}>
            <span class="wf-swatch" />
            <button
              type="button"
              class="link"
              title={`Find ${part.name} of ${part.service}`}
              onClick={() => onFind(part.name)}
            >
              <bdi>{part.name.slice(0, 200).trim() || '(no name)'}</bdi>
            </button>
            <span class="num">{formatDuration(part.nanos)}</span>
            <span class="num muted">{percent(part.nanos)}</span>
          </li>
        ))}
        {rest > total / 1000 && (
          <li class="muted">
            others <span class="num">{formatDuration(rest)}</span>
            <span class="num">{percent(rest)}</span>
          </li>
        )}
      </ul>
    </section>
  );
}

/** Indexes of the greatest values, the greatest first. */
export function mostOf(values: Float64Array, most: number): number[] {
  const found: number[] = [];
  for (let i = 0; i < values.length; i++) {
    if (found.length === most && values[i]! <= values[found[most - 1]!]!) continue;
    let at = found.length;
    while (at > 0 && values[found[at - 1]!]! < values[i]!) at--;
    found.splice(at, 0, i);
    found.length = Math.min(found.length, most);
  }
  return found;
}

interface ErrorPathProps {
  trace: Trace;
  /** Spans that failed, and none below them. */
  first: number[];
  onOpen: (key: string) => void;
}

/** From the span that failed first up to the request: what failed because of it. */
function ErrorPath({ trace, first, onOpen }: ErrorPathProps) {
  const { spans } = trace;
  if (first.length === 0) return null;
  const path = pathUp(spans, first[0]!);
  const shown = path.length <= pathMax ? path : [...path.slice(0, pathMax - 1), path.at(-1)!];
  return (
    <p class="error-path" data-testid="error-path">
      <span class="mark mark-error" /> <strong>Failed</strong>{' '}
      {shown.map((span, i) => (
        <span key={span}>
          {i > 0 && (
            <span class="muted"> ← {path.length > pathMax && i === pathMax - 1 && '… ← '}</span>
          )}
          <button
            type="button"
            class={`link ${(spans.flags[span]! & 4) !== 0 ? 'error-text' : ''}`}
            onClick={() => onOpen(idOf(spans, span))}
          >
            <bdi>{nameOf(trace, span).slice(0, 120).trim() || '(no name)'}</bdi>
          </button>{' '}
          {(i === 0 || serviceOf(trace, span) !== serviceOf(trace, shown[i - 1]!)) && (
            <span class="muted">
              <bdi>{serviceOf(trace, span).slice(0, 120)}</bdi>
            </span>
          )}
        </span>
      ))}
      {first.length > 1 && (
        <span class="muted">
          {' '}
          and {first.length === causesMax
            ? `${causesMax - 1} or more`
            : first.length - 1} other {first.length === 2 ? 'cause' : 'causes'}
        </span>
      )}
    </p>
  );
}
