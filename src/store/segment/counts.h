#ifndef TK_STORE_COUNTS_H
#define TK_STORE_COUNTS_H
/*
 * counts - how many spans have each code of a column, how many of them failed, how late the last
 * one ended and how long they took; and the same by operation (docs/formats/segment.md, "Counts").
 *
 * Made when spans are sealed; when segments are merged their counts are added, so a span that came
 * twice, or was thinned out since, counts once and goes on counting.
 */
#include "base/assert.h"
#include "base/histogram.h"
#include "store/store.h"

struct tk_counts { /* of one column */
    uint32_t code_count;
    uint64_t *span_count, *error_count, *last_nano; /* [code_count] */
    struct tk_histogram *durations;      /* [code_count], of what is being counted; or NULL */
    struct tk_packed_histograms *packed; /* the same of what was read; or NULL */
};
/* With histograms up to TK_COUNTS_HISTOGRAMS_MAX codes. */
enum tk_err tk_counts_init(struct tk_counts *counts, uint32_t code_count) TK_MUST_USE;
enum tk_err tk_counts_init_with(struct tk_counts *counts, uint32_t code_count,
                                bool durations) TK_MUST_USE;
void tk_counts_release(struct tk_counts *counts);
/* Forgets what codes below `code_count` have; histograms keep their memory. */
void tk_counts_clear(struct tk_counts *counts, uint32_t code_count);
/* The histogram of a code, good until `scratch` is touched; NULL in *ret_durations: there are none.
   What was read is kept packed, and unpacked into `scratch`. */
enum tk_err tk_counts_durations(const struct tk_counts *counts, uint32_t code,
                                struct tk_histogram *scratch,
                                const struct tk_histogram **ret_durations) TK_MUST_USE;
/* Spans are added many at once: their histograms, which are all over the memory, are asked for
   together. */
struct tk_counted_span {
    uint32_t code;   /* or number of the operation */
    uint16_t bucket; /* tk_histogram_bucket(duration) */
    bool is_error;
    uint64_t end_nano;
};
enum tk_err tk_counts_add(struct tk_counts *counts, const struct tk_counted_span *spans,
                          uint32_t count) TK_MUST_USE;
/* The same by hand: asks for the memory that adding the span to this code will want, and adds it.
 */
static inline void
tk_counts_fetch(const struct tk_counts *counts, uint32_t code, const struct tk_counted_span *span)
{
    TK_ASSERT(code < counts->code_count);
    if (counts->durations != NULL)
        __builtin_prefetch(tk_histogram_place(&counts->durations[code], span->bucket), 1);
}
static inline enum tk_err TK_MUST_USE
tk_counts_span(struct tk_counts *counts, uint32_t code, const struct tk_counted_span *span)
{
    counts->span_count[code]++;
    counts->error_count[code] += span->is_error;
    if (span->end_nano > counts->last_nano[code])
        counts->last_nano[code] = span->end_nano;
    return counts->durations != NULL ? tk_histogram_add(&counts->durations[code], span->bucket, 1)
                                     : TK_OK;
}
/* `from`'s code i is code map[i] of `to`. */
enum tk_err tk_counts_merge(struct tk_counts *to, const struct tk_counts *from,
                            const uint32_t *map) TK_MUST_USE;
void tk_counts_write(const struct tk_counts *counts, struct tk_buf *out);
enum tk_err tk_counts_read(tk_str section, uint32_t code_count,
                           struct tk_counts *ret_counts) TK_MUST_USE;
size_t tk_counts_memory(const struct tk_counts *counts); /* bytes, about */

struct tk_operations; /* (service, name, kind) -> counts */
struct tk_operations *tk_operations_new(void) TK_MUST_USE;
void tk_operations_free(struct tk_operations *operations);
/* The number of an operation, for tk_operations_add; UINT32_MAX once there are too many. */
enum tk_err tk_operations_intern(struct tk_operations *operations, tk_str service, tk_str name,
                                 int32_t kind, uint32_t *ret_number) TK_MUST_USE;
enum tk_err tk_operations_add(struct tk_operations *operations, const struct tk_counted_span *spans,
                              uint32_t count) TK_MUST_USE;
/* `from` NULL: there were too many, and so there are in `to`. */
enum tk_err tk_operations_merge(struct tk_operations *to,
                                const struct tk_operations *from) TK_MUST_USE;
/* Nothing when there were too many. */
void tk_operations_write(const struct tk_operations *operations, struct tk_buf *out);
enum tk_err tk_operations_read(tk_str section, struct tk_operations **ret_operations) TK_MUST_USE;
uint64_t tk_operations_total(const struct tk_operations *operations); /* spans of all of them */
size_t tk_operations_memory(const struct tk_operations *operations);  /* bytes, about */
/* durations NULL in *count: without `want_durations`. */
enum tk_err tk_operations_each(const struct tk_operations *operations, bool want_durations,
                               enum tk_err (*each)(void *arg, tk_str service, tk_str name,
                                                   int32_t kind,
                                                   const struct tk_store_count *count),
                               void *arg) TK_MUST_USE;

#endif
