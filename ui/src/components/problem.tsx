// An error from the server, in words.

import { ApiError } from '../api';

export function Problem({ error }: { error: unknown }) {
  const { title, detail } = describeError(error);
  return (
    <div class="notice notice-error" role="alert">
      <strong>{title}</strong>
      {detail && detail !== title && <p>{detail}</p>}
    </div>
  );
}

function describeError(error: unknown): { title: string; detail: string } {
  if (error instanceof ApiError) return { title: error.title, detail: error.detail };
  return { title: 'Something went wrong', detail: String(error) };
}

interface QueryProps {
  text: string;
  position: number;
  error: ApiError;
}

/** What was typed, a caret under the character where it failed, and what could stand there. */
export function QueryProblem({ text, position, error }: QueryProps) {
  const expected = ([] as string[]).concat(error.expected ?? []).join(', ');
  // The caret's line begins with the same characters, unseen, so that it lines up in any script.
  return (
    <div class="notice notice-error" role="alert" data-testid="query-error">
      <strong>{error.detail || error.title}</strong>
      <div class="caret-box">
        <div class="caret-text">{text}</div>
        <div class="caret-line">
          <span class="caret-pad" aria-hidden="true">
            {text.slice(0, position)}
          </span>
          <span class="caret" data-testid="caret" data-position={position} aria-hidden="true">
            ^
          </span>
        </div>
      </div>
      <p>
        <span class="sr-only">At character {position + 1}. </span>
        {expected && (
          <>
            Expected: <code data-testid="expected">{expected}</code>
          </>
        )}
      </p>
    </div>
  );
}
