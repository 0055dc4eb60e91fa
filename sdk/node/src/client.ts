/** The SDK's state in this process: one set-up, one current span per chain of calls. */

import { AsyncLocalStorage } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';
import { writeSync } from 'node:fs';
import { hostname } from 'node:os';
import { Attributes, type Tags } from '../../js/attributes.js';
import { Exporter } from '../../js/exporter.js';
import { makeLog, type Log } from '../../js/log.js';
import {
  checkedRate,
  checkedTargets,
  checkedUrl,
  reportSetUp,
  type Options,
} from '../../js/options.js';
import type { Target } from '../../js/targets.js';
import { Tracer } from '../../js/tracer.js';
import { environmentOptions, type EnvironmentOptions } from './environment.js';
import { flushAtExit } from './exit.js';
import { drawWords } from './ids.js';
import { protobufRejected, protobufRequest, protobufSpan } from './otlp.js';
import type { Piece } from './protobuf.js';
import { NodeSpan } from './span.js';
import { makeSend, type NodeReply } from './transport.js';

declare const TRACEKIT_VERSION: string;

const EXIT_FLUSH_MS = 3_000;

export interface Client {
  tracer: Tracer<NodeSpan>;
  exporter: Exporter<NodeSpan, Piece, Buffer, NodeReply>;
  log: Log;
  targets: readonly Target[] | undefined;
}

export const storage = new AsyncLocalStorage<NodeSpan>();

const STDERR = 2;

let client: Client | undefined;

function resourceOf(options: EnvironmentOptions, serviceName: string): Tags {
  return {
    ...options.resource,
    'service.name': serviceName,
    'service.version': options.release,
    'deployment.environment.name': options.environment,
    'service.instance.id': randomUUID(),
    'telemetry.sdk.name': 'tracekit',
    'telemetry.sdk.language': 'nodejs',
    'telemetry.sdk.version': TRACEKIT_VERSION,
    'process.pid': process.pid,
    'process.runtime.name': 'nodejs',
    'process.runtime.version': process.versions.node,
    'host.name': hostname(),
  };
}

/** Code beats environment; a member that is undefined or empty was not said. */
function merged(code: Options): EnvironmentOptions {
  const said = Object.entries(code).filter(([, value]) => value !== undefined && value !== '');
  return { ...environmentOptions(process.env), ...Object.fromEntries(said) };
}

/** Whose spans these are: our key, else what OpenTelemetry's variables give. */
function headersOf(options: EnvironmentOptions): Record<string, string> {
  const key = options.apiKey?.trim();
  if (!key) return options.headers;
  const others = Object.entries(options.headers).filter(([name]) => !/^x-api-key$/i.test(name));
  return { ...Object.fromEntries(others), 'X-API-Key': key };
}

/** Not by `console`, which ends the process when there is no room behind stderr. */
function say(line: string): void {
  try {
    writeSync(STDERR, `${line}\n`);
  } catch {
    // Nobody listens.
  }
}

function setUp(code: Options): Client {
  const options = merged(code);
  const log = makeLog(options.debug === true, say);
  const url = checkedUrl(options.endpoint, log);
  const sampleRate = checkedRate(options.sampleRate, log);
  const serviceName = options.serviceName || 'unknown_service:node';
  const on = options.enabled !== false;
  const headers = headersOf(options);
  const known = Object.keys(headers).length > 0;
  const enabled = on && known;
  const exporter = new Exporter({
    url,
    enabled,
    log,
    encode: protobufSpan,
    request: protobufRequest(resourceOf(options, serviceName), {
      name: '@tracekit/node',
      version: TRACEKIT_VERSION,
    }),
    send: makeSend(url, headers),
    rejected: protobufRejected,
  });
  const tracer = new Tracer({
    draw: drawWords(),
    sampleRate,
    enabled,
    current: () => storage.getStore(),
    globalTags: new Attributes(),
    export: (span) => exporter.add(span),
    Span: NodeSpan,
  });
  if (on) reportSetUp(log, known, { url, serviceName, sampleRate });
  return { tracer, exporter, log, targets: checkedTargets(options.tracePropagationTargets, log) };
}

/** Sets up, or sets up anew: spans of the set-up before are still sent. */
export function init(options: Options = {}): void {
  void client?.exporter.shutdown(EXIT_FLUSH_MS);
  client = setUp(options);
  flushAtExit(
    () => getClient().exporter.shutdown(EXIT_FLUSH_MS),
    () => getClient().exporter.stats().queued === 0,
  );
}

/** The set-up; from the environment alone when nobody called `init`. */
export function getClient(): Client {
  if (!client) init();
  return client!;
}
