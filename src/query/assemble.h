#ifndef TK_QUERY_ASSEMBLE_H
#define TK_QUERY_ASSEMBLE_H
/*
 * assemble - the spans of one trace as a tree, in display order: depth first, siblings by start,
 * then span id.
 */
#include "trace/batch.h"

#define TK_NO_SPAN UINT32_MAX

/* Columns by display position; they lie in the arena the tree was built in. */
struct tk_tree {
    uint32_t span_count;
    uint32_t *row;                 /* of the batch */
    uint32_t *parent;              /* position, TK_NO_SPAN at the top */
    uint32_t *depth;               /* 0 at the top */
    uint64_t *self_nano;           /* duration without the union of the children's times */
    bool *orphan;                  /* at the top though it names a parent (missing, or a cycle) */
    uint32_t root;                 /* position of the trace's root */
    bool broken;                   /* orphans, or several roots */
    uint64_t start_nano, end_nano; /* over all spans */
};

/* `trace` must not be empty.  Time O(n log n), no recursion; memory 21 bytes a span in the arena,
   and some 60 more meanwhile. */
enum tk_err tk_tree_build(const struct tk_batch *trace, struct tk_arena *arena,
                          struct tk_tree *ret_tree) TK_MUST_USE;

/* Row of the root: the earliest span that names no parent; where there is none, the earliest of
   all.  Needs no tree. */
uint32_t tk_trace_root(const struct tk_batch *trace);
/* Earliest start and latest end. */
void tk_trace_times(const struct tk_batch *trace, uint64_t *ret_start_nano, uint64_t *ret_end_nano);

/* The services of a trace by first appearance in display order. */
struct tk_trace_service {
    tk_str name;
    uint32_t span_count, error_count;
};
struct tk_trace_services {
    struct tk_trace_service *service;
    uint32_t count;
    uint32_t *of_resource; /* number of service by resource of the batch; TK_NO_SPAN: not used */
};
enum tk_err tk_trace_services(const struct tk_batch *trace, const struct tk_tree *tree,
                              struct tk_arena *arena,
                              struct tk_trace_services *ret_services) TK_MUST_USE;

#endif
