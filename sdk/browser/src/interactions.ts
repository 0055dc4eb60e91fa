/** The roots of a page's traces: its load, and the clicks of its user. */

import { redactUrl } from '../../js/redact.js';
import type { Span } from '../../js/span.js';
import { Activity, closeActivities } from './activity.js';
import type { Client } from './client.js';

const INTERACTIVE =
  '[data-tracekit-name],button,a,summary,label,select,[role=button],[role=link],' +
  '[role=menuitem],[role=tab],[type=button],[type=submit]';
const LABEL_MAX = 64;

function labelOf(element: Element): string {
  const text =
    element.getAttribute('aria-label') ||
    (element instanceof HTMLInputElement ? element.value : element.textContent) ||
    element.getAttribute('title') ||
    element.tagName.toLowerCase();
  return text.trim().replace(/\s+/g, ' ').slice(0, LABEL_MAX);
}

/**
 * `click Load Users`: what the control is called. `data-tracekit-name` names the span instead.
 * Of what is no control only the tag is told, since its text may be anything.
 */
function clickName(target: EventTarget | null): string {
  const element = target instanceof Element ? target : document.documentElement;
  const control = element.closest(INTERACTIVE);
  if (!control) return `click ${element.tagName.toLowerCase()}`;
  return control.getAttribute('data-tracekit-name') || `click ${labelOf(control)}`;
}

function startRoot(client: () => Client, name: string, at: number): Span {
  const tags = { 'url.full': redactUrl(location.href) };
  return client().tracer.start(name, { parent: null, at, tags });
}

/** A click becomes a span when it leads to a request or a span. */
export function observeClicks(client: () => Client): void {
  const onClick = (event: Event): void => {
    const name = clickName(event.target);
    new Activity(() => startRoot(client, name, event.timeStamp), true);
  };
  addEventListener('click', onClick, true);
}

/** The page's load, from its navigation on, if it is still under way. */
export function observeLoad(client: () => Client): void {
  if (document.readyState === 'complete') return;
  const name = `pageload ${location.pathname}`;
  const load = new Activity(() => startRoot(client, name, 0), true);
  load.span();
  load.opened();
  addEventListener('load', () => load.closed(), { once: true });
}

/** Last moment to send: a hidden page may never be shown again. */
export function observeLeaving(flush: () => void): void {
  addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'hidden') flush();
  });
  addEventListener('pagehide', () => {
    closeActivities();
    flush();
  });
}
