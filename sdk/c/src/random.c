/* random - see random.h. Where the system has no randomness to give, clock, process and stack must
 * do: ids are unique, not secret. */
#include "random.h"

#include <sys/types.h>
#include <time.h>
#include <unistd.h>

static uint64_t
splitmix(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15ULL;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
    return z ^ z >> 31;
}

void
tk_random_seed(uint64_t state[4])
{
    if (getentropy(state, 4 * sizeof state[0]) != 0) {
        struct timespec now = {0};
        clock_gettime(CLOCK_REALTIME, &now);
        uint64_t seed = (uint64_t)now.tv_sec ^ (uint64_t)now.tv_nsec << 32 ^
                        (uint64_t)getpid() << 20 ^ (uint64_t)(uintptr_t)state;
        for (int i = 0; i < 4; i++)
            state[i] = splitmix(&seed);
    }
    state[0] |= 1; /* all zero would stay zero */
}
