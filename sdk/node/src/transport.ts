/** Posts batches: gzip, one connection kept alive, never rejects. */

import * as http from 'node:http';
import * as https from 'node:https';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Reply } from '../../js/exporter.js';
import { eachField } from './protobuf.js';

const TIMEOUT_MS = 10_000;
const ANSWER_BYTES_MAX = 65_536;

const compress = promisify(gzip);

export interface NodeReply extends Reply {
  body?: Buffer;
}

function header(value: string | string[] | undefined): string | null {
  return (Array.isArray(value) ? value[0] : value) ?? null;
}

/** What an answer says to people: in protobuf it is the message of a google.rpc.Status. */
function textOf(body: Buffer, type: string | undefined): string {
  if (!type?.includes('protobuf')) return body.toString();
  let message = '';
  eachField(body, (field, _value, contents) => {
    if (field === 2) message = Buffer.from(contents).toString();
  });
  return message;
}

/** Returns the function that posts a body to `url`. */
export function makeSend(
  url: string,
  known: Readonly<Record<string, string>>,
): (body: Buffer) => Promise<NodeReply> {
  const client = url.startsWith('https:') ? https : http;
  const agent = new client.Agent({ keepAlive: true, maxSockets: 1 });

  const post = (body: Buffer): Promise<NodeReply> =>
    new Promise((resolve) => {
      const noAnswer = (error: NodeJS.ErrnoException): void => {
        clearTimeout(timer);
        resolve({ status: null, text: error.code ?? error.message });
      };
      const headers = {
        ...known,
        'Content-Type': 'application/x-protobuf',
        'Content-Encoding': 'gzip',
        'Content-Length': body.length,
      };
      // Whichever address of localhost the server listens on.
      const options = { method: 'POST', agent, headers, autoSelectFamily: true };
      const request = client.request(url, options, (answer) => {
        const parts: Buffer[] = [];
        let bytes = 0;
        answer.on('data', (part: Buffer) => {
          if (bytes < ANSWER_BYTES_MAX) parts.push(part);
          bytes += part.length;
        });
        answer.on('error', noAnswer);
        answer.on('end', () => {
          clearTimeout(timer);
          const retryAfter = header(answer.headers['retry-after']);
          const body = Buffer.concat(parts);
          const text = textOf(body, answer.headers['content-type']);
          resolve({ status: answer.statusCode ?? null, retryAfter, text, body });
        });
      });
      const timer = setTimeout(
        () => request.destroy(new Error(`no answer in ${TIMEOUT_MS} ms`)),
        TIMEOUT_MS,
      );
      request.on('error', noAnswer);
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
