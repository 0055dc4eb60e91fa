/** Trace and span ids, drawn from a pool so that the system's generator is called rarely. */

const POOL_BYTES = 2048;
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** Fills the array with bytes from the system's cryptographic generator. */
export type Random = (bytes: Uint8Array) => void;

/** Returns a function that draws an id of so many bytes: lower-case hexadecimal, never zero. */
export function idSource(random: Random): (bytes: 8 | 16) => string {
  const pool = new Uint8Array(POOL_BYTES);
  let next = POOL_BYTES;
  return function draw(bytes): string {
    if (next + bytes > POOL_BYTES) {
      random(pool);
      next = 0;
    }
    let id = '';
    let any = 0;
    for (const end = next + bytes; next < end; next++) {
      any |= pool[next]!;
      id += HEX[pool[next]!]!;
    }
    return any ? id : draw(bytes);
  };
}
