// Every call of the map as a row, most first; each leads to its traces.

import type { MapNode, ServiceMap } from '../api';
import type { TimeRange } from '../components/time-choice';
import { formatCount, formatDuration, formatFrequency } from '../format';
import { href } from '../router';
import { formatShare } from '../services/service-table';
import { colourOf } from '../waterfall/colour';
import { queryOf, secondsOf } from './calls';

const rowsMax = 200;

interface Props {
  map: ServiceMap;
  /** Numbers of its calls. */
  calls: number[];
  range: TimeRange;
}

export function CallTable({ map, calls, range }: Props) {
  const seconds = secondsOf(map);
  return (
    <>
      <div class="table-scroll">
        <table class="operations m-calls" aria-label="Calls">
          <thead>
            <tr>
              <th scope="col">Caller</th>
              <th scope="col">Callee</th>
              {['Rate', 'Calls', 'Errors', 'p50', 'p95', 'p99'].map((title) => (
                <th key={title} scope="col" class="right">
                  {title}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {calls.slice(0, rowsMax).map((number) => {
              const call = map.calls[number]!;
              const failed = call.errorCount / call.callCount;
              return (
                <tr key={number} data-testid="map-row">
                  <td>
                    <a
                      class="row-link"
                      href={href('/traces', { ...range, q: queryOf(map, call) })}
                      aria-label={`Traces in which ${map.nodes[call.caller]!.name} calls ${map.nodes[call.callee]!.name}`}
                    >
                      <Name node={map.nodes[call.caller]!} />
                    </a>
                  </td>
                  <td>
                    <Name node={map.nodes[call.callee]!} />
                  </td>
                  <td class="num right">{formatFrequency(call.callCount / seconds)}</td>
                  <td class="num right">{formatCount(call.callCount)}</td>
                  <td class={`num right ${failed > 0 ? 'error-text' : 'muted'}`}>
                    {formatShare(failed)}
                  </td>
                  <td class="num right">{formatDuration(call.p50Nano)}</td>
                  <td class="num right">{formatDuration(call.p95Nano)}</td>
                  <td class="num right">{formatDuration(call.p99Nano)}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
      {calls.length > rowsMax && (
        <p class="muted">
          {formatCount(rowsMax)} of {formatCount(calls.length)}, most calls first.
        </p>
      )}
    </>
  );
}

function Name({ node }: { node: MapNode }) {
  const colour = node.kind === 'service' ? colourOf(node.name) : 'var(--field-line)';
  return (
    <span class="m-cell" style={{ '--service': colour }}>
      <span class="wf-swatch" /> <bdi>{node.name || 'unknown service'}</bdi>
      {node.kind !== 'service' && <span class="muted"> {node.kind}</span>}
    </span>
  );
}
