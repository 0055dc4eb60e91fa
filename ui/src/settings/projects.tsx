// The projects: data, services and searches of one are never seen in another.

import { useState } from 'preact/hooks';
import type { Project } from '../api';
import { Confirm } from '../components/confirm';
import { formatDay } from '../format';

interface Props {
  projects: Project[];
  onCreate: (name: string) => Promise<boolean>;
  onDelete: (name: string) => void;
}

export function Projects({ projects, onCreate, onDelete }: Props) {
  return (
    <section class="card" aria-labelledby="projects-title">
      <h2 id="projects-title">Projects</h2>
      <table class="plain">
        <thead>
          <tr>
            <th scope="col">Name</th>
            <th scope="col">Created</th>
            <th scope="col">
              <span class="sr-only">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {projects.map((project) => (
            <tr key={project.id} data-testid="project">
              <td>
                <bdi>{project.name}</bdi>
              </td>
              <td class="num muted">
                {project.createdUnixNano && formatDay(project.createdUnixNano)}
              </td>
              <td class="right">
                <Confirm
                  action="Delete"
                  label={`Delete project ${project.name}`}
                  question={`Delete project “${project.name}” with its keys and traces?`}
                  onConfirm={() => onDelete(project.name)}
                />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <ProjectForm onCreate={onCreate} />
    </section>
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
