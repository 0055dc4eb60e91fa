// What a span did, laid out for people: an HTTP request, a database query, a message. By today's
// semantic conventions or older ones.

import type { Attributes, Value } from '../api';

const firstOf = (attributes: Attributes, ...keys: string[]): Value | undefined =>
  keys.map((key) => attributes[key]).find((value) => value !== undefined);

export function Protocol({ attributes }: { attributes: Attributes }) {
  return (
    <>
      <HttpLine attributes={attributes} />
      <Query attributes={attributes} />
      <Message attributes={attributes} />
    </>
  );
}

function HttpLine({ attributes }: { attributes: Attributes }) {
  const first = (...keys: string[]) => firstOf(attributes, ...keys);
  const status = first('http.response.status_code', 'http.status_code');
  const method = first('http.request.method', 'http.method');
  const target = first('url.full', 'http.url', 'http.route', 'url.path', 'http.target');
  if (status === undefined && method === undefined) return null;
  const level = Number(status) >= 500 ? 'error' : Number(status) >= 400 ? 'warning' : 'good';
  return (
    <p class="http">
      {status !== undefined && (
        <span class={`badge badge-${level}`} data-testid="http-status">
          {String(status)}
        </span>
      )}
      {method !== undefined && <strong>{String(method)}</strong>}
      {target !== undefined && <bdi>{String(target)}</bdi>}
    </p>
  );
}

function Query({ attributes }: { attributes: Attributes }) {
  const text = firstOf(attributes, 'db.query.text', 'db.statement');
  const system = firstOf(attributes, 'db.system.name', 'db.system');
  if (text === undefined) return null;
  const where = firstOf(attributes, 'db.namespace', 'db.name');
  return (
    <div class="query" data-testid="query">
      <p class="muted">
        <bdi>
          {[system, where]
            .filter((part) => part !== undefined)
            .map(String)
            .join(' · ')}
        </bdi>
      </p>
      <pre tabIndex={0} aria-label="Query">
        {String(text)}
      </pre>
    </div>
  );
}

function Message({ attributes }: { attributes: Attributes }) {
  const system = firstOf(attributes, 'messaging.system');
  const target = firstOf(attributes, 'messaging.destination.name', 'messaging.destination');
  if (system === undefined) return null;
  const operation = firstOf(attributes, 'messaging.operation.type', 'messaging.operation');
  return (
    <p class="http">
      <span class="badge">{String(system)}</span>
      {operation !== undefined && <strong>{String(operation)}</strong>}
      {target !== undefined && <bdi>{String(target)}</bdi>}
    </p>
  );
}
