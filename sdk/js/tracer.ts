/** Starts spans: whose child, in which trace, sampled or not. */

import { nameOf, type Attributes, type Tags } from './attributes.js';
import type { Draw, Id } from './ids.js';
import { isSampled, rootTracestate, threshold } from './sampling.js';
import type { Span, SpanKind, SpanOwner } from './span.js';
import type { SpanContext } from './traceparent.js';

export interface SpanOptions {
  kind?: SpanKind;
  tags?: Tags | undefined;
  /** Unset = the current span; null = none, a new trace starts. */
  parent?: SpanContext | null | undefined;
  /** Start on the monotonic clock, in milliseconds; unset = now. */
  at?: number;
}

export interface TracerOptions<S extends Span> {
  draw: Draw;
  sampleRate: number;
  /** When false nothing is recorded, and this service is not seen in the traces it serves. */
  enabled: boolean;
  current: () => Span | undefined;
  /** Set on every span as it ends, unless it has its own. */
  globalTags: Attributes;
  export: (span: S) => void;
  /** What a span is here. */
  Span: new (...origin: ConstructorParameters<typeof Span>) => S;
}

export class Tracer<S extends Span = Span> implements SpanOwner {
  private readonly _options: TracerOptions<S>;
  private readonly _limit: string | undefined;
  private readonly _rootState: string;

  constructor(options: TracerOptions<S>) {
    this._options = options;
    this._limit = threshold(options.sampleRate);
    this._rootState = this._limit === undefined ? '' : rootTracestate(this._limit);
  }

  start(name: string, options: SpanOptions = {}): S {
    const { parent = this._options.current(), tags } = options;
    const span = this._span(nameOf(name), options.kind ?? 'INTERNAL', parent ?? undefined, options.at);
    if (tags) span.setTags(tags);
    return span;
  }

  ended(span: S): void {
    span.attributes.inherit(this._options.globalTags);
    this._options.export(span);
  }

  /** A service that does not record hands on what it got: its callees are its caller's children. */
  private _span(
    name: string,
    kind: SpanKind,
    parent: SpanContext | undefined,
    at = performance.now(),
  ): S {
    const { enabled, draw } = this._options;
    let trace: Id = '';
    let id: Id = '';
    let sampled = false;
    let random = false;
    let tracestate = '';
    if (parent) {
      const local = parent as Partial<Span>;
      trace = local.trace ?? parent.traceId;
      id = local.id ?? parent.spanId;
      ({ sampled, random, tracestate } = parent);
    }
    if (enabled) {
      id = draw(8);
      if (!trace) {
        trace = draw(16);
        sampled = isSampled(trace, this._limit);
        random = true;
        tracestate = sampled ? this._rootState : '';
      }
    }
    const recording = enabled && sampled;
    return new this._options.Span(
      this, name, kind, parent, at, trace, id, sampled, random, tracestate, recording,
    );
  }
}
