/** Options from the environment: `TRACEKIT_*`, else what OpenTelemetry calls the same thing. */

import type { Options } from '../../js/options.js';

type Environment = Readonly<Record<string, string | undefined>>;

/** `a=1,b=2`, values percent-encoded, as OTEL_RESOURCE_ATTRIBUTES and OTEL_…_HEADERS write it. */
function pairs(text: string | undefined): Map<string, string> {
  const found = new Map<string, string>();
  for (const pair of (text ?? '').split(',')) {
    const [key, value] = pair.split(/=([^]*)/);
    if (key?.trim() && value !== undefined) found.set(key.trim(), decoded(value.trim()));
  }
  return found;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function isYes(text: string | undefined): boolean {
  return /^(1|true|yes|on)$/i.test(text ?? '');
}

function otelRate(env: Environment): string | undefined {
  const sampler = env.OTEL_TRACES_SAMPLER ?? '';
  if (sampler.endsWith('always_off')) return '0';
  return !sampler || sampler.endsWith('traceidratio') ? env.OTEL_TRACES_SAMPLER_ARG : undefined;
}

/** What only the environment says: headers that go along, and who sends, beside the options. */
export interface EnvironmentOptions extends Options {
  headers: Readonly<Record<string, string>>;
  resource: Readonly<Record<string, string>>;
}

/** An empty variable is an unset one. */
export function environmentOptions(env: Environment): EnvironmentOptions {
  const resource = pairs(env.OTEL_RESOURCE_ATTRIBUTES);
  const headers = pairs(env.OTEL_EXPORTER_OTLP_TRACES_HEADERS || env.OTEL_EXPORTER_OTLP_HEADERS);
  const rate = env.TRACEKIT_SAMPLE_RATE || otelRate(env);
  return {
    apiKey: env.TRACEKIT_API_KEY,
    headers: Object.fromEntries(headers),
    resource: Object.fromEntries(resource),
    endpoint:
      env.TRACEKIT_ENDPOINT ||
      env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT ||
      env.OTEL_EXPORTER_OTLP_ENDPOINT ||
      undefined,
    serviceName:
      env.TRACEKIT_SERVICE_NAME || env.OTEL_SERVICE_NAME || resource.get('service.name'),
    environment: env.TRACEKIT_ENVIRONMENT || resource.get('deployment.environment.name'),
    release: env.TRACEKIT_RELEASE || resource.get('service.version'),
    sampleRate: rate ? Number(rate) : undefined,
    debug: isYes(env.TRACEKIT_DEBUG) || env.OTEL_LOG_LEVEL?.toLowerCase() === 'debug',
    enabled: !isYes(env.OTEL_SDK_DISABLED),
  };
}
