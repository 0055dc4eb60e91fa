// A server that answers as the real one does, from memory, so that the page can be developed and
// tested alone. `node ui/test/fixture-server.mjs [PORT]` serves the built page and seeded traces.

import { readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { dirname, extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { policyOf } from '../policy.mjs';
import { columnsOf } from './columns.mjs';
import {
  bigTrace,
  failedTrace,
  fillerTraces,
  goldenTrace,
  hostileTrace,
  someDifferences,
  someFindings,
  summaryOf,
} from './fixture-data.mjs';

const dist = join(dirname(fileURLToPath(import.meta.url)), '../dist');
const types = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
};
export const allTraces = () => [
  goldenTrace(),
  failedTrace(),
  hostileTrace(),
  bigTrace(),
  ...fillerTraces(120),
];

/** Calls as src/query/service_map.h has them, but for what sends no spans. */
function mapOf(traces) {
  const nodes = new Map();
  const calls = new Map();
  const numbers = { callCount: 0, errorCount: 0, p50Nano: '0', p95Nano: '0', p99Nano: '0' };
  const count = (into, span) => {
    into.callCount++;
    into.errorCount += span.status?.code === 'ERROR' ? 1 : 0;
    into.p50Nano = into.p95Nano = into.p99Nano = span.durationNano;
  };
  const numberOf = (name) => {
    if (!nodes.has(name)) nodes.set(name, { name, kind: 'service', ...numbers });
    return [...nodes.keys()].indexOf(name);
  };
  for (const { spans } of traces) {
    const byId = new Map(spans.map((span) => [span.spanId, span]));
    for (const span of spans) {
      const parent = byId.get(span.parentSpanId);
      if (parent?.serviceName === span.serviceName) continue;
      const callee = numberOf(span.serviceName);
      count([...nodes.values()][callee], span);
      if (!parent) continue;
      const caller = numberOf(parent.serviceName);
      const key = `${caller} ${callee}`;
      if (!calls.has(key)) calls.set(key, { caller, callee, ...numbers });
      count(calls.get(key), span);
    }
  }
  return {
    startTimeUnixNano: '1767225600000000000',
    endTimeUnixNano: '1767229200000000000',
    traceCount: traces.length,
    spanCount: traces.flatMap((trace) => trace.spans).length,
    nodes: [...nodes.values()],
    calls: [...calls.values()].sort((a, b) => b.callCount - a.callCount),
  };
}

/** A project that nobody has set limits for, with what these traces take. */
function projectOf(id, name, traces) {
  const spanCount = traces.reduce((sum, { spans }) => sum + spans.length, 0);
  const storage = { bytes: spanCount * 20, segmentCount: 1, spanCount, unsealedSpanCount: 0 };
  if (spanCount > 0) {
    storage.oldestUnixNano = '1767225600000000000';
    storage.newestUnixNano = '1767312000000000000';
  }
  const createdUnixNano = '1767225600000000000';
  return { id, name, createdUnixNano, retention: 'default', disk: 'default', storage };
}

class Problem extends Error {
  constructor(status, title, more = {}) {
    super(title);
    this.body = { title, status, ...more };
  }
}

/** What the server holds; tests change it while the page looks. */
export class Fixture {
  constructor({
    traces = allTraces(),
    key = null,
    findings = someFindings(),
    kind = 'session',
  } = {}) {
    this.traces = traces;
    this.findings = findings;
    /** With a key set, a session is needed. */
    this.key = key;
    this.signedIn = false;
    this.requests = [];
    this.down = false;
    this.refusesKeys = false;
    this.projects = [projectOf(1, 'default', traces)];
    this.server = { retention: '15d', disk: '50GiB', bytes: 3 * 2 ** 30 };
    /** What any limit but `default` and `none` would delete. */
    this.due = { spanCount: 0, segmentCount: 0, bytes: 0 };
    /** What whoami says when a key is needed. */
    this.kind = kind;
    this.keys = [
      {
        id: 1,
        project: 'default',
        kind: 'server',
        name: 'first',
        prefix: 'tk_srv_9f2c',
        origins: [],
        createdUnixNano: '1767225600000000000',
        lastUsedUnixNano: '1767229200000000000',
        revoked: false,
      },
    ];
  }

  answer(method, path, params, body) {
    const route = `${method} ${path}`;
    if (this.down) throw new Problem(503, 'Store is closed');
    if (route === 'POST /session') return this.#signIn(body);
    if (this.key && !this.signedIn) throw new Problem(401, 'A key is needed');
    if (route === 'DELETE /session') return void (this.signedIn = false);
    if (route === 'GET /whoami') {
      const kind = this.key ? this.kind : 'dev';
      return { project: this.projects[0], kind, projects: this.projects };
    }
    if (route === 'GET /traces') return this.#search(params);
    if (route === 'GET /services') return { services: this.#services() };
    if (route === 'GET /map') return this.map ?? mapOf(this.traces);
    if (route === 'GET /tags') return { tags: this.tags ?? this.#tags(params.get('prefix') ?? '') };
    if (/^\/tags\/[^/]+\/values$/.test(path)) return this.values ?? this.#values(path, params);
    if (route === 'GET /metrics') return this.#metrics(params);
    if (/^\/services\/[^/]+\/operations$/.test(path)) return { operations: this.#operations(path) };
    if (route === 'GET /findings') return this.#findings();
    if (route === 'GET /differences') return someDifferences(params);
    if (route === 'GET /compare') return this.#compare(params);
    if (path.startsWith('/traces/')) return this.#trace(path.slice(8).split('/'), params);
    if (path.startsWith('/projects')) return this.#projects(method, path.slice(10), body, params);
    if (path.startsWith('/keys') && this.key && this.kind === 'read')
      throw new Problem(403, 'Forbidden');
    if (path.startsWith('/keys')) return this.#keys(method, path.slice(6), body);
    throw new Problem(404, 'No such path');
  }

  #signIn(body) {
    if (body?.key !== this.key)
      throw new Problem(401, 'Unknown key', { detail: 'No key begins so.' });
    this.signedIn = true;
  }

  #trace([id, part, spanId], params) {
    const trace = this.traces.find((each) => each.traceId === id);
    if (!trace) throw new Problem(404, 'No such trace');
    if (part === 'findings') {
      const findings = this.findings.filter(({ traces }) => traces.includes(id));
      return { traceId: id, settled: true, spanCount: trace.spanCount, findings };
    }
    if (part === 'columns') return columnsOf(trace, Number(params.get('limit') ?? 0));
    if (part !== 'spans') return trace;
    const span = trace.spans.find((each) => each.spanId === spanId);
    if (!span) throw new Problem(404, 'No such span');
    return { ...span, resource: trace.resources[span.resource], scope: trace.scopes[span.scope] };
  }

  #findings() {
    return {
      startTimeUnixNano: '1767225600000000000',
      endTimeUnixNano: '1767229200000000000',
      traceCount: this.traces.length,
      spanCount: this.traces.reduce((sum, { spanCount }) => sum + spanCount, 0),
      ...(this.findings.length > 0 ? { cut: 'traces' } : {}),
      findings: this.findings,
    };
  }

  /** By self times, not by the critical path: they add up where nothing runs beside. */
  #compare(params) {
    const sides = ['first', 'second'].map((side) => {
      const trace = this.traces.find(({ traceId }) => traceId === params.get(side));
      if (!trace) throw new Problem(404, 'No such trace', { detail: `no such trace (${side})` });
      const spanId = params.get(`${side}_span`);
      const at = spanId ? trace.spans.findIndex((span) => span.spanId === spanId) : 0;
      const after = trace.spans.findIndex(
        ({ depth }, i) => spanId && i > at && depth <= trace.spans[at].depth,
      );
      const spans = trace.spans.slice(at, after < 0 ? undefined : after);
      const durationNano = spanId ? trace.spans[at].durationNano : trace.durationNano;
      return { traceId: trace.traceId, ...(spanId ? { spanId } : {}), durationNano, spans };
    });
    const keyOf = (span) => JSON.stringify([span.serviceName, span.name]);
    const shareOf = ({ spans }, key) => {
      const own = spans.filter((span) => keyOf(span) === key);
      const pathNano = own.reduce((sum, span) => sum + Number(span.selfTimeNano), 0);
      return { pathNano: String(pathNano), spanCount: own.length };
    };
    const change = ({ first, second }) =>
      Math.abs(Number(second.pathNano) - Number(first.pathNano));
    const operations = [...new Set(sides.flatMap(({ spans }) => spans.map(keyOf)))].map((key) => {
      const [serviceName, name] = JSON.parse(key);
      return { serviceName, name, first: shareOf(sides[0], key), second: shareOf(sides[1], key) };
    });
    const rest = sides.map((side, i) => {
      const name = ['first', 'second'][i];
      const told = operations.reduce((sum, each) => sum + Number(each[name].pathNano), 0);
      return { pathNano: String(Number(side.durationNano) - told), spanCount: 0 };
    });
    operations.push({ first: rest[0], second: rest[1] });
    operations.sort((a, b) => change(b) - change(a));
    const [first, second] = sides.map(({ spans: _, ...told }) => told);
    return { first, second, operations };
  }

  #services() {
    const names = [...new Set(this.traces.flatMap((trace) => trace.services.map((s) => s.name)))];
    return names.map((name) => ({
      name,
      spanCount: 1,
      errorCount: 0,
      lastSeenUnixNano: '1767229200000000000',
    }));
  }

  #tags(prefix) {
    const keys = this.traces.flatMap((trace) =>
      trace.spans.flatMap((span) => Object.keys(span.attributes ?? {})),
    );
    return [...new Set(keys)]
      .filter((key) => key.startsWith(prefix))
      .sort()
      .map((key) => ({ key, scope: 'span', type: 'string' }));
  }

  #values(path, params) {
    const key = decodeURIComponent(path.split('/')[2]);
    const valueOf = (span) => (key === 'service.name' ? span.serviceName : span.attributes?.[key]);
    const spans = this.traces
      .flatMap((trace) => trace.spans)
      .filter((span) => String(valueOf(span) ?? '').startsWith(params.get('prefix') ?? ''))
      .filter((span) => valueOf(span) !== undefined);
    const errorsOf = (some) => some.filter((span) => span.status?.code === 'ERROR').length;
    const values = [...new Set(spans.map(valueOf))].map((value) => {
      const own = spans.filter((span) => valueOf(span) === value);
      const type = typeof value === 'string' ? 'string' : 'int';
      return { value, type, count: own.length, errorCount: errorsOf(own) };
    });
    const [valueCount, spanCount] = [values.length, spans.length];
    return { values, valueCount, spanCount, errorCount: errorsOf(spans) };
  }

  #operations(path) {
    const service = decodeURIComponent(path.split('/')[2]);
    const spans = this.traces
      .flatMap((trace) => trace.spans)
      .filter((s) => s.serviceName === service);
    return [...new Set(spans.map(({ name }) => name))].map((name) => {
      const own = spans.filter((span) => span.name === name);
      const [p50Nano, p95Nano, p99Nano] = [0.5, 0.95, 0.99].map((q) => {
        const sorted = own.map((span) => Number(span.durationNano)).sort((a, b) => a - b);
        return String(sorted[Math.min(Math.floor(q * sorted.length), sorted.length - 1)]);
      });
      const errorCount = own.filter((span) => span.status?.code === 'ERROR').length;
      return {
        name,
        kind: own[0].kind,
        spanCount: own.length,
        errorCount,
        p50Nano,
        p95Nano,
        p99Nano,
      };
    });
  }

  /** Of every span, whatever is asked: ten steps from the first span to the last. */
  #metrics(params) {
    const all = this.traces.flatMap((trace) => trace.spans);
    const starts = all.map((span) => BigInt(span.startTimeUnixNano));
    const begin = starts.reduce((a, b) => (a < b ? a : b), starts[0] ?? 0n);
    const end = starts.reduce((a, b) => (a > b ? a : b), begin) + 1n;
    const steps = params.get('step') ? 1 : 10;
    const step = (end - begin + BigInt(steps) - 1n) / BigInt(steps);
    const bounds = Array.from({ length: 32 }, (_, i) => 2 ** (i + 4));
    const service = /service\.name = "([^"]*)"/.exec(params.get('q') ?? '')?.[1];
    const by = params.get('by') === 'service';
    const labels = by ? [...new Set(all.map((span) => span.serviceName))] : [null];
    const series = labels.flatMap((label) => {
      const own = all.filter((span) => (label ?? service ?? span.serviceName) === span.serviceName);
      const buckets = Array.from({ length: steps }, () => []);
      for (const span of own) {
        buckets[Number((BigInt(span.startTimeUnixNano) - begin) / step)].push(span);
      }
      const each = (name, unit, value) => ({
        name,
        unit,
        labels: by ? { 'resource.service.name': label } : {},
        values: buckets.map(value),
      });
      const quantile = (q) => (spans) => {
        const sorted = spans.map((span) => Number(span.durationNano)).sort((a, b) => a - b);
        return sorted[Math.min(Math.floor(q * sorted.length), sorted.length - 1)] ?? null;
      };
      const seconds = Number(step) / 1e9;
      const isError = (span) => span.status?.code === 'ERROR';
      return [
        each('rate', '1/s', (spans) => spans.length / seconds),
        each('errors', '1/s', (spans) => spans.filter(isError).length / seconds),
        each('p50', 'ns', quantile(0.5)),
        each('p95', 'ns', quantile(0.95)),
        each('p99', 'ns', quantile(0.99)),
        {
          ...each('histogram', 'ns', () => null),
          values: undefined,
          bounds,
          counts: buckets.map((spans) =>
            bounds.map(
              (bound, i) =>
                spans.filter(
                  ({ durationNano: d }) =>
                    Number(d) < bound && (i === 0 || Number(d) >= bounds[i - 1]),
                ).length,
            ),
          ),
        },
      ];
    });
    return {
      startTimeUnixNano: String(begin),
      endTimeUnixNano: String(end),
      stepNano: String(step),
      timesUnixNano: Array.from({ length: steps }, (_, i) => String(begin + BigInt(i) * step)),
      series,
    };
  }

  /** Knows `{ resource.service.name = "x" }`, `service:"x"`, and to fail at `@`. */
  #search(params) {
    const q = params.get('q') ?? '';
    if (q.includes('@')) {
      throw new Problem(400, 'Bad query', {
        detail: 'unexpected character "@"',
        position: [...q].indexOf('@'),
        expected: 'an attribute, a value or "("',
      });
    }
    const service = /service(?:\.name = |:)"([^"]*)"/.exec(q)?.[1] ?? /service:(\S+)/.exec(q)?.[1];
    const name = /(?<![.\w])name = "([^"]*)"/.exec(q)?.[1];
    const bound = (sign) => RegExp(`duration ${sign} (\\d+)ns`).exec(q)?.[1];
    const [least, most] = [Number(bound('>=') ?? 0), Number(bound('<=') ?? Infinity)];
    const selects = ({ durationNano, ...span }) =>
      (!name || span.name === name) &&
      (!service || span.serviceName === service) &&
      Number(durationNano) >= least &&
      Number(durationNano) <= most;
    const hasStages = q.includes('select(');
    const limit = Number(params.get('limit') ?? 20);
    const from = Number(params.get('cursor') ?? 0);
    const found = this.traces
      .filter(({ spans }) => !hasStages || spans.some(selects))
      .map((trace) => ({
        ...summaryOf(trace),
        ...(hasStages ? { spanSets: [{ spans: trace.spans.filter(selects) }] } : {}),
      }))
      .filter((trace) => !service || trace.services.some(({ name }) => name === service))
      .filter((trace) => !q.includes('nothing'))
      .sort((a, b) => (BigInt(a.startTimeUnixNano) > BigInt(b.startTimeUnixNano) ? -1 : 1));
    const next = from + limit < found.length ? String(from + limit) : null;
    const isShort = q && !q.startsWith('{');
    return {
      traces: found.slice(from, from + limit),
      cursor: next,
      query: isShort
        ? `{ ${q.replace(/service:("[^"]*"|\S+)/, 'resource.service.name = $1')} }`
        : q,
    };
  }

  #projects(method, name, body, params) {
    if (name.endsWith('/due')) {
      const asked = [params.get('retention'), params.get('disk')];
      if (asked.includes('soon'))
        throw new Problem(400, 'Bad request', { detail: '"soon" is not a time like 7d' });
      const isLimit = asked.some((limit) => limit && !['default', 'none'].includes(limit));
      return isLimit ? this.due : { spanCount: 0, segmentCount: 0, bytes: 0 };
    }
    if (method === 'GET') return { projects: this.projects, server: this.server };
    if (method === 'PATCH') {
      const project = this.projects.find((one) => one.name === decodeURIComponent(name));
      return Object.assign(project, body);
    }
    if (method === 'DELETE') {
      this.projects = this.projects.filter((project) => project.name !== decodeURIComponent(name));
      return undefined;
    }
    if (this.projects.some((project) => project.name === body.name)) {
      throw new Problem(409, 'There is a project of this name');
    }
    const project = projectOf(this.projects.length + 1, body.name, []);
    this.projects = [...this.projects, project];
    return project;
  }

  #keys(method, id, body) {
    if (method === 'GET') return { keys: this.keys };
    if (method === 'DELETE') {
      this.keys = this.keys.map((key) => (key.id === Number(id) ? { ...key, revoked: true } : key));
      return undefined;
    }
    if (this.refusesKeys) throw new Problem(403, 'Forbidden');
    const key = {
      id: this.keys.length + 1,
      ...body,
      prefix: 'tk_new_0001',
      createdUnixNano: '1767225600000000000',
      lastUsedUnixNano: null,
      revoked: false,
    };
    this.keys = [...this.keys, key];
    return { ...key, key: 'tk_new_0001_secret' };
  }
}

