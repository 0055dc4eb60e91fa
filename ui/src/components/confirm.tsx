// A button for what cannot be undone: it asks first.

import { useRef } from 'preact/hooks';

interface Props {
  action: string;
  /** The button's full name: which one is deleted. */
  label: string;
  question: string;
  onConfirm: () => void;
}

export function Confirm({ action, label, question, onConfirm }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const confirm = () => {
    dialog.current!.close();
    onConfirm();
  };
  return (
    <>
      <button
        type="button"
        class="button"
        aria-label={label}
        onClick={() => dialog.current!.showModal()}
      >
        {action}
      </button>
      <dialog ref={dialog} class="dialog" aria-label={label}>
        <p>{question}</p>
        <p class="dialog-buttons">
          <button type="button" class="button" onClick={() => dialog.current!.close()}>
            Cancel
          </button>
          <button type="button" class="button button-danger" onClick={confirm}>
            {action}
          </button>
        </p>
      </dialog>
    </>
  );
}
