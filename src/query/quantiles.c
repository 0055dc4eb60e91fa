/*
 * quantiles - see quantiles.h.
 *
 * Buckets are log-linear: every power of two is cut into 128, so a bucket is at most 1/128 of its
 * numbers wide, and its middle at most 1/256 away from any of them.
 */
#include "query/quantiles.h"

#include <stdlib.h>

enum { SUB_BITS = 7, SUB_COUNT = 1 << SUB_BITS, BUCKET_COUNT = (64 - SUB_BITS + 1) * SUB_COUNT };

void
tk_quantiles_release(struct tk_quantiles *quantiles)
{
    free(quantiles->_samples);
    free(quantiles->_buckets);
    *quantiles = (struct tk_quantiles){0};
}

static uint32_t
bucket_of(uint64_t number)
{
    if (number < SUB_COUNT)
        return (uint32_t)number;
    uint32_t exponent = 63 - (uint32_t)__builtin_clzll(number);
    uint32_t within = (uint32_t)(number >> (exponent - SUB_BITS)) - SUB_COUNT;
    return (exponent - SUB_BITS + 1) * SUB_COUNT + within;
}

static uint64_t
middle_of(uint32_t bucket)
{
    if (bucket < SUB_COUNT)
        return bucket;
    uint32_t shift = bucket / SUB_COUNT - 1;
    uint64_t low = (uint64_t)(SUB_COUNT + bucket % SUB_COUNT) << shift;
    return low + (((uint64_t)1 << shift) - 1) / 2;
}

static enum tk_err
begin_buckets(struct tk_quantiles *q)
{
    q->_buckets = calloc(BUCKET_COUNT, sizeof *q->_buckets);
    if (q->_buckets == NULL)
        return TK_ERR_MEMORY;
    for (uint64_t i = 0; i < q->count; i++)
        q->_buckets[bucket_of(q->_samples[i])]++;
    free(q->_samples);
    q->_samples = NULL;
    return TK_OK;
}

static enum tk_err
add_sample(struct tk_quantiles *q, uint64_t number)
{
    if (q->count == q->_capacity) {
        uint32_t capacity = q->_capacity == 0 ? 16 : q->_capacity * 2;
        uint64_t *grown = realloc(q->_samples, capacity * sizeof *grown);
        if (grown == NULL)
            return TK_ERR_MEMORY;
        q->_samples = grown;
        q->_capacity = capacity;
    }
    q->_samples[q->count] = number;
    return TK_OK;
}

enum tk_err
tk_quantiles_add(struct tk_quantiles *q, uint64_t number)
{
    enum tk_err result = TK_OK;
    if (q->_buckets == NULL && q->count == TK_QUANTILES_EXACT)
        result = begin_buckets(q);
    if (result == TK_OK && q->_buckets == NULL)
        result = add_sample(q, number);
    if (result != TK_OK)
        return result;
    if (q->_buckets != NULL)
        q->_buckets[bucket_of(number)]++;
    q->_min = q->count == 0 || number < q->_min ? number : q->_min;
    q->_max = q->count == 0 || number > q->_max ? number : q->_max;
    q->count++;
    return TK_OK;
}

static int
compare_numbers(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

uint64_t
tk_quantiles_get(struct tk_quantiles *q, unsigned percent)
{
    uint64_t rank = q->count / 100 * percent + (q->count % 100 * percent + 99) / 100; /* from 1 */
    uint64_t seen = 0;
    if (q->count == 0)
        return 0;
    if (q->_buckets == NULL) {
        qsort(q->_samples, q->count, sizeof *q->_samples, compare_numbers);
        return q->_samples[rank - 1];
    }
    for (uint32_t i = 0; i < BUCKET_COUNT; i++) {
        seen += q->_buckets[i];
        if (seen >= rank) {
            uint64_t middle = middle_of(i);
            return middle < q->_min ? q->_min : middle > q->_max ? q->_max : middle;
        }
    }
    return q->_max;
}
