#ifndef TK_STORE_LATER_H
#define TK_STORE_LATER_H
/*
 * later - traces that a scan has met before their place in the order: a heap, the next one on top.
 * Zeroed to begin with.
 */
#include "store/segment/trace_entry.h"

#include "base/error.h"

#include <stdint.h>

struct tk_place { /* of a trace, in the order of a scan */
    uint64_t start_nano;
    struct tk_trace_id id;
};

static inline int
tk_place_cmp(struct tk_place a, struct tk_place b)
{
    return tk_trace_entry_cmp(a.start_nano, a.id, b.start_nano, b.id);
}

struct tk_later {
    struct tk_place *place; /* [count]; the first is next */
    uint32_t count;
    uint32_t _capacity;
};

void tk_later_release(struct tk_later *later);
enum tk_err tk_later_add(struct tk_later *later, struct tk_place place) TK_MUST_USE;
/* Takes the next one out; there is one. */
struct tk_place tk_later_take(struct tk_later *later);

#endif
