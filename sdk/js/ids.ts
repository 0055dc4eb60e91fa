/** Trace and span ids, cut from a pool so that the system's generator is called rarely. */

const POOL_BYTES = 2048;

/** So many bytes from the system's cryptographic generator, in lower-case hexadecimal. */
export type RandomHex = (bytes: number) => string;

/** Returns a function that draws an id of so many bytes; never zero. */
export function idSource(randomHex: RandomHex): (bytes: 8 | 16) => string {
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
