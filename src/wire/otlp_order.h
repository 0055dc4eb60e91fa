#ifndef TK_WIRE_OTLP_ORDER_H
#define TK_WIRE_OTLP_ORDER_H
/*
 * otlp_order - the rows of a batch as OTLP nests them: by resource, in it by scope, in it as they
 * come; resources and scopes in the order in which they are first met.
 */
#include "trace/batch.h"

struct tk_otlp_order {
    uint32_t *rows; /* owned */
    uint32_t count;
};

enum tk_err tk_otlp_order_init(struct tk_otlp_order *order, const struct tk_batch *batch,
                               struct tk_range rows) TK_MUST_USE;
void tk_otlp_order_release(struct tk_otlp_order *order);

#endif
