/**
 * TraceKit for pages that send no spans: `traceparent` and `tracestate` on the requests to your own
 * services, nothing else. All requests from one click (or the page's load, or a step back) to the
 * next are one trace, which begins with the spans of the first service they reach.
 */

import { idSource } from '../../js/ids.js';
import { makeLog } from '../../js/log.js';
import { checkedRate, checkedTargets, type Options } from '../../js/options.js';
import { inject } from '../../js/propagation.js';
import { isSampled, rootTracestate, threshold } from '../../js/sampling.js';
import { propagationTo, resolveUrl } from '../../js/targets.js';
import { inBrowser, pageBase, randomHex } from './environment.js';
import { instrumentFetch } from './fetch.js';
import type { TracedRequest, TraceRequest } from './request.js';
import { instrumentXhr } from './xhr.js';

export type PropagationOptions = Pick<
  Options,
  'tracePropagationTargets' | 'sampleRate' | 'debug' | 'enabled'
>;

const draw = idSource(randomHex);

let traceId = '';
let settings: PropagationOptions = {};
let observing = false;

const trace: TraceRequest = ({ url, opaque, hasHeader }) => {
  const headers: TracedRequest['headers'] = [];
  const to = propagationTo(
    resolveUrl(url, pageBase()),
    settings.tracePropagationTargets,
    location.origin,
  );
  if (to !== 'sent' || opaque || hasHeader || settings.enabled === false) return undefined;
  const limit = threshold(settings.sampleRate!);
  const sampled = isSampled(traceId, limit);
  const tracestate = sampled ? rootTracestate(limit!) : '';
  inject({ traceId, spanId: draw(8), sampled, random: true, tracestate }, (name, value) =>
    headers.push([name, value]),
  );
  return { scope: undefined, headers, done() {} };
};

/** Starts sending headers. What `init` of the whole SDK takes beside these options is ignored. */
export function init(options: PropagationOptions = {}): typeof TraceKit {
  const log = makeLog(options.debug === true);
  settings = {
    enabled: options.enabled,
    sampleRate: checkedRate(options.sampleRate, log),
    tracePropagationTargets: checkedTargets(options.tracePropagationTargets, log),
  };
  if (observing || !inBrowser) return TraceKit;
  observing = true;
  instrumentFetch(trace);
  if (globalThis.XMLHttpRequest) instrumentXhr(trace);
  const renew = (): void => void (traceId = draw(16));
  renew();
  addEventListener('click', renew, true);
  addEventListener('popstate', renew);
  return TraceKit;
}

/** The trace that requests made now belong to, for an error report; empty on a server. */
export const currentTraceId = (): string => traceId;

export const TraceKit = { init, currentTraceId };

export default TraceKit;
