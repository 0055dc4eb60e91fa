// The list of traces: search, newest first, live.

import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { ApiError } from '../api';
import { Problem, QueryProblem } from '../components/problem';
import { PauseIcon, PlayIcon } from '../components/icons';
import { plural } from '../format';
import { typedPosition } from '../query';
import { currentProject, href, navigate, place } from '../router';
import { FirstMinutes } from '../traces/first-minutes';
import { Overview } from '../traces/overview';
import { readSearch, type Search } from '../traces/search';
import { SearchForm } from '../traces/search-form';
import { TraceTable } from '../traces/trace-table';
import { useTraces, type TraceList } from '../traces/use-traces';
import { Why } from '../why/why';

export function TracesPage() {
  const search = readSearch(place.value.params);
  const list = useTraces(search);
  useEffect(() => {
    document.title = 'Traces · TraceKit';
  }, []);
  useFirstTrace(search, list);
  return (
    <div class="page">
      <h1 class="sr-only">Traces</h1>
      <SearchForm search={search} traces={list.traces} />
      <Outcome search={search} list={list} />
    </div>
  );
}

/** Whether all traces of the project were asked for, and there is none. */
const isEmpty = ({ q, service, start, end }: Search, { loaded, traces }: TraceList) =>
  loaded && traces.length === 0 && !(q || service || start || end);

/** Whoever waits for the first trace is led to it; where several come at once, the list shows. */
function useFirstTrace(search: Search, list: TraceList): void {
  const waitedIn = useRef<string | null>(null);
  useLayoutEffect(() => {
    const project = currentProject() ?? '';
    const hasWaited = waitedIn.current === project;
    waitedIn.current = isEmpty(search, list) ? project : null;
    const [first, second] = list.traces;
    if (hasWaited && first && !second) navigate(href(`/traces/${first.traceId}`));
  });
}

function Outcome({ search, list }: { search: Search; list: TraceList }) {
  const { error } = list;
  if (error instanceof ApiError && error.position !== null) {
    const position = typedPosition(list.asked, search.q, error.position);
    return <QueryProblem text={search.q} position={position} error={error} />;
  }
  if (error !== null && list.traces.length === 0) return <Problem error={error} />;
  if (!list.loaded)
    return (
      <p class="loading" role="status">
        Loading…
      </p>
    );
  if (isEmpty(search, list))
    return (
      <>
        {error !== null && <Problem error={error} />}
        <FirstMinutes key={currentProject()} live={<LiveButton list={list} />} />
      </>
    );
  return (
    <>
      {error !== null && <Problem error={error} />}
      <Overview search={search} traces={list.traces} live={list.live} />
      <Why search={search} rest={place.value.params.get('rest')} />
      <Toolbar search={search} list={list} />
      {list.traces.length > 0 ? <TraceTable traces={list.traces} /> : <Nothing />}
      {list.cursor !== null && (
        <p class="more">
          <button type="button" class="button" onClick={list.loadOlder} data-testid="older">
            Older traces
          </button>
        </p>
      )}
    </>
  );
}

function Nothing() {
  return (
    <div class="nothing" data-testid="no-match">
      <p>No trace matches.</p>
      <p>
        <a href={href('/traces')}>Clear the search</a>
      </p>
    </div>
  );
}

const withoutSpaces = (text: string) => text.replace(/\s/g, '');

function Toolbar({ search, list }: { search: Search; list: TraceList }) {
  const count = plural(list.traces.length, 'trace') + (list.cursor === null ? '' : ', more below');
  const isSame = withoutSpaces(list.query ?? '') === withoutSpaces(search.q);
  const translated = search.q && !isSame ? list.query : undefined;
  return (
    <div class="toolbar">
      {translated && (
        <p class="translated">
          <span class="muted">asked as</span> <code data-testid="query">{translated}</code>
        </p>
      )}
      <span class="spacer" />
      {list.waiting > 0 && (
        <button type="button" class="button button-primary" onClick={list.showWaiting}>
          {plural(list.waiting, 'new trace')}
        </button>
      )}
      <span class="muted num" data-testid="count">
        {count}
      </span>
      <LiveButton list={list} />
    </div>
  );
}

function LiveButton({ list }: { list: TraceList }) {
  const [beat, setBeat] = useState(false);
  useEffect(() => setBeat((was) => !was), [list.rounds]);
  return (
    <button
      type="button"
      class={`button live ${list.live ? 'is-live' : ''}`}
      aria-pressed={list.live}
      onClick={list.toggleLive}
      data-testid="live"
      title={list.live ? 'New traces appear by themselves' : 'Paused'}
    >
      {list.live ? <PauseIcon /> : <PlayIcon />}
      Live
      <span class={`live-dot ${beat ? 'beat' : ''}`} aria-hidden="true" />
    </button>
  );
}
