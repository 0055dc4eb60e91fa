/** A service on OpenTelemetry's SDK alone: calls `?next=` and answers what that answered. */

const { OTLPTraceExporter } = require('@opentelemetry/exporter-trace-otlp-http');
const { registerInstrumentations } = require('@opentelemetry/instrumentation');
const { HttpInstrumentation } = require('@opentelemetry/instrumentation-http');
const { resourceFromAttributes } = require('@opentelemetry/resources');
const { NodeTracerProvider, SimpleSpanProcessor } = require('@opentelemetry/sdk-trace-node');

const sink = process.env.SINK;
const exporter = new OTLPTraceExporter({ url: `${sink}/v1/traces` });
const provider = new NodeTracerProvider({
  resource: resourceFromAttributes({ 'service.name': 'hop' }),
  spanProcessors: [new SimpleSpanProcessor(exporter)],
});
provider.register();
registerInstrumentations({
  instrumentations: [
    new HttpInstrumentation({
      ignoreOutgoingRequestHook: ({ port }) => Number(port) === Number(new URL(sink).port),
    }),
  ],
});

const http = require('node:http');

const server = http.createServer((req, res) => {
  const next = new URL(req.url, 'http://hop').searchParams.get('next');
  http.get(next, (answer) => answer.pipe(res));
});
server.listen(0, '127.0.0.1', () => {
  process.send(`http://127.0.0.1:${server.address().port}`);
});
