// Shown instead of any page once the server answered 401.

import { useState } from 'preact/hooks';
import { Problem } from '../components/problem';
import { signIn } from '../session';

export function SignIn() {
  const [key, setKey] = useState('');
  const [error, setError] = useState<unknown>(null);
  const submit = async (event: Event) => {
    event.preventDefault();
    setError(null);
    await signIn(key.trim()).catch(setError);
  };
  return (
    <form class="center-card" onSubmit={submit} data-testid="sign-in">
      <h1>Sign in</h1>
      <p class="muted">This server wants to know who is reading. Paste a read or admin key.</p>
      <label class="field">
        <span>Key</span>
        <input
          type="password"
          autoComplete="current-password"
          required
          spellcheck={false}
          value={key}
          onInput={(event) => setKey(event.currentTarget.value)}
        />
      </label>
      {error !== null && <Problem error={error} />}
      <button class="button button-primary" type="submit">
        Sign in
      </button>
      <p class="muted small">
        No key at hand? <code>tracekit key create --project default --kind admin</code> on the
        server makes one; its first start prints a sign-in link.
      </p>
    </form>
  );
}
