// The server's JSON (docs/api.md) and how to ask for it. Nothing here knows of pages.

import { signal } from '@preact/signals';
import { apiUrl, takeEarly } from './early';
import { currentProject } from './router';

export interface ServiceCount {
  name: string;
  spanCount: number;
  errorCount: number;
}

export interface Summary {
  traceId: string;
  startTimeUnixNano: string;
  durationNano: string;
  rootServiceName: string;
  rootName: string;
  spanCount: number;
  errorCount: number;
  services: ServiceCount[];
  broken: boolean;
  /** Of a query with stages, as `| select(…)`: the spans that it selects. */
  spanSets?: { spans: { spanId: string; durationNano: string }[] }[];
}

export interface TracePage {
  traces: Summary[];
  cursor: string | null;
  query?: string;
}

export type Value = string | number | boolean | null | Value[] | { [key: string]: Value };
export type Attributes = Record<string, Value>;

export interface SpanEvent {
  name: string;
  timeUnixNano: string;
  attributes?: Attributes;
}

export interface SpanLink {
  traceId: string;
  spanId: string;
  attributes?: Attributes;
}

/** One span, alone. */
export interface Span {
  spanId: string;
  parentSpanId?: string;
  name: string;
  kind?: string;
  serviceName: string;
  startTimeUnixNano: string;
  durationNano: string;
  status?: { code: 'UNSET' | 'OK' | 'ERROR'; message?: string };
  traceState?: string;
  attributes?: Attributes;
  events?: SpanEvent[];
  links?: SpanLink[];
  flags?: number;
  resource?: { attributes?: Attributes };
  scope?: { name?: string; version?: string; attributes?: Attributes };
  droppedAttributesCount?: number;
  droppedEventsCount?: number;
  droppedLinksCount?: number;
}

export interface Service extends ServiceCount {
  lastSeenUnixNano: string;
}

export interface Operation {
  name: string;
  kind: string;
  spanCount: number;
  errorCount: number;
  p50Nano: string;
  p95Nano: string;
  p99Nano: string;
}

export interface Series {
  name: string;
  unit: '1/s' | 'ns' | '';
  labels: Record<string, string | number | null>;
  /** One for each step. */
  values?: (number | null)[];
  /** Of a histogram: powers of two, a bucket ends below its own; then a row of counts a step. */
  bounds?: number[];
  counts?: number[][];
}

export interface Metrics {
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  stepNano: string;
  timesUnixNano: string[];
  series: Series[];
  leftOut?: unknown;
}

interface MapNumbers {
  callCount: number;
  errorCount: number;
  p50Nano: string;
  p95Nano: string;
  p99Nano: string;
}

export interface MapNode extends MapNumbers {
  name: string;
  kind: 'service' | 'database' | 'messaging' | 'external';
  /** Of its callers' spans, that names it; a service has none. */
  attribute?: string;
}

export interface MapCall extends MapNumbers {
  /** Numbers of nodes. */
  caller: number;
  callee: number;
}

export interface ServiceMap {
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  traceCount: number;
  cut?: 'traces' | 'time' | 'memory' | 'nodes';
  nodes: MapNode[];
  calls: MapCall[];
}

export interface Tag {
  key: string;
  scope: 'span' | 'resource' | 'event' | 'link' | 'scope';
  type: string;
}

export interface TagValue {
  value: Value;
  type: string;
  count: number;
  errorCount: number;
}

/** The most frequent values of a key; the counts are of all of them. */
export interface ValueCounts {
  values: TagValue[];
  valueCount: number;
  spanCount: number;
  errorCount: number;
}

/** One that may be chosen. */
export interface ProjectRef {
  id: number;
  name: string;
}

/** What may be kept: a time like `7d`, a size like `10GiB`; `none`, or `default`: as the server. */
export interface Limits {
  retention: string;
  disk: string;
}

export interface Project extends ProjectRef, Limits {
  createdUnixNano: string;
  storage: {
    bytes: number;
    segmentCount: number;
    spanCount: number;
    /** Of them in the log, which all projects share, and not in `bytes` yet. */
    unsealedSpanCount: number;
    oldestUnixNano?: string;
    newestUnixNano?: string;
  };
}

