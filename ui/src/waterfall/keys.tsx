// The list of keys. They are in force while the rows have the focus.

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

export function Keys({ onClose }: { onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current!.showModal(), []);
  return (
    <dialog ref={dialog} class="dialog" aria-label="Keys" onClose={onClose} data-testid="keys">
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
