/** Starts spans: whose child, in which trace, sampled or not. */

import type { Attributes, Tags } from './attributes.js';
import { idSource, type RandomHex } from './ids.js';
import { isSampled, rootTracestate, threshold } from './sampling.js';
import { Span, type SpanKind } from './span.js';
import type { SpanContext } from './traceparent.js';

export interface SpanOptions {
  kind?: SpanKind;
  tags?: Tags | undefined;
  /** Unset = the current span; null = none, a new trace starts. */
  parent?: SpanContext | null | undefined;
  /** Start on the monotonic clock, in milliseconds; unset = now. */
  at?: number;
}

export interface TracerOptions {
  randomHex: RandomHex;
  sampleRate: number;
  /** When false nothing is recorded, and this service is not seen in the traces it serves. */
  enabled: boolean;
  current: () => Span | undefined;
  /** Set on every span as it ends, unless it has its own. */
  globalTags: Attributes;
  export: (span: Span) => void;
}

const NOBODY: SpanContext = {
  traceId: '',
  spanId: '',
  sampled: false,
  random: false,
  tracestate: '',
};

export class Tracer {
  private readonly _options: TracerOptions;
  private readonly _draw: ReturnType<typeof idSource>;
  private readonly _limit: string | undefined;

  constructor(options: TracerOptions) {
    this._options = options;
    this._draw = idSource(options.randomHex);
    this._limit = threshold(options.sampleRate);
  }

  start(name: string, options: SpanOptions = {}): Span {
    const parent =
      options.parent === undefined ? this._options.current() : (options.parent ?? undefined);
    const identity = this._identity(parent);
    return new Span({
      name: String(name),
      kind: options.kind ?? 'INTERNAL',
      identity,
      parent,
      at: options.at,
      tags: options.tags,
      startChild: this._startChild,
      sink: this._options.enabled && identity.sampled ? this._sink : undefined,
    });
  }

  /** A service that does not record hands on what it got: its callees are its caller's children. */
  private _identity(parent: SpanContext | undefined): SpanContext {
    if (!this._options.enabled) return parent ?? NOBODY;
    const spanId = this._draw(8);
    if (parent?.traceId) {
      const { traceId, sampled, random, tracestate } = parent;
      return { traceId, spanId, sampled, random, tracestate };
    }
    const traceId = this._draw(16);
    const sampled = isSampled(traceId, this._limit);
    const tracestate = sampled ? rootTracestate(this._limit!) : '';
    return { traceId, spanId, sampled, random: true, tracestate };
  }

  private readonly _startChild = (parent: Span, name: string, tags?: Tags): Span =>
    this.start(name, { parent, tags });

  private readonly _sink = (span: Span): void => {
    span.attributes.inherit(this._options.globalTags);
    this._options.export(span);
  };
}
