import type { Key } from '../api';
import { CopyButton } from '../components/copy';

/** The one time a key is seen: the server keeps only its hash. */
export function NewKey({ made, onDone }: { made: Key; onDone: () => void }) {
  return (
    <div class="notice notice-good" role="status" data-testid="new-key">
      <strong>Copy this key now. It is not shown again.</strong>
      <p class="new-key">
        <code class="wrap">{made.key}</code>
        <CopyButton text={made.key ?? ''} label="Copy key">
          Copy
        </CopyButton>
        <button type="button" class="button" onClick={onDone}>
          Done
        </button>
      </p>
    </div>
  );
}
