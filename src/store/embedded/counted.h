#ifndef TK_STORE_COUNTED_H
#define TK_STORE_COUNTED_H
/*
 * counted - has a span come before, so that an older source counts it?
 *
 * A span that is sent again has the times it had, so only sources are asked whose times it is
 * within.  Asked trace by trace: what the sources have of the trace at hand is remembered, and
 * which sources are near in time, for there may be thousands.  Not thread-safe.
 */
#include "store/embedded/merge.h"

struct tk_counted {
    const struct tk_source *_older; /* [_count], borrowed */
    uint32_t _count;
    struct tk_trace_id _id;
    uint64_t _asking;                   /* counts the traces */
    struct tk_counted_source *_sources; /* [_count]; what they have of it */
    uint32_t *_near;                    /* [_near_count]; sources that touch the time between: */
    uint32_t _near_count;
    uint64_t _near_from, _near_to;
};

enum tk_err tk_counted_init(struct tk_counted *counted, const struct tk_source *older,
                            uint32_t count) TK_MUST_USE;
void tk_counted_release(struct tk_counted *counted);
/* May there be a span that starts between these? */
bool tk_counted_may_have(const struct tk_counted *counted, uint64_t start_min, uint64_t start_max);
/* What cannot be read counts nothing. */
bool tk_counted_has(struct tk_counted *counted, struct tk_trace_id id, tk_span_id span_id,
                    uint64_t start_nano);

#endif
