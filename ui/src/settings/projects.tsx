// The projects: data, services and searches of one are never seen in another. What each takes on the
// server's disk, and what is kept of it.

import { useState } from 'preact/hooks';
import type { Limits, Project, ProjectList } from '../api';
import { Confirm } from '../components/confirm';
import { formatBytes, formatCount, formatDay, formatInstant, parseBytes, plural } from '../format';
import { LimitsDialog } from './limits-dialog';

interface Props {
  list: ProjectList;
  /** Of those that are listed. */
  mayChange: boolean;
  mayCreate: boolean;
  onCreate: (name: string) => Promise<boolean>;
  onChange: (name: string, limits: Partial<Limits>) => Promise<unknown>;
  onDelete: (name: string) => void;
}

export function Projects({ list, mayChange, mayCreate, onCreate, onChange, onDelete }: Props) {
  const { projects, server } = list;
  return (
    <section class="card" aria-labelledby="projects-title">
      <h2 id="projects-title">Projects</h2>
      <table class="plain stacked">
        <thead>
          <tr>
            <th scope="col">Name</th>
            <th scope="col">Created</th>
            <th scope="col">Spans</th>
            <th scope="col">Oldest, newest</th>
            <th scope="col">On disk</th>
            <th scope="col">Kept for</th>
            <th scope="col">
              <span class="sr-only">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {projects.map((project) => (
            <tr key={project.id} data-testid="project">
              <td data-label="Name">
                <bdi>{project.name}</bdi>
              </td>
              <td data-label="Created" class="num muted">
                {formatDay(project.createdUnixNano)}
              </td>
              <td data-label="Spans" class="num">
                {formatCount(project.storage.spanCount)}
              </td>
              <td data-label="Spans of" class="num muted">
                <Ends {...project.storage} />
              </td>
              <td data-label="On disk">
                <Disk {...project} />
              </td>
              <td data-label="Kept for">{ageText(project.retention, server.retention)}</td>
              <td class="right">
                {mayChange && (
                  <span class="inline">
                    <LimitsDialog
                      project={project}
                      server={server}
                      onSave={(limits) => onChange(project.name, limits)}
                    />
                    <Confirm
                      action="Delete"
                      label={`Delete project ${project.name}`}
                      question={`Delete project “${project.name}” with its keys and ${plural(project.storage.spanCount, 'span')}?`}
                      onConfirm={() => onDelete(project.name)}
                    />
                  </span>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <ServerLimits server={server} />
      {mayCreate && <ProjectForm onCreate={onCreate} />}
    </section>
  );
}

export function ageText(own: string, servers: string): string {
  const age = own === 'default' ? servers : own;
  return age === 'none' ? 'ever' : age + (own === 'default' ? ' (server’s)' : '');
}

function Ends({ oldestUnixNano, newestUnixNano }: Project['storage']) {
  if (!oldestUnixNano || !newestUnixNano) return <>–</>;
  const title = `${formatInstant(oldestUnixNano)} to ${formatInstant(newestUnixNano)}`;
  const [oldest, newest] = [formatDay(oldestUnixNano), formatDay(newestUnixNano)];
  return <span title={title}>{oldest === newest ? oldest : `${oldest} to ${newest}`}</span>;
}

/** What it takes, and how much of its cap that is. */
function Disk({ name, disk, storage: { bytes, unsealedSpanCount } }: Project) {
  const cap = parseBytes(disk);
  return (
    <div>
      <span class="num">{formatBytes(bytes)}</span>
      {cap > 0 && (
        <>
          {' '}
          <span class="muted num">
            of {formatBytes(cap)}, {formatBytes(Math.max(cap - bytes, 0))} left
          </span>
          <meter
            class="cap"
            aria-label={`Cap of ${name}: used`}
            min={0}
            max={cap}
            high={cap * 0.9}
            value={Math.min(bytes, cap)}
          />
        </>
      )}
      {unsealedSpanCount > 0 && (
        <span
          class="muted small unsealed"
          title="These are in the log, which all projects share, until a file of the project takes them in"
        >
          {plural(unsealedSpanCount, 'span')} in the log
        </span>
      )}
    </div>
  );
}

function ServerLimits({ server: { retention, disk, bytes } }: Pick<ProjectList, 'server'>) {
  const cap = parseBytes(disk);
  return (
    <p class="muted" data-testid="server-limits">
      This server{' '}
      {retention === 'none' ? (
        'deletes nothing for its age'
      ) : (
        <>
          keeps spans for {retention} (<code>--retention</code>)
        </>
      )}{' '}
      and takes{' '}
      {cap > 0 ? (
        <>
          at most {formatBytes(cap)} (<code>--disk</code>)
        </>
      ) : (
        'what the disk has'
      )}
      ; all projects and the log together take {formatBytes(bytes)}
      {cap > 0 && `, ${formatBytes(Math.max(cap - bytes, 0))} are left`}. That is said by the flags
      of <code>tracekit serve</code>, not here; beyond it the oldest spans of all go.
    </p>
  );
}

function ProjectForm({ onCreate }: Pick<Props, 'onCreate'>) {
  const [name, setName] = useState('');
  const submit = async (event: Event) => {
    event.preventDefault();
    if (await onCreate(name.trim())) setName('');
  };
  return (
    <form class="inline-form" onSubmit={submit} aria-label="New project">
      <label class="field">
        <span>New project</span>
        <input required value={name} onInput={(event) => setName(event.currentTarget.value)} />
      </label>
      <button class="button" type="submit">
        Create project
      </button>
    </form>
  );
}
