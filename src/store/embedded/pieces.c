/* pieces - see pieces.h. */
#include "store/embedded/pieces.h"

#include "base/hash.h"
#include "base/memory.h"

#include <stdlib.h>

void
tk_pieces_init(struct tk_pieces *pieces)
{
    *pieces = (struct tk_pieces){0};
    tk_row_copy_init(&pieces->_copy);
}

void
tk_pieces_release(struct tk_pieces *pieces)
{
    tk_pieces_clear(pieces);
    tk_row_copy_release(&pieces->_copy);
    free(pieces->piece);
    free(pieces->_slots);
    free(pieces->_items);
    tk_pieces_init(pieces);
}

void
tk_pieces_clear(struct tk_pieces *pieces)
{
    tk_row_copy_clear(&pieces->_copy);
    for (uint32_t i = 0; i < pieces->_item_count; i++)
        tk_cache_release(pieces->_items[i]);
    pieces->_item_count = 0;
    pieces->count = 0;
}

static enum tk_err
add(struct tk_pieces *pieces, struct tk_piece piece)
{
    if (pieces->count == pieces->_capacity) {
        size_t capacity = pieces->_capacity > 0 ? (size_t)pieces->_capacity * 2 : 64;
        struct tk_piece *grown = realloc(pieces->piece, capacity * sizeof *grown);
        if (grown == NULL || capacity > UINT32_MAX)
            return TK_ERR_MEMORY;
        pieces->piece = grown;
        pieces->_capacity = (uint32_t)capacity;
    }
    pieces->piece[pieces->count++] = piece;
    return TK_OK;
}

enum tk_err
tk_pieces_add(struct tk_pieces *pieces, const struct tk_batch *batch, uint32_t row)
{
    return add(pieces, (struct tk_piece){.batch = batch, .row = row});
}

static enum tk_err
hold(struct tk_pieces *pieces, struct tk_cache_item *item)
{
    if (pieces->_item_count == pieces->_item_capacity) {
        uint32_t capacity = pieces->_item_capacity > 0 ? pieces->_item_capacity * 2 : 8;
        struct tk_cache_item **items = realloc(pieces->_items, capacity * sizeof *items);
        if (items == NULL) {
            tk_cache_release(item);
            return TK_ERR_MEMORY;
        }
        pieces->_items = items;
        pieces->_item_capacity = capacity;
    }
    pieces->_items[pieces->_item_count++] = item;
    return TK_OK;
}

enum tk_err
tk_pieces_add_group(struct tk_pieces *pieces, struct tk_segment *segment,
                    struct tk_cache_item *group, uint32_t begin, uint32_t count)
{
    enum tk_err code = hold(pieces, group);
    for (uint32_t row = begin; row < begin + count && code == TK_OK; row++)
        code = add(pieces, (struct tk_piece){NULL, segment, group->value, row});
    return code;
}

/* What decides between two copies of a span, of all rows of one group. */
struct told {
    const struct tk_group *group;
    struct tk_values duration, events, links;
    struct tk_group_attrs attrs;
    const uint64_t *start;
    const struct tk_schema_view *schema;
};

static enum tk_err
tell(struct told *told, struct tk_group *group, struct tk_error *err)
{
    struct {
        uint32_t column;
        struct tk_values *values;
    } wanted[] = {{TK_COLUMN_DURATION, &told->duration},
                  {TK_COLUMN_EVENTS, &told->events},
                  {TK_COLUMN_LINKS, &told->links}};
    const void *start;
    if (told->group == group)
        return TK_OK;
    told->group = NULL;
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        enum tk_err code = tk_group_values(group, wanted[i].column, wanted[i].values, err);
        if (code != TK_OK)
            return code;
    }
    enum tk_err code = tk_group_array(group, TK_GROUP_STARTS, &start, err);
    if (code == TK_OK)
        code = tk_group_attrs(group, TK_COLUMN_OF_SPAN, &told->attrs, err);
    if (code != TK_OK)
        return code;
    told->start = start;
    told->schema = tk_group_schema(group);
    told->group = group;
    return TK_OK;
}

struct weight {
    uint64_t size, end_nano;
};

