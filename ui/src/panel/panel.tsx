// What is known of one row of the waterfall: a span, a visit to a service, or a gap. What the
// columns tell is there at once, the rest comes as the one span's JSON.

import type { ComponentChildren } from 'preact';
import { CloseIcon } from '../components/icons';
import { formatDuration, formatOffset, plural } from '../format';
import type { OpenTrace } from '../trace/analysis';
import { bothWays, gapNames, GapKind } from '../trace/gaps';
import { idOf, nameOf, serviceOf, spanOf } from '../trace/trace';
import { colourOf } from '../waterfall/colour';
import { Fact } from './section';
import { SpanDetails } from './span';
import type { SpanAnswer } from './use-span';

interface Props {
  traceId: string;
  open: OpenTrace;
  rowKey: string;
  /** Of a span; null as long as it is on its way. */
  answer: SpanAnswer | null;
  onOpen: (key: string) => void;
  onClose: () => void;
  onFit: (key: string) => void;
  /** Looks for a text within the trace; null: for none of a tag's. */
  onFind: ((text: string) => void) | null;
}

export function Panel(props: Props) {
  const { traceId, open, rowKey, answer, onOpen, onClose, onFit, onFind } = props;
  const { trace, analysis } = open;
  const onKeyDown = (event: KeyboardEvent) => event.key === 'Escape' && onClose();
  const isSpan = !rowKey.includes(':');
  const isReady = !isSpan || answer !== null;
  const frame = (title: string, service: string, body: ComponentChildren) => (
    <aside
      class="panel"
      data-testid={isReady ? 'panel' : undefined}
      aria-busy={!isReady}
      aria-label="Details"
      onKeyDown={onKeyDown}
    >
      <header class="panel-head" style={{ '--service': colourOf(service) }}>
        <h2>
          <span class="wf-swatch" />
          <bdi>{title.trim() === '' ? '(no name)' : title}</bdi>
        </h2>
        <button type="button" class="button-icon" aria-label="Close details" onClick={onClose}>
          <CloseIcon />
        </button>
      </header>
      <div class="panel-body">{body}</div>
    </aside>
  );
  if (rowKey.startsWith('gap:')) {
    const gap = Number(rowKey.slice(4));
    const span = analysis!.gaps.span[gap]!;
    const kind = analysis!.gaps.kind[gap]! as GapKind;
    return frame(
      gapNames[kind],
      serviceOf(trace, span),
      <GapDetails open={open} gap={gap} onOpen={onOpen} />,
    );
  }
  if (rowKey.startsWith('visit:')) {
    const visit = visitOf(open, rowKey);
    const service = trace.services[trace.visits.service[visit]!]!.name;
    return frame(service, service, <VisitDetails open={open} visit={visit} onOpen={onOpen} />);
  }
  const span = spanOf(trace.spans, rowKey);
  return frame(
    nameOf(trace, span),
    serviceOf(trace, span),
    <SpanDetails
      key={rowKey}
      traceId={traceId}
      open={open}
      span={span}
      whole={answer?.span ?? null}
      error={answer?.error ?? null}
      onOpen={onOpen}
      onFit={() => onFit(rowKey)}
      onFind={onFind}
    />,
  );
}

/** Whether there is such a row: a link may name what is not here, or not yet. */
Panel.knows = (open: OpenTrace, rowKey: string): boolean => {
  if (rowKey.startsWith('gap:')) {
    return open.analysis?.gaps.span[Number(rowKey.slice(4))] !== undefined;
  }
  if (rowKey.startsWith('visit:')) return visitOf(open, rowKey) >= 0;
  return spanOf(open.trace.spans, rowKey) >= 0;
};

function visitOf({ trace }: OpenTrace, rowKey: string): number {
  const entry = spanOf(trace.spans, rowKey.slice('visit:'.length));
  return entry < 0 ? -1 : trace.visits.entry.indexOf(entry);
}

interface VisitProps {
  open: OpenTrace;
  visit: number;
  onOpen: (key: string) => void;
}

/** A service row no span folded into: the spans of one visit to the service, taken together. */
function VisitDetails({ open, visit, onOpen }: VisitProps) {
  const { visits, rows, spans, services } = open.trace;
  const row = visits.row[visit]!;
  const end = rows.end[row]!;
  const entry = visits.entry[visit]!;
  let errors = 0;
  for (let inside = row + 1; inside < end; inside++) {
    if ((spans.flags[rows.what[inside]!]! & 4) !== 0) errors++;
  }
  const called = visits.end[visit]! - end;
  return (
    <dl class="facts">
      <Fact name="Service">
        <bdi>{services[visits.service[visit]!]!.name}</bdi>
      </Fact>
      <Fact name="Duration">{formatDuration(visits.duration[visit]!)}</Fact>
      <Fact name="Start">{formatOffset(visits.start[visit]!)}</Fact>
      <Fact name="Spans">{plural(end - row - 1, 'span')} in this visit</Fact>
      <Fact name="Errors">{errors}</Fact>
      {called > 0 && <Fact name="Calls">{plural(called, 'row')} below, in other services</Fact>}
      <Fact name="Entered by">
        <button type="button" class="link" onClick={() => onOpen(idOf(spans, entry))}>
          <bdi>{nameOf(open.trace, entry)}</bdi>
        </button>
      </Fact>
    </dl>
  );
}

interface GapProps {
  open: OpenTrace;
  gap: number;
  onOpen: (key: string) => void;
}

const gapTexts: Record<GapKind, string> = {
  [GapKind.Own]:
    'None of the span’s children ran: its own code did, or it called something that makes no spans.',
  [GapKind.Request]:
    'From the client’s start to the server’s: the way there, and waiting for a free worker.',
  [GapKind.Response]: 'From the server’s end to the client’s: the way back.',
  [GapKind.Async]:
    'The child began when its parent had ended. Await it if it belongs to the response.',
};

function GapDetails({ open, gap, onOpen }: GapProps) {
  const { gaps } = open.analysis!;
  const { spans } = open.trace;
  const span = gaps.span[gap]!;
  const kind = gaps.kind[gap]! as GapKind;
  const most = bothWays(spans, span);
  const isOnTheWay = kind === GapKind.Request || kind === GapKind.Response;
  return (
    <>
      <p>{gapTexts[kind]}</p>
      <dl class="facts">
        <Fact name="Duration">{formatDuration(gaps.to[gap]! - gaps.from[gap]!)}</Fact>
        <Fact name="From">{formatOffset(gaps.from[gap]!)}</Fact>
        <Fact name="To">{formatOffset(gaps.to[gap]!)}</Fact>
        {isOnTheWay && most > 0 && (
          <Fact name="At most">
            {formatDuration(most)}{' '}
            <span class="muted fact-more">both ways, whatever the clocks say</span>
          </Fact>
        )}
        <Fact name="In">
          <button type="button" class="link" onClick={() => onOpen(idOf(spans, span))}>
            <bdi>{nameOf(open.trace, span)}</bdi>
          </button>
        </Fact>
      </dl>
    </>
  );
}
