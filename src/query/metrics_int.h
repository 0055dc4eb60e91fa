#ifndef TK_QUERY_METRICS_INT_H
#define TK_QUERY_METRICS_INT_H
/* metrics_int - what the files of metrics share: numbers by group and step. */
#include "query/ast.h"
#include "query/metrics.h"

/* One group in one step. */
struct tk_cell {
    uint64_t count; /* of spans; of a field's numbers */
    uint64_t error_count;
    double sum, min, max;
    struct tk_histogram above, below; /* durations or numbers; magnitudes of the negative ones */
};

struct tk_cells {
    const struct tk_field *labels;
    struct tk_cell *cell; /* [step_count] */
    uint64_t span_count;
};

struct tk_gather {
    const struct tk_metrics_ask *ask;
    const struct tk_ql_metrics *metrics; /* NULL: the five series and the histogram */
    const struct tk_ql_node *by[TK_QL_BY_MAX];
    size_t by_count;
    bool want_histogram;
    double scale; /* numbers go into histograms multiplied by this */
    uint32_t step_count;
    struct tk_intern keys; /* of groups: their labels as bytes */
    struct tk_cells groups[TK_METRICS_GROUPS_MAX];
    uint64_t spans_left_out;
    struct tk_buf key;
    bool *selected; /* by row of the trace at hand */
    uint32_t selected_capacity;
    size_t histogram_bytes;
};

static inline uint64_t
tk_step_begin(const struct tk_gather *gather, uint32_t step)
{
    return gather->ask->begin_nano + step * gather->ask->step_nano;
}

static inline uint64_t
tk_step_end(const struct tk_gather *gather, uint32_t step)
{
    uint64_t end = tk_step_begin(gather, step) + gather->ask->step_nano;
    return end < gather->ask->end_nano ? end : gather->ask->end_nano;
}

/* The group with these values of `by`, [by_count]; NULL in *ret_cells when there are too many.
   TK_ERR_LIMIT: no memory is left of the budget. */
enum tk_err tk_gather_group(struct tk_gather *gather, const struct tk_ql_value *values,
                            struct tk_cells **ret_cells) TK_MUST_USE;
/* Adds `count` spans of the store's. */
enum tk_err tk_gather_counted(struct tk_gather *gather, struct tk_cell *cell,
                              const struct tk_store_count *count) TK_MUST_USE;
/* metrics_count.c: gathers from the store's counts; *ret_done false: they do not tell. */
enum tk_err tk_gather_counts(struct tk_gather *gather, bool *ret_done,
                             struct tk_error *err) TK_MUST_USE;
/* metrics_series.c: the answer. */
enum tk_err tk_gather_series(struct tk_gather *gather, struct tk_metrics *ret_metrics) TK_MUST_USE;

#endif
