#ifndef TK_STORE_BLOCK_COUNTS_H
#define TK_STORE_BLOCK_COUNTS_H
/*
 * block_counts - what blocks of groups counted, in the store's cache: a chart that is drawn again
 * reads only what its steps cut through anew.
 *
 * Segments never change, so neither does what all rows of a block count.  Only numbers of spans and
 * errors are remembered: a few hundred bytes for some 8,000 spans.
 */
#include "store/segment/segment.h"

enum { TK_BLOCK_GROUPS = 4, TK_BLOCK_CODES_MAX = 4096 /* more are not remembered */ };

/* Of one code of a column, or one operation. */
struct tk_block_count {
    uint32_t code;       /* of the column; of an operation: some resource of the service */
    uint32_t name, kind; /* of an operation: codes; else 0 */
    uint32_t span_count, error_count;
};

struct tk_block_counts {
    uint32_t count;
    struct tk_block_count entry[];
};

/* What is counted: operations, with or without their names, or a column. */
enum { TK_BLOCK_SERVICES, TK_BLOCK_OPERATIONS, TK_BLOCK_COLUMNS };

/* The item with the struct tk_block_counts, to be released, or NULL: not remembered. */
struct tk_cache_item *tk_block_counts_get(struct tk_segment *segment, uint32_t what,
                                          uint32_t block);
/* Takes `counts` (malloc'ed) over. */
void tk_block_counts_put(struct tk_segment *segment, uint32_t what, uint32_t block,
                         struct tk_block_counts *counts);

#endif
