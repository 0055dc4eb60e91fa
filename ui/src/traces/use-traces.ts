// The traces a search finds, kept fresh. Live replaces the first page once a second; it holds still
// while the reader is further down, aims with the pointer, or has older pages open.

import { signal } from '@preact/signals';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { ApiError, api, type Summary, type TracePage } from '../api';
import { poll } from '../poll';
import { withService, type AskedQuery } from '../query';
import { currentProject } from '../router';
import { firstPage, type Search } from './search';

const liveMillis = 1000;
/** The pointer moved this recently: a row that jumps now would be clicked by mistake. */
const aimMillis = 700;
/** Scrolled further than this, the top of the list is out of sight. */
const topPixels = 120;

export interface TraceList {
  traces: Summary[];
  cursor: string | null;
  /** The TraceQL the server understood. */
  query: string | undefined;
  asked: AskedQuery;
  error: unknown;
  loaded: boolean;
  live: boolean;
  /** How often the server was asked; it beats in the live mark. */
  rounds: number;
  /** Traces that have come but are held back. */
  waiting: number;
  showWaiting: () => void;
  toggleLive: () => void;
  loadOlder: () => void;
}

/** Live or paused outlasts a change of search; it is no part of a link. */
const livePreferred = signal(true);

/** The last answer, so that "back" shows the list at once and where it was. */
let kept: { id: string; page: TracePage; older: Summary[] } | null = null;

let pointerMovedAt = -Infinity;
document.addEventListener('pointermove', () => (pointerMovedAt = performance.now()), {
  passive: true,
});

const mustHold = () => window.scrollY > topPixels;
const isAiming = () => performance.now() - pointerMovedAt < aimMillis;

export function useTraces(search: Search): TraceList {
  const id = JSON.stringify([search, currentProject()]);
  const remembered = kept?.id === id ? kept : null;
  const [page, setPage] = useState<TracePage | null>(remembered?.page ?? null);
  const [older, setOlder] = useState<Summary[]>(remembered?.older ?? []);
  const [waiting, setWaiting] = useState<TracePage | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [rounds, setRounds] = useState(0);
  const shownId = useRef(id);
  const shown = useRef(page);
  shown.current = page;

  const asked = withService(search.q, search.service);
  const live = livePreferred.value && older.length === 0 && !search.end;

  const show = (next: TracePage) => {
    setPage(next);
    setWaiting(null);
  };

  // Not after the first paint, as an effect would be: the browser paints while the server answers.
  useLayoutEffect(() => {
    if (shownId.current !== id) {
      shownId.current = id;
      shown.current = null;
      setPage(null);
      setOlder([]);
      setWaiting(null);
    }
    let failure: unknown = null;
    const ask = async (abort: AbortSignal) => {
      try {
        const next = await api.traces(firstPage(search), abort);
        if (abort.aborted) return;
        failure = null;
        const current = shown.current;
        if (current === null || sameIds(current, next)) show(next);
        else if (current.traces.length === 0) show(next);
        else if (mustHold()) setWaiting(next);
        else if (!isAiming()) show(next);
      } catch (thrown) {
        if (abort.aborted) return;
        failure = thrown;
      }
      setError(failure);
      setRounds((n) => n + 1);
    };
    const isFinal = () =>
      failure instanceof ApiError && failure.status >= 400 && failure.status < 500;
    const hasPage = shown.current !== null;
    if (!live && hasPage) return;
    return poll(ask, () => (live && !isFinal() ? liveMillis : null));
  }, [id, live]);

  if (page) kept = { id, page, older };

  const cursor = page?.cursor ?? null;
  const loadOlder = async () => {
    try {
      const next = await api.traces({ ...firstPage(search), cursor: cursor ?? undefined });
      setOlder([...older, ...next.traces]);
      setPage({ ...page!, cursor: next.cursor });
      setError(null);
    } catch (thrown) {
      setError(thrown);
    }
  };
  const toggleLive = () => {
    livePreferred.value = !live;
    setOlder([]);
    if (older.length > 0) window.scrollTo(0, 0);
  };
  const showWaiting = () => {
    if (waiting) show(waiting);
    window.scrollTo(0, 0);
  };

  const isCurrent = shownId.current === id;
  return {
    traces: isCurrent && page ? [...page.traces, ...older] : [],
    cursor: isCurrent ? cursor : null,
    query: page?.query,
    asked,
    error: isCurrent ? error : null,
    loaded: isCurrent && page !== null,
    live,
    rounds,
    waiting: waiting && page ? countNew(page, waiting) : 0,
    showWaiting,
    toggleLive,
    loadOlder,
  };
}

function sameIds(a: TracePage, b: TracePage): boolean {
  return (
    a.traces.length === b.traces.length &&
    a.traces.every((trace, i) => trace.traceId === b.traces[i]!.traceId)
  );
}

function countNew(before: TracePage, after: TracePage): number {
  const known = new Set(before.traces.map((trace) => trace.traceId));
  return after.traces.filter((trace) => !known.has(trace.traceId)).length;
}
