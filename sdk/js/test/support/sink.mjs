/** An OTLP receiver for tests: keeps what it was sent, answers as it is told. */

import { createServer } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { decodeRequest, encodeAnswer } from './protobuf.mjs';

/** A generous deadline: tests poll for what they wait for, and never measure time. */
export const DEADLINE_MS = 60_000;

const CORS = {
  'Access-Control-Allow-Origin': '*',
  'Access-Control-Allow-Headers': '*',
  'Access-Control-Expose-Headers': 'Retry-After',
};

/** Calls `probe` until it returns something true, and returns that. */
export async function until(probe, what = 'the expected') {
  const deadline = Date.now() + DEADLINE_MS;
  for (;;) {
    const found = await probe();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function plain(value) {
  const [[kind, held]] = Object.entries(value);
  if (kind === 'intValue') return Number(held);
  return kind === 'arrayValue' ? (held.values ?? []).map(plain) : held;
}

const tagsOf = (attributes = []) =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, plain(value)]));

function spansOf(body) {
  return body.resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ spans }) =>
      spans.map((span) => ({
        ...span,
        parentSpanId: span.parentSpanId ?? '',
        tags: tagsOf(span.attributes),
        events: (span.events ?? []).map((one) => ({ ...one, tags: tagsOf(one.attributes) })),
        resource: tagsOf(resource.attributes),
      })),
    ),
  );
}

/** The whole body; null when the other end cut it short. */
export async function readBody(req) {
  const parts = [];
  try {
    for await (const part of req) parts.push(part);
  } catch (error) {
    if (error.code === 'ECONNRESET') return null;
    throw error;
  }
  return Buffer.concat(parts);
}

export async function listen(server) {
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server.address().port;
}

export function close(server) {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(resolve));
}

/**
 * `sink.spans` grows as requests come in; `sink.answers` are given first, one each (`{status,
 * headers, body}`; null = the connection is cut), then 200.
 */
export async function startSink() {
  const sink = { spans: [], requests: [], answers: [] };
  const server = createServer(async (req, res) => {
    if (req.method === 'OPTIONS') return res.writeHead(204, CORS).end();
    const bytes = await readBody(req);
    if (!bytes) return;
    const text = req.headers['content-encoding'] === 'gzip' ? gunzipSync(bytes) : bytes;
    const json = req.headers['content-type'] === 'application/json';
    const body = json ? JSON.parse(text) : decodeRequest(text);
    const request = { url: req.url, headers: req.headers, body };
    sink.requests.push(request);
    const answer = sink.answers.length ? sink.answers.shift() : {};
    if (!answer) return req.socket.destroy();
    const { status = 200, headers = {}, body: said = {} } = answer;
    if (status === 200) sink.spans.push(...spansOf(request.body));
    const type = req.headers['content-type'];
    res.writeHead(status, { 'Content-Type': type, ...CORS, ...headers });
    res.end(json ? JSON.stringify(said) : encodeAnswer(said));
  });
  sink.url = `http://127.0.0.1:${await listen(server)}`;
  sink.close = () => close(server);
  /** The span of that name, once it has arrived. */
  sink.span = (name) => until(() => sink.spans.find((span) => span.name === name), name);
  return sink;
}
