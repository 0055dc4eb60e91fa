#ifndef TK_TRACE_IDS_H
#define TK_TRACE_IDS_H
/*
 * ids - trace and span identifiers (W3C Trace Context level 2, 3.2.2).
 *
 * Held as numbers read big-endian from their bytes, so that numeric order is byte order is the
 * order of their hex text.  All zero is "none" and is never valid on the wire.
 */
#include "base/bytes.h"

enum { TK_TRACE_ID_SIZE = 16, TK_SPAN_ID_SIZE = 8, TK_TRACE_ID_HEX = 32, TK_SPAN_ID_HEX = 16 };

struct tk_trace_id {
    uint64_t high, low;
};

typedef uint64_t tk_span_id;

static inline bool
tk_trace_id_eq(struct tk_trace_id a, struct tk_trace_id b)
{
    return a.high == b.high && a.low == b.low;
}

static inline bool
tk_trace_id_is_none(struct tk_trace_id id)
{
    return (id.high | id.low) == 0;
}

static inline int
tk_trace_id_cmp(struct tk_trace_id a, struct tk_trace_id b)
{
    if (a.high != b.high)
        return a.high < b.high ? -1 : 1;
    return (a.low > b.low) - (a.low < b.low);
}

/* From and to 16 / 8 bytes in network order. */
struct tk_trace_id tk_trace_id_read(const void *bytes);
void tk_trace_id_write(struct tk_trace_id id, void *bytes);
tk_span_id tk_span_id_read(const void *bytes);
void tk_span_id_write(tk_span_id id, void *bytes);

/* Hex of either case, exactly 32 / 16 digits, not all zero; false otherwise. */
bool tk_trace_id_parse(tk_str hex, struct tk_trace_id *ret_id);
bool tk_span_id_parse(tk_str hex, tk_span_id *ret_id);
/* Lower-case hex into `text`, with a NUL. */
void tk_trace_id_format(struct tk_trace_id id, char text[TK_TRACE_ID_HEX + 1]);
void tk_span_id_format(tk_span_id id, char text[TK_SPAN_ID_HEX + 1]);

#endif
