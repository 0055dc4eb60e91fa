/** The page, on port 3000: one button. The API is another origin, and is told who asks. */

import { TraceKit } from '@tracekit/browser';

TraceKit.init({
  apiKey: process.env.TRACEKIT_API_KEY,
  endpoint: process.env.TRACEKIT_ENDPOINT,
  serviceName: 'web',
  tracePropagationTargets: ['localhost:3001'],
});
setInterval(() => TraceKit.flush(), 100); // nobody wants to wait for a whole batch here

document.querySelector('button').onclick = async () => {
  const list = document.querySelector('output');
  try {
    const response = await fetch('http://localhost:3001/api/users', { credentials: 'include' });
    list.textContent = JSON.stringify(await response.json());
  } catch (error) {
    list.textContent = `failed: ${error.message}`;
  }
};
