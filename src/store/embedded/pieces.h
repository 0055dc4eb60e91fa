#ifndef TK_STORE_PIECES_H
#define TK_STORE_PIECES_H
/*
 * pieces - one trace, put together from rows that lie in several batches.
 *
 * Also the shape in which every source (buffer or segment) tells of a trace without showing its
 * spans: struct tk_trace_entry.
 *
 * Ownership: pieces view the batches; what keeps those alive (a view's buffers, blocks of the
 * cache) is held by `blocks` until tk_pieces_clear.  Not thread-safe.
 */
#include "store/embedded/cache.h"
#include "trace/batch.h"

/* A trace as one source has it: start and end over every copy of every span that arrived there. */
struct tk_trace_entry {
    struct tk_trace_id id;
    uint64_t start_nano, end_nano;
    uint32_t row, row_count; /* of a segment: where its rows lie */
};

/* The order of a scan: newest start first, ties by trace id ascending. */
static inline int
tk_trace_entry_cmp(uint64_t a_start, struct tk_trace_id a, uint64_t b_start, struct tk_trace_id b)
{
    if (a_start != b_start)
        return a_start > b_start ? -1 : 1;
    return tk_trace_id_cmp(a, b);
}

struct tk_piece {
    const struct tk_batch *batch;
    uint32_t row;
};

struct tk_pieces {
    struct tk_piece *piece; /* [count]; in order of arrival, oldest first */
    uint32_t count;
    uint32_t _capacity;
    uint32_t *_slots; /* for dedup */
    uint32_t _slot_capacity;
    struct tk_cache_item **_blocks; /* held */
    uint32_t _block_count, _block_capacity;
};

void tk_pieces_init(struct tk_pieces *pieces);
void tk_pieces_release(struct tk_pieces *pieces);
void tk_pieces_clear(struct tk_pieces *pieces); /* lets go of the blocks, keeps the memory */
enum tk_err tk_pieces_add(struct tk_pieces *pieces, const struct tk_batch *batch,
                          uint32_t row) TK_MUST_USE;
/* Takes over one reference of a block, to be let go in tk_pieces_clear (on failure: at once). */
enum tk_err tk_pieces_hold(struct tk_pieces *pieces, struct tk_cache_item *block) TK_MUST_USE;
/* Holds every block that `other` holds, too. */
enum tk_err tk_pieces_hold_all(struct tk_pieces *pieces, const struct tk_pieces *other) TK_MUST_USE;

/* One span per span id: the fuller one (store.h, contract 2).  Keeps the order of the rest. */
enum tk_err tk_pieces_dedup(struct tk_pieces *pieces) TK_MUST_USE;
/* Copies the rows behind those of `to`, see tk_batch_copy_span. */
enum tk_err tk_pieces_copy(const struct tk_pieces *pieces, bool deep,
                           struct tk_batch *to) TK_MUST_USE;

#endif
