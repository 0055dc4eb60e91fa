// Which time is looked at: a preset that ends now, or from one moment to another.

import { useEffect, useState } from 'preact/hooks';
import { isDate } from '../query';
import { clockMillis, clockText, zone } from '../zone';

const ranges = [
  ['', 'All time'],
  ['-15m', 'Last 15 minutes'],
  ['-1h', 'Last hour'],
  ['-6h', 'Last 6 hours'],
  ['-1d', 'Last day'],
  ['-7d', 'Last 7 days'],
] as const;

/** RFC 3339, nanoseconds, or how long ago: `-15m`, `-6h`, `-7d`; empty: no bound. */
export interface TimeRange {
  start: string;
  end: string;
}

interface Props {
  range: TimeRange;
  /** Without it, "All time" is offered too. */
  bounded?: boolean;
  onChoose: (range: TimeRange) => void;
}

export function TimeChoice({ range, bounded = false, onChoose }: Props) {
  const isPreset = !range.end && ranges.some(([value]) => value === range.start);
  const [custom, setCustom] = useState(!isPreset);
  useEffect(() => setCustom(!isPreset), [isPreset]);
  const choose = (value: string) => {
    if (value === 'custom') setCustom(true);
    else onChoose({ start: value, end: '' });
  };
  return (
    <>
      <label>
        <span class="sr-only">Time range</span>
        <select
          value={custom ? 'custom' : range.start}
          data-testid="time-range"
          onChange={(event) => choose(event.currentTarget.value)}
        >
          {ranges.slice(bounded ? 1 : 0).map(([value, name]) => (
            <option key={value} value={value}>
              {name}
            </option>
          ))}
          <option value="custom">From … to …</option>
        </select>
      </label>
      {custom && (
        <span class="time-custom">
          <TimeField
            name="From"
            value={range.start}
            onChoose={(start) => onChoose({ start, end: range.end })}
          />
          <TimeField
            name="To"
            value={range.end}
            onChoose={(end) => onChoose({ start: range.start, end })}
          />
        </span>
      )}
    </>
  );
}

interface FieldProps {
  name: string;
  value: string;
  onChoose: (value: string) => void;
}

/** NaN for what is no fixed time, as `-15m`; Date.parse alone would make a guess of it. */
function instantMillis(text: string): number {
  if (!/^\d+$/.test(text)) return /^\d{4}-/.test(text) ? Date.parse(text) : NaN;
  const millis = Number(BigInt(text) / 1000000n);
  return isDate(millis) ? millis : NaN;
}

/** The field shows the clock of the chosen zone, the URL holds UTC. */
function TimeField({ name, value, onChoose }: FieldProps) {
  const at = instantMillis(value);
  const change = (text: string) => {
    const millis = clockMillis(text);
    onChoose(isDate(millis) ? new Date(millis).toISOString() : '');
  };
  return (
    <label class="inline">
      <span class="muted">
        {name}
        {zone.value === 'utc' && <span class="sr-only"> (UTC)</span>}
      </span>
      <input
        type="datetime-local"
        step="1"
        value={Number.isNaN(at) ? '' : clockText(at).slice(0, 19)}
        onChange={(event) => change(event.currentTarget.value)}
      />
    </label>
  );
}
