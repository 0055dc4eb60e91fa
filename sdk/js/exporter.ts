/**
 * Keeps ended spans, written as they go out, until the server has them.
 *
 * Invariants: at most QUEUE_MAX spans of QUEUE_BYTES_MAX in all wait or are under way; a span that
 * finds no room, or whose batch is given up, is counted in `stats().dropped`. Batches go one after
 * the other (only a page that goes away sends them side by side) and never again once the server
 * took them, in whole or in part. Nothing here throws.
 */

import type { Log } from './log.js';
import { ATTEMPTS_MAX, outcomeOf, retryDelay, type Outcome } from './retry.js';

export const QUEUE_MAX = 2_048;
export const QUEUE_BYTES_MAX = 16_777_216;
export const BATCH_MAX = 512;
export const INTERVAL_MS = 5_000;

export interface Reply {
  /** null = no answer. */
  status: number | null;
  retryAfter?: string | null;
  /** The answer's text, or why there is none. */
  text: string;
}

/** `S` is a span, `Item` the same written out, `Body` a request, as the transport takes them. */
export interface ExporterOptions<S, Item, Body, Answer extends Reply> {
  url: string;
  /** False when there is no key: spans are let go, uncounted, since nobody waits for them. */
  enabled: boolean;
  encode: (span: S) => Item;
  request: (items: readonly Item[]) => Body;
  /** Posts a body; `leaving` when the page may be gone before the answer. Never rejects. */
  send: (body: Body, leaving: boolean) => Promise<Answer>;
  /** How many spans the server's answer says it rejected, and why. */
  rejected: (reply: Answer) => [count: number, message: string];
  log: Log;
}

export interface Stats {
  sent: number;
  dropped: number;
  queued: number;
}

/** A timer that keeps no process alive. */
function later(work: () => void, ms: number): ReturnType<typeof setTimeout> {
  const timer = setTimeout(work, ms);
  (timer as { unref?: () => void }).unref?.();
  return timer;
}

export class Exporter<
  S,
  Item extends { length: number },
  Body,
  Answer extends Reply = Reply,
> {
  private readonly _options: ExporterOptions<S, Item, Body, Answer>;
  private _queue: Item[] = [];
  private _timer: ReturnType<typeof setTimeout> | undefined;
  private _draining: Promise<void> | undefined;
  private _wake: (() => void) | undefined;
  private _hurried = false;
  /** The last try failed, and the user was told. */
  private _failing = false;
  private _sent = 0;
  private _dropped = 0;
  private _underWay = 0;
  /** Of what waits or is under way. */
  private _bytes = 0;

  constructor(options: ExporterOptions<S, Item, Body, Answer>) {
    this._options = options;
  }

  stats(): Stats {
    return { sent: this._sent, dropped: this._dropped, queued: this._queue.length + this._underWay };
  }

  add(span: S): void {
    if (!this._options.enabled) return;
    if (this._queue.length + this._underWay >= QUEUE_MAX || this._bytes >= QUEUE_BYTES_MAX) {
      this._drop(1, 'the queue is full');
      return;
    }
    let item;
    try {
      item = this._options.encode(span);
    } catch {
      this._drop(1, 'unwritable');
      return;
    }
    this._bytes += item.length;
    const waiting = this._queue.push(item);
    if (waiting >= BATCH_MAX) void this._drain();
    else this._timer ??= later(() => this._drain(), INTERVAL_MS);
  }

  /** The page may go away: posts at once, side by side, what `fits`; the rest as usual. */
  leave(fits: (body: Body) => boolean): void {
    for (let count = BATCH_MAX; this._queue.length && count; ) {
      const batch = this._queue.slice(0, count);
      const body = this._options.request(batch);
      if (fits(body)) {
        this._queue.splice(0, batch.length);
        void this._deliver(batch, body, true);
      } else {
        count = batch.length >> 1;
      }
    }
    if (this._queue.length) void this._drain();
  }

  /** Sends what is waiting. True when all was delivered or given up within the time. */
  async flush(timeoutMs: number): Promise<boolean> {
    this._wake?.();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(false), timeoutMs);
    });
    const done = await Promise.race([this._drain().then(() => true), late]);
    clearTimeout(timer);
    return done;
  }

  /** Sends what is waiting, each batch once more at most, and counts the rest as dropped. */
  async shutdown(timeoutMs: number): Promise<boolean> {
    this._hurried = true;
    const done = await this.flush(timeoutMs);
    this._drop(this._queue.length, 'stopping');
    for (const item of this._queue) this._bytes -= item.length;
    this._queue = [];
    clearTimeout(this._timer);
    this._hurried = false;
    return done;
  }

  private _drop(count: number, why: string): void {
    this._dropped += count;
    if (count) this._say('dropped', `spans are being dropped: ${why}`);
  }

  /** One line however long a failure lasts. */
  private _say(key: string, message: string): void {
    const { log } = this._options;
    if (this._failing) log.debug(message);
    else log.loud(key, message);
  }

  /** Sends until the queue is empty; one run at a time. */
  private _drain(): Promise<void> {
    clearTimeout(this._timer);
    this._timer = undefined;
    this._draining ??= this._sendAll().finally(() => {
      this._draining = undefined;
    });
    return this._draining;
  }

  private async _sendAll(): Promise<void> {
    while (this._queue.length) {
      const batch = this._queue.splice(0, BATCH_MAX);
      await this._deliver(batch, this._options.request(batch), false);
    }
  }

  private async _deliver(batch: readonly Item[], body: Body, leaving: boolean): Promise<void> {
    const count = batch.length;
    this._underWay += count;
    for (let attempt = 1; ; attempt++) {
      const reply = await this._options.send(body, leaving);
      const outcome = outcomeOf(reply.status);
      this._report(reply, outcome, count);
      if (outcome === 'delivered') break;
      if (outcome === 'drop' || attempt >= ATTEMPTS_MAX || this._hurried) {
        this._drop(count, 'not taken');
        break;
      }
      await this._wait(retryDelay(attempt, reply.retryAfter));
    }
    this._underWay -= count;
    for (const item of batch) this._bytes -= item.length;
  }

  /** Waits, or until somebody flushes. */
  private _wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = later(resolve, ms);
      this._wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  private _report(reply: Answer, outcome: Outcome, count: number): void {
    const { log, url, rejected } = this._options;
    const { status } = reply;
    const said = reply.text.slice(0, 200);
    if (outcome === 'delivered') {
      const [lost, why] = rejected(reply);
      this._sent += count - lost;
      this._dropped += lost;
      log.debug(`exported ${count - lost} spans to ${url}: ${status}`);
      if (lost || why) log.loud('rejected', `${url} rejected ${lost} of ${count} spans: ${why}`);
    } else if (status === 401 || status === 403) {
      // Worth a line of its own after another failure.
      log.loud('refused', `${url} refuses the API key (${status} ${said})`);
    } else if (status === null) {
      this._say('status', `no answer from ${url} (${said})`);
    } else {
      this._say(`status ${status}`, `${url} answered ${status} ${said}`);
    }
    this._failing = outcome !== 'delivered';
  }
}
