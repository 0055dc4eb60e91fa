// The search box, the service filter and the time range. Each change is a new place in the history.

import { useEffect, useState } from 'preact/hooks';
import { api, type Service, type Summary } from '../api';
import { TimeChoice } from '../components/time-choice';
import { asTraceId } from '../query';
import { href, navigate } from '../router';
import { QueryBox } from './query-box';
import { SavedViews } from './saved-views';
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
    <div class="search">
      <form role="search" onSubmit={onSubmit}>
        <QueryBox value={draft} onInput={setDraft} onPaste={onPaste} />
        <ServiceChoice search={search} traces={traces} onChoose={(service) => go({ service })} />
        <TimeChoice range={search} onChoose={go} />
        <button class="button" type="submit">
          Search
        </button>
      </form>
      <SavedViews search={{ ...search, q: draft.trim() }} />
    </div>
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
