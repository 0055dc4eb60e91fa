// The services of a trace with their colours and span counts.

import type { ServiceCount } from '../api';
import { formatCount, plural } from '../format';
import { colourOf } from '../waterfall/colour';

const shownMax = 6;

export function ServiceChips({ services }: { services: ServiceCount[] }) {
  const rest = services.length - shownMax;
  return (
    <ul class="chips">
      {services.slice(0, shownMax).map((service) => (
        <Chip key={service.name} service={service} />
      ))}
      {rest > 0 && <li class="muted">+{rest}</li>}
    </ul>
  );
}

function Chip({ service }: { service: ServiceCount }) {
  const errors = service.errorCount > 0 ? `, ${plural(service.errorCount, 'error')}` : '';
  const title = `${service.name}: ${plural(service.spanCount, 'span')}${errors}`;
  return (
    <li class="chip num" title={title} style={{ '--service': colourOf(service.name) }}>
      <bdi>{service.name}</bdi>
      {formatCount(service.spanCount)}
      {service.errorCount > 0 && (
        <span class="mark mark-error" role="img" aria-label={plural(service.errorCount, 'error')} />
      )}
    </li>
  );
}
