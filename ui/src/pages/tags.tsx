// The tags: every attribute key there is, and of one the values, how frequent each is and how often
// its spans failed. `?key=` is the one, `?filter=` narrows the keys.

import { useEffect } from 'preact/hooks';
import { api, type Tag } from '../api';
import { Problem } from '../components/problem';
import { TimeChoice } from '../components/time-choice';
import { formatCount } from '../format';
import { useAnswer } from '../metrics/use-answer';
import { currentProject, href, navigate, place, replace } from '../router';
import { askedRange } from '../services/range';
import { ValueTable } from '../tags/value-table';

/** More links are no list to look through: the filter finds the rest. */
const shownKeysMax = 500;

type Scopes = Tag['scope'][];

export function TagsPage() {
  const { params } = place.value;
  const read = (name: string) => params.get(name) ?? '';
  const key = read('key');
  const filter = read('filter');
  const range = { start: read('start'), end: read('end') };
  useEffect(() => {
    document.title = key ? `${key} · Tags · TraceKit` : 'Tags · TraceKit';
  }, [key]);
  const project = currentProject();
  const keys = useAnswer(JSON.stringify(project), false, async (signal) =>
    scopesByKey(await api.tags('', signal)),
  );
  const values = useAnswer(key ? JSON.stringify([key, range, project]) : null, false, (signal) =>
    api.valueCounts(key, askedRange(range), signal),
  );
  const linkTo = (name: string) => href('/tags', { ...range, filter, key: name });
  const error = keys.error ?? values.error;
  return (
    <div class="page">
      <div class="page-head">
        <h1>Tags</h1>
        <label class="inline">
          <span class="muted">Filter</span>
          <input
            type="search"
            value={filter}
            placeholder="part of a key"
            data-testid="key-filter"
            onInput={(event) =>
              replace(href('/tags', { ...range, key, filter: event.currentTarget.value }))
            }
          />
        </label>
        <span class="spacer" />
        <TimeChoice
          range={range}
          onChoose={(chosen) => navigate(href('/tags', { ...chosen, filter, key }))}
        />
      </div>
      {error !== null && <Problem error={error} />}
      {keys.answer === null && keys.error === null && <Loading />}
      {keys.answer?.size === 0 && (
        <p class="nothing">
          No span has a tag yet. <a href={href('/traces')}>All traces</a>
        </p>
      )}
      {keys.answer !== null && keys.answer.size > 0 && (
        <div class="tags">
          <KeyList names={[...keys.answer.keys()]} filter={filter} chosen={key} linkTo={linkTo} />
          <section aria-label="Values">
            {!key && (
              <p class="muted">
                Choose a key to see its values: how many spans have each, and how many of them
                failed.
              </p>
            )}
            {key && values.answer === null && values.error === null && <Loading />}
            {values.answer !== null && (
              <ValueTable
                name={key}
                scopes={keys.answer.get(key) ?? []}
                answer={values.answer}
                range={range}
              />
            )}
          </section>
        </div>
      )}
    </div>
  );
}

const Loading = () => (
  <p class="loading" role="status">
    Loading…
  </p>
);

/** A key may stand in several places, and have values of several types. */
function scopesByKey(tags: Tag[]): Map<string, Scopes> {
  const scopes = new Map<string, Scopes>();
  for (const { key, scope } of tags) {
    const known = scopes.get(key) ?? [];
    if (!known.includes(scope)) scopes.set(key, [...known, scope]);
  }
  return scopes;
}

interface KeyListProps {
  names: string[];
  filter: string;
  chosen: string;
  linkTo: (name: string) => string;
}

function KeyList({ names, filter, chosen, linkTo }: KeyListProps) {
  const wanted = filter.toLowerCase();
  const found = names.filter((name) => name && name.toLowerCase().includes(wanted));
  return (
    <nav aria-label="Keys">
      <p class="muted small" role="status">
        {found.length === 0
          ? 'No key has this in it.'
          : found.length > shownKeysMax
            ? `${formatCount(shownKeysMax)} of ${formatCount(found.length)} keys: filter for the rest.`
            : `${formatCount(found.length)} ${found.length === 1 ? 'key' : 'keys'}`}
      </p>
      <ul class="tag-keys">
        {found.slice(0, shownKeysMax).map((name) => (
          <li key={name}>
            <a
              href={linkTo(name)}
              aria-current={name === chosen ? 'true' : undefined}
              data-testid="tag-key"
            >
              <bdi>{name}</bdi>
            </a>
          </li>
        ))}
      </ul>
    </nav>
  );
}
