/** The set-up of this page, shared by everything that makes spans. */

import { Attributes } from '../../js/attributes.js';
import { Exporter } from '../../js/exporter.js';
import { idSource } from '../../js/ids.js';
import { makeLog, type Log } from '../../js/log.js';
import {
  checkedRate,
  checkedTargets,
  checkedUrl,
  reportSetUp,
  type Options,
} from '../../js/options.js';
import { jsonRejected, jsonRequest, jsonSpan } from '../../js/otlp.js';
import { Span } from '../../js/span.js';
import type { Target } from '../../js/targets.js';
import { Tracer } from '../../js/tracer.js';
import { currentScope } from './activity.js';
import { makeTransport, type Transport } from './transport.js';

declare const TRACEKIT_VERSION: string;

export interface Client {
  tracer: Tracer;
  exporter: Exporter<Span, string, string>;
  transport: Transport;
  log: Log;
  url: string;
  targets: readonly Target[] | undefined;
  enabled: boolean;
}

export const globalTags = new Attributes();

function randomHex(bytes: number): string {
  const random = crypto.getRandomValues(new Uint8Array(bytes));
  return Array.from(random, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** On a server, where pages are rendered only, nothing is ever enabled. */
export function makeClient(options: Options): Client {
  const log = makeLog(options.debug === true);
  const url = checkedUrl(options.endpoint, log);
  const sampleRate = checkedRate(options.sampleRate, log);
  const serviceName = options.serviceName || 'unknown_service:browser';
  const on = options.enabled !== false && typeof document === 'object';
  const enabled = on && Boolean(options.apiKey);
  const resource = {
    'service.name': serviceName,
    'service.version': options.release,
    'deployment.environment.name': options.environment,
    'telemetry.sdk.name': 'tracekit',
    'telemetry.sdk.language': 'webjs',
    'telemetry.sdk.version': TRACEKIT_VERSION,
    'user_agent.original': globalThis.navigator?.userAgent,
  };
  const transport = makeTransport(url, options.apiKey ?? '');
  const exporter = new Exporter({
    url,
    enabled,
    log,
    encode: jsonSpan,
    request: jsonRequest(resource, { name: '@tracekit/browser', version: TRACEKIT_VERSION }),
    send: transport.send,
    rejected: jsonRejected,
  });
  const tracer = new Tracer({
    draw: idSource(randomHex),
    sampleRate,
    enabled,
    current: () => currentScope()?.span(),
    globalTags,
    export: (span) => exporter.add(span),
    Span,
  });
  if (on) reportSetUp(log, options.apiKey, { url, serviceName, sampleRate });
  const targets = checkedTargets(options.tracePropagationTargets, log);
  return { tracer, exporter, transport, log, url, targets, enabled };
}
