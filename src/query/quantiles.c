/* quantiles - see quantiles.h. */
#include "query/quantiles.h"

#include <stdlib.h>

void
tk_quantiles_release(struct tk_quantiles *quantiles)
{
    free(quantiles->_samples);
    tk_histogram_release(&quantiles->_histogram);
    *quantiles = (struct tk_quantiles){0};
}

/* From now on only the histogram counts. */
static enum tk_err
give_up_samples(struct tk_quantiles *q)
{
    enum tk_err code = TK_OK;
    for (uint64_t i = 0; q->_samples != NULL && i < q->count && code == TK_OK; i++)
        code = tk_histogram_add(&q->_histogram, tk_histogram_bucket(q->_samples[i]), 1);
    free(q->_samples);
    q->_samples = NULL;
    return code;
}

static enum tk_err
add_sample(struct tk_quantiles *q, uint64_t number)
{
    if (q->_samples == NULL || q->count == q->_capacity) {
        uint32_t capacity = q->_samples != NULL && q->_capacity > 0 ? q->_capacity * 2 : 16;
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
    enum tk_err code = TK_OK;
    if (q->_samples != NULL && q->count == TK_QUANTILES_EXACT)
        code = give_up_samples(q);
    if (code == TK_OK && q->count == q->_histogram.count && q->count > 0)
        code = tk_histogram_add(&q->_histogram, tk_histogram_bucket(number), 1);
    else if (code == TK_OK)
        code = add_sample(q, number);
    q->count += code == TK_OK;
    return code;
}

enum tk_err
tk_quantiles_merge(struct tk_quantiles *q, const struct tk_histogram *numbers)
{
    enum tk_err code = give_up_samples(q);
    if (code == TK_OK)
        code = tk_histogram_merge(&q->_histogram, numbers);
    q->count = q->_histogram.count;
    return code;
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
    if (q->_samples == NULL)
        return tk_histogram_quantile(&q->_histogram, percent / 100.0);
    qsort(q->_samples, q->count, sizeof *q->_samples, compare_numbers);
    return q->_samples[rank - 1];
}
