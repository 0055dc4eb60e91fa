#ifndef TK_STORE_TOLD_H
#define TK_STORE_TOLD_H
/*
 * told - what the chunk of a column need not tell, because other columns of the group do
 * (docs/formats/segment.md, "Told beside others").  Writing and reading are the same sums here, so
 * that they cannot differ.
 */
#include "store/segment/columns.h"
#include "store/segment/numbers.h"

enum tk_told {
    TK_TOLD_ALONE,
    TK_TOLD_BY_TRACE, /* XOR what follows from the trace: mostly zeroes are left */
    TK_TOLD_BY_NAME,  /* what spans of each name mostly have; then all XOR that */
};

static inline enum tk_told
tk_told_of(uint32_t version, uint32_t column)
{
    if (version == 2)
        return TK_TOLD_ALONE;
    switch (column) {
    case TK_COLUMN_TRACE_TOTAL:
    case TK_COLUMN_DURATION:
    case TK_COLUMN_LINK_HIGH:
    case TK_COLUMN_LINK_LOW:
        return TK_TOLD_BY_TRACE;
    case TK_COLUMN_KIND:
    case TK_COLUMN_SCOPE:
    case TK_COLUMN_SHAPE:
        return TK_TOLD_BY_NAME;
    default:
        return TK_TOLD_ALONE;
    }
}

/* The traces of a group; arrays are [count] where not said otherwise. */
struct tk_told_traces {
    uint32_t count;
    const uint32_t *row;           /* [count + 1]: first row of each */
    const uint32_t *link;          /* [rows + 1]: first link of each row; of links only */
    const uint64_t *rows, *before; /* as columns */
    const uint64_t *duration;      /* of columns DURATION only */
    const uint64_t *id;            /* of links only: the half in question */
};

/* Out of values [begin, begin + count) of a column makes what its chunk has, and back again. */
void tk_told_by_trace(const struct tk_told_traces *traces, uint32_t column, uint32_t begin,
                      uint32_t count, uint64_t *numbers);

/* The names of rows, numbered in the order in which they first come; returns how many there are.
   `codes`, all below `distinct`, or `texts`: the column NAME.  False: out of memory. */
bool tk_told_names(const uint64_t *codes, const tk_str *texts, uint32_t count, uint32_t distinct,
                   uint32_t *names, uint32_t *ret_name_count);

/* `numbers` are used up.  False: out of memory. */
bool tk_told_put_by_name(const uint32_t *names, uint32_t name_count, uint64_t *numbers,
                         uint32_t count, int level, struct tk_buf *out);
enum tk_err tk_told_get_by_name(tk_str *in, const uint32_t *names, uint32_t name_count,
                                uint32_t count, uint32_t begin, uint32_t part_count,
                                uint64_t *numbers) TK_MUST_USE;

#endif
