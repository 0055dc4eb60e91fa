// A trace that is open: its head, its story, the view that is chosen and the panel. What the reader
// chose is in the URL: `view`, `span`, `t`, `find`, `gaps`, `path`, `clocks`.

import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { api, type Span } from '../api';
import { Problem } from '../components/problem';
import { Panel } from '../panel/panel';
import { useSpan, type SpanAnswer } from '../panel/use-span';
import { href, place, replace } from '../router';
import { useTheme } from '../components/use-theme';
import type { OpenTrace } from '../trace/analysis';
import { TraceFindings } from '../findings/trace-findings';
import { find, findSpans } from '../trace/find';
import { findInTags, taggedSpansMax, tagTexts } from '../trace/tags';
import { Mark, isError, isOrphan, spanOf, type Trace } from '../trace/trace';
import { FlameView } from './flame';
import { TraceHead } from './head';
import { Keys } from './keys';
import { Minimap } from './minimap';
import { ticksMax, type Drawing, type OpenEvents } from './row-pool';
import { Rows, type RowView } from './rows';
import { StatisticsTable } from './statistics-table';
import { Story } from './story';
import { around, pan, readWindow, whole, writeWindow, zoom, type TimeWindow } from './time-window';
import { Toolbar, readView } from './toolbar';
import { Waterfall } from './waterfall';

interface Props {
  traceId: string;
  open: OpenTrace;
  service: string;
  operation: string;
  /** Why the rest of the trace is not here. */
  error: unknown;
}

const urlAfterMillis = 250;

