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
    struct tk_histogram _duration;               /* of the row at hand */
    struct tk_intern _seen[TK_VALUE_DOUBLE + 1]; /* by type: values of its events, or links */
};
void tk_count_values_release(struct tk_count_values *values);
/* Calls `each` once for each value that the row has, however often it has it.  Of the owners each
   counts by itself: a span whose resource has the same value counts for both. */
enum tk_err tk_count_row_values(struct tk_count_values *values, const struct tk_batch *batch,
                                uint32_t row) TK_MUST_USE;

/* The keys that the row has. */
enum tk_err tk_count_row_keys(const struct tk_batch *batch, uint32_t row,
                              enum tk_err (*each)(void *arg, enum tk_owner owner, tk_str key,
                                                  enum tk_value_type type),
                              void *arg) TK_MUST_USE;

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
