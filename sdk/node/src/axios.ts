/** axios, by its own interceptors: whatever adapter it uses, and with the base URL resolved. */

import { resolveUrl } from '../../js/targets.js';
import { getClient } from './client.js';
import { errorType, injectInto, setAnswer, setUrl } from './fetch.js';
import { methodName, setMethod } from './server.js';
import type { NodeSpan } from './span.js';

const SPAN = Symbol('tracekit.span');

interface Config {
  /** Copied with the rest when another interceptor makes a config of its own. */
  [SPAN]?: NodeSpan;
  method?: string;
  headers: { has(name: string): boolean; set(name: string, value: string): unknown };
}

interface Answer {
  status: number;
  config: Config;
}

interface Failure {
  config?: Config;
  response?: Answer;
}

interface Interceptors<T> {
  use(fulfilled: (value: T) => T, rejected?: (error: Failure) => never): unknown;
}

/** The part of an instance that is needed: the SDK depends on no axios. */
interface Axios {
  getUri(config: Config): string;
  interceptors: { request: Interceptors<Config>; response: Interceptors<Answer> };
}

const wrapped = new WeakSet<object>();

function follow(axios: Axios, config: Config): NodeSpan {
  const method = (config.method ?? 'GET').toUpperCase();
  const span = getClient().tracer.start(methodName(method), { kind: 'CLIENT' });
  const url = resolveUrl(axios.getUri(config));
  setMethod(span, method);
  setUrl(span, url);
  if (!config.headers.has('traceparent')) {
    injectInto(span, url, (name, value) => config.headers.set(name, value));
  }
  return span;
}

/** Traces the requests of an axios, or of an instance that `axios.create` made; gives it back. */
export function wrapAxios<T extends object>(axios: T): T {
  if (wrapped.has(axios)) return axios;
  wrapped.add(axios);
  const { interceptors } = axios as unknown as Axios;
  interceptors.request.use((config) => {
    try {
      config[SPAN] = follow(axios as unknown as Axios, config);
    } catch {
      // What cannot be read is for axios to refuse.
    }
    return config;
  });
  interceptors.response.use(
    (answer) => {
      const span = answer.config[SPAN];
      if (span) setAnswer(span, answer.status);
      span?.end();
      return answer;
    },
    (error) => {
      const span = error?.config?.[SPAN];
      if (span && error.response) setAnswer(span, error.response.status);
      else span?.captureException(error).setTag('error.type', errorType(error));
      span?.end();
      throw error;
    },
  );
  return axios;
}
