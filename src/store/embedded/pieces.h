#ifndef TK_STORE_PIECES_H
#define TK_STORE_PIECES_H
/*
 * pieces - one trace, put together from rows that lie in batches of buffers and groups of segments.
 *
 * Ownership: pieces view batches and groups; what keeps those alive (the cache's items of groups)
 * is held until tk_pieces_clear, buffers and segments are the caller's to keep.  Not thread-safe.
 */
#include "store/segment/cache.h"
#include "store/segment/row_copy.h"
#include "store/segment/trace_entry.h"

struct tk_piece {
    const struct tk_batch *batch; /* of a buffer; or NULL */
    struct tk_segment *segment;   /* else a group */
    struct tk_group *group;
    uint32_t row;
};

struct tk_pieces {
    struct tk_piece *piece; /* [count]; in order of arrival, oldest first */
    uint32_t count;
    uint32_t _capacity;
    uint32_t *_slots; /* for dedup */
    uint32_t _slot_capacity;
    struct tk_cache_item **_items; /* held */
    uint32_t _item_count, _item_capacity;
    struct tk_row_copy _copy;
};

void tk_pieces_init(struct tk_pieces *pieces);
void tk_pieces_release(struct tk_pieces *pieces);
void tk_pieces_clear(struct tk_pieces *pieces); /* lets go of the groups, keeps the memory */
enum tk_err tk_pieces_add(struct tk_pieces *pieces, const struct tk_batch *batch,
                          uint32_t row) TK_MUST_USE;
/* Takes over one reference of a group's item, to be let go in tk_pieces_clear (on failure: at
   once), and adds rows of it. */
enum tk_err tk_pieces_add_group(struct tk_pieces *pieces, struct tk_segment *segment,
                                struct tk_cache_item *group, uint32_t begin,
                                uint32_t count) TK_MUST_USE;

/* One span per span id: the fuller one (store.h, contract 2).  Keeps the order of the rest. */
enum tk_err tk_pieces_dedup(struct tk_pieces *pieces, struct tk_error *err) TK_MUST_USE;
/* Copies the rows of trace `id` behind those of `to`, which without `deep` views what the pieces
   hold, until they are cleared.  Rows of a damaged group are left out: TK_ERR_CORRUPT when that
   leaves none.  `want` NULL: everything. */
enum tk_err tk_pieces_copy(struct tk_pieces *pieces, struct tk_trace_id id,
                           const struct tk_store_want *want, bool deep, struct tk_batch *to,
                           struct tk_error *err) TK_MUST_USE;

#endif
