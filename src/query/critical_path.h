#ifndef TK_QUERY_CRITICAL_PATH_H
#define TK_QUERY_CRITICAL_PATH_H
/*
 * critical_path - whose time a trace's time was.
 *
 * Every instant of the trace belongs to one span: the one that, finishing then, held up all above
 * it.  Going back from a span's end, that is the child that ended last before; what no child covers
 * is the span's own.  So the times of all spans add up to the trace's duration, whatever ran
 * beside.
 */
#include "base/intern.h"
#include "query/assemble.h"

struct tk_path_row {
    tk_str service, name; /* no service: no span at all */
    uint64_t nano[2];     /* on the critical path, over all spans of that service and name */
    uint64_t count[2];    /* spans of that service and name, on the path or not */
};

/* Two traces side by side: `rows` is by operation, in the order of first sight. */
struct tk_path_table {
    struct tk_path_row *rows;
    size_t count, _capacity;
    struct tk_intern _keys;
    struct tk_buf _key;
};

void tk_path_table_init(struct tk_path_table *table);
void tk_path_table_release(struct tk_path_table *table);
/* Adds a trace, whose text outlives the table, to column `side` (0 or 1): all of it, or the span at
   display position `top` with what is below it.  TK_NO_SPAN: all of it. */
enum tk_err tk_path_table_add(struct tk_path_table *table, int side, const struct tk_batch *trace,
                              const struct tk_tree *tree, uint32_t top,
                              struct tk_arena *arena) TK_MUST_USE;
/* The greatest change first, then by service and name. */
void tk_path_table_sort(struct tk_path_table *table);

#endif
