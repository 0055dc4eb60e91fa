// What the panel is made of.

import type { ComponentChildren } from 'preact';
import { plural } from '../format';

export function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div class="fact">
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

interface Props {
  title: string;
  count?: number;
  children: ComponentChildren;
}

export function Section({ title, count, children }: Props) {
  return (
    <section class="panel-section">
      <h3>
        {title} {count !== undefined && <span class="muted num">{count}</span>}
      </h3>
      {children}
    </section>
  );
}

export function Dropped({ count, noun }: { count: number | undefined; noun: string }) {
  return count ? <p class="muted">{plural(count, noun)} dropped by the SDK.</p> : null;
}
