// The map: who calls whom, from the spans of the store.

import { useEffect } from 'preact/hooks';
import { api, type ServiceMap } from '../api';
import { Problem } from '../components/problem';
import { TimeChoice } from '../components/time-choice';
import { formatAgo, plural } from '../format';
import { CallTable } from '../map/call-table';
import { choose, findNode, type Shown } from '../map/calls';
import { Graph } from '../map/graph';
import { useAnswer } from '../metrics/use-answer';
import { currentProject, href, navigate, place } from '../router';
import { askedRange, isLive, readRange } from '../services/range';

export function MapPage() {
  const { params } = place.value;
  const range = readRange(params);
  const around = params.get('around') ?? '';
  const id = JSON.stringify([range, currentProject()]);
  useEffect(() => {
    document.title = 'Map · TraceKit';
  }, []);
  const { answer, error } = useAnswer(id, isLive(range), (signal) =>
    api.map(askedRange(range), signal),
  );
  const shown = answer && choose(answer, around);
  return (
    <div class="page">
      <div class="page-head">
        <h1>Map</h1>
        {answer !== null && answer.nodes.length > 0 && (
          <Around
            map={answer}
            around={around}
            onChoose={(name) => navigate(href('/map', { ...range, around: name }))}
          />
        )}
        <span class="spacer" />
        <TimeChoice
          range={range}
          bounded
          onChoose={(chosen) => navigate(href('/map', { ...chosen, around }))}
        />
      </div>
      {error !== null && <Problem error={error} />}
      {answer === null && error === null && (
        <p class="loading" role="status">
          Loading…
        </p>
      )}
      {answer !== null && answer.nodes.length === 0 && (
        <p class="nothing">
          No service sent a span in this time. <a href={href('/traces')}>All traces</a>
        </p>
      )}
      {answer !== null && shown !== null && shown.nodes.length > 0 && (
        <>
          <Cut map={answer} shown={shown} around={around} />
          <Graph map={answer} shown={shown} range={range} />
          <p class="muted small m-legend">
            In a box and on a line: how often it is called, how many of the calls failed (◆), and in
            a box how long 95 % of them take at most. A thicker line has more calls.
          </p>
          <CallTable map={answer} calls={callsOf(answer, around)} range={range} />
        </>
      )}
    </div>
  );
}

function callsOf(map: ServiceMap, around: string): number[] {
  const middle = around ? findNode(map, around) : -1;
  return [...map.calls.keys()].filter((number) => {
    const { caller, callee } = map.calls[number]!;
    return middle < 0 || caller === middle || callee === middle;
  });
}

interface AroundProps {
  map: ServiceMap;
  around: string;
  onChoose: (name: string) => void;
}

function Around({ map, around, onChoose }: AroundProps) {
  const names = [...new Set([...map.nodes.map(({ name }) => name), ...(around ? [around] : [])])];
  return (
    <label class="inline">
      <span class="muted">Around</span>
      <select
        class="m-around"
        value={around}
        data-testid="around"
        onChange={(event) => onChoose(event.currentTarget.value)}
      >
        <option value="">all services</option>
        {names
          .filter((name) => name)
          .sort((a, b) => a.localeCompare(b))
          .map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
      </select>
    </label>
  );
}

/** What the numbers are of, and what is not in the picture. */
function Cut({ map, shown, around }: { map: ServiceMap; shown: Shown; around: string }) {
  const said = {
    traces: `Counted: the newest ${plural(map.traceCount, 'trace')}, since ${formatAgo(map.startTimeUnixNano)}.`,
    time: `Counted in the time there was: ${plural(map.traceCount, 'trace')}, since ${formatAgo(map.startTimeUnixNano)}.`,
    memory: 'A trace was too long to be counted.',
    nodes: 'There are more callers and callees than one map takes; the rest is left out.',
    '': `${plural(map.traceCount, 'trace')}.`,
  }[map.cut ?? ''];
  return (
    <p class="muted m-said" data-testid="map-said">
      {said}
      {around && findNode(map, around) < 0 && ' The chosen one is not among them: all are shown.'}
      {!shown.isWhole &&
        ` Drawn: ${plural(shown.calls.length, 'call')} between the ${shown.nodes.length} called most. The table has all; choose one to see what is around it.`}
    </p>
  );
}
