/** Frameworks render pages on a server too, where the SDK is loaded and has nothing to do. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const TIMEOUT = { timeout: 60_000 };

test('on a server the API is there, silent, and lets the process end', TIMEOUT, () => {
  const script = `
    import { TraceKit } from '@tracekit/browser';
    import { TraceKit as headers } from '@tracekit/browser/propagation';
    headers.init({ tracePropagationTargets: ['x'] });
    TraceKit.init({ apiKey: 'key', serviceName: 'page' });
    TraceKit.setTag('a', 1);
    const transaction = TraceKit.startTransaction({ name: 't' });
    transaction.setTag('b', 2).finish();
    TraceKit.captureException(new Error('e'));
    console.log(TraceKit.startSpan('s', () => 5), await TraceKit.flush(), TraceKit.stats());`;
  const cwd = fileURLToPath(new URL('.', import.meta.url));
  const out = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
    cwd,
    encoding: 'utf8',
    timeout: 30_000,
    stdio: 'pipe',
  });
  assert.equal(out, '5 true { sent: 0, dropped: 0, queued: 0 }\n');
});
