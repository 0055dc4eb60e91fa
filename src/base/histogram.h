#ifndef TK_BASE_HISTOGRAM_H
#define TK_BASE_HISTOGRAM_H
/*
 * histogram - how many numbers fell where: log-linear buckets, within 1.6 % of any number.
 *
 * Every power of two is cut into 32 buckets; numbers below 32 have one each.  Histograms of the
 * same thing add up, bucket by bucket.  Zeroed is the empty one.
 */
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

enum { TK_HISTOGRAM_SUB_BITS = 5, TK_HISTOGRAM_BUCKETS = (64 - 5 + 1) << 5 };

struct tk_histogram {
    uint64_t count;      /* of all */
    uint32_t begin, end; /* buckets that may hold something */
    uint64_t *_buckets;  /* [_capacity], of bucket _first and following; owned */
    uint32_t _first, _capacity;
};

/* The bucket of a number, and the least number of a bucket. */
static inline uint32_t
tk_histogram_bucket(uint64_t number)
{
    if (number < 32)
        return (uint32_t)number;
    uint32_t exponent = 63 - (uint32_t)__builtin_clzll(number);
    return ((exponent - 5 + 1) << 5) + ((uint32_t)(number >> (exponent - 5)) - 32);
}
static inline uint64_t
tk_histogram_least(uint32_t bucket)
{
    if (bucket < 32)
        return bucket;
    return (uint64_t)(32 + (bucket & 31)) << ((bucket >> 5) - 1);
}

void tk_histogram_release(struct tk_histogram *histogram);
void tk_histogram_clear(struct tk_histogram *histogram); /* empty, keeps the memory */
enum tk_err tk_histogram_widen(struct tk_histogram *histogram, uint32_t bucket); /* private */
static inline enum tk_err TK_MUST_USE
tk_histogram_add(struct tk_histogram *histogram, uint32_t bucket, uint64_t count)
{
    if (bucket < histogram->begin || bucket >= histogram->end) {
        enum tk_err code = tk_histogram_widen(histogram, bucket);
        if (code != TK_OK)
            return code;
    }
    histogram->_buckets[bucket - histogram->_first] += count;
    histogram->count += count;
    return TK_OK;
}
/* Where a bucket lies, and behind it those up to `end`; NULL if it is not there yet. */
static inline const uint64_t *
tk_histogram_place(const struct tk_histogram *histogram, uint32_t bucket)
{
    bool there = bucket >= histogram->begin && bucket < histogram->end;
    return there ? &histogram->_buckets[bucket - histogram->_first] : NULL;
}
enum tk_err tk_histogram_merge(struct tk_histogram *to,
                               const struct tk_histogram *from) TK_MUST_USE;
static inline uint64_t
tk_histogram_get(const struct tk_histogram *histogram, uint32_t bucket)
{
    if (bucket < histogram->begin || bucket >= histogram->end)
        return 0;
    return histogram->_buckets[bucket - histogram->_first];
}
/* About the smallest number that `share` (0 to 1) of all do not exceed: interpolated within its
   bucket; 0 when there are none. */
uint64_t tk_histogram_quantile(const struct tk_histogram *histogram, double share);

#endif
