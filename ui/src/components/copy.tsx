// A button that copies text and says so.

import { useState } from 'preact/hooks';
import { CopyIcon, DoneIcon } from './icons';

/** The clipboard interface exists only on secure origins; a plain-HTTP host gets the old way. */
async function copyText(text: string): Promise<void> {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = document.createElement('textarea');
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand('copy');
  area.remove();
}

interface Props {
  text: string;
  /** What is copied, for the button's name: "Copy trace id". */
  label: string;
  children?: string;
}

export function CopyButton({ text, label, children }: Props) {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    await copyText(text);
    setCopied(true);
    setTimeout(() => setCopied(false), 1500);
  };
  return (
    <button
      type="button"
      class={children ? 'button' : 'button-icon'}
      onClick={copy}
      aria-label={children ? undefined : label}
      title={label}
    >
      {copied ? <DoneIcon /> : <CopyIcon />}
      {children}
      <span class="sr-only" role="status">
        {copied ? 'Copied' : ''}
      </span>
    </button>
  );
}
