/**
 * Whose request is this? Browsers have no context that follows asynchronous calls, so the SDK
 * keeps one that is exact where it matters and says what it falls back on elsewhere.
 *
 * - An *activity* is what requests belong to: a click, the page's load, a transaction. Its span is
 *   made when the first child asks for it: a click that leads to nothing leaves nothing.
 * - While an activity's event is handled, and in every continuation of a response that one of its
 *   requests got, it is `entered`: until the microtasks are done, that is, for the rest of the
 *   async function that awaited, and for what React renders from it. Two overlapping clicks
 *   therefore never mix.
 * - Elsewhere (timers) the youngest activity that is still at work is taken.
 * - An activity settles when nothing of it happened for SETTLE_MS and no request or answer is
 *   open. It ends when its last step ended, so settling takes no part in its duration.
 */

import type { Span } from '../../js/span.js';

const SETTLE_MS = 100;
const LIFE_MS_MAX = 30_000;

/** What can be entered. */
export interface Scope {
  /** The span that children get as parent. */
  span(): Span;
  /** Something of this scope was done just now. */
  touch(): void;
  /** Something that takes time began; must be followed by `closed`. */
  opened(): void;
  closed(): void;
}

const live: Activity[] = [];
let entered: Scope | undefined;
let entries = 0;

const waiting: (() => void)[] = [];
let channel: MessageChannel | undefined;

/** Calls back as soon as the microtasks of now are done. */
function afterMicrotasks(work: () => void): void {
  if (!channel) {
    channel = new MessageChannel();
    channel.port1.onmessage = () => waiting.shift()!();
  }
  waiting.push(work);
  channel.port2.postMessage(0);
}

/** The scope of whatever runs now. */
export function currentScope(): Scope | undefined {
  return entered ?? live[live.length - 1];
}

/** The scope that is exactly known to be the one of what runs now. */
export function enteredScope(): Scope | undefined {
  return entered;
}

/** Makes `scope` the current one until the microtasks are done. */
export function enter(scope: Scope | undefined): void {
  const entry = ++entries;
  entered = scope;
  afterMicrotasks(() => {
    scope?.touch();
    if (entry === entries) entered = undefined;
  });
}

/** Runs `work` in `scope`, up to its first await. */
export function within<T>(scope: Scope, work: () => T): T {
  const before = entered;
  entered = scope;
  try {
    return work();
  } finally {
    entered = before;
  }
}

/** The same promise, whose continuations run in `scope`. */
export function bindPromise<T>(promise: Promise<T>, scope: Scope | undefined): Promise<T> {
  return promise.then(
    (value) => {
      enter(scope);
      return value;
    },
    (error) => {
      enter(scope);
      throw error;
    },
  );
}

export class Activity implements Scope {
  private readonly _start: () => Span;
  /** A transaction ends when it is told to. */
  private readonly _endsItself: boolean;
  private _span: Span | undefined;
  private _open = 0;
  private _lastAt = performance.now();
  private _settling: ReturnType<typeof setTimeout> | undefined;

  constructor(start: () => Span, endsItself: boolean) {
    this._start = start;
    this._endsItself = endsItself;
    live.push(this);
    enter(this);
    setTimeout(() => this.close(), LIFE_MS_MAX);
  }

  span(): Span {
    return (this._span ??= this._start());
  }

  touch(): void {
    this._lastAt = performance.now();
    clearTimeout(this._settling);
    if (this._endsItself && !this._open) {
      this._settling = setTimeout(() => this.close(), SETTLE_MS);
    }
  }

  opened(): void {
    this._open++;
    clearTimeout(this._settling);
  }

  closed(): void {
    this._open--;
    this.touch();
  }

  /** No longer at work. Ends the span if that is the activity's to do. */
  close(): void {
    const index = live.indexOf(this);
    if (index >= 0) live.splice(index, 1);
    if (entered === this) entered = undefined;
    if (this._endsItself) this._span?.end(this._lastAt);
  }
}

/** The page goes away: what is known by now is all that will be. */
export function closeActivities(): void {
  for (const activity of [...live]) activity.close();
}
