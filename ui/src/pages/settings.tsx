// Projects and keys.

import { useEffect, useState } from 'preact/hooks';
import { api, type Key, type Project } from '../api';
import { Problem } from '../components/problem';
import { KeyForm } from '../settings/key-form';
import { KeyTable } from '../settings/key-table';
import { NewKey } from '../settings/new-key';
import { Projects } from '../settings/projects';

export function SettingsPage() {
  const [projects, setProjects] = useState<Project[] | null>(null);
  const [keys, setKeys] = useState<Key[]>([]);
  const [made, setMade] = useState<Key | null>(null);
  const [error, setError] = useState<unknown>(null);

  /** Runs a change, then shows what the server has now. */
  const run = async (change: () => Promise<unknown>) => {
    try {
      await change();
      setError(null);
      setProjects(await api.projects());
      setKeys(await api.keys());
    } catch (thrown) {
      setError(thrown);
    }
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
            onCreate={(name) => run(() => api.createProject(name))}
            onDelete={(name) => run(() => api.deleteProject(name))}
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
