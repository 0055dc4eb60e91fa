/** What TypeScript must accept of users; compiled by `npm run typecheck`, never run. */

import axios from 'axios';
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
const http = tracekit.wrapAxios(axios.create({ baseURL: 'http://go-service:8080' }));
const handler: (event: { id: string }) => Promise<number> = tracekit.flushAfter(
  async (event: { id: string }) => (await http.get<number>(`/orders/${event.id}`)).data,
);
tracekit.traceUndici();
void [answer, value, handler];
