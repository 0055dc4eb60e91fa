#ifndef TK_QUERY_QUANTILES_H
#define TK_QUERY_QUANTILES_H
/*
 * quantiles - p50, p95 ... of many numbers: exact up to TK_QUANTILES_EXACT of them, beyond that
 * within 0.4 %.
 */
#include "base/bytes.h"

enum { TK_QUANTILES_EXACT = 4096 };

struct tk_quantiles {
    uint64_t count;
    /* private */
    uint64_t *_samples; /* the first TK_QUANTILES_EXACT, or NULL once there are more */
    uint64_t *_buckets; /* then: how many numbers fell into each bucket */
    uint32_t _capacity;
    uint64_t _min, _max;
};

void tk_quantiles_release(struct tk_quantiles *quantiles); /* zeroed is the empty one */
enum tk_err tk_quantiles_add(struct tk_quantiles *quantiles, uint64_t number) TK_MUST_USE;
/* The smallest number that `percent` (1..100) of all numbers do not exceed; 0 when there are none.
 */
uint64_t tk_quantiles_get(struct tk_quantiles *quantiles, unsigned percent);

#endif
