#ifndef TK_CLI_CRITICAL_PATH_H
#define TK_CLI_CRITICAL_PATH_H
/*
 * critical_path - whose time a trace's time was.
 *
 * Every instant of the trace belongs to one span: the one that, finishing then, held up all above
 * it.  Going back from a span's end, that is the child that ended last before; what no child covers
 * is the span's own.  So the times of all spans add up to the trace's duration, whatever ran
 * beside.
 */
#include "base/intern.h"
#include "cli/json_tree.h"

struct tk_path_row {
    tk_str service, name; /* no name: no span at all */
    uint64_t nano[2];     /* on the critical path, over all spans of that service and name */
    uint64_t count[2];    /* spans of that service and name, on the path or not */
};

/* Two traces side by side: `rows` is by operation, in the order of first sight. */
struct tk_path_table {
    struct tk_path_row *rows;
    size_t count, _capacity;
    struct tk_intern _keys;
};

void tk_path_table_init(struct tk_path_table *table);
void tk_path_table_release(struct tk_path_table *table);
/* Adds a trace, which is what GET /api/v1/traces/{id} answers and lives longer than the table, to
   column `side` (0 or 1).  False: out of memory. */
bool tk_path_table_add(struct tk_path_table *table, int side, const struct tk_json_node *trace,
                       struct tk_arena *arena) TK_MUST_USE;

#endif
