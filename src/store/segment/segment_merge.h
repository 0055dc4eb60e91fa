#ifndef TK_STORE_SEGMENT_MERGE_H
#define TK_STORE_SEGMENT_MERGE_H
/*
 * segment_merge - several segments become one: by codes, without seeing a text of a dictionary.
 *
 * Traces keep their order (newest start first, ties by id), parts of one trace come together at the
 * earliest of their starts, of a span that is there twice the fuller one stays (store.h,
 * contract 2), counts add up.
 */
#include "store/segment/segment.h"
#include "store/segment/segment_write.h"

#include <stdatomic.h>

struct tk_segment_merge {
    struct tk_segment *const *segments; /* [count]; oldest first */
    uint32_t count;
    const atomic_bool *stop; /* ends it early with TK_ERR_BUSY; or NULL */
    /* Is this trace to stay, of which this merge has `row_count` rows?  TK_ERR_NOT_FOUND: it goes.
       NULL: all stay. */
    enum tk_err (*keep)(void *arg, const struct tk_trace_entry *trace, uint32_t row_count,
                        struct tk_error *err);
    void *arg;
};

/* Writes what they hold; to be finished by the caller.  `schema` is of these segments. */
struct tk_schema_merge;
enum tk_err tk_segment_merge(const struct tk_segment_merge *merge,
                             const struct tk_schema_merge *schema, struct tk_segment_writer *writer,
                             struct tk_error *err) TK_MUST_USE;

#endif
