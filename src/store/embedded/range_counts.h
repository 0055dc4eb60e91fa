#ifndef TK_STORE_RANGE_COUNTS_H
#define TK_STORE_RANGE_COUNTS_H
/*
 * range_counts - counts of those spans of a segment that start within a range, step by step, out of
 * the few columns that say it: what a segment answers that the range or a step cuts through.
 *
 * Groups are read newest first, each once.  What was counted of a step is told when a row of
 * another one comes: so the same step may be told several times, and memory does not grow with
 * steps.
 */
#include "store/embedded/counted.h"
#include "store/segment/counts.h"
#include "store/segment/segment.h"

struct tk_range_counts {
    struct tk_segment *segment;
    const struct tk_schema_view *schema; /* of the segment, held by the caller */
    const struct tk_store_range *range;
    struct tk_counted *counted; /* spans that older sources count are left out */
};

/* By operation, as tk_store_operations.  TK_ERR_NOT_FOUND, and nothing was told: names or kinds are
   asked and have no dictionary; ask the rows. */
enum tk_err tk_range_operations(const struct tk_range_counts *of,
                                enum tk_err (*each)(void *arg, tk_str service, tk_str name,
                                                    int32_t kind,
                                                    const struct tk_store_count *count),
                                void *arg, struct tk_error *err) TK_MUST_USE;
/* By code of a dictionary column: resources, scopes, or an attribute of spans. */
enum tk_err tk_range_codes(const struct tk_range_counts *of, uint32_t column,
                           enum tk_err (*each)(void *arg, uint32_t step,
                                               const struct tk_counts *counts),
                           void *arg, struct tk_error *err) TK_MUST_USE;

#endif
