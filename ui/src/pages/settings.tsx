// Projects and keys.

import { useEffect, useState } from 'preact/hooks';
import { api, type Key, type Project } from '../api';
import { Problem } from '../components/problem';
import { currentProject, href, replace } from '../router';
import { loadWhoami } from '../session';
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
  const [projects, setProjects] = useState<Project[] | null>(null);
  const [keys, setKeys] = useState<Key[]>([]);
  const [made, setMade] = useState<Key | null>(null);
  const [error, setError] = useState<unknown>(null);

  /** Runs a change, then shows what the server has now. False, and said: it was refused. */
  const run = async (change: () => Promise<unknown>): Promise<boolean> => {
    try {
      await change();
      setError(null);
      setProjects(await api.projects());
      setKeys(await api.keys());
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

  const createKey = (key: Parameters<typeof api.createKey>[0]) =>
    run(async () => setMade(await api.createKey(key)));
  return (
    <div class="page settings">
      <h1>Settings</h1>
      {error !== null && <Problem error={error} />}
      {projects === null && error === null && (
        <p class="loading" role="status">
          Loading…
        </p>
      )}
      {projects !== null && (
        <>
          <Projects
            projects={projects}
            onCreate={(name) => runOnProjects(() => api.createProject(name))}
            onDelete={(name) => runOnProjects(() => deleteProject(name))}
          />
          <section class="card" aria-labelledby="keys-title">
            <h2 id="keys-title">Keys</h2>
            {made && <NewKey made={made} onDone={() => setMade(null)} />}
            <KeyTable keys={keys} onRevoke={(id) => run(() => api.revokeKey(id))} />
            <KeyForm projects={projects} onCreate={createKey} />
          </section>
        </>
      )}
    </div>
  );
}
