/** Trace and span ids, cut from a pool so that the system's generator is called rarely. */

const POOL_BYTES = 2048;

/** An id is whatever has its lower-case hexadecimal digits as text; there is no empty one. */
export type Id = string | { toString(): string };

/** Draws an id of so many bytes from the system's cryptographic generator; never zero. */
export type Draw = (bytes: 8 | 16) => Id;

/** Returns a function that draws ids. `randomHex` makes so many random bytes, as digits. */
export function idSource(randomHex: (bytes: number) => string): (bytes: 8 | 16) => string {
  let pool = '';
  let next = 0;
  return function draw(bytes): string {
    if (next + bytes * 2 > pool.length) {
      pool = randomHex(POOL_BYTES);
      next = 0;
    }
    const id = pool.slice(next, (next += bytes * 2));
    return /[^0]/.test(id) ? id : draw(bytes);
  };
}
