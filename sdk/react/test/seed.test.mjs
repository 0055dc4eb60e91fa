import { fileURLToPath } from 'node:url';
import { testSeedIn } from '../../js/test/support/seed-page.mjs';

testSeedIn(
  '@tracekit/react',
  [
    `import { TraceKit } from '@tracekit/react';`,
    `import TraceKit from '@tracekit/react';`,
    `import * as TraceKit from '@tracekit/react';`,
  ],
  fileURLToPath(new URL('.', import.meta.url)),
);
