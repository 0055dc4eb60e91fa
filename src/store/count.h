#ifndef TK_STORE_COUNT_H
#define TK_STORE_COUNT_H
/*
 * count - tk_store_operations, keys and values out of rows: what a store does that keeps no counts,
 * and what a store that does keep some has no counts of (open buffers, parts of a range).
 */
#include "store/store.h"

/* What is asked of tk_store_values, and how one row answers.  Zeroed but for the first part. */
struct tk_count_values {
    unsigned owners;
    tk_str key, prefix;
    bool want_durations;
    enum tk_err (*each)(void *arg, struct tk_value value, const struct tk_store_count *count);
    void *arg;
    /* private */
    uint32_t _step;                              /* of the row at hand */
    struct tk_histogram _duration;               /* the same */
    struct tk_intern _seen[TK_VALUE_DOUBLE + 1]; /* by type: values of its events, or links */
};
void tk_count_values_release(struct tk_count_values *values);
/* Is it of a type that is counted, and begins with the prefix if it is a text? */
bool tk_count_is_value(const struct tk_count_values *values, const struct tk_value *value);
/* Calls `each` once for each value that the row has, however often it has it.  Of the owners each
   counts by itself: a span whose resource has the same value counts for both. */
enum tk_err tk_count_row_values(struct tk_count_values *values, const struct tk_batch *batch,
                                uint32_t row) TK_MUST_USE;

/* The keys that the row has. */
enum tk_err tk_count_row_keys(const struct tk_batch *batch, uint32_t row,
                              enum tk_err (*each)(void *arg, enum tk_owner owner, tk_str key,
                                                  enum tk_value_type type),
                              void *arg) TK_MUST_USE;

/* The same of the attributes in `attrs`, whose owner is known. */
enum tk_err tk_count_keys_of(const struct tk_batch *batch, enum tk_owner owner,
                             struct tk_range attrs,
                             enum tk_err (*each)(void *arg, enum tk_owner owner, tk_str key,
                                                 enum tk_value_type type),
                             void *arg) TK_MUST_USE;

/* What is asked of the rows of many batches: one of `operation`, `key`, `values`. */
struct tk_count_rows {
    const struct tk_store_range *range;
    enum tk_err (*operation)(void *arg, tk_str service, tk_str name, int32_t kind,
                             const struct tk_store_count *count);
    enum tk_err (*key)(void *arg, enum tk_owner owner, tk_str key, enum tk_value_type type);
    void *arg; /* of both */
    struct tk_count_values *values;
    /* Is this row counted elsewhere?  NULL: none is. */
    bool (*is_counted)(void *arg, const struct tk_batch *batch, uint32_t row);
    void *is_counted_arg;
    /* private */
    struct tk_histogram _duration;
};
void tk_count_rows_release(struct tk_count_rows *rows);
/* Those of its rows that start within the range. */
enum tk_err tk_count_batch(struct tk_count_rows *rows, const struct tk_batch *batch) TK_MUST_USE;
/* TK_ERR_TIMEOUT once the range's time is up. */
enum tk_err tk_count_go_on(const struct tk_store_range *range, struct tk_error *err) TK_MUST_USE;
/* Those of all traces of a scan; the rows come as lean as the question allows. */
enum tk_err tk_count_scan(struct tk_count_rows *rows, struct tk_store_view *view,
                          struct tk_error *err) TK_MUST_USE;
static inline bool
tk_count_is_within(const struct tk_store_range *range, uint64_t start)
{
    return start >= range->begin_nano && (range->end_nano == 0 || start < range->end_nano);
}
/* The step of a range that a start within it falls into. */
static inline uint32_t
tk_count_step(const struct tk_store_range *range, uint64_t start)
{
    return range->step_nano > 0 ? (uint32_t)((start - range->begin_nano) / range->step_nano) : 0;
}
/* Does none of what starts from `least` to `greatest` start within the range? */
static inline bool
tk_count_misses(const struct tk_store_range *range, uint64_t least, uint64_t greatest)
{
    return greatest < range->begin_nano || (range->end_nano != 0 && least >= range->end_nano);
}
/* What of the rows is looked at; views `rows`. */
struct tk_store_want tk_count_want(const struct tk_count_rows *rows);

/* The same three calls, fulfilled by a scan over all traces. */
enum tk_err tk_count_operations(struct tk_store_view *view, const struct tk_store_range *range,
                                enum tk_err (*each)(void *arg, tk_str service, tk_str name,
                                                    int32_t kind,
                                                    const struct tk_store_count *count),
                                void *arg, struct tk_error *err) TK_MUST_USE;
enum tk_err tk_count_keys(struct tk_store_view *view,
                          enum tk_err (*each)(void *arg, enum tk_owner owner, tk_str key,
                                              enum tk_value_type type),
                          void *arg, struct tk_error *err) TK_MUST_USE;
enum tk_err tk_count_values(struct tk_store_view *view, const struct tk_store_range *range,
                            struct tk_count_values *values, struct tk_error *err) TK_MUST_USE;

#endif
