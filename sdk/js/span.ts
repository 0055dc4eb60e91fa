/**
 * A span: one operation of one service. Its identity is set when it starts; it is recorded until
 * it ends, and then belongs to the exporter. An unsampled span has an identity and nothing else.
 */

import { Attributes, COUNT_MAX, type TagValue, type Tags } from './attributes.js';
import { clockOrigin, microsAt } from './clock.js';
import type { SpanContext } from './traceparent.js';

export type SpanKind = 'INTERNAL' | 'SERVER' | 'CLIENT' | 'PRODUCER' | 'CONSUMER';
export type StatusCode = 'UNSET' | 'OK' | 'ERROR';

export interface SpanEvent {
  name: string;
  micros: number;
  attributes: Attributes;
}

/** How a span comes to be; made by the tracer. */
export interface SpanOrigin {
  name: string;
  kind: SpanKind;
  identity: SpanContext;
  parent: SpanContext | undefined;
  /** Start on the monotonic clock, in milliseconds; unset = now. */
  at: number | undefined;
  tags: Tags | undefined;
  startChild: (parent: Span, name: string, tags?: Tags) => Span;
  /** Takes the ended span; unset when the span is not recorded. */
  sink: ((span: Span) => void) | undefined;
}

/** What is known of a thrown value, which may be anything. */
function errorFacts(error: unknown): { type: string; message: string; stack?: string } {
  try {
    if (!(error instanceof Error)) return { type: typeof error, message: String(error) };
    const { name, message, stack } = error;
    return { type: String(name), message: String(message), ...(stack && { stack }) };
  } catch {
    return { type: typeof error, message: '' };
  }
}

export class Span implements SpanContext {
  readonly traceId: string;
  readonly spanId: string;
  readonly sampled: boolean;
  readonly random: boolean;
  readonly tracestate: string;
  /** Empty for a root. */
  readonly parentSpanId: string;

  /** @internal */ readonly parentIsRemote: boolean;
  /** @internal The first span of this trace in this process. */ readonly entry: Span;
  /** @internal */ name: string;
  /** @internal */ readonly kind: SpanKind;
  /** @internal */ readonly startMicros: number;
  /** @internal */ endMicros = 0;
  /** @internal */ readonly attributes = new Attributes();
  /** @internal */ readonly events: SpanEvent[] = [];
  /** @internal */ eventsDropped = 0;
  /** @internal */ status: StatusCode = 'UNSET';
  /** @internal */ statusMessage: string | undefined;

  private readonly _clockOrigin: number;
  private readonly _startChild: SpanOrigin['startChild'];
  private _sink: SpanOrigin['sink'];
  private _lastError: unknown;

  /** @internal */
  constructor(origin: SpanOrigin) {
    const { identity, parent } = origin;
    this.traceId = identity.traceId;
    this.spanId = identity.spanId;
    this.sampled = identity.sampled;
    this.random = identity.random;
    this.tracestate = identity.tracestate;
    this.parentSpanId = parent?.spanId ?? '';
    const local = parent instanceof Span ? parent : undefined;
    this.parentIsRemote = parent !== undefined && !local;
    this.entry = local?.entry ?? this;
    this.name = origin.name;
    this.kind = origin.kind;
    this._startChild = origin.startChild;
    this._sink = origin.sink;
    this._clockOrigin = local?._clockOrigin ?? clockOrigin();
    this.startMicros = microsAt(this._clockOrigin, origin.at);
    if (origin.sink) this.attributes.setAll(origin.tags);
  }

  /** Sets an attribute, or with null takes it away. Numbers, booleans, lists keep their type. */
  setTag(key: string, value: TagValue | null | undefined): this {
    if (this._sink) this.attributes.set(key, value);
    return this;
  }

  setTags(tags: Tags): this {
    if (this._sink) this.attributes.setAll(tags);
    return this;
  }

  setName(name: string): this {
    if (this._sink) this.name = name;
    return this;
  }

  /** Says how the operation went. A message only explains an error. */
  setStatus(code: StatusCode, message?: string): this {
    if (this._sink) {
      this.status = code;
      this.statusMessage = code === 'ERROR' ? message : undefined;
    }
    return this;
  }

  /** Notes that something happened now. */
  addEvent(name: string, tags?: Tags): this {
    if (!this._sink) return this;
    if (this.events.length >= COUNT_MAX) {
      this.eventsDropped++;
      return this;
    }
    const attributes = new Attributes();
    attributes.setAll(tags);
    this.events.push({ name, micros: microsAt(this._clockOrigin), attributes });
    return this;
  }

  /** Records the error as an event and marks the span failed. The same error counts once. */
  captureException(error: unknown): this {
    if (!this._sink || error === this._lastError) return this;
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
    return this._startChild(this, name, tags);
  }

  /** Ends the span, now or at `at` of the monotonic clock (ms). The second time does nothing. */
  end(at?: number): void {
    const sink = this._sink;
    if (!sink) return;
    this.endMicros = Math.max(this.startMicros, microsAt(this._clockOrigin, at));
    this._sink = undefined;
    sink(this);
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
export function runSpan<T>(
  span: Span,
  within: (work: () => T) => T,
  work: (span: Span) => T,
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
