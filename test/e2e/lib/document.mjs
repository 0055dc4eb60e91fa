/** The trace of the document: React page -> Node API -> Go service -> database, 420 ms in all, as OTLP JSON. */

export const TRACE_ID = '4bf92f3577b34da6a3ce929d0e0e4736';
export const MS = 1_000_000n;

// id: name, service, parent, start and duration in ms, kind, attributes
const SPANS = {
  a1: ['React Frontend', 'React Frontend', '', 0n, 420n, 1, { 'user.plan': 'enterprise' }],
  a2: ['fetch /api/users', 'React Frontend', 'a1', 20n, 380n, 3,
    { 'http.request.method': 'GET', 'http.response.status_code': 200, 'tracekit.propagation': 'sent' }],
  b1: ['Node.js API', 'Node.js API', 'a2', 30n, 360n, 2, { 'http.request.method': 'GET', 'url.path': '/api/users' }],
  b2: ['GET /api/users', 'Node.js API', 'b1', 50n, 300n, 1, { 'http.route': '/api/users', 'order.id': '42' }],
  b3: ['validate-auth', 'Node.js API', 'b1', 350n, 40n, 1, { 'tenant.id': 'acme' }],
  c1: ['GET /users', 'Go Microservice', 'b2', 90n, 240n, 2,
    { 'http.request.method': 'GET', 'http.route': '/users', 'http.response.status_code': 200 }],
  c2: ['db.Query', 'Go Microservice', 'c1', 120n, 180n, 3,
    { 'db.system.name': 'sqlite', 'db.query.text': 'SELECT id, name, email FROM users ORDER BY id' }],
};

/** What a reader sees: type, depth, label, duration. */
export const ROWS = [
  ['service', 0, 'React Frontend', '420ms'],
  ['span', 1, 'fetch /api/users', '380ms'],
  ['service', 0, 'Node.js API', '360ms'],
  ['span', 1, 'GET /api/users', '300ms'],
  ['span', 1, 'validate-auth', '40ms'],
  ['service', 0, 'Go Microservice', '240ms'],
  ['span', 1, 'GET /users', '240ms'],
  ['span', 2, 'db.Query', '180ms'],
];

const id = (name) => `00000000000000${name}`;
const value = (plain) => (typeof plain === 'number' ? { intValue: plain } : { stringValue: plain });
const attributes = (plain) => Object.entries(plain).map(([key, v]) => ({ key, value: value(v) }));

export function documentTrace(startNano = 1_760_000_000_000_000_000n) {
  const services = [...new Set(Object.values(SPANS).map(([, service]) => service))];
  return {
    resourceSpans: services.map((service) => ({
      resource: { attributes: attributes({ 'service.name': service, 'deployment.environment.name': 'production' }) },
      scopeSpans: [{
        scope: { name: 'tracekit', version: '0.1.0' },
        spans: Object.entries(SPANS).filter(([, span]) => span[1] === service).map(([name, span]) => ({
          traceId: TRACE_ID,
          spanId: id(name),
          parentSpanId: span[2] ? id(span[2]) : '',
          name: span[0],
          kind: span[5],
          startTimeUnixNano: String(startNano + span[3] * MS),
          endTimeUnixNano: String(startNano + (span[3] + span[4]) * MS),
          attributes: attributes(span[6]),
        })),
      }],
    })),
  };
}

/** Sends OTLP JSON to a server of lib/stack.mjs. */
export async function send(server, body) {
  const response = await fetch(`${server.url}/v1/traces`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body),
  });
  if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`);
  return response.json();
}
