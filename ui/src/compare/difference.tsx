// Where the difference of two durations comes from: a waterfall of changes, from the first duration
// to the second, that adds up.

import type { Comparison } from '../api';
import { formatDuration, formatCount, plural } from '../format';
import { colourOf } from '../waterfall/colour';
import { stepsOf, type Step } from './changes';

const stepsMax = 12;
const signed = (nanos: number) => (nanos > 0 ? '+' : '') + formatDuration(nanos);

export function Difference({ comparison }: { comparison: Comparison }) {
  const { first, second, operations } = comparison;
  const [before, after] = [Number(first.durationNano), Number(second.durationNano)];
  const steps = stepsOf(comparison, stepsMax);
  const most = Math.max(before, after, ...steps.map(({ to }) => to), 1);
  const least = Math.min(before, after, ...steps.map(({ to }) => to));
  // The bars would be slivers where little of a long time changed: then the scale begins later.
  const start = least > most * 0.7 ? least - (most - least) * 0.25 : 0;
  const scale: Scale = { start: Math.max(start, 0), length: most - Math.max(start, 0) };
  return (
    <section aria-label="Where the difference comes from">
      <p class="compare-said" data-testid="said">
        {said(before, after, steps)}
      </p>
      {steps.length > 0 && (
        <table class="changes" data-testid="changes">
          <thead>
            <tr>
              <th scope="col">Operation</th>
              <th scope="col" class="right">
                Spans
              </th>
              <th scope="col" class="changes-bar">
                <span class="sr-only">From the first duration to the second</span>
              </th>
              <th scope="col" class="right">
                Change
              </th>
            </tr>
          </thead>
          <tbody>
            <WholeRow name="The first" nanos={before} scale={scale} />
            {steps.map((step, i) => (
              <StepRow key={i} step={step} scale={scale} />
            ))}
            <WholeRow name="The second" nanos={after} scale={scale} />
          </tbody>
        </table>
      )}
      {steps.length === 0 && (
        <p class="muted">
          None of their {plural(operations.length - 1, 'operation')} held them up for longer.
        </p>
      )}
    </section>
  );
}

function said(before: number, after: number, steps: Step[]): string {
  const change = after - before;
  const top = steps[0];
  const whole =
    change === 0
      ? `Both took ${formatDuration(after)}.`
      : `The second took ${formatDuration(Math.abs(change))} ${change > 0 ? 'longer' : 'less'}: ` +
        `${formatDuration(after)} instead of ${formatDuration(before)}.`;
  if (!top?.operation || change === 0 || Math.sign(top.change) !== Math.sign(change)) return whole;
  const name = top.operation.name?.slice(0, 120).trim() || 'what no span tells of';
  const share = Math.round((top.change / change) * 100);
  return `${whole} ${name} alone explains ${signed(top.change)}${share <= 100 ? `, ${share} % of it` : ''}.`;
}

interface Scale {
  start: number;
  length: number;
}

const percent = (nanos: number, { start, length }: Scale) =>
  Math.max(((nanos - start) / length) * 100, 0);

function WholeRow({ name, nanos, scale }: { name: string; nanos: number; scale: Scale }) {
  return (
    <tr class="changes-whole">
      <th scope="row">{name}</th>
      <td class="changes-spans" />
      <td class="changes-bar" aria-hidden="true">
        <span style={{ left: 0, width: `${percent(nanos, scale)}%` }} />
      </td>
      <td class="num right">{formatDuration(nanos)}</td>
    </tr>
  );
}

function StepRow({ step, scale }: { step: Step; scale: Scale }) {
  const { operation, count, change, from, to } = step;
  const left = percent(Math.min(from, to), scale);
  const width = percent(Math.max(from, to), scale) - left;
  const service = operation?.serviceName ?? '';
  return (
    <tr data-testid="change" class={change > 0 ? 'is-slower' : 'is-faster'}>
      <th scope="row">
        {operation === null && plural(count, 'other operation')}
        {operation !== null && !service && 'No span tells of it'}
        {service && (
          <>
            <span class="wf-swatch" style={{ '--service': colourOf(service) }} />
            <bdi class="wrap">{operation!.name?.slice(0, 300).trim() || '(no name)'}</bdi>{' '}
            <bdi class="muted wrap">{service.slice(0, 300)}</bdi>
          </>
        )}
      </th>
      <td class="num right muted changes-spans">
        {service && spansOf(operation!.first.spanCount, operation!.second.spanCount)}
      </td>
      <td class="changes-bar" aria-hidden="true">
        <span style={{ left: `${left}%`, width: `${width}%` }} />
      </td>
      <td class="num right">{signed(change)}</td>
    </tr>
  );
}

const spansOf = (first: number, second: number) =>
  first === second ? formatCount(first) : `${formatCount(first)} → ${formatCount(second)}`;
