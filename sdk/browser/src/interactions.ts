/** The roots of a page's traces: its load, the clicks of its user, and where they lead to. */

import { redactUrl } from '../../js/redact.js';
import type { Span } from '../../js/span.js';
import { Activity, closeActivities, enteredScope } from './activity.js';
import type { Client } from './client.js';
import { markNavigation, observeVitals } from './vitals.js';

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

function startRoot(client: () => Client, name: string, at: number, parent?: Span): Span {
  const tags = { 'url.full': redactUrl(location.href) };
  return client().tracer.start(name, { parent: parent ?? null, at, tags });
}

/** A click becomes a span when it leads to a request or a span. */
export function observeClicks(client: () => Client): void {
  const onClick = (event: Event): void => {
    const name = clickName(event.target);
    new Activity(() => startRoot(client, name, event.timeStamp), true);
  };
  addEventListener('click', onClick, true);
}

/**
 * The page's load, from its navigation on, if it is still under way, with Navigation Timing's marks
 * as events. Returns what reports, once, how it felt to the user: a child of it.
 */
export function observeLoad(client: () => Client): () => void {
  const vitals = observeVitals();
  let root: Span | undefined;
  let reported = false;
  if (document.readyState !== 'complete') {
    const name = `pageload ${location.pathname}`;
    const load = new Activity(() => startRoot(client, name, 0), true);
    root = load.span();
    load.opened();
    const loaded = (): void => {
      markNavigation(load.span());
      load.closed();
    };
    // The load event has an end only after it.
    addEventListener('load', () => setTimeout(loaded), { once: true });
  }
  return () => {
    if (reported) return;
    reported = true;
    const tags = vitals();
    startRoot(client, 'web vitals', 0, root).setTags(tags).end(tags['web_vital.lcp']);
  };
}

/**
 * A change of the page's path without a load. It belongs to the click that led to it, and what is
 * requested for the new view belongs to it.
 */
export function observeNavigation(client: () => Client): void {
  let path = location.pathname;
  const onChange = (): void => {
    if (path === location.pathname) return;
    path = location.pathname;
    const at = performance.now();
    const parent = enteredScope()?.span();
    new Activity(() => startRoot(client, `navigation ${path}`, at, parent), true).span();
  };
  for (const name of ['pushState', 'replaceState'] as const) {
    const change = history[name];
    history[name] = function (...args) {
      change.apply(this, args);
      onChange();
    };
  }
  addEventListener('popstate', onChange);
}

/** Last moment to send: a hidden page may never be shown again. */
export function observeLeaving(flush: () => void): void {
  addEventListener('visibilitychange', () => document.hidden && flush());
  addEventListener('pagehide', () => {
    closeActivities();
    flush();
  });
}
