/** Ports for programs that must be told theirs beforehand. */

import { once } from 'node:events';
import { createServer } from 'node:net';

/** Below 32768, from where on the kernel gives one to every connection: none takes it meanwhile. */
const FIRST = 20_000;
const COUNT = 12_000;
let next = Math.floor(Math.random() * COUNT);

/** Listens; rejects when it cannot. */
export async function listenOn(server, port) {
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
}

/** A port of 127.0.0.1 that nobody listens on, never given before by this process. */
export async function freePort() {
  for (;;) {
    const port = FIRST + (next++ % COUNT);
    const server = createServer();
    try {
      await listenOn(server, port);
    } catch (error) {
      if (error.code === 'EADDRINUSE') continue;
      throw error;
    }
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
}
