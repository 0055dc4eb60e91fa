#ifndef TK_QUERY_QUANTILES_H
#define TK_QUERY_QUANTILES_H
/*
 * quantiles - p50, p95 ... of many numbers: exact while they come one by one and there are at most
 * TK_QUANTILES_EXACT of them, beyond that as close as a histogram is.
 */
#include "base/histogram.h"

enum { TK_QUANTILES_EXACT = 4096 };

struct tk_quantiles {
    uint64_t count;
    /* private */
    uint64_t *_samples; /* [count], or NULL once there are more, or some came as a histogram */
    uint32_t _capacity;
    struct tk_histogram _histogram; /* then */
};

void tk_quantiles_release(struct tk_quantiles *quantiles); /* zeroed is the empty one */
enum tk_err tk_quantiles_add(struct tk_quantiles *quantiles, uint64_t number) TK_MUST_USE;
enum tk_err tk_quantiles_merge(struct tk_quantiles *quantiles,
                               const struct tk_histogram *numbers) TK_MUST_USE;
/* The smallest number that `percent` (1..100) of all numbers do not exceed; 0 when there are none.
 */
uint64_t tk_quantiles_get(struct tk_quantiles *quantiles, unsigned percent);

#endif
