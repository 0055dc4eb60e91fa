// The menu of saved searches: open one, delete one, save the search that is there now.

import { useRef, useState } from 'preact/hooks';
import { CloseIcon } from '../components/icons';
import { currentProject, href } from '../router';
import { whoami } from '../session';
import type { Search } from './search';
import { deleteView, readViews, saveView, type View } from './views';

const nameLengthMax = 80;
const menuId = 'saved-views';

export function SavedViews({ search }: { search: Search }) {
  const project = currentProject() ?? whoami.value?.project.name;
  const button = useRef<HTMLButtonElement>(null);
  const menu = useRef<HTMLDivElement>(null);
  const nameField = useRef<HTMLInputElement>(null);
  const [views, setViews] = useState<View[]>([]);
  const [isRefused, setRefused] = useState(false);
  if (project === undefined) return null;

  // Read whenever it opens: another tab may have saved one.
  const onBeforeToggle = (event: ToggleEvent) => {
    if (event.newState !== 'open') return;
    setViews(readViews(project));
    const box = button.current!.getBoundingClientRect();
    const { style } = menu.current!;
    style.top = `${box.bottom + window.scrollY + 4}px`;
    style.right = `${Math.max(document.documentElement.clientWidth - box.right, 0)}px`;
  };
  const change = (done: boolean) => {
    setRefused(!done);
    setViews(readViews(project));
    nameField.current!.focus();
  };
  const onSubmit = (event: Event) => {
    event.preventDefault();
    const name = nameField.current!.value.trim();
    if (!name) return;
    const done = saveView(project, { name, ...search });
    if (done) nameField.current!.value = '';
    change(done);
  };

  return (
    <>
      <button
        ref={button}
        type="button"
        class="button"
        popovertarget={menuId}
        data-testid="saved-views"
      >
        Saved
      </button>
      <div
        ref={menu}
        id={menuId}
        popover="auto"
        class="saved-views"
        role="group"
        aria-label="Saved searches"
        onBeforeToggle={onBeforeToggle}
      >
        {views.length === 0 && <p class="muted">No search of this project is saved yet.</p>}
        <ul>
          {views.map((view) => (
            <li key={view.name}>
              <a
                href={linkOf(view)}
                aria-current={linkOf(view) === linkOf(search) ? 'true' : undefined}
                onClick={() => menu.current!.hidePopover()}
              >
                <bdi>{view.name}</bdi>
              </a>
              <button
                type="button"
                class="button-icon"
                aria-label={`Delete ${view.name}`}
                onClick={() => change(deleteView(project, view.name))}
              >
                <CloseIcon />
              </button>
            </li>
          ))}
        </ul>
        <form onSubmit={onSubmit} aria-label="Save this search">
          <label class="field">
            <span>Save this search as</span>
            <input ref={nameField} required maxLength={nameLengthMax} autoComplete="off" />
          </label>
          <button type="submit" class="button">
            Save
          </button>
        </form>
        {isRefused && (
          <p class="error-text" role="alert">
            This browser keeps nothing for this page.
          </p>
        )}
      </div>
    </>
  );
}

const linkOf = ({ q, service, start, end }: Search) => href('/traces', { q, service, start, end });
