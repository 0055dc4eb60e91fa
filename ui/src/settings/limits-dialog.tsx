// What is kept of a project, to be changed. What a change would delete is said before it is made: the
// first press of the button asks the server, and only another one, which says how many spans, deletes.

import { useEffect, useRef, useState } from 'preact/hooks';
import { api, type Due, type Limits, type Project, type ProjectList } from '../api';
import { Problem } from '../components/problem';
import { formatBytes, parseAge, parseBytes, plural } from '../format';

interface Props {
  project: Project;
  server: ProjectList['server'];
  /** Throws what the server says against it. */
  onSave: (limits: Partial<Limits>) => Promise<unknown>;
}

export function LimitsDialog({ project, server, onSave }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const cancel = useRef<HTMLButtonElement>(null);
  const [limits, setLimits] = useState<Limits>(project);
  /** What the limits that are in the form would delete, once that was asked. */
  const [due, setDue] = useState<Due | null>(null);
  const [error, setError] = useState<unknown>(null);
  /** The question under way: once the form holds something else, its answer is none. */
  const asking = useRef(new AbortController());

  const edit = (change: Partial<Limits>) => {
    asking.current.abort();
    setLimits((was) => ({ ...was, ...change }));
    setDue(null);
    setError(null);
  };
  const open = () => {
    edit({ retention: project.retention, disk: project.disk });
    dialog.current!.showModal();
  };
  const changes: Partial<Limits> = {};
  if (limits.retention !== project.retention) changes.retention = limits.retention.trim();
  if (limits.disk !== project.disk) changes.disk = limits.disk.trim();

  /** What a change may delete besides, when a file takes it in: `due` does not count it. */
  const unsealed = isLess(project, changes, server) ? project.storage.unsealedSpanCount : 0;

  const save = async () => {
    try {
      await onSave(changes);
      dialog.current!.close();
    } catch (thrown) {
      setDue(null);
      setError(thrown);
    }
  };
  const ask = async (event: Event) => {
    event.preventDefault();
    asking.current.abort();
    const { signal } = (asking.current = new AbortController());
    try {
      const found = await api.due(project.name, changes, signal);
      if (found.spanCount > 0 || unsealed > 0) setDue(found);
      else await save();
    } catch (thrown) {
      if (!signal.aborted) setError(thrown);
    }
  };
  // An Enter that is held, or pressed once more, takes the way back.
  useEffect(() => {
    if (due) cancel.current!.focus();
  }, [due]);
  const label = `What is kept of ${project.name}`;
  const used = formatBytes(project.storage.bytes);
  return (
    <>
      <button
        type="button"
        class="button"
        aria-label={`Change what is kept of project ${project.name}`}
        onClick={open}
      >
        Change…
      </button>
      <dialog ref={dialog} class="dialog" aria-label={label} onClose={() => asking.current.abort()}>
        <form class="limits" onSubmit={ask}>
          <h3>{label}</h3>
          <Limit
            name="retention"
            label="Spans are kept for"
            unit="time"
            value={limits.retention}
            choices={{
              default: `as long as the server says: ${server.retention === 'none' ? 'ever' : server.retention}`,
              none: 'ever',
            }}
            own="a time of its own"
            example="7d"
            onChange={(retention) => edit({ retention })}
          />
          <Limit
            name="disk"
            label={`Most on disk (${used} now)`}
            unit="size"
            value={limits.disk === 'none' ? 'default' : limits.disk}
            choices={{ default: 'no cap of its own' }}
            own="a cap of its own"
            example="10GiB"
            onChange={(disk) => edit({ disk })}
          />
          {error !== null && <Problem error={error} />}
          <div role="status">{due && <Warning due={due} unsealed={unsealed} />}</div>
          <p class="dialog-buttons">
            <button
              ref={cancel}
              type="button"
              class="button"
              onClick={() => dialog.current!.close()}
            >
              Cancel
            </button>
            {due ? (
              <button
                key="delete"
                type="button"
                class="button button-danger"
                // The second click of two was meant for the button that stood here before.
                onClick={({ detail }) => detail <= 1 && save()}
              >
                Save and delete {due.spanCount > 0 && plural(due.spanCount, 'span')}
              </button>
            ) : (
              <button
                key="save"
                type="submit"
                class="button button-primary"
                disabled={Object.keys(changes).length === 0}
              >
                Save
              </button>
            )}
          </p>
        </form>
      </dialog>
    </>
  );
}

/** Whether less may be kept with the changes than before: also where the page cannot read them. */
function isLess(before: Limits, changes: Partial<Limits>, server: Limits): boolean {
  const after = { ...before, ...changes };
  const ageOf = ({ retention }: Limits): number =>
    retention === 'default' ? ageOf(server) : retention === 'none' ? Infinity : parseAge(retention);
  const capOf = ({ disk }: Limits) =>
    disk === 'default' || disk === 'none' ? Infinity : parseBytes(disk);
  return !(ageOf(after) >= ageOf(before) && capOf(after) >= capOf(before));
}

function Warning({ due: { spanCount, bytes }, unsealed }: { due: Due; unsealed: number }) {
  return (
    <p class="notice notice-error" data-testid="due">
      {spanCount > 0 && (
        <>
          <strong>
            This deletes {plural(spanCount, 'span')} ({formatBytes(bytes)}) at once.
          </strong>{' '}
          They are the oldest of the project.{' '}
        </>
      )}
      {unsealed > 0 && (
        <>
          Of the {plural(unsealed, 'span')} in the log, those that are too old or too much are
          deleted {spanCount > 0 ? 'as well' : 'when a file takes them in'}.{' '}
        </>
      )}
      Nothing brings them back.
    </p>
  );
}

interface LimitProps {
  name: string;
  label: string;
  unit: string;
  value: string;
  choices: Record<string, string>;
  own: string;
  example: string;
  onChange: (value: string) => void;
}

/** One of the choices, or a value that is typed. */
function Limit({ name, label, unit, value, choices, own, example, onChange }: LimitProps) {
  const isOwn = !(value in choices);
  return (
    <div class="limit">
      <label class="field">
        <span>{label}</span>
        <select
          name={name}
          value={isOwn ? 'own' : value}
          onChange={({ currentTarget }) =>
            onChange(currentTarget.value === 'own' ? example : currentTarget.value)
          }
        >
          {Object.entries(choices).map(([choice, text]) => (
            <option key={choice} value={choice}>
              {text}
            </option>
          ))}
          <option value="own">{own}</option>
        </select>
      </label>
      {isOwn && (
        <label class="field">
          <span>{`A ${unit} like ${example}`}</span>
          <input
            name={`${name}-own`}
            required
            pattern=".*\S.*"
            title={`A ${unit} like ${example}`}
            autocomplete="off"
            spellcheck={false}
            value={value}
            onInput={(event) => onChange(event.currentTarget.value)}
          />
        </label>
      )}
    </div>
  );
}
