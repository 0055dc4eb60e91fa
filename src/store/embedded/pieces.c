/* pieces - see pieces.h. */
#include "store/embedded/pieces.h"

#include "base/hash.h"

#include <stdlib.h>

void
tk_pieces_init(struct tk_pieces *pieces)
{
    *pieces = (struct tk_pieces){0};
}

void
tk_pieces_release(struct tk_pieces *pieces)
{
    tk_pieces_clear(pieces);
    free(pieces->piece);
    free(pieces->_slots);
    free(pieces->_blocks);
    tk_pieces_init(pieces);
}

void
tk_pieces_clear(struct tk_pieces *pieces)
{
    for (uint32_t i = 0; i < pieces->_block_count; i++)
        tk_cache_release(pieces->_blocks[i]);
    pieces->_block_count = 0;
    pieces->count = 0;
}

enum tk_err
tk_pieces_add(struct tk_pieces *pieces, const struct tk_batch *batch, uint32_t row)
{
    if (pieces->count == pieces->_capacity) {
        uint32_t capacity = pieces->_capacity > 0 ? pieces->_capacity * 2 : 64;
        struct tk_piece *piece = realloc(pieces->piece, capacity * sizeof *piece);
        if (piece == NULL)
            return TK_ERR_MEMORY;
        pieces->piece = piece;
        pieces->_capacity = capacity;
    }
    pieces->piece[pieces->count++] = (struct tk_piece){batch, row};
    return TK_OK;
}

enum tk_err
tk_pieces_hold(struct tk_pieces *pieces, struct tk_cache_item *block)
{
    if (pieces->_block_count == pieces->_block_capacity) {
        uint32_t capacity = pieces->_block_capacity > 0 ? pieces->_block_capacity * 2 : 8;
        struct tk_cache_item **blocks = realloc(pieces->_blocks, capacity * sizeof *blocks);
        if (blocks == NULL) {
            tk_cache_release(block);
            return TK_ERR_MEMORY;
        }
        pieces->_blocks = blocks;
        pieces->_block_capacity = capacity;
    }
    pieces->_blocks[pieces->_block_count++] = block;
    return TK_OK;
}

static bool
holds(const struct tk_pieces *pieces, const struct tk_cache_item *block)
{
    for (uint32_t i = pieces->_block_count; i > 0; i--)
        if (pieces->_blocks[i - 1] == block)
            return true;
    return false;
}

enum tk_err
tk_pieces_hold_all(struct tk_pieces *pieces, const struct tk_pieces *other)
{
    enum tk_err code = TK_OK;
    for (uint32_t i = 0; i < other->_block_count && code == TK_OK; i++)
        if (!holds(pieces, other->_blocks[i]))
            code = tk_pieces_hold(pieces, tk_cache_hold(other->_blocks[i]));
    return code;
}

static tk_span_id
span_id_of(struct tk_piece piece)
{
    return piece.batch->span_id[piece.row];
}

/* Is `b`, which arrived later, to be kept rather than `a`? */
static bool
is_fuller(struct tk_piece a, struct tk_piece b)
{
    uint64_t a_size = (uint64_t)a.batch->attrs[a.row].count + a.batch->events[a.row].count +
                      a.batch->links[a.row].count;
    uint64_t b_size = (uint64_t)b.batch->attrs[b.row].count + b.batch->events[b.row].count +
                      b.batch->links[b.row].count;
    if (a_size != b_size)
        return b_size > a_size;
    return b.batch->end_nano[b.row] >= a.batch->end_nano[a.row];
}

enum tk_err
tk_pieces_dedup(struct tk_pieces *pieces)
{
    uint32_t slot_count = 4, kept = 0;
    while (slot_count < pieces->count * 2)
        slot_count *= 2;
    if (slot_count > pieces->_slot_capacity) {
        free(pieces->_slots);
        pieces->_slots = malloc(slot_count * sizeof *pieces->_slots);
        pieces->_slot_capacity = pieces->_slots != NULL ? slot_count : 0;
        if (pieces->_slots == NULL)
            return TK_ERR_MEMORY;
    }
    memset(pieces->_slots, 0, slot_count * sizeof *pieces->_slots); /* index + 1; 0: free */
    for (uint32_t i = 0; i < pieces->count; i++) {
        struct tk_piece piece = pieces->piece[i];
        tk_span_id id = span_id_of(piece);
        uint32_t at = (uint32_t)tk_hash((tk_str){(const char *)&id, sizeof id});
        uint32_t *slot = &pieces->_slots[at & (slot_count - 1)];
        while (*slot != 0 && span_id_of(pieces->piece[*slot - 1]) != id)
            slot = &pieces->_slots[++at & (slot_count - 1)];
        if (*slot == 0) {
            pieces->piece[kept++] = piece;
            *slot = kept;
        } else if (is_fuller(pieces->piece[*slot - 1], piece)) {
            pieces->piece[*slot - 1] = piece;
        }
    }
    pieces->count = kept;
    return TK_OK;
}

enum tk_err
tk_pieces_copy(const struct tk_pieces *pieces, bool deep, struct tk_batch *to)
{
    struct tk_batch_map map = {0};
    const struct tk_batch *from = NULL;
    enum tk_err code = TK_OK;
    for (uint32_t i = 0; i < pieces->count && code == TK_OK; i++) {
        if (pieces->piece[i].batch != from) {
            from = pieces->piece[i].batch;
            tk_batch_map_release(&map);
            code = tk_batch_map_init(&map, from);
        }
        if (code == TK_OK)
            code = tk_batch_copy_span(to, from, pieces->piece[i].row, deep, &map);
    }
    tk_batch_map_release(&map);
    return code;
}
