/* limit - see limit.h.  The bucket is one number, the time at which it is full again (the generic
   cell rate algorithm, ITU-T I.371): each request moves it on, so there is nothing to refill. */
#include "api/limit.h"

#include <stdatomic.h>

bool
tk_limit_take(struct tk_limit *limit, uint32_t key_id, uint64_t now_nano)
{
    const uint64_t step = UINT64_C(1000000000) / TK_BROWSER_REQUESTS_PER_S;
    _Atomic uint64_t *full = &limit->full_nano[key_id & (TK_LIMIT_BUCKETS - 1)];
    uint64_t seen = atomic_load(full), next;
    do {
        next = (seen > now_nano ? seen : now_nano) + step;
        if (next - now_nano > step * TK_BROWSER_REQUESTS_BURST)
            return false;
    } while (!atomic_compare_exchange_weak(full, &seen, next));
    return true;
}