export interface ProjectList {
  projects: Project[];
  /** What the server's flags say of all projects together. */
  server: Limits & { bytes: number };
}

/** What limits would delete at once. */
export interface Due {
  spanCount: number;
  segmentCount: number;
  bytes: number;
}

export interface Key {
  id: number;
  project: string;
  kind: 'server' | 'browser' | 'read' | 'admin';
  name: string;
  prefix: string;
  origins: string[];
  createdUnixNano: string;
  lastUsedUnixNano?: string | null;
  revoked: boolean;
  /** Only in the answer that made it. */
  key?: string;
}

export interface Whoami {
  project: ProjectRef;
  kind: 'dev' | 'read' | 'admin' | 'session';
  projects: ProjectRef[];
}

/** What keeps traces from connecting: docs/findings.md. */
export interface Finding {
  rule: string;
  severity: 'error' | 'warning' | 'hint';
  confidence: 'certain' | 'likely' | 'possible';
  /** Whose set-up has to change, and the other side. */
  service?: string;
  peer?: string;
  message: string;
  cause: string;
  fix: string;
  language?: string;
  snippet?: string;
  docs: string;
  /** Of the first trace: some span ids, and how many there are. */
  spans: string[];
  spanCount: number;
  other?: { traceId: string; spanId: string; service: string; project?: string };
  traces: string[];
  traceCount: number;
  lastSeenUnixNano: string;
}

export interface TraceFindings {
  settled: boolean;
  spanCount: number;
  cut?: string;
  findings: Finding[];
}

export interface ProjectFindings {
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  traceCount: number;
  spanCount: number;
  cut?: string;
  findings: Finding[];
}

export interface ComparedTrace {
  traceId: string;
  spanId?: string;
  durationNano: string;
}

interface PathShare {
  pathNano: string;
  spanCount: number;
}

export interface ComparedOperation {
  /** Left out: the time of no span. */
  serviceName?: string;
  name?: string;
  first: PathShare;
  second: PathShare;
}

export interface Comparison {
  first: ComparedTrace;
  second: ComparedTrace;
  operations: ComparedOperation[];
}

interface DifferencesSide {
  query: string;
  spanCount: number;
  cut: boolean;
}

/** A value that is more frequent among the selected spans; null: having none. */
export interface Difference {
  scope: 'span' | 'resource' | 'intrinsic';
  key: string;
  value: string | number | boolean | null;
  selectedCount: number;
  restCount: number;
  score: number;
}

export interface Differences {
  selected: DifferencesSide;
  rest: DifferencesSide;
  differences: Difference[];
}

/** RFC 9457; `position` and `expected` come with an error in a query. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly title: string,
    readonly detail = '',
    readonly position: number | null = null,
    readonly expected: string | string[] | null = null,
  ) {
    super(detail || title);
  }
}

/** True once an answer was 401; the page then asks for a key. */
export const signedOut = signal(false);

interface Options {
  method?: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  body?: unknown;
  params?: Record<string, string | null | undefined>;
  signal?: AbortSignal;
}

/** Asks /api/v1; throws ApiError, status 0 when the server does not answer at all. */
async function call<T>(path: string, options: Options = {}): Promise<T> {
  const { method = 'GET', body, params = {}, signal } = options;
  const url = apiUrl(path, { project: currentProject(), ...params });
  const headers: Record<string, string> = { Accept: 'application/json' };
  if (method !== 'GET') {
    headers['Content-Type'] = 'application/json';
    headers['X-TraceKit-CSRF'] = '1';
  }
  const early = method === 'GET' ? takeEarly(url) : undefined;
  let response: Response;
  try {
    response = await (early ??
      fetch(url, {
        method,
        headers,
        signal,
        body: body === undefined ? undefined : JSON.stringify(body),
      }));
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(0, 'The server does not answer', String(error));
  }
  if (!response.ok) throw await readProblem(response);
  signedOut.value = false;
  return response.status === 204 ? (undefined as T) : ((await response.json()) as T);
}

