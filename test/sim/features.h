#ifndef SIM_FEATURES_H
#define SIM_FEATURES_H
/*
 * features - a fixed list of filters (store/filter.h), and which of them hold for a span: what a
 * filtered scan may not leave out.
 */
#include "store/store.h"

enum {
    FEATURE_COUNT = 22,
    FEATURE_ERROR = 1 << 2, /* the bit of "status = error" */
};

const struct tk_filter *feature_filter(unsigned number);
/* Bit i: filter i holds for the row. */
uint64_t features_of_row(const struct tk_batch *batch, uint32_t row);

#endif
