#ifndef TK_API_TRACE_COLUMNS_H
#define TK_API_TRACE_COLUMNS_H
/*
 * trace_columns - the rows of a trace as columns of small numbers, for a page that shows a million
 * of them (docs/formats/columns.md).
 */
#include "api/opened.h"
#include "query/rows.h"

enum { TK_COLUMNS_VERSION = 2 };

struct tk_columns_window {
    bool tree; /* the spans alone, depth first; else the rows of the unified waterfall */
    bool ids;  /* span ids too: 8 bytes a row */
    uint32_t offset, limit; /* rows; limit 0: all behind offset */
};

/* Appends; TK_ERR_MEMORY. */
enum tk_err tk_trace_columns(const struct tk_opened *trace, const struct tk_columns_window *window,
                             struct tk_arena *arena, struct tk_buf *out) TK_MUST_USE;

#endif
