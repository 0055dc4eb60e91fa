/** What a span of a service has beside what a page's has. */

import { Attributes, COUNT_MAX, type Tags } from '../../js/attributes.js';
import { Span } from '../../js/span.js';
import type { SpanContext } from '../../js/traceparent.js';

export interface SpanLink {
  context: SpanContext;
  attributes: Attributes;
}

/** Most spans have none. */
export const NO_LINKS: SpanLink[] = [];

export class NodeSpan extends Span {
  /** @internal */ links = NO_LINKS;
  /** @internal */ linksDropped = 0;
  /** @internal The `baggage` header of the request that this is the entry of. */ baggage = '';

  /** Points at a span that this one has to do with: of a batch, of a message's sender. */
  addLink(context: SpanContext, tags?: Tags): this {
    if (!this.recording) return this;
    if (this.links.length >= COUNT_MAX) {
      this.linksDropped++;
      return this;
    }
    const attributes = new Attributes();
    attributes.setAll(tags);
    if (this.links === NO_LINKS) this.links = [];
    this.links.push({ context, attributes });
    return this;
  }

  override startSpan(name: string, tags?: Tags): NodeSpan {
    return super.startSpan(name, tags) as NodeSpan;
  }
}
