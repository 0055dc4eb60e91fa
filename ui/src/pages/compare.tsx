// Two traces side by side, and where the difference of their durations comes from. The URL says
// which: `first`, `second`, and spans of them that stand for what is below (`first_span`,
// `second_span`). With `service` and `operation` instead of `first` it is the median trace of that
// operation.

import { useEffect, useState } from 'preact/hooks';
import { api } from '../api';
import { Problem } from '../components/problem';
import { Difference } from '../compare/difference';
import { findMedian } from '../compare/median';
import { Side } from '../compare/side';
import { useAnswer } from '../metrics/use-answer';
import { asTraceId, quote } from '../query';
import { currentProject, href, navigate, place, replace } from '../router';
import { writeRest } from '../why/why';

export function ComparePage() {
  const read = (name: string) => place.value.params.get(name) ?? '';
  const [first, second] = [read('first'), read('second')];
  const wantsMedian = !first && second !== '' && read('operation') !== '';
  useEffect(() => {
    document.title = 'Compare · TraceKit';
  }, []);
  return (
    <div class="page">
      <div class="page-head">
        <h1>Compare</h1>
        {first && second && (
          <a
            class="button"
            href={href('/compare', {
              first: second,
              second: first,
              first_span: read('second_span'),
              second_span: read('first_span'),
            })}
          >
            Swap
          </a>
        )}
        <span class="spacer" />
        <Choice key={first + second} first={first} second={second} />
      </div>
      {wantsMedian && <Median service={read('service')} operation={read('operation')} />}
      {!wantsMedian && !(first && second) && (
        <p class="nothing">
          Two trace ids say what took the second longer than the first, operation by operation. From
          an open trace, <em>Compare</em> takes the median of its operation as the first.
        </p>
      )}
      {first && second && <Compared />}
    </div>
  );
}

/** Looks for the median trace, and goes on with it. */
function Median({ service, operation }: { service: string; operation: string }) {
  const { params } = place.value;
  const second = params.get('second')!;
  const { answer, error } = useAnswer(
    JSON.stringify([service, operation, second, currentProject()]),
    false,
    async (signal) => ({ found: await findMedian(service, operation, second, signal) }),
  );
  const found = answer?.found;
  useEffect(() => {
    if (!found) return;
    const ofSpan = params.has('second_span');
    replace(
      href('/compare', {
        first: found.traceId,
        first_span: ofSpan ? found.spanId : null,
        second,
        second_span: params.get('second_span'),
        service,
        operation,
      }),
    );
  }, [found]);
  if (error !== null) return <Problem error={error} />;
  if (answer && !found)
    return (
      <p class="nothing" data-testid="no-median">
        No other trace of <bdi>{operation}</bdi> is there to compare with.
      </p>
    );
  return (
    <p class="loading" role="status">
      Looking for a trace as long as half of them…
    </p>
  );
}

function Compared() {
  const { params } = place.value;
  const ids = {
    first: params.get('first')!,
    second: params.get('second')!,
    first_span: params.get('first_span') ?? '',
    second_span: params.get('second_span') ?? '',
  };
  const id = JSON.stringify([ids, currentProject()]);
  const { answer, error } = useAnswer(id, false, (signal) => api.compare(ids, signal));
  if (error !== null) return <Problem error={error} />;
  if (answer === null)
    return (
      <p class="loading" role="status">
        Comparing…
      </p>
    );
  const longest = Math.max(
    Number(answer.first.durationNano),
    Number(answer.second.durationNano),
    1,
  );
  return (
    <>
      <Difference comparison={answer} />
      {params.has('operation') && (
        <p class="compare-why">
          <a href={slowOnes(params, answer.second.durationNano)}>
            What is special about those that took as long as the second, or longer?
          </a>
        </p>
      )}
      <div class="sides">
        <Side
          title="The first"
          traceId={ids.first}
          spanId={ids.first_span || null}
          longest={longest}
        />
        <Side
          title="The second"
          traceId={ids.second}
          spanId={ids.second_span || null}
          longest={longest}
        />
      </div>
    </>
  );
}

/** The spans of the operation that took as long, and the others beside them. */
function slowOnes(params: URLSearchParams, durationNano: string): string {
  const which =
    `resource.service.name = ${quote(params.get('service') ?? '')} && ` +
    `name = ${quote(params.get('operation') ?? '')}`;
  return href('/traces', {
    q: `{ ${which} && duration >= ${durationNano}ns }`,
    rest: writeRest({ q: `{ ${which} }`, service: '', start: '', end: '' }),
  });
}

/** Trace ids, or whole `traceparent`s. */
function Choice({ first, second }: { first: string; second: string }) {
  const [typed, setTyped] = useState({ first, second });
  const ids = { first: asTraceId(typed.first), second: asTraceId(typed.second) };
  const field = (name: 'first' | 'second', label: string) => (
    <label class="inline">
      <span class="muted">{label}</span>
      <input
        value={typed[name]}
        size={34}
        spellcheck={false}
        autocomplete="off"
        placeholder="trace id"
        onInput={(event) => setTyped({ ...typed, [name]: event.currentTarget.value })}
        aria-invalid={typed[name] !== '' && !ids[name]}
      />
    </label>
  );
  return (
    <form
      class="compare-form"
      onSubmit={(event) => {
        event.preventDefault();
        if (ids.first && ids.second) navigate(href('/compare', ids));
      }}
    >
      {field('first', 'First')}
      {field('second', 'Second')}
      <button type="submit" class="button" disabled={!ids.first || !ids.second}>
        Compare
      </button>
    </form>
  );
}
