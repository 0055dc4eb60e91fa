#ifndef TK_QUERY_METRICS_H
#define TK_QUERY_METRICS_H
/*
 * metrics - numbers over time of the spans that a query selects.
 *
 * Time is cut into steps; a span belongs to the step in which it starts, whenever its trace began.
 * A query without a metrics function gives five series a group and a histogram: rate, errors, p50,
 * p95, p99 of the durations.  One with a function (| rate() by (name)) gives what it says.
 *
 * Everything of all spans, by service, name, kind or one attribute, comes from the store's counts;
 * other questions read the spans that the query's plan lets through.  Memory grows with groups and
 * steps, not with spans: quantiles are of histograms (base/histogram.h: within 1.6 %).
 */
#include "query/search.h"

enum {
    TK_METRICS_STEPS_MAX = 2000,
    TK_METRICS_GROUPS_MAX = 1000, /* spans of further ones are left out, and counted */
};

struct tk_metrics_ask {
    struct tk_store_view *view;
    struct tk_query *query;
    uint64_t begin_nano, end_nano, step_nano; /* begin < end, at most TK_METRICS_STEPS_MAX steps */
    struct tk_env *env;
    uint64_t deadline_nano; /* of env->mono_nano; 0: none */
    size_t memory;          /* budget, bytes */
    struct tk_arena *arena; /* of the result */
};

struct tk_series {
    const char *name;              /* "rate", "p95", "max_over_time" ... */
    const char *unit;              /* "1/s", "ns" or "" */
    const struct tk_field *labels; /* what it is of: the keys of `by`, and a quantile's share */
    size_t label_count;
    /* By step.  A histogram has `bounds` instead: numbers below bound i, and not below the bound
       before, are counts[step * bound_count + i]. */
    double *values; /* NaN: there are none */
    const double *bounds;
    size_t bound_count;
    uint64_t *counts;
};

struct tk_metrics {
    uint32_t step_count;
    struct tk_series *series; /* those of groups with most spans first */
    size_t series_count;
    uint64_t spans_left_out; /* of groups beyond TK_METRICS_GROUPS_MAX */
};

/* Groups a query without a function: `by` is fields with commas between them, "service" among
   them.  Fails where a query in whose `by ( )` they stand would; positions count in `by`. */
enum tk_err tk_metrics_by(struct tk_query *query, tk_str by,
                          struct tk_query_error *ret_error) TK_MUST_USE;
/* TK_ERR_TIMEOUT, TK_ERR_LIMIT: a budget is used up; *err says which, and how to ask for less. */
enum tk_err tk_metrics_run(const struct tk_metrics_ask *ask, struct tk_metrics *ret_metrics,
                           struct tk_error *err) TK_MUST_USE;

#endif
