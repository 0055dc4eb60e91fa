// What the signs of the waterfall mean, and the list of keys, which are in force while the rows have
// the focus.

import { useEffect, useRef } from 'preact/hooks';

const keys: [string, string][] = [
  ['↑ ↓ or k j', 'row before, row after'],
  ['Home End, Page ↑ ↓', 'first, last, a page'],
  ['← →', 'fold, unfold; to the parent, to the child'],
  ['Shift ← →', 'with all that was called from there'],
  ['[ ]', 'one level less, one more'],
  ['Enter, Esc', 'open the row, close the panel'],
  ['/', 'find in trace'],
  ['n p', 'next match, the one before'],
  ['e', 'next error'],
  ['c', 'next on the critical path'],
  ['u', 'the span that called it'],
  ['w s', 'zoom in, out (or Ctrl and the wheel)'],
  ['a d', 'earlier, later (or Shift and the wheel)'],
  ['f, 0', 'the time of this row, the whole trace'],
];

/** class names of a row and of its bar, what it means */
const signs: [row: string, what: string][] = [
  ['sign-own', 'strong: the span works itself; faint: it waits for what it called'],
  ['sign-service', 'one visit to a service, from its first span’s start to its last one’s end'],
  [
    'sign-path',
    'line below: the critical path. Only what is shorter there makes the whole shorter',
  ],
  ['sign-error', 'hatched: failed; ◆ marks the row'],
  ['sign-gap', 'dashed: a gap, or (around a bar) a span that nobody waits for'],
  ['sign-event', 'tick: an event of the open span'],
];

export function Keys({ onClose }: { onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    dialog.current!.showModal();
    dialog.current!.scrollTop = 0; // the focus is on the button at its end
  }, []);
  return (
    <dialog
      ref={dialog}
      class="dialog help"
      aria-label="Signs and keys"
      onClose={onClose}
      data-testid="keys"
    >
      <h2>Signs</h2>
      <dl class="keys signs">
        {signs.map(([name, what]) => (
          <div key={name}>
            <dt aria-hidden="true">
              <span class={`sign ${name}`} />
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <h2>Keys</h2>
      <dl class="keys">
        {keys.map(([key, what]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <p class="dialog-buttons">
        <button type="button" class="button" onClick={() => dialog.current!.close()}>
          Close
        </button>
      </p>
    </dialog>
  );
}
