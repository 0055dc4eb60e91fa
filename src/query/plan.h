#ifndef TK_QUERY_PLAN_H
#define TK_QUERY_PLAN_H
/*
 * plan - what a query lets the store leave out: conditions that a trace must fulfil, and how much
 * of its spans deciding needs.
 *
 * A plan never excludes a trace that the query selects; whoever reads what a plan lets through
 * decides again.  Each filter must hold for some span of the trace, not all for the same one.
 */
#include "query/traceql.h"
#include "store/store.h"

enum { TK_PLAN_FILTERS_MAX = 32 }; /* further ones are left out: they only make it slower */

struct tk_plan {
    const struct tk_filter *filters[TK_PLAN_FILTERS_MAX];
    size_t filter_count;
    struct tk_store_want want; /* for deciding */
    /* Only this trace can be selected. */
    bool one_trace;
    struct tk_trace_id trace_id;
};

/* Lies in the query's arena, and is good as long as the query is. */
enum tk_err tk_plan_make(struct tk_query *query, struct tk_plan *ret_plan) TK_MUST_USE;

#endif
