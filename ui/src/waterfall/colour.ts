// A service has one colour everywhere and always: a hash of its name picks it. Red is no service's,
// it means error. theme.css has the twelve as --service-0 … --service-11, for each theme.

const paletteSize = 12;

/** FNV-1a over UTF-16 code units, with a last mix so that near names part. */
export function colourIndex(service: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < service.length; i++) {
    hash = Math.imul(hash ^ service.charCodeAt(i), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return ((hash ^ (hash >>> 12)) >>> 0) % paletteSize;
}

export const colourOf = (service: string) => `var(--service-${colourIndex(service)})`;
