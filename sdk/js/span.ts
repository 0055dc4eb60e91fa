/**
 * A span: one operation of one service. Its identity is set when it starts; it is recorded until
 * it ends, and then belongs to the exporter. An unsampled span has an identity and nothing else.
 */

import { Attributes, COUNT_MAX, nameOf, type TagValue, type Tags } from './attributes.js';
import { clockOrigin, microsAt } from './clock.js';
import type { Id } from './ids.js';
import type { SpanContext } from './traceparent.js';

export type SpanKind = 'INTERNAL' | 'SERVER' | 'CLIENT' | 'PRODUCER' | 'CONSUMER';
export type StatusCode = 'UNSET' | 'OK' | 'ERROR';

export interface SpanEvent {
  name: string;
  micros: number;
  attributes: Attributes;
}

/** Who makes spans; see the tracer. */
export interface SpanOwner {
  start(name: string, options: { parent: Span; tags: Tags | undefined }): Span;
  /** Takes an ended span. */
  ended(span: Span): void;
}

/** No events: most spans have none. */
export const NONE: never[] = [];

/** What is known of a thrown value, which may be anything. */
function errorFacts(error: unknown): { type: string; message: string; stack?: string | undefined } {
  try {
    if (!(error instanceof Error)) return { type: typeof error, message: String(error) };
    const { name, message, stack } = error;
    return { type: String(name), message: String(message), stack };
  } catch {
    return { type: typeof error, message: '' };
  }
}

export class Span implements SpanContext {
  /** @internal Empty for a root. */ readonly parent: Id;
  /** @internal */ readonly parentIsRemote: boolean;
  /** @internal The first span of this trace in this process. */ readonly entry: this;
  /** @internal */ readonly startMicros: number;
  /** @internal */ endMicros = 0;
  /** @internal */ readonly attributes = new Attributes();
  /** @internal */ events: SpanEvent[] = NONE;
  /** @internal */ eventsDropped = 0;
  /** @internal */ status: StatusCode = 'UNSET';
  /** @internal */ statusMessage: string | undefined;

  private readonly _clockOrigin: number;
  private _lastError: unknown;

  /** @internal `at` is the start on the monotonic clock, in milliseconds. */
  constructor(
    private readonly _owner: SpanOwner,
    /** @internal */ public name: string,
    /** @internal */ public readonly kind: SpanKind,
    parent: SpanContext | undefined,
    at: number,
    /** @internal */ public readonly trace: Id,
    /** @internal */ public readonly id: Id,
    readonly sampled: boolean,
    readonly random: boolean,
    readonly tracestate: string,
    /** @internal It is neither ended nor left alone. */ public recording: boolean,
  ) {
    // Cheaper than to ask for its class: only spans have an entry.
    const local = (parent as Span | undefined)?.entry && (parent as Span);
    this.parent = local ? local.id : parent ? parent.spanId : '';
    this.parentIsRemote = parent !== undefined && !local;
    this.entry = local ? (local.entry as this) : this;
    this._clockOrigin = local ? local._clockOrigin : clockOrigin(at);
    this.startMicros = microsAt(this._clockOrigin, at);
  }

  get traceId(): string {
    return String(this.trace);
  }

  get spanId(): string {
    return String(this.id);
  }

  /** Empty for a root. */
  get parentSpanId(): string {
    return String(this.parent);
  }

  /** Sets an attribute, or with null takes it away. Numbers, booleans, lists keep their type. */
  setTag(key: string, value: TagValue | null | undefined): this {
    if (this.recording) this.attributes.set(key, value);
    return this;
  }

  setTags(tags: Tags): this {
    if (this.recording) this.attributes.setAll(tags);
    return this;
  }

  setName(name: string): this {
    if (this.recording) this.name = nameOf(name);
    return this;
  }

  /** Says how the operation went. A message only explains an error. */
  setStatus(code: StatusCode, message?: string): this {
    if (this.recording) {
      this.status = code;
      this.statusMessage = code === 'ERROR' ? message : undefined;
    }
    return this;
  }

  /** Notes that something happened: now, or at `at` of the monotonic clock (ms). */
  addEvent(name: string, tags?: Tags, at = performance.now()): this {
    if (!this.recording) return this;
    if (this.events.length >= COUNT_MAX) {
      this.eventsDropped++;
      return this;
    }
    const attributes = new Attributes();
    attributes.setAll(tags);
    const micros = microsAt(this._clockOrigin, at);
    if (!this.events.length) this.events = [];
    this.events.push({ name: nameOf(name), micros, attributes });
    return this;
  }

  /** Records the error as an event and marks the span failed. The same error counts once. */
  captureException(error: unknown): this {
    if (!this.recording || error === this._lastError) return this;
    this._lastError = error;
    const { type, message, stack } = errorFacts(error);
    this.setTag('error.type', type).setStatus('ERROR', message);
    return this.addEvent('exception', {
      'exception.type': type,
      'exception.message': message,
      'exception.stacktrace': stack,
    });
  }

  /** Starts a child. It does not become the current span. */
  startSpan(name: string, tags?: Tags): Span {
    return this._owner.start(name, { parent: this, tags });
  }

  /** Ends the span, now or at `at` of the monotonic clock (ms). The second time does nothing. */
  end(at = performance.now()): void {
    if (!this.recording) return;
    this.endMicros = Math.max(this.startMicros, microsAt(this._clockOrigin, at));
    this.recording = false;
    this._owner.ended(this);
  }

  /** The same as `end`. */
  finish(): void {
    this.end();
  }
}

/**
 * Runs `work` and ends the span when it is done, with the error if it fails. `within` makes the
 * span the current one while the work runs.
 */
export function runSpan<T, S extends Span>(
  span: S,
  within: (work: () => T) => T,
  work: (span: S) => T,
): T {
  const failed = (error: unknown): never => {
    span.captureException(error);
    span.end();
    throw error;
  };
  let result: T;
  try {
    result = within(() => work(span));
  } catch (error) {
    return failed(error);
  }
  if (typeof (result as { then?: unknown } | undefined)?.then !== 'function') {
    span.end();
    return result;
  }
  return (result as unknown as Promise<unknown>).then((value) => {
    span.end();
    return value;
  }, failed) as T;
}
