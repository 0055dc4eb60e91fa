/* otlp_order - see otlp_order.h. */
#include "wire/otlp_order.h"

#include <stdlib.h>

struct ranks {
    const struct tk_batch *batch;
    uint32_t *resource, *scope; /* the row that met it first */
};

static int
by_rank(const void *a_ptr, const void *b_ptr, void *arg)
{
    const struct ranks *ranks = arg;
    uint32_t a = *(const uint32_t *)a_ptr, b = *(const uint32_t *)b_ptr;
    uint32_t a_resource = ranks->resource[ranks->batch->resource[a]];
    uint32_t b_resource = ranks->resource[ranks->batch->resource[b]];
    if (a_resource != b_resource)
        return a_resource < b_resource ? -1 : 1;
    uint32_t a_scope = ranks->scope[ranks->batch->scope[a]];
    uint32_t b_scope = ranks->scope[ranks->batch->scope[b]];
    if (a_scope != b_scope)
        return a_scope < b_scope ? -1 : 1;
    return (a > b) - (a < b);
}

static void
sort(struct tk_otlp_order *order, struct ranks *ranks)
{
    bool sorted = true;
    for (uint32_t i = order->count; i-- > 0;) { /* backwards: the first one stays */
        ranks->resource[ranks->batch->resource[order->rows[i]]] = i;
        ranks->scope[ranks->batch->scope[order->rows[i]]] = i;
    }
    for (uint32_t i = 1; i < order->count && sorted; i++)
        sorted = by_rank(&order->rows[i - 1], &order->rows[i], ranks) < 0;
    if (!sorted)
        qsort_r(order->rows, order->count, sizeof *order->rows, by_rank, ranks);
}

enum tk_err
tk_otlp_order_init(struct tk_otlp_order *order, const struct tk_batch *batch, struct tk_range rows)
{
    *order = (struct tk_otlp_order){.count = rows.count};
    struct ranks ranks = {.batch = batch};
    enum tk_err code = TK_ERR_MEMORY;
    order->rows = calloc((size_t)rows.count + 1, sizeof *order->rows);
    ranks.resource = calloc((size_t)batch->resource_count + 1, sizeof *ranks.resource);
    ranks.scope = calloc((size_t)batch->scope_count + 1, sizeof *ranks.scope);
    if (order->rows == NULL || ranks.resource == NULL || ranks.scope == NULL) {
        tk_otlp_order_release(order);
        goto out;
    }
    for (uint32_t i = 0; i < rows.count; i++)
        order->rows[i] = rows.begin + i;
    sort(order, &ranks);
    code = TK_OK;
out:
    free(ranks.resource);
    free(ranks.scope);
    return code;
}

void
tk_otlp_order_release(struct tk_otlp_order *order)
{
    free(order->rows);
    *order = (struct tk_otlp_order){0};
}