static enum tk_err
weigh(const struct tk_piece *piece, struct told *told, struct weight *ret_weight,
      struct tk_error *err)
{
    uint32_t row = piece->row;
    const struct tk_batch *batch = piece->batch;
    if (batch != NULL) {
        *ret_weight = (struct weight){(uint64_t)batch->attrs[row].count + batch->events[row].count +
                                          batch->links[row].count,
                                      batch->end_nano[row]};
        return TK_OK;
    }
    enum tk_err code = tell(told, piece->group, err);
    if (code != TK_OK)
        return code;
    uint32_t shape = told->attrs.shape[row], attr_count = told->schema->shapes[shape].count;
    if (shape == 0)
        code = tk_row_copy_count(piece->segment, piece->group,
                                 told->attrs.at[told->attrs.begin[row]], &attr_count, err);
    *ret_weight = (struct weight){attr_count + told->events.number[row] + told->links.number[row],
                                  told->start[row] + told->duration.number[row]};
    return code;
}

/* Is `b`, which arrived later, to be kept rather than `a`?  Damage was reported already: what can
   be read is fuller. */
static enum tk_err
is_fuller(const struct tk_piece *a, const struct tk_piece *b, struct told told[2], bool *ret_fuller,
          struct tk_error *err)
{
    struct weight of_a, of_b;
    enum tk_err code = weigh(a, &told[0], &of_a, err);
    *ret_fuller = code == TK_ERR_CORRUPT;
    if (code == TK_OK) {
        code = weigh(b, &told[1], &of_b, err);
        if (code == TK_OK)
            *ret_fuller =
                of_a.size != of_b.size ? of_b.size > of_a.size : of_b.end_nano >= of_a.end_nano;
    }
    return code == TK_ERR_CORRUPT ? TK_OK : code;
}

/* The span id of each piece; pieces of a group whose ids cannot be read go. */
static enum tk_err
list_ids(struct tk_pieces *pieces, tk_span_id *id, struct tk_error *err)
{
    const struct tk_group *group = NULL;
    struct tk_values ids;
    enum tk_err code = TK_OK;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < pieces->count; i++) {
        struct tk_piece piece = pieces->piece[i];
        if (piece.batch == NULL && piece.group != group) {
            code = tk_group_values(piece.group, TK_COLUMN_SPAN_ID, &ids, err);
            if (code != TK_OK && code != TK_ERR_CORRUPT)
                return code;
            group = piece.group;
        }
        if (piece.batch == NULL && code == TK_ERR_CORRUPT)
            continue; /* was reported; the rest is served */
        id[kept] = piece.batch != NULL ? piece.batch->span_id[piece.row] : ids.number[piece.row];
        pieces->piece[kept++] = piece;
    }
    pieces->count = kept;
    return TK_OK;
}

/* Empty slots for twice as many pieces. */
static enum tk_err
make_slots(struct tk_pieces *pieces, uint32_t *ret_count)
{
    uint32_t slot_count = 4;
    while (slot_count / 2 < pieces->count && slot_count <= UINT32_MAX / 2)
        slot_count *= 2;
    if (slot_count > pieces->_slot_capacity) {
        free(pieces->_slots);
        pieces->_slots = malloc(slot_count * sizeof *pieces->_slots);
        pieces->_slot_capacity = pieces->_slots != NULL ? slot_count : 0;
        if (pieces->_slots == NULL)
            return TK_ERR_MEMORY;
        tk_memory_huge(pieces->_slots, slot_count * sizeof *pieces->_slots);
    }
    memset(pieces->_slots, 0, slot_count * sizeof *pieces->_slots); /* index + 1; 0: free */
    *ret_count = slot_count;
    return TK_OK;
}

/* A trace of a million spans misses every cache: slots are asked for a little ahead. */
enum { AHEAD = 16 };

static uint32_t
slot_of(tk_span_id id)
{
    return (uint32_t)tk_hash((tk_str){(const char *)&id, sizeof id});
}