/** Listens on 127.0.0.1; resolves to `{ url, close }`. */
export function serve(fixture, port = 0) {
  const server = createServer(async (request, response) => {
    const url = new URL(request.url, 'http://localhost');
    fixture.requests.push({ method: request.method, url, headers: request.headers });
    if (url.pathname.startsWith('/api/v1')) return answerApi(fixture, url, request, response);
    return answerFile(url, response);
  });
  return new Promise((resolve) => {
    server.listen(port, '127.0.0.1', () =>
      resolve({
        url: `http://127.0.0.1:${server.address().port}`,
        close: () =>
          new Promise((done) => {
            server.close(done);
            server.closeAllConnections();
          }),
      }),
    );
  });
}

async function answerApi(fixture, url, request, response) {
  let text = '';
  try {
    for await (const chunk of request) text += chunk;
  } catch {
    return; // the page went away
  }
  let status = request.method === 'POST' ? 201 : 200;
  let body;
  try {
    const isSafe = request.method === 'GET' || request.headers['x-tracekit-csrf'] === '1';
    if (!isSafe) throw new Problem(403, 'X-TraceKit-CSRF is missing');
    const path = url.pathname.slice('/api/v1'.length);
    body = fixture.answer(request.method, path, url.searchParams, text ? JSON.parse(text) : null);
    if (body === undefined) status = 204;
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    status = error.body.status;
    body = error.body;
  }
  if (Buffer.isBuffer(body)) {
    response.writeHead(status, { 'Content-Type': 'application/vnd.tracekit.columns' });
    return void response.end(body);
  }
  const type = status >= 400 ? 'application/problem+json' : 'application/json';
  response.writeHead(status, body === undefined ? {} : { 'Content-Type': type });
  response.end(body === undefined ? undefined : JSON.stringify(body));
}

function answerFile(url, response) {
  const path = join(dist, normalize(url.pathname));
  const isFile = (one) =>
    one.startsWith(dist) && statSync(one, { throwIfNoEntry: false })?.isFile();
  const file =
    [path, path + '.html', join(path, 'index.html')].find(isFile) ?? join(dist, 'index.html');
  const bytes = readFileSync(file);
  const policy = policyOf(extname(file) === '.html' ? bytes.toString() : '');
  response.writeHead(200, {
    'Content-Type': types[extname(file)],
    'Content-Security-Policy': policy,
  });
  response.end(bytes);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { url } = await serve(new Fixture(), Number(process.argv[2] ?? 5173));
  console.log(url);
}
