// The search box, the service filter and the time range. Each change is a new place in the history.

import { useEffect, useState } from 'preact/hooks';
import { api, type Service, type Summary } from '../api';
import { SearchIcon } from '../components/icons';
import { asTraceId } from '../query';
import { href, navigate } from '../router';
import type { Search } from './search';

interface Props {
  search: Search;
  traces: Summary[];
}

export function SearchForm({ search, traces }: Props) {
  const [draft, setDraft] = useState(search.q);
  useEffect(() => setDraft(search.q), [search.q]);

  const go = (change: Partial<Search>) =>
    navigate(href('/traces', { ...search, q: draft.trim(), ...change }));
  const submit = (text: string) => {
    const traceId = asTraceId(text);
    if (traceId) navigate(href(`/traces/${traceId}`));
    else go({ q: text.trim() });
  };
  const onPaste = (event: ClipboardEvent) => {
    const traceId = asTraceId(event.clipboardData?.getData('text') ?? '');
    if (!traceId || draft.trim()) return;
    event.preventDefault();
    navigate(href(`/traces/${traceId}`));
  };
  const onSubmit = (event: Event) => {
    event.preventDefault();
    submit(draft);
  };

  return (
    <form class="search" role="search" onSubmit={onSubmit}>
      <label class="search-box">
        <span class="sr-only">Search traces</span>
        <SearchIcon />
        <input
          type="search"
          name="q"
          spellcheck={false}
          autoComplete="off"
          autoCapitalize="none"
          placeholder="order.id=42 error duration>200ms, { TraceQL }, or a trace id"
          value={draft}
          onPaste={onPaste}
          onInput={(event) => setDraft(event.currentTarget.value)}
        />
      </label>
      <ServiceChoice search={search} traces={traces} onChoose={(service) => go({ service })} />
      <TimeChoice search={search} onChoose={go} />
      <button class="button" type="submit">
        Search
      </button>
    </form>
  );
}

interface ServiceProps extends Props {
  onChoose: (service: string) => void;
}

function ServiceChoice({ search, traces, onChoose }: ServiceProps) {
  const [services, setServices] = useState<Service[] | null>(null);
  const names = (services ?? []).map((service) => service.name);
  const unknown = traces
    .flatMap((trace) => trace.services.map(({ name }) => name))
    .filter((name) => services !== null && !names.includes(name))
    .join('\n');
  useEffect(() => {
    // Without the list the filter is empty; what is wrong is reported where the traces are.
    api.services().then(setServices, () => setServices([]));
  }, [unknown]);
  if (search.service && !names.includes(search.service)) names.push(search.service);
  return (
    <label>
      <span class="sr-only">Service</span>
      <select
        value={search.service}
        data-testid="service-filter"
        onChange={(event) => onChoose(event.currentTarget.value)}
      >
        <option value="">All services</option>
        {names.sort().map((name) => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}

const ranges = [
  ['', 'All time'],
  ['-15m', 'Last 15 minutes'],
  ['-1h', 'Last hour'],
  ['-6h', 'Last 6 hours'],
  ['-1d', 'Last day'],
  ['-7d', 'Last 7 days'],
] as const;

interface TimeProps {
  search: Search;
  onChoose: (change: Pick<Search, 'start' | 'end'>) => void;
}

function TimeChoice({ search, onChoose }: TimeProps) {
  const isPreset = !search.end && ranges.some(([value]) => value === search.start);
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
          value={custom ? 'custom' : search.start}
          data-testid="time-range"
          onChange={(event) => choose(event.currentTarget.value)}
        >
          {ranges.map(([value, name]) => (
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
            value={search.start}
            onChoose={(start) => onChoose({ start, end: search.end })}
          />
          <TimeField
            name="To"
            value={search.end}
            onChoose={(end) => onChoose({ start: search.start, end })}
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
  if (/^\d+$/.test(text)) return Number(BigInt(text) / 1000000n);
  return /^\d{4}-/.test(text) ? Date.parse(text) : NaN;
}

/** The field shows the reader's clock, the URL holds UTC. */
function TimeField({ name, value, onChoose }: FieldProps) {
  const at = instantMillis(value);
  const local = Number.isNaN(at)
    ? ''
    : new Date(at - new Date(at).getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
  const change = (text: string) => onChoose(text ? new Date(text).toISOString() : '');
  return (
    <label class="inline">
      <span class="muted">{name}</span>
      <input
        type="datetime-local"
        step="1"
        value={local}
        onChange={(event) => change(event.currentTarget.value)}
      />
    </label>
  );
}
