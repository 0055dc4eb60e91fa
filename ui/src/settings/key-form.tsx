// Makes a key. Origins matter to browser keys alone: such a key is public, so where it may be used
// from is its only fence.

import { useState } from 'preact/hooks';
import type { Key, Project } from '../api';

const kinds: { kind: Key['kind']; name: string; about: string }[] = [
  { kind: 'server', name: 'Server', about: 'sends spans from a service' },
  { kind: 'browser', name: 'Browser', about: 'sends spans from a web page; public' },
  { kind: 'read', name: 'Read', about: 'reads traces' },
  { kind: 'admin', name: 'Admin', about: 'reads traces, manages projects and keys' },
];

interface Props {
  projects: Project[];
  onCreate: (key: Pick<Key, 'project' | 'kind' | 'name' | 'origins'>) => Promise<boolean>;
}

export function KeyForm({ projects, onCreate }: Props) {
  const [chosen, setChosen] = useState('');
  const project = chosen || (projects[0]?.name ?? '');
  const [kind, setKind] = useState<Key['kind']>('server');
  const [name, setName] = useState('');
  const [origins, setOrigins] = useState('');
  const submit = async (event: Event) => {
    event.preventDefault();
    const done = await onCreate({
      project,
      kind,
      name: name.trim(),
      origins: kind === 'browser' ? origins.split(/[\s,]+/).filter(Boolean) : [],
    });
    if (!done) return;
    setName('');
    setOrigins('');
  };
  return (
    <form class="inline-form" onSubmit={submit} aria-label="New key">
      <label class="field">
        <span>New key for project</span>
        <select value={project} onChange={(event) => setChosen(event.currentTarget.value)}>
          {projects.map(({ name: each }) => (
            <option key={each} value={each}>
              {each}
            </option>
          ))}
        </select>
      </label>
      <label class="field">
        <span>Kind</span>
        <select
          name="kind"
          value={kind}
          onChange={(event) => setKind(event.currentTarget.value as Key['kind'])}
        >
          {kinds.map((each) => (
            <option key={each.kind} value={each.kind}>{`${each.name}: ${each.about}`}</option>
          ))}
        </select>
      </label>
      <label class="field">
        <span>Name</span>
        <input name="name" value={name} onInput={(event) => setName(event.currentTarget.value)} />
      </label>
      {kind === 'browser' && (
        <label class="field">
          <span>Allowed origins</span>
          <input
            name="origins"
            required
            placeholder="https://app.example.com"
            value={origins}
            onInput={(event) => setOrigins(event.currentTarget.value)}
          />
        </label>
      )}
      <button class="button button-primary" type="submit">
        Create key
      </button>
    </form>
  );
}
