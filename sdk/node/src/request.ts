/** `http.request` and `https.request`, traced. */

import { errorMonitor } from 'node:events';
import * as http from 'node:http';
import * as https from 'node:https';
import { resolveUrl } from '../../js/targets.js';
import { getClient } from './client.js';
import { errorType, injectInto, setAnswer, setUrl } from './fetch.js';
import { methodName, setMethod } from './server.js';

type Request = typeof http.request;

function urlOf(request: http.ClientRequest): URL | undefined {
  const origin = `${request.protocol}//${request.getHeader('host') ?? request.host}`;
  // Not relative to it: `//elsewhere` is a path here. Proxies are asked for a whole URL.
  return resolveUrl(request.path.startsWith('/') ? origin + request.path : request.path, origin);
}

function follow(request: http.ClientRequest): void {
  const span = getClient().tracer.start(methodName(request.method), { kind: 'CLIENT' });
  const url = urlOf(request);
  setMethod(span, request.method);
  setUrl(span, url);
  // Headers given as a list are gone already.
  if (!request.headersSent && !request.hasHeader('traceparent')) {
    injectInto(span, url, (name, value) => request.setHeader(name, value));
  }
  request.prependListener('response', (response) => {
    setAnswer(span, response.statusCode ?? 0);
    response.once('close', () => span.end());
    // Nobody else listens: node would have thrown the answer away.
    if (request.listenerCount('response') === 1) response.resume();
  });
  // Who only watches does not keep it from being thrown when nobody listens.
  request.once(errorMonitor, (error: Error) => {
    span.captureException(error).setTag('error.type', errorType(error));
  });
  request.once('close', () => span.end());
}

function traced(request: Request): Request {
  return function (...args: unknown[]) {
    const made = (request as (...args: unknown[]) => http.ClientRequest)(...args);
    follow(made);
    return made;
  } as Request;
}

function ending(request: Request): Request {
  return function (...args: unknown[]) {
    const made = (request as (...args: unknown[]) => http.ClientRequest)(...args);
    made.end();
    return made;
  } as Request;
}

const plain = traced(http.request);
const secure = traced(https.request as Request);

/** `tracekit.http.request`, `.get`: as of node:http, with a client span and the headers. */
export const tracedHttp = { request: plain, get: ending(plain) };
export const tracedHttps = { request: secure, get: ending(secure) };
