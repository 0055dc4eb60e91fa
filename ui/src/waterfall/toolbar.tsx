// How the trace is looked at: view, search within it, folding, zoom.

import type { RefObject } from 'preact';
import { formatCount } from '../format';

export type View = 'waterfall' | 'tree' | 'flame' | 'table';

const views: [View, string][] = [
  ['waterfall', 'Waterfall'],
  ['tree', 'Tree'],
  ['flame', 'Flame'],
  ['table', 'Table'],
];

/** Of the URL, where anything may stand. */
export const readView = (text: string | null): View =>
  views.find(([view]) => view === text)?.[0] ?? 'waterfall';

interface Props {
  view: View;
  onView: (view: View) => void;
  wanted: string;
  onFind: (text: string) => void;
  /** Tags are searched, too. */
  hasTags: boolean;
  findBox: RefObject<HTMLInputElement>;
  /** Rows found; null: nothing is looked for. */
  matches: number | null;
  /** The how many-th of them the reader is at; null: at none. */
  at: number | null;
  onNext: () => void;
  onPrevious: () => void;
  isPathShown: boolean;
  onPath: (on: boolean) => void;
  hasGaps: boolean;
  onGaps: (on: boolean) => void;
  canFold: boolean;
  onLevel: (step: 1 | -1) => void;
  onZoom: (factor: number) => void;
  onFit: () => void;
  onKeys: () => void;
}

export function Toolbar(props: Props) {
  const { view, canFold } = props;
  return (
    <div class="trace-tools">
      <div class="segmented" role="group" aria-label="View">
        {views.map(([to, name]) => (
          <button
            key={to}
            type="button"
            aria-pressed={view === to}
            onClick={() => props.onView(to)}
          >
            {name}
          </button>
        ))}
      </div>
      <Find {...props} />
      {canFold && (
        <>
          <Switch
            name="Critical path"
            title="Marks what decides how long the whole takes"
            on={props.isPathShown}
            onChange={props.onPath}
          />
          <Switch
            name="Gaps"
            title="Rows for the time in which no child of a span ran"
            on={props.hasGaps}
            onChange={props.onGaps}
          />
        </>
      )}
      <span class="spacer" />
      {canFold && (
        <div class="segmented" role="group" aria-label="Levels">
          <Tool name="Fold one level more ( [ )" sign="⊟" onClick={() => props.onLevel(-1)} />
          <Tool name="Unfold one level ( ] )" sign="⊞" onClick={() => props.onLevel(1)} />
        </div>
      )}
      {view !== 'table' && (
        <div class="segmented" role="group" aria-label="Zoom">
          <Tool name="Zoom out ( s )" sign="−" onClick={() => props.onZoom(1 / 1.5)} />
          <Tool name="Zoom in ( w )" sign="+" onClick={() => props.onZoom(1.5)} />
          <Tool name="Show all ( 0 )" sign="↔" onClick={props.onFit} />
        </div>
      )}
      <button
        type="button"
        class="button-icon"
        aria-label="Signs and keys"
        title="Signs and keys ( ? )"
        onClick={props.onKeys}
      >
        ?
      </button>
    </div>
  );
}

function Find({ wanted, onFind, hasTags, findBox, matches, at, onNext, onPrevious }: Props) {
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'Enter') {
      event.preventDefault();
      if (event.shiftKey) onPrevious();
      else onNext();
    }
    if (event.key === 'Escape') {
      onFind('');
      document.querySelector<HTMLElement>('[role="treegrid"]')?.focus();
    }
  };
  return (
    <div class="find-in" role="search">
      <input
        ref={findBox}
        type="search"
        placeholder={hasTags ? 'Find names, key=value' : 'Find names'}
        aria-label="Find in trace"
        value={wanted}
        onInput={(event) => onFind(event.currentTarget.value)}
        onKeyDown={onKeyDown}
        data-testid="find"
      />
      {matches !== null && (
        <>
          <span class="num muted" role="status" data-testid="matches">
            {matches === 0
              ? 'none'
              : `${at === null ? '' : formatCount(at) + ' of '}${formatCount(matches)}`}
          </span>
          <Tool name="Previous match ( p )" sign="↑" onClick={onPrevious} />
          <Tool name="Next match ( n )" sign="↓" onClick={onNext} />
        </>
      )}
    </div>
  );
}

function Tool({ name, sign, onClick }: { name: string; sign: string; onClick: () => void }) {
  return (
    <button type="button" class="tool" aria-label={name} title={name} onClick={onClick}>
      {sign}
    </button>
  );
}

interface SwitchProps {
  name: string;
  title: string;
  on: boolean;
  onChange: (on: boolean) => void;
}

function Switch({ name, title, on, onChange }: SwitchProps) {
  return (
    <label class="switch" title={title}>
      <input
        type="checkbox"
        checked={on}
        onChange={(event) => onChange(event.currentTarget.checked)}
      />{' '}
      {name}
    </label>
  );
}
