#ifndef TK_CLOCK_H
#define TK_CLOCK_H
/*
 * clock - monotonic nanoseconds, twice a span: they are most of what a span without attributes
 * costs.
 *
 * Where the kernel itself keeps time by the processor's counter, it is read here without a call,
 * once its rate is known (measured over a tenth of a second at least). Elsewhere, and before,
 * CLOCK_MONOTONIC says the time.
 */
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

struct tk_clock {
    int64_t start_nano; /* CLOCK_MONOTONIC and the counter at the same moment, once per process */
    uint64_t start_ticks;
    _Atomic uint64_t ratio; /* nanoseconds a tick, 32 bits behind the point; 0: not known, or not to
                               be trusted */
};

extern struct tk_clock tk_clock;

/* The first time: notes the moment. Later: measures the rate, or checks it. Of one thread at a
 * time. */
void tk_clock_calibrate(void);

/* Unix time less what tk_now says. */
int64_t tk_clock_wall_offset(void);

static inline int64_t
tk_clock_monotonic(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

#if defined(__x86_64__)
static inline uint64_t
tk_clock_ticks(void)
{
    return __builtin_ia32_rdtsc();
}

__extension__ typedef unsigned __int128 tk_u128;

static inline int64_t
tk_now(void)
{
    uint64_t ratio = atomic_load_explicit(&tk_clock.ratio, memory_order_acquire);
    if (ratio == 0)
        return tk_clock_monotonic();
    return tk_clock.start_nano +
           (int64_t)((tk_u128)(tk_clock_ticks() - tk_clock.start_ticks) * ratio >> 32);
}
#else
static inline uint64_t
tk_clock_ticks(void)
{
    return 0;
}

static inline int64_t
tk_now(void)
{
    return tk_clock_monotonic();
}
#endif

#endif