/** What an answer that is none says; a 401 also asks for a key. */
export async function readProblem(response: Response): Promise<ApiError> {
  if (response.status === 401) signedOut.value = true;
  const problem = await response.json().catch(() => ({}));
  return new ApiError(
    response.status,
    problem.title ?? (response.statusText || `HTTP ${response.status}`),
    problem.detail,
    typeof problem.position === 'number' ? problem.position : null,
    problem.expected ?? null,
  );
}

type TraceQuery = { q?: string; start?: string; end?: string; limit?: string; cursor?: string };

export const api = {
  traces: (params: TraceQuery, signal?: AbortSignal) =>
    call<TracePage>('/traces', { params, signal }),
  trace: (traceId: string, signal?: AbortSignal) =>
    call<{ spans: Span[] }>(`/traces/${encodeURIComponent(traceId)}`, { signal }),
  span: (traceId: string, spanId: string, signal?: AbortSignal) =>
    call<Span>(`/traces/${encodeURIComponent(traceId)}/spans/${spanId}`, { signal }),
  metrics: (
    params: { q?: string; start?: string; end?: string; step?: string; by?: string },
    signal?: AbortSignal,
  ) => call<Metrics>('/metrics', { params, signal }),
  map: (params: { start?: string; end?: string }, signal?: AbortSignal) =>
    call<ServiceMap>('/map', { params, signal }),
  operations: async (service: string, signal?: AbortSignal) =>
    (
      await call<{ operations: Operation[] }>(
        `/services/${encodeURIComponent(service)}/operations`,
        { signal },
      )
    ).operations,
  tags: async (prefix: string, signal?: AbortSignal) =>
    (await call<{ tags: Tag[] }>('/tags', { params: { prefix }, signal })).tags,
  tagValues: async (key: string, prefix: string, signal?: AbortSignal) =>
    (
      await call<{ values: TagValue[] }>(`/tags/${encodeURIComponent(key)}/values`, {
        params: { prefix, limit: '12' },
        signal,
      })
    ).values,
  valueCounts: (key: string, params: { start?: string; end?: string }, signal?: AbortSignal) =>
    call<ValueCounts>(`/tags/${encodeURIComponent(key)}/values`, { params, signal }),
  services: async () => (await call<{ services: Service[] }>('/services')).services,

  findings: (params: { start?: string; end?: string }, signal?: AbortSignal) =>
    call<ProjectFindings>('/findings', { params, signal }),
  traceFindings: (traceId: string, signal?: AbortSignal) =>
    call<TraceFindings>(`/traces/${encodeURIComponent(traceId)}/findings`, { signal }),
  differences: (params: Record<string, string | undefined>, signal?: AbortSignal) =>
    call<Differences>('/differences', { params, signal }),
  compare: (
    params: { first: string; second: string; first_span?: string; second_span?: string },
    signal?: AbortSignal,
  ) => call<Comparison>('/compare', { params, signal }),

  whoami: () => call<Whoami>('/whoami'),
  signIn: (key: string) => call<void>('/session', { method: 'POST', body: { key } }),
  signOut: () => call<void>('/session', { method: 'DELETE' }),

  projects: () => call<ProjectList>('/projects'),
  createProject: (name: string) => call<Project>('/projects', { method: 'POST', body: { name } }),
  changeProject: (name: string, limits: Partial<Limits>) =>
    call<Project>(`/projects/${encodeURIComponent(name)}`, { method: 'PATCH', body: limits }),
  due: (name: string, limits: Partial<Limits>, signal?: AbortSignal) =>
    call<Due>(`/projects/${encodeURIComponent(name)}/due`, { params: { ...limits }, signal }),
  deleteProject: (name: string) =>
    call<void>(`/projects/${encodeURIComponent(name)}`, { method: 'DELETE' }),

  keys: async () => (await call<{ keys: Key[] }>('/keys')).keys,
  createKey: (key: Pick<Key, 'project' | 'kind' | 'name' | 'origins'>) =>
    call<Key>('/keys', { method: 'POST', body: key }),
  revokeKey: (id: number) => call<void>(`/keys/${id}`, { method: 'DELETE' }),
};
