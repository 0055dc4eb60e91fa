#ifndef TK_RANDOM_H
#define TK_RANDOM_H
/* random - xoshiro256** (Blackman and Vigna), one generator per thread: an id costs no lock and no
 * system call. */
#include <stdint.h>

/* Seeds a generator from the system. */
void tk_random_seed(uint64_t state[4]);

static inline uint64_t
tk_rotate(uint64_t x, int by)
{
    return x << by | x >> (64 - by);
}

static inline uint64_t
tk_random_next(uint64_t state[4])
{
    uint64_t result = tk_rotate(state[1] * 5, 7) * 9, t = state[1] << 17;
    state[2] ^= state[0];
    state[3] ^= state[1];
    state[1] ^= state[2];
    state[0] ^= state[3];
    state[2] ^= t;
    state[3] = tk_rotate(state[3], 45);
    return result;
}

/* For ids: all zero is none. */
static inline uint64_t
tk_random_id(uint64_t state[4])
{
    uint64_t id;
    do
        id = tk_random_next(state);
    while (id == 0);
    return id;
}

#endif
