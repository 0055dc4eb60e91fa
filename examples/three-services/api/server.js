/**
 * The API gateway of the three-service example: Express on port 3001, between the page and the
 * Go service.
 *
 *   TRACEKIT_API_KEY   the key of this service's project
 *   PORT               3001
 *   GO_URL             where the Go service is, http://localhost:8080
 *   WEB_ORIGIN         whose pages may ask, http://localhost:3000
 */

const net = require('node:net');
const { setTimeout: sleep } = require('node:timers/promises');
const cors = require('cors');
const express = require('express');
const { TraceKit, tracekit } = require('@tracekit/node');

const PORT = Number(process.env.PORT ?? 3001);
const GO_URL = process.env.GO_URL || 'http://localhost:8080';
const WEB_ORIGIN = process.env.WEB_ORIGIN || 'http://localhost:3000';

// Node 18 asks only the first address of localhost; the Go service may listen on the other.
net.setDefaultAutoSelectFamily(true);

TraceKit.init({
  apiKey: process.env.TRACEKIT_API_KEY,
  serviceName: 'Node.js API',
});

const app = express();

// TraceKit middleware must be first
app.use(TraceKit.Handlers.requestHandler());
app.use(TraceKit.Handlers.tracingHandler());

app.use(cors({
  origin: WEB_ORIGIN,
  allowedHeaders: ['Content-Type', 'Authorization', 'traceparent', 'tracestate'],
}));

/** Stands for a call to an identity provider. */
async function validateAuth(req) {
  await sleep(30);
  return req.get('Authorization') ?? 'anonymous';
}

app.get('/api/users', async (req, res, next) => {
  try {
    const caller = await tracekit.startSpan('validate-auth', () => validateAuth(req));
    tracekit.setTag('tenant.id', caller);
    const response = await tracekit.fetch(`${GO_URL}/users`);
    res.status(response.ok ? 200 : 502).json(await response.json());
  } catch (error) {
    next(error);
  }
});

const server = app.listen(PORT, '127.0.0.1', () => {
  console.log(`ready http://localhost:${server.address().port}`);
});

// TraceKit sends its last spans on SIGTERM by itself; ending the server is the app's.
process.once('SIGTERM', () => {
  server.close();
  server.closeIdleConnections();
});