static enum tk_err
keep_fuller(struct tk_pieces *pieces, tk_span_id *id, struct tk_error *err)
{
    struct told told[2] = {{0}, {0}};
    uint32_t slot_count = 0, kept = 0;
    bool fuller;
    enum tk_err code = make_slots(pieces, &slot_count);
    for (uint32_t i = 0; i < pieces->count && code == TK_OK; i++) {
        struct tk_piece piece = pieces->piece[i];
        tk_span_id mine = id[i];
        if (i + AHEAD < pieces->count)
            __builtin_prefetch(&pieces->_slots[slot_of(id[i + AHEAD]) & (slot_count - 1)]);
        uint32_t at = slot_of(mine), *slot = &pieces->_slots[at & (slot_count - 1)];
        while (*slot != 0 && id[*slot - 1] != mine)
            slot = &pieces->_slots[++at & (slot_count - 1)];
        if (*slot == 0) {
            pieces->piece[kept] = piece;
            id[kept] = mine;
            *slot = ++kept;
            continue;
        }
        code = is_fuller(&pieces->piece[*slot - 1], &piece, told, &fuller, err);
        if (code == TK_OK && fuller)
            pieces->piece[*slot - 1] = piece;
    }
    if (code == TK_OK)
        pieces->count = kept;
    return code;
}

enum tk_err
tk_pieces_dedup(struct tk_pieces *pieces, struct tk_error *err)
{
    tk_span_id *id = malloc(((size_t)pieces->count + 1) * sizeof *id);
    enum tk_err code = id != NULL ? list_ids(pieces, id, err) : TK_ERR_MEMORY;
    if (code == TK_OK)
        code = keep_fuller(pieces, id, err);
    free(id);
    return code == TK_ERR_MEMORY ? tk_error_set(err, code, "out of memory for a trace") : code;
}

/* How many pieces from `begin` on are neighbours in one group. */
static uint32_t
run_of(const struct tk_pieces *pieces, uint32_t begin)
{
    const struct tk_piece *first = &pieces->piece[begin];
    uint32_t count = 1;
    while (begin + count < pieces->count && first->batch == NULL &&
           first[count].group == first->group && first[count].row == first->row + count)
        count++;
    return count;
}

/* Do the rows that lie in groups come in few runs?  Then each decodes no more than it needs. */
static bool
is_in_few_runs(const struct tk_pieces *pieces)
{
    enum { FEW = 8 };
    uint32_t runs = 0;
    for (uint32_t at = 0; at < pieces->count && runs <= FEW; at += run_of(pieces, at))
        runs += pieces->piece[at].batch == NULL;
    return runs <= FEW;
}

static enum tk_err
copy_from_batch(struct tk_pieces *pieces, uint32_t *at, bool deep, struct tk_batch *to)
{
    struct tk_batch_map map;
    const struct tk_batch *from = pieces->piece[*at].batch;
    enum tk_err code = tk_batch_map_init(&map, from);
    for (; *at < pieces->count && pieces->piece[*at].batch == from && code == TK_OK; (*at)++)
        code = tk_batch_copy_span(to, from, pieces->piece[*at].row, deep, &map);
    tk_batch_map_release(&map);
    return code;
}

enum tk_err
tk_pieces_copy(struct tk_pieces *pieces, struct tk_trace_id id, const struct tk_store_want *want,
               bool deep, struct tk_batch *to, struct tk_error *err)
{
    enum tk_err code = TK_OK, damage = TK_OK;
    uint32_t before = to->span_count;
    tk_row_copy_clear(&pieces->_copy);
    pieces->_copy.to = to;
    pieces->_copy.want = want;
    pieces->_copy.deep = deep;
    pieces->_copy.alone = deep && is_in_few_runs(pieces); /* who copies deep wants no other trace */
    /* Within a limit room is taken as it is needed: some spans with what they refer to. */
    if (to->memory_max == 0 && tk_batch_reserve(to, pieces->count, 0) != TK_OK)
        return tk_error_set(err, TK_ERR_MEMORY, "out of memory for spans");
    for (uint32_t at = 0; at < pieces->count && code == TK_OK;) {
        const struct tk_piece *piece = &pieces->piece[at];
        if (piece->batch != NULL) {
            code = copy_from_batch(pieces, &at, deep, to);
            if (code != TK_OK)
                (void)tk_error_set(err, code, "out of memory for spans");
            continue;
        }
        uint32_t count = run_of(pieces, at);
        code = tk_row_copy_add(&pieces->_copy, piece->segment, piece->group, id, piece->row, count,
                               err);
        if (code == TK_ERR_CORRUPT) {
            damage = code;
            code = TK_OK;
        }
        at += count;
    }
    return code == TK_OK && to->span_count == before ? damage : code;
}
