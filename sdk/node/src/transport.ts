/** Posts batches: gzip, one connection kept alive, never rejects. */

import * as http from 'node:http';
import * as https from 'node:https';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Reply } from '../../js/exporter.js';

const TIMEOUT_MS = 10_000;
const ANSWER_CHARS_MAX = 65_536;

const compress = promisify(gzip);

function header(value: string | string[] | undefined): string | null {
  return (Array.isArray(value) ? value[0] : value) ?? null;
}

/** Returns the function that posts a body to `url`. */
export function makeSend(url: string, apiKey: string): (body: string) => Promise<Reply> {
  const client = url.startsWith('https:') ? https : http;
  const agent = new client.Agent({ keepAlive: true, maxSockets: 1 });

  const post = (body: Buffer): Promise<Reply> =>
    new Promise((resolve) => {
      const noAnswer = (error: NodeJS.ErrnoException): void =>
        resolve({ status: null, text: error.code ?? error.message });
      const headers = {
        'Content-Type': 'application/json',
        'Content-Encoding': 'gzip',
        'Content-Length': body.length,
        'X-API-Key': apiKey,
      };
      // Whichever address of localhost the server listens on.
      const options = { method: 'POST', agent, headers, autoSelectFamily: true };
      const request = client.request(url, options, (answer) => {
        let text = '';
        answer.setEncoding('utf8');
        answer.on('data', (part: string) => {
          if (text.length < ANSWER_CHARS_MAX) text += part;
        });
        answer.on('error', noAnswer);
        answer.on('end', () => {
          clearTimeout(timer);
          const retryAfter = header(answer.headers['retry-after']);
          resolve({ status: answer.statusCode ?? null, retryAfter, text });
        });
      });
      const timer = setTimeout(
        () => request.destroy(new Error(`no answer in ${TIMEOUT_MS} ms`)),
        TIMEOUT_MS,
      );
      request.on('error', (error) => {
        clearTimeout(timer);
        noAnswer(error);
      });
      request.end(body);
    });

  return async (body) => {
    try {
      return await post(await compress(body));
    } catch (error) {
      return { status: null, text: String(error) };
    }
  };
}
