// Projects with what is kept of them, and keys. A read key sees its project and changes nothing.

import { useEffect, useState } from 'preact/hooks';
import { api, type Key, type Limits, type ProjectList } from '../api';
import { Problem } from '../components/problem';
import { currentProject, href, replace } from '../router';
import { loadWhoami, whoami } from '../session';
import { KeyForm } from '../settings/key-form';
import { KeyTable } from '../settings/key-table';
import { NewKey } from '../settings/new-key';
import { Projects } from '../settings/projects';

/** Whoever deletes the project they are in is led out of it. */
async function deleteProject(name: string): Promise<void> {
  await api.deleteProject(name);
  if (currentProject() === name) replace(href('/settings', { project: null }));
}

export function SettingsPage() {
  const [list, setList] = useState<ProjectList | null>(null);
  const [keys, setKeys] = useState<Key[]>([]);
  const [made, setMade] = useState<Key | null>(null);
  const [error, setError] = useState<unknown>(null);

  const kind = whoami.value?.kind;

  const refresh = async () => {
    setList(await api.projects());
    if (whoami.value === null) await loadWhoami();
    if (whoami.value?.kind !== 'read') setKeys(await api.keys());
  };
  /** Runs a change, then shows what the server has now. False, and said: it was refused. */
  const run = async (change: () => Promise<unknown>): Promise<boolean> => {
    try {
      await change();
      setError(null);
      await refresh();
      return true;
    } catch (thrown) {
      setError(thrown);
      return false;
    }
  };
  /** The choice of projects in the top bar follows. */
  const runOnProjects = async (change: () => Promise<unknown>) => {
    const done = await run(change);
    if (done) await loadWhoami();
    return done;
  };
  useEffect(() => {
    document.title = 'Settings · TraceKit';
    void run(async () => undefined);
  }, []);

  /** Throws, as the dialog that asks for it shows what is wrong with it. */
  const changeLimits = async (name: string, limits: Partial<Limits>) => {
    await api.changeProject(name, limits);
    await run(async () => undefined);
  };
  const createKey = (key: Parameters<typeof api.createKey>[0]) =>
    run(async () => setMade(await api.createKey(key)));
  return (
    <div class="page settings">
      <h1>Settings</h1>
      {error !== null && <Problem error={error} />}
      {list === null && error === null && (
        <p class="loading" role="status">
          Loading…
        </p>
      )}
      {list !== null && (
        <>
          <Projects
            list={list}
            mayChange={kind !== undefined && kind !== 'read'}
            mayCreate={kind === 'dev' || kind === 'session'}
            onCreate={(name) => runOnProjects(() => api.createProject(name))}
            onChange={changeLimits}
            onDelete={(name) => runOnProjects(() => deleteProject(name))}
          />
          <section class="card" aria-labelledby="keys-title">
            <h2 id="keys-title">Keys</h2>
            {kind === 'read' ? (
              <p class="muted" data-testid="read-only">
                You are signed in with a read key: it sees traces and what is kept of them. Keys are
                made and revoked, and limits changed, with an admin key.
              </p>
            ) : (
              <>
                {made && <NewKey made={made} onDone={() => setMade(null)} />}
                <KeyTable keys={keys} onRevoke={(id) => run(() => api.revokeKey(id))} />
                <KeyForm projects={list.projects} onCreate={createKey} />
              </>
            )}
          </section>
        </>
      )}
    </div>
  );
}
