/**
 * A service on OpenTelemetry's own Node SDK: GET /work makes a server span, calls NEXT_URL with a client span below it, and
 * passes W3C context on as OpenTelemetry does. Exports OTLP protobuf to TRACEKIT_ENDPOINT.
 */

import { createServer } from 'node:http';
import { context, propagation, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, NodeTracerProvider } from '@opentelemetry/sdk-trace-node';

const provider = new NodeTracerProvider({
  resource: resourceFromAttributes({ 'service.name': process.env.SERVICE_NAME ?? 'otel-node' }),
  spanProcessors: [new BatchSpanProcessor(
    new OTLPTraceExporter({
      url: `${process.env.TRACEKIT_ENDPOINT}/v1/traces`,
      headers: { 'x-api-key': process.env.TRACEKIT_API_KEY },
    }),
    { scheduledDelayMillis: 100 },
  )],
});
provider.register();
const tracer = trace.getTracer('otel-node', '1.0.0');

async function callNext(url) {
  return tracer.startActiveSpan('call next', { kind: SpanKind.CLIENT }, async (span) => {
    const headers = {};
    propagation.inject(context.active(), headers);
    try {
      const response = await fetch(url, { headers });
      span.setAttribute('http.response.status_code', response.status);
      return response.json();
    } catch (error) {
      span.recordException(error);
      span.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
      throw error;
    } finally {
      span.end();
    }
  });
}

const server = createServer((req, res) => {
  const parent = propagation.extract(context.active(), req.headers);
  tracer.startActiveSpan('GET /work', { kind: SpanKind.SERVER }, parent, async (span) => {
    span.setAttributes({ 'order.id': 42, big: 2 ** 40, ratio: 0.5, ok: true, list: ['a', 'b'] });
    const next = process.env.NEXT_URL ? await callNext(process.env.NEXT_URL).catch((error) => String(error)) : null;
    span.end();
    res.setHeader('content-type', 'application/json');
    res.end(JSON.stringify({ service: 'otel-node', traceparent: req.headers.traceparent, next }));
  });
});
server.listen(Number(process.env.PORT ?? 0), '127.0.0.1', () => {
  console.log(`ready http://127.0.0.1:${server.address().port}`);
});
process.once('SIGTERM', async () => {
  server.close();
  await provider.shutdown();
  process.exit(0);
});
