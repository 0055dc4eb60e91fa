#ifndef TK_QUERY_ROWS_H
#define TK_QUERY_ROWS_H
/*
 * rows - the unified waterfall: one block per visit to a service.
 *
 * A visit begins at a span at the top and at every span whose parent is in another service.  Its
 * block is the service row (depth 0, the envelope of the visit's spans), then its spans depth first
 * (depth 1, 2 ...), then the blocks of the visits called from it, by start.  The span that begins a
 * visit folds into the service row if its name is the service's name.
 */
#include "query/assemble.h"

enum tk_row_type { TK_ROW_SERVICE, TK_ROW_SPAN, TK_ROW_GAP };

struct tk_row {
    enum tk_row_type type;
    uint32_t depth;
    uint32_t service; /* of the trace's services */
    tk_str name;
    uint32_t span; /* position in the tree, or TK_NO_SPAN; of a gap: the span whose time it is */
    uint64_t start_nano, duration_nano;
};

/* Which rows are wanted; all zero: all of them, without gaps. */
struct tk_rows_want {
    bool gaps;
    uint32_t offset, limit; /* limit 0: all from `offset` on */
};

struct tk_rows {
    struct tk_row *row; /* in the arena */
    uint32_t count;
    uint32_t total; /* of the whole waterfall */
};

enum tk_err tk_rows_build(const struct tk_batch *trace, const struct tk_tree *tree,
                          const struct tk_trace_services *services, const struct tk_rows_want *want,
                          struct tk_arena *arena, struct tk_rows *ret_rows) TK_MUST_USE;

#endif
