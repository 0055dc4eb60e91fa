#ifndef TK_STORE_PIECES_H
#define TK_STORE_PIECES_H
/*
 * pieces - one trace, put together from rows that lie in batches of buffers and groups of segments.
 *
 * Ownership: pieces view batches and groups; what keeps those alive (the cache's items of groups)
 * is held until tk_pieces_clear, buffers and segments are the caller's to keep.  Groups of a long
 * trace that is copied deep are not held, nor do they push all else out of the cache: one after the
 * other is opened, copied from and closed.  Not thread-safe.
 */
#include "store/segment/cache.h"
#include "store/segment/row_copy.h"
#include "store/segment/trace_entry.h"

enum { TK_PIECES_LONG = 4 * TK_GROUP_ROWS }; /* rows of a trace in a segment, at least */

/* Rows [row, row + count) of one batch or group. */
struct tk_piece {
    const struct tk_batch *batch; /* of a buffer; or NULL */
    struct tk_segment *segment;   /* else a group of it */
    uint32_t number;              /* which */
    struct tk_group *group;       /* NULL: it is opened when it is looked at */
    uint32_t row, count;
    uint32_t before; /* rows of all pieces before this one; for dedup */
};

struct tk_pieces {
    struct tk_piece *piece; /* [count]; in order of arrival, oldest first */
    uint32_t count;
    bool deep; /* tk_pieces_copy will copy all text; to be said before pieces come */
    uint32_t _capacity;
    uint64_t *_marks; /* for dedup */
    size_t _mark_capacity;
    struct tk_cache_item **_items; /* held */
    uint32_t _item_count, _item_capacity;
    struct tk_row_copy _copy;
};

void tk_pieces_init(struct tk_pieces *pieces);
void tk_pieces_release(struct tk_pieces *pieces);
void tk_pieces_clear(struct tk_pieces *pieces); /* lets go of the groups, keeps the memory */
enum tk_err tk_pieces_add(struct tk_pieces *pieces, const struct tk_batch *batch,
                          uint32_t row) TK_MUST_USE;
/* Rows of group `number`.  Takes over one reference of its item, to be let go in tk_pieces_clear
   (on failure: at once); NULL: the group is opened when it is looked at. */
enum tk_err tk_pieces_add_group(struct tk_pieces *pieces, struct tk_segment *segment,
                                uint32_t number, struct tk_cache_item *group, uint32_t begin,
                                uint32_t count) TK_MUST_USE;

/* One span per span id: the fuller one (store.h, contract 2). */
enum tk_err tk_pieces_dedup(struct tk_pieces *pieces, struct tk_error *err) TK_MUST_USE;
/* Copies the rows of trace `id` behind those of `to`, which, unless they are `deep`, views what the
   pieces hold, until they are cleared.  Rows of a damaged group are left out: TK_ERR_CORRUPT when
   that leaves none.  `want` NULL: everything. */
enum tk_err tk_pieces_copy(struct tk_pieces *pieces, struct tk_trace_id id,
                           const struct tk_store_want *want, struct tk_batch *to,
                           struct tk_error *err) TK_MUST_USE;

#endif
