/** The page of the three-service example: one button, one list. */

import { StrictMode, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { TraceKit, TraceKitErrorBoundary } from '@tracekit/react';

const API_URL = process.env.API_URL;
const THIRD_PARTY_URL = process.env.THIRD_PARTY_URL;

TraceKit.init({
  apiKey: process.env.TRACEKIT_API_KEY,
  endpoint: process.env.TRACEKIT_ENDPOINT,
  serviceName: 'React Frontend',
  // With its scheme and a slash behind the port, nothing but this very host can match.
  tracePropagationTargets: [`${API_URL}/`],
});

/** The API is another origin, so it is called by its absolute URL. */
async function loadUsers() {
  const response = await fetch(`${API_URL}/api/users`);
  if (!response.ok) throw new Error(`the API answered ${response.status}`);
  return response.json();
}

/** Stands for analytics: no target, so it learns nothing of our traces. */
function tellThirdParty() {
  if (THIRD_PARTY_URL) fetch(`${THIRD_PARTY_URL}/collect`).catch(() => {});
}

function Users() {
  const [users, setUsers] = useState([]);
  const [failure, setFailure] = useState('');

  async function onClick() {
    tellThirdParty();
    try {
      setUsers(await loadUsers());
      setFailure('');
    } catch (error) {
      TraceKit.captureException(error);
      setFailure(error.message);
    }
  }

  // Named after the service, the click's span is drawn as the service's own row.
  return (
    <main>
      <h1>Users</h1>
      <button data-tracekit-name="React Frontend" onClick={onClick}>Load Users</button>
      {failure && <p role="alert">{failure}</p>}
      <ul id="users">
        {users.map((user) => <li key={user.id}>{user.name}</li>)}
      </ul>
    </main>
  );
}

createRoot(document.getElementById('root')).render(
  <StrictMode>
    <TraceKitErrorBoundary fallback={<p role="alert">Something broke.</p>}>
      <Users />
    </TraceKitErrorBoundary>
  </StrictMode>,
);
