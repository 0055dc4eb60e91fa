/** A service on our Node SDK: GET /work calls NEXT_URL through the traced client. */

const express = require('express');
const { TraceKit, tracekit } = require('@tracekit/node');

TraceKit.init({ serviceName: process.env.SERVICE_NAME ?? 'tracekit-node' });
const app = express();
app.use(TraceKit.Handlers.requestHandler());
app.use(TraceKit.Handlers.tracingHandler());
app.get('/work', async (req, res) => {
  const next = process.env.NEXT_URL ? await (await tracekit.fetch(process.env.NEXT_URL)).json() : null;
  res.json({ service: 'tracekit-node', traceparent: req.get('traceparent'), tracestate: req.get('tracestate'), next });
});
const server = app.listen(Number(process.env.PORT ?? 0), '127.0.0.1', () => {
  console.log(`ready http://127.0.0.1:${server.address().port}`);
});
process.once('SIGTERM', () => {
  server.close();
  server.closeAllConnections();
});
