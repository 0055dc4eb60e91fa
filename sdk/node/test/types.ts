/** What TypeScript must accept of users; compiled by `npm run typecheck`, never run. */

import express from 'express';
import Fastify from 'fastify';
import TraceKit, { fastifyPlugin, tracekit, type Span } from '@tracekit/node';

TraceKit.init({
  apiKey: process.env.TRACEKIT_API_KEY,
  serviceName: 'api',
  tracePropagationTargets: ['localhost:3001', /^https:\/\/api\./],
});

const app = express();
app.use(TraceKit.Handlers.requestHandler());
app.use(TraceKit.Handlers.tracingHandler());
app.use(TraceKit.Handlers.errorHandler());

const fastify = Fastify();
fastify.register(fastifyPlugin);
fastify.register(fastifyPlugin());

const answer: Promise<Response> = tracekit.fetch('http://go-service:8080/api/data');
const span: Span = tracekit.startSpan('a', { tag: 1 });
const value: Promise<number> = tracekit.startSpan('b', async (inner: Span) => {
  inner.setTag('list', ['a', 1, true]).addEvent('e', { at: new Date() });
  return 1;
});
span.finish();
void [answer, value];
