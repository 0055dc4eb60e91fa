#ifndef TK_STORE_RANGE_COUNTS_H
#define TK_STORE_RANGE_COUNTS_H
/*
 * range_counts - counts of those spans of a segment that start within a range, out of the few
 * columns that say it: what a segment answers that the range cuts through.
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

/* By operation.  TK_ERR_NOT_FOUND: names or kinds have no dictionary, or there are too many
   operations; ask the rows. */
enum tk_err tk_range_operations(const struct tk_range_counts *of, struct tk_operations *to,
                                struct tk_error *err) TK_MUST_USE;
/* By code of a dictionary column: resources, scopes, or an attribute of spans.  `to` is made. */
enum tk_err tk_range_codes(const struct tk_range_counts *of, uint32_t column, struct tk_counts *to,
                           struct tk_error *err) TK_MUST_USE;

#endif
