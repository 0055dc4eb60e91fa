#ifndef TK_STORE_TRACE_ENTRY_H
#define TK_STORE_TRACE_ENTRY_H
/*
 * trace_entry - what a source (buffer or segment) tells of a trace without showing its spans.
 */
#include "trace/ids.h"

/* Start and end are over every copy of every span that ever arrived in this source. */
struct tk_trace_entry {
    struct tk_trace_id id;
    uint64_t start_nano, end_nano;
    uint32_t row, row_count; /* the row of a buffer: for tk_buffer_rows */
    uint32_t group, trace;   /* of a segment: where its rows begin: which trace of which group */
};

/* The order of a scan: newest start first, ties by trace id ascending. */
static inline int
tk_trace_entry_cmp(uint64_t a_start, struct tk_trace_id a, uint64_t b_start, struct tk_trace_id b)
{
    if (a_start != b_start)
        return a_start > b_start ? -1 : 1;
    return tk_trace_id_cmp(a, b);
}

#endif