export function TraceView({ traceId, open, service, operation, error }: Props) {
  const { trace, analysis } = open;
  const { params } = place.value;
  const here = `/traces/${traceId}`;
  /** Changes the URL; what is not named stays. */
  const say = (changes: Record<string, string | null>) =>
    replace(href(here, { ...Object.fromEntries(place.value.params), ...changes }));
  const view = readView(params.get('view'));
  const isGrid = view === 'waterfall' || view === 'tree';
  const openKey = params.get('span');
  const wanted = params.get('find')?.trim() ?? '';
  const isPathShown = params.get('path') !== '0';
  const hasGaps = params.get('gaps') === '1';
  const isAligned = params.get('clocks') === 'aligned';
  const [keysShown, setKeysShown] = useState(false);
  const findBox = useRef<HTMLInputElement>(null);
  const theme = useTheme();

  const [window, setWindow] = useTimeWindow(trace.durationNano, say);
  const layout = view === 'tree' ? 'tree' : 'services';
  const last = useRef<Rows | null>(null);
  const rows = useMemo(() => {
    const clocks = isAligned ? (analysis?.clocks ?? null) : null;
    const made = new Rows(open, { layout, gaps: hasGaps, clocks });
    if (last.current) made.foldLike(last.current);
    return (last.current = made);
  }, [open, layout, hasGaps, isAligned]);
  const [folds, setFolds] = useState(0);
  const [activeKey, setActiveKey] = useState<string | null>(openKey);

  const [evidence, setEvidence] = useState<string[] | null>(null);
  const named = useMemo(() => (wanted ? find(trace, wanted) : null), [trace, wanted]);
  const hasTags = trace.spanCount <= taggedSpansMax;
  const inTags = useTags(traceId, trace, hasTags && named?.rowCount === 0);
  const found = useMemo(() => {
    if (!wanted) return evidence && findSpans(trace, evidence);
    if (named!.rowCount > 0 || !hasTags) return named;
    return inTags && findInTags(trace, inTags, wanted);
  }, [trace, wanted, named, inTags, evidence]);
  const isFound = (row: RowView) =>
    found !== null &&
    row.type !== 'gap' &&
    (row.visit >= 0 ? found.visits[row.visit] === 1 : found.spans[row.span] === 1);
  const isFoundLine = (span: number, visit: number) =>
    found !== null && (visit >= 0 ? found.visits[visit] === 1 : found.spans[span] === 1);
  const openSpan = openKey && spanOf(trace.spans, openKey) >= 0 ? openKey : null;
  const answer = useSpan(traceId, openSpan, trace.spanCount);
  const events = useMemo(() => eventsOf(answer), [answer]);
  const drawing = useMemo<Drawing>(
    () => ({ window, isCriticalShown: isPathShown, isFound, events }),
    [window, isPathShown, found, events],
  );

  useEffect(() => {
    if (!openKey) return;
    rows.reveal(openKey);
    setFolds((n) => n + 1);
    setActiveKey(openKey);
  }, [openKey, rows]);

  const showOpen = (key: string) => say({ span: key });
  const mark = (ids: string[]) => {
    setEvidence(ids);
    say({ find: null, span: ids[0] ?? null, view: isGrid ? view : null });
  };
  const look = (text: string) => {
    setEvidence(null);
    say({ find: text });
  };
  const close = () => {
    if (!openKey) return;
    say({ span: null });
    document.querySelector<HTMLElement>('[role="treegrid"]')?.focus();
  };
  const fold = (index: number, folded: boolean, all: boolean) => {
    rows.fold(index, folded, all);
    setFolds((n) => n + 1);
  };
  const [depth, setDepth] = useState<number | null>(null);
  const foldBelow = (to: number) => {
    const most = rows.depthMax;
    const shown = Math.max(0, Math.min(to, most));
    setDepth(shown === most ? null : shown);
    rows.foldBelow(shown === most ? most + 1 : shown);
    setFolds((n) => n + 1);
  };
  const level = (step: number) => foldBelow((depth ?? rows.depthMax) + step);

  /** Goes to the next row that `matches`, wherever it is folded away. */
  const seek = (step: 1 | -1, matches: (span: number, visit: number) => boolean) => {
    const at = activeKey ? rows.lineAt(rows.indexOf(activeKey)) : step > 0 ? -1 : rows.lineCount;
    const line = rows.nextLine(at, step, matches);
    if (line < 0) return;
    const index = rows.revealLine(line);
    setFolds((n) => n + 1);
    const { key } = rows.read(index);
    setActiveKey(key);
    if (openKey) showOpen(key);
  };
  const nextError = () => seek(1, (span) => span >= 0 && isError(trace.spans, span));
  const isOnPath = (span: number) => span >= 0 && (trace.spans.marks[span]! & Mark.Critical) !== 0;
  const fit = (key: string) => {
    const index = rows.indexOf(key);
    if (index < 0) return;
    const { offsetNano, durationNano } = rows.read(index);
    setWindow(around(offsetNano, durationNano, trace.durationNano));
  };
  const upFrom = (key: string) => {
    const span = spanOf(trace.spans, key.replace('visit:', ''));
    const parent = span < 0 ? -1 : trace.spans.parent[span]!;
    if (parent >= 0) seek(-1, (other) => other === parent);
  };
  const zoomBy = (factor: number) => setWindow(zoom(window, factor, 0.5, trace.durationNano));
  const onKey = (key: string): boolean => {
    const actions: Record<string, () => void> = {
      w: () => zoomBy(1.5),
      s: () => zoomBy(1 / 1.5),
      a: () => setWindow(pan(window, -0.25, trace.durationNano)),
      d: () => setWindow(pan(window, 0.25, trace.durationNano)),
      '0': () => setWindow(whole(trace.durationNano)),
      f: () => activeKey && fit(activeKey),
      '[': () => level(-1),
      ']': () => level(1),
      n: () => seek(1, isFoundLine),
      p: () => seek(-1, isFoundLine),
      e: nextError,
      c: () => seek(1, isOnPath),
      u: () => activeKey && upFrom(activeKey),
      '/': () => findBox.current?.focus(),
      '?': () => setKeysShown(true),
    };
    actions[key]?.();
    return key in actions;
  };

  const hasPanel = openKey !== null && Panel.knows(open, openKey);
  const at = useMemo(() => {
    const index = isGrid && found && activeKey ? rows.indexOf(activeKey) : -1;
    if (index < 0 || !isFound(rows.read(index))) return null;
    return rows.countLines(rows.lineAt(index), isFoundLine);
  }, [isGrid, found, activeKey, rows, folds]);
  const matches = found && (layout === 'tree' ? found.spanCount : found.rowCount);
  return (
    <div class={`trace-page ${hasPanel ? 'has-panel' : ''}`}>
      <div class="trace-top">
        <TraceHead traceId={traceId} trace={trace} service={service} operation={operation} />
        <Story
          open={open}
          isAligned={isAligned}
          onAlign={(on) => say({ clocks: on ? 'aligned' : null })}
          onOpen={showOpen}
          onFind={look}
          onNextOrphan={() => seek(1, (span) => span >= 0 && isOrphan(trace.spans, span))}
        />
        {analysis !== null && (
          <TraceFindings traceId={traceId} spanCount={trace.spanCount} onEvidence={mark} />
        )}
        {error !== null && <Problem error={error} />}
        <Toolbar
          view={view}
          onView={(to) => say({ view: to === 'waterfall' ? null : to })}
          wanted={params.get('find') ?? ''}
          onFind={look}
          hasTags={hasTags}
          findBox={findBox}
          matches={matches}
          at={at}
          onNext={() => seek(1, isFoundLine)}
          onPrevious={() => seek(-1, isFoundLine)}
          isPathShown={isPathShown}
          onPath={(on) => say({ path: on ? null : '0' })}
          hasGaps={hasGaps}
          onGaps={(on) => say({ gaps: on ? '1' : null })}
          canFold={isGrid}
          onLevel={level}
          onZoom={zoomBy}
          onFit={() => setWindow(whole(trace.durationNano))}
          onKeys={() => setKeysShown(true)}
        />
        {view !== 'table' && (
          <Minimap trace={trace} window={window} onWindow={setWindow} theme={theme} />
        )}
      </div>
      {isGrid && (
        <Waterfall
          rows={rows}
          folds={folds}
          drawing={drawing}
          openKey={openKey}
          activeKey={activeKey}
          onActive={setActiveKey}
          onOpen={showOpen}
          onClose={close}
          onFold={fold}
          onWindow={setWindow}
          onFit={fit}
          onKey={onKey}
        />
      )}
      {view === 'flame' && (
        <FlameView
          trace={trace}
          window={window}
          onWindow={setWindow}
          onOpen={showOpen}
          openKey={openKey}
          found={found?.spans ?? null}
          theme={theme}
        />
      )}
      {view === 'table' && (
        <StatisticsTable open={open} onFind={(text) => say({ find: text, view: null })} />
      )}
      {hasPanel && (
        <Panel
          traceId={traceId}
          open={open}
          rowKey={openKey}
          answer={answer}
          onOpen={showOpen}
          onClose={close}
          onFit={fit}
          onFind={hasTags ? look : null}
        />
      )}
      {keysShown && <Keys onClose={() => setKeysShown(false)} />}
    </div>
  );
}

