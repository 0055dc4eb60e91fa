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
import { inBrowser, randomHex } from './environment.js';
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

/** Of the tab: it stays the same from page to page, and is gone with the tab. */
function sessionId(): string {
  const id = randomHex(16);
  try {
    return (sessionStorage.tracekit ??= id) as string;
  } catch {
    return id; // a worker, or storage is forbidden
  }
}

/** On a server, where pages are rendered only, nothing is ever enabled. */
export function makeClient(options: Options): Client {
  const log = makeLog(options.debug === true);
  const url = checkedUrl(options.endpoint, log);
  const sampleRate = checkedRate(options.sampleRate, log);
  const serviceName = options.serviceName || 'unknown_service:browser';
  const on = options.enabled !== false && inBrowser;
  const enabled = on && Boolean(options.apiKey);
  const resource = {
    'service.name': serviceName,
    'service.version': options.release,
    'deployment.environment.name': options.environment,
    'telemetry.sdk.name': 'tracekit',
    'telemetry.sdk.language': 'webjs',
    'telemetry.sdk.version': TRACEKIT_VERSION,
    'session.id': on ? sessionId() : undefined,
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
  if (on) reportSetUp(log, Boolean(options.apiKey), { url, serviceName, sampleRate });
  const targets = checkedTargets(options.tracePropagationTargets, log);
  return { tracer, exporter, transport, log, url, targets, enabled };
}
