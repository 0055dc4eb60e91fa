import { fileURLToPath } from 'node:url';
import { testSeedIn } from '../../js/test/support/seed-page.mjs';

testSeedIn(
  '@tracekit/browser',
  [
    `import { TraceKit } from '@tracekit/browser';`,
    `import TraceKit from '@tracekit/browser';`,
    `import * as TraceKit from '@tracekit/browser';`,
    `const TraceKit = require('@tracekit/browser');`,
  ],
  fileURLToPath(new URL('.', import.meta.url)),
);
