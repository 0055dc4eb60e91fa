/** Ids as the bytes they are sent as; their digits are made only when somebody asks for them. */

import { randomBytes } from 'node:crypto';
import type { Draw } from '../../js/ids.js';

const POOL_BYTES = 8_192;

/** Some of a pool's words of four bytes, which are nobody else's. */
export class IdWords {
  private _digits: string | undefined;

  constructor(
    readonly pool: Int32Array,
    readonly from: number,
    readonly to: number,
  ) {}

  toString(): string {
    const { buffer } = this.pool;
    return (this._digits ??= Buffer.from(buffer).toString('hex', this.from * 4, this.to * 4));
  }
}

function randomWords(): Int32Array {
  const bytes = randomBytes(POOL_BYTES);
  return new Int32Array(bytes.buffer, bytes.byteOffset, POOL_BYTES / 4);
}

/** Returns a function that draws ids, so that the system's generator is called rarely. */
export function drawWords(): Draw {
  let pool: Int32Array = new Int32Array(0);
  let next = 0;
  return function draw(bytes): IdWords {
    const from = next;
    next += bytes / 4;
    if (next > pool.length) {
      pool = randomWords();
      next = 0;
    } else if (pool[from] || pool[from + 1]) {
      return new IdWords(pool, from, next);
    }
    return draw(bytes) as IdWords;
  };
}
