#ifndef SIM_RNG_H
#define SIM_RNG_H
/*
 * rng - splitmix64: the only source of chance in a simulation.  Each part of the simulated world
 * (scheduler, disk, client) has a stream of its own, made from the seed.
 */
#include <stdbool.h>
#include <stdint.h>

struct rng {
    uint64_t state;
};

static inline uint64_t
rng_next(struct rng *rng)
{
    uint64_t z = (rng->state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static inline struct rng
rng_stream(uint64_t seed, uint64_t stream)
{
    struct rng rng = {seed * 0xD1342543DE82EF95u + stream};
    return (struct rng){rng_next(&rng)};
}

static inline uint64_t
rng_below(struct rng *rng, uint64_t n) /* 0..n-1; n > 0 */
{
    return rng_next(rng) % n;
}

static inline uint64_t
rng_between(struct rng *rng, uint64_t low, uint64_t high) /* both included */
{
    return low + rng_below(rng, high - low + 1);
}

static inline bool
rng_one_in(struct rng *rng, uint64_t n) /* 0: never */
{
    return n > 0 && rng_below(rng, n) == 0;
}

#endif
