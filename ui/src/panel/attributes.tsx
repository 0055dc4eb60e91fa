// A table of attributes: key, value, and a way to the traces that have the same.

import { Fragment } from 'preact';
import type { Attributes, Value } from '../api';
import { attributeQuery } from '../query';
import { href } from '../router';
import { FilterIcon, SearchIcon } from '../components/icons';

interface Props {
  attributes: Attributes | undefined;
  /** Where a search finds them; without it there is no link. */
  scope?: 'span' | 'resource';
  /** Marks what has a text within the trace. */
  onFind?: ((text: string) => void) | null;
}

export function AttributeTable({ attributes, scope, onFind }: Props) {
  const entries = Object.entries(attributes ?? {});
  if (entries.length === 0) return <p class="muted">None.</p>;
  return (
    <dl class="attributes">
      {entries.map(([key, value]) => (
        <div class="attribute" key={key}>
          <dt>
            <Name text={key} />
          </dt>
          <dd>
            <bdi class={`value value-${typeof value}`}>{formatValue(value)}</bdi>
            {onFind && isScalar(value) && (
              <button
                type="button"
                class="button-icon find"
                onClick={() => onFind(`${key}=${value}`)}
                aria-label={`Mark this ${key} in the trace`}
                title="Mark those with this in the trace"
              >
                <FilterIcon />
              </button>
            )}
            {scope && isScalar(value) && <FindLink scope={scope} name={key} value={value} />}
          </dd>
        </div>
      ))}
    </dl>
  );
}

/** A key may be broken at its dots before it is broken anywhere. */
function Name({ text }: { text: string }) {
  const [first, ...rest] = text.split('.');
  return (
    <bdi>
      {first}
      {rest.map((part, i) => (
        <Fragment key={i}>
          <wbr />.{part}
        </Fragment>
      ))}
    </bdi>
  );
}

type Scalar = string | number | boolean;
const isScalar = (value: Value): value is Scalar => value !== null && typeof value !== 'object';

function FindLink({
  scope,
  name,
  value,
}: {
  scope: 'span' | 'resource';
  name: string;
  value: Scalar;
}) {
  return (
    <a
      class="button-icon find"
      href={href('/traces', { q: attributeQuery(scope, name, value) })}
      aria-label={`Find traces with this ${name}`}
      title="Find traces with this"
    >
      <SearchIcon />
    </a>
  );
}

export function formatValue(value: Value): string {
  if (typeof value === 'string') return value === '' ? '""' : value;
  return JSON.stringify(value);
}
