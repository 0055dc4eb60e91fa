// Searches that the reader gave a name, per project, kept on this machine.

import type { Search } from './search';

export interface View extends Search {
  name: string;
}

const storageKey = (project: string) => 'tracekit.views.' + project;

/** By name. What is no view, whoever wrote it, is passed over. */
export function readViews(project: string): View[] {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(storageKey(project)) ?? '[]');
    return Array.isArray(kept) ? kept.filter(isView) : [];
  } catch {
    return []; // no JSON, or storage is forbidden here
  }
}

function isView(kept: unknown): kept is View {
  const view = (kept ?? {}) as Record<string, unknown>;
  return ['name', 'q', 'service', 'start', 'end'].every((key) => typeof view[key] === 'string');
}

/** One of the same name is replaced. False: the browser keeps nothing for this page. */
export function saveView(project: string, view: View): boolean {
  const others = readViews(project).filter(({ name }) => name !== view.name);
  const views = [...others, view].sort((a, b) => a.name.localeCompare(b.name));
  return writeViews(project, views);
}

export function deleteView(project: string, name: string): boolean {
  return writeViews(
    project,
    readViews(project).filter((view) => view.name !== name),
  );
}

function writeViews(project: string, views: View[]): boolean {
  try {
    if (views.length === 0) localStorage.removeItem(storageKey(project));
    else localStorage.setItem(storageKey(project), JSON.stringify(views));
    return true;
  } catch {
    return false;
  }
}
