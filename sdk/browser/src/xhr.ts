/** Traces XMLHttpRequest. */

import { enter } from './activity.js';
import type { TracedRequest, TraceRequest } from './request.js';

interface Facts {
  method: string;
  url: string;
  hasHeader: boolean;
  traced?: TracedRequest | undefined;
}

export function instrumentXhr(trace: TraceRequest): void {
  const prototype = XMLHttpRequest.prototype;
  const { open, send, setRequestHeader } = prototype;
  const opened = new WeakMap<XMLHttpRequest, Facts>();

  /** Listens from `open` on, in front of the app's listeners, so that they run in the scope. */
  function onReadyState(this: XMLHttpRequest): void {
    const facts = opened.get(this);
    if (this.readyState !== 4 || !facts?.traced) return;
    const { scope, done } = facts.traced;
    facts.traced = undefined;
    done(this.status, this.status ? undefined : new TypeError('no answer'));
    enter(scope);
  }

  prototype.open = function (this: XMLHttpRequest, method: string, url: string | URL, ...rest) {
    if (!opened.has(this)) this.addEventListener('readystatechange', onReadyState);
    opened.set(this, { method: method.toUpperCase(), url: String(url), hasHeader: false });
    return open.call(this, method, url, ...(rest as [boolean]));
  } as typeof open;

  prototype.setRequestHeader = function (name, value) {
    const facts = opened.get(this);
    if (facts && name.toLowerCase() === 'traceparent') facts.hasHeader = true;
    setRequestHeader.call(this, name, value);
  };

  prototype.send = function (body) {
    const facts = opened.get(this);
    if (facts) {
      facts.traced = trace({ api: 'xhr', opaque: false, ...facts });
      for (const [name, value] of facts.traced?.headers ?? []) {
        setRequestHeader.call(this, name, value);
      }
    }
    send.call(this, body);
  };
}
