/** The API, on port 3001: asks the users' service, and keeps a record. */

const { setTimeout: sleep } = require('node:timers/promises');
const cors = require('cors');
const express = require('express');
const { TraceKit, tracekit } = require('@tracekit/node');

TraceKit.init({
  apiKey: process.env.TRACEKIT_API_KEY,
  serviceName: 'api',
});
setInterval(() => TraceKit.flush(), 100); // nobody wants to wait for a whole batch here

const app = express();
app.use(TraceKit.Handlers.requestHandler());
app.use(TraceKit.Handlers.tracingHandler());
app.use(cors({
  origin: 'http://localhost:3000',
  credentials: true,
  allowedHeaders: ['Content-Type', 'traceparent', 'tracestate'],
}));

app.get('/api/users', async (req, res) => {
  const response = await tracekit.fetch('http://localhost:8080/users');
  const users = await response.json();
  await tracekit.startSpan('record', () => sleep(50));
  res.json(users);
});

app.listen(3001, '127.0.0.1', () => console.log('ready http://localhost:3001'));
process.once('SIGTERM', () => process.exit());