/** What the spans carry, asked for when it is wanted; null: not here. Without it names are found. */
function useTags(traceId: string, trace: Trace, isWanted: boolean): string[] | null {
  const [answer, setAnswer] = useState<{ of: Trace; texts: string[] } | null>(null);
  const texts = answer?.of === trace ? answer.texts : null;
  useEffect(() => {
    if (!isWanted || texts) return;
    const stopping = new AbortController();
    const keep = (spans: Span[]) => setAnswer({ of: trace, texts: tagTexts(trace, spans) });
    api.trace(traceId, stopping.signal).then(
      ({ spans }) => keep(spans),
      () => stopping.signal.aborted || keep([]),
    );
    return () => stopping.abort();
  }, [traceId, trace, isWanted]);
  return texts;
}

/** The events of the span that is open, for its bar. */
function eventsOf(answer: SpanAnswer | null): OpenEvents | null {
  if (!answer?.span?.events?.length) return null;
  const start = BigInt(answer.span.startTimeUnixNano);
  return {
    key: answer.id,
    ticks: answer.span.events.slice(0, ticksMax).map(({ name, timeUnixNano }) => {
      return { name, afterStartNano: Number(BigInt(timeUnixNano) - start) };
    }),
  };
}

/** The window of time; the URL follows when it has come to rest. */
function useTimeWindow(
  durationNano: number,
  say: (changes: Record<string, string | null>) => void,
): [TimeWindow, (window: TimeWindow) => void] {
  const [chosen, setChosen] = useState(() => readWindow(place.value.params.get('t'), durationNano));
  const [isChosen, setIsChosen] = useState(() => place.value.params.has('t'));
  const timer = useRef(0);
  const choose = (to: TimeWindow) => {
    setChosen(to);
    setIsChosen(writeWindow(to, durationNano) !== null);
    clearTimeout(timer.current);
    timer.current = globalThis.setTimeout(
      () => say({ t: writeWindow(to, durationNano) }),
      urlAfterMillis,
    ) as unknown as number;
  };
  useEffect(() => () => clearTimeout(timer.current), []);
  const window = useMemo(
    () => (isChosen ? chosen : whole(durationNano)),
    [chosen, isChosen, durationNano],
  );
  return [window, choose];
}
