#ifndef TK_API_LIMIT_H
#define TK_API_LIMIT_H
/*
 * limit - how many requests a second a browser key may make: a token bucket for each key.
 *
 * Keys whose ids are TK_LIMIT_BUCKETS apart share a bucket.  Threads: from any, without a lock.
 */
#include "base/bytes.h"

enum {
    TK_BROWSER_REQUESTS_PER_S = 200,
    TK_BROWSER_REQUESTS_BURST = 400, /* after a pause */
    TK_LIMIT_BUCKETS = 1024,         /* power of two */
};

struct tk_limit {
    /* When the bucket will be full again (monotonic ns): now or earlier means full. */
    _Atomic uint64_t full_nano[TK_LIMIT_BUCKETS];
};

/* Takes one request out of the key's bucket; false when it is empty. */
bool tk_limit_take(struct tk_limit *limit, uint32_t key_id, uint64_t now_nano);

#endif
