/*
 * pieces - see pieces.h.
 *
 * Which ids are there twice?  Hardly ever one.  So each first marks one of eight bits for each id,
 * which stay in a cache when the ids do not; only ids that met a bit that was marked already, some
 * of them by chance, go into a table.
 */
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
    free(pieces->_marks);
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

static uint32_t
count_rows(const struct tk_pieces *pieces)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < pieces->count; i++)
        count += pieces->piece[i].count;
    return count;
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
    struct tk_piece *last = pieces->count > 0 ? &pieces->piece[pieces->count - 1] : NULL;
    if (last != NULL && last->batch == batch && last->row + last->count == row) {
        last->count++;
        return TK_OK;
    }
    return add(pieces, (struct tk_piece){.batch = batch, .row = row, .count = 1});
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
tk_pieces_add_group(struct tk_pieces *pieces, struct tk_segment *segment, uint32_t number,
                    struct tk_cache_item *group, uint32_t begin, uint32_t count)
{
    enum tk_err code = group != NULL ? hold(pieces, group) : TK_OK;
    if (code == TK_OK && count > 0)
        code = add(pieces, (struct tk_piece){.segment = segment,
                                             .number = number,
                                             .group = group != NULL ? group->value : NULL,
                                             .row = begin,
                                             .count = count});
    return code;
}

/* What decides between two copies of a span, of all rows of one group. */
struct told {
    const struct tk_segment *segment;
    uint32_t number;
    struct tk_group *group;
    struct tk_cache_item *item; /* held, if the piece does not hold it */
    struct tk_values duration, events, links;
    struct tk_group_attrs attrs;
    const uint64_t *start;
    const struct tk_schema_view *schema;
};

static void
forget(struct told *told)
{
    tk_cache_release(told->item);
    *told = (struct told){0};
}

static enum tk_err
tell(struct told *told, const struct tk_piece *piece, struct tk_error *err)
{
    struct {
        uint32_t column;
        struct tk_values *values;
    } wanted[] = {{TK_COLUMN_DURATION, &told->duration},
                  {TK_COLUMN_EVENTS, &told->events},
                  {TK_COLUMN_LINKS, &told->links}};
    const void *start;
    enum tk_err code = TK_OK;
    if (told->segment == piece->segment && told->number == piece->number)
        return TK_OK;
    forget(told);
    if (piece->group == NULL)
        code = tk_segment_group(piece->segment, piece->number, false, &told->item, err);
    if (code != TK_OK)
        return code;
    told->group = piece->group != NULL ? piece->group : told->item->value;
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        code = tk_group_values(told->group, wanted[i].column, wanted[i].values, err);
        if (code != TK_OK)
            return code;
    }
    code = tk_group_array(told->group, TK_GROUP_STARTS, &start, err);
    if (code == TK_OK)
        code = tk_group_attrs(told->group, TK_COLUMN_OF_SPAN, &told->attrs, err);
    if (code != TK_OK)
        return code;
    told->start = start;
    told->schema = tk_group_schema(told->group);
    told->segment = piece->segment;
    told->number = piece->number;
    return TK_OK;
}

struct weight {
    uint64_t size, end_nano;
};

/* In which row `at` of all lies. */
static const struct tk_piece *
piece_of(const struct tk_pieces *pieces, uint32_t at)
{
    uint32_t low = 0, high = pieces->count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (pieces->piece[middle].before <= at)
            low = middle;
        else
            high = middle;
    }
    return &pieces->piece[low];
}

/* Of row `at` of all. */
static enum tk_err
weigh(const struct tk_pieces *pieces, uint32_t at, struct told *told, struct weight *ret_weight,
      struct tk_error *err)
{
    const struct tk_piece *piece = piece_of(pieces, at);
    uint32_t row = piece->row + (at - piece->before);
    const struct tk_batch *batch = piece->batch;
    if (batch != NULL) {
        *ret_weight = (struct weight){(uint64_t)batch->attrs[row].count + batch->events[row].count +
                                          batch->links[row].count,
                                      batch->end_nano[row]};
        return TK_OK;
    }
    enum tk_err code = tell(told, piece, err);
    if (code != TK_OK)
        return code;
    uint32_t shape = told->attrs.shape[row], attr_count = told->schema->shapes[shape].count;
    if (shape == 0)
        code = tk_row_copy_count(piece->segment, told->group,
                                 told->attrs.at[told->attrs.begin[row]], &attr_count, err);
    *ret_weight = (struct weight){attr_count + told->events.number[row] + told->links.number[row],
                                  told->start[row] + told->duration.number[row]};
    return code;
}

/* Is `b`, which arrived later, to be kept rather than `a`?  Damage was reported already: what can
   be read is fuller. */
static enum tk_err
is_fuller(const struct tk_pieces *pieces, uint32_t a, uint32_t b, struct told told[2],
          bool *ret_fuller, struct tk_error *err)
{
    struct weight of_a, of_b;
    enum tk_err code = weigh(pieces, a, &told[0], &of_a, err);
    *ret_fuller = code == TK_ERR_CORRUPT;
    if (code == TK_OK) {
        code = weigh(pieces, b, &told[1], &of_b, err);
        if (code == TK_OK)
            *ret_fuller =
                of_a.size != of_b.size ? of_b.size > of_a.size : of_b.end_nano >= of_a.end_nano;
    }
    return code == TK_ERR_CORRUPT ? TK_OK : code;
}

static enum tk_err
copy_ids(const struct tk_piece *piece, tk_span_id *id, struct tk_error *err)
{
    struct tk_group *own = NULL, *group = piece->group;
    struct tk_values ids;
    enum tk_err code = TK_OK;
    if (piece->batch != NULL) {
        memcpy(id, piece->batch->span_id + piece->row, piece->count * sizeof *id);
        return TK_OK;
    }
    if (group == NULL) {
        code = tk_group_open(piece->segment, piece->number, false, &own, err);
        group = own;
    }
    if (code == TK_OK)
        code = tk_group_values(group, TK_COLUMN_SPAN_ID, &ids, err);
    if (code == TK_OK)
        memcpy(id, ids.number + piece->row, piece->count * sizeof *id);
    tk_group_close(own);
    return code;
}

/* The span id of each row; pieces of a group whose ids cannot be read go. */
static enum tk_err
list_ids(struct tk_pieces *pieces, tk_span_id *id, uint32_t *ret_count, struct tk_error *err)
{
    uint32_t kept = 0, rows = 0;
    for (uint32_t i = 0; i < pieces->count; i++) {
        struct tk_piece piece = pieces->piece[i];
        enum tk_err code = copy_ids(&piece, id + rows, err);
        if (code != TK_OK && code != TK_ERR_CORRUPT)
            return code;
        if (code == TK_ERR_CORRUPT)
            continue; /* was reported; the rest is served */
        piece.before = rows;
        rows += piece.count;
        pieces->piece[kept++] = piece;
    }
    pieces->count = kept;
    *ret_count = rows;
    return TK_OK;
}

/* `count` zeroed words; NULL: out of memory. */
static uint64_t *
make_marks(struct tk_pieces *pieces, size_t count)
{
    if (count > pieces->_mark_capacity) {
        free(pieces->_marks);
        pieces->_marks = malloc(count * sizeof *pieces->_marks);
        pieces->_mark_capacity = pieces->_marks != NULL ? count : 0;
        if (pieces->_marks == NULL)
            return NULL;
        tk_memory_huge(pieces->_marks, count * sizeof *pieces->_marks);
    }
    memset(pieces->_marks, 0, count * sizeof *pieces->_marks);
    return pieces->_marks;
}

static uint64_t
hash_of(tk_span_id id)
{
    return tk_hash((tk_str){(const char *)&id, sizeof id});
}

/* The rows of one trace by their ids, and which of them go. */
struct ids {
    tk_span_id *id; /* [count] */
    uint32_t count;
    uint32_t again;  /* rows whose bit was marked before */
    uint64_t bits;   /* power of two */
    uint64_t *once;  /* [bits / 64] */
    uint64_t *twice; /* the same: bits that were met again */
    uint64_t *gone;  /* [count / 64 + 1] */
};

static bool
is_set(const uint64_t *bits, uint64_t at)
{
    return (bits[at >> 6] >> (at & 63) & 1) != 0;
}

static void
set(uint64_t *bits, uint64_t at)
{
    bits[at >> 6] |= (uint64_t)1 << (at & 63);
}

static enum tk_err
mark_ids(struct tk_pieces *pieces, struct ids *ids)
{
    enum { BITS_AN_ID = 8 };
    ids->bits = 64;
    while (ids->bits < (uint64_t)ids->count * BITS_AN_ID)
        ids->bits *= 2;
    size_t words = (size_t)(ids->bits / 64);
    ids->once = make_marks(pieces, 2 * words + ids->count / 64 + 1);
    if (ids->once == NULL)
        return TK_ERR_MEMORY;
    ids->twice = ids->once + words;
    ids->gone = ids->twice + words;
    for (uint32_t i = 0; i < ids->count; i++) {
        uint64_t bit = hash_of(ids->id[i]) & (ids->bits - 1);
        uint64_t met = (uint64_t)is_set(ids->once, bit) << (bit & 63);
        ids->once[bit >> 6] |= (uint64_t)1 << (bit & 63);
        ids->twice[bit >> 6] |= met;
        ids->again += met != 0;
    }
    return TK_OK;
}

/* Of those whose bit was met again. */
static enum tk_err
find_gone(struct tk_pieces *pieces, struct ids *ids, struct tk_error *err)
{
    struct told told[2] = {{0}, {0}};
    uint32_t slot_count = 4;
    bool fuller;
    while (slot_count / 4 < ids->again && slot_count <= UINT32_MAX / 2)
        slot_count *= 2; /* of each bit one more than met it again */
    uint32_t *slots = calloc(slot_count, sizeof *slots); /* row + 1; 0: free */
    enum tk_err code = slots != NULL ? TK_OK : TK_ERR_MEMORY;
    for (uint32_t i = 0; i < ids->count && code == TK_OK; i++) {
        uint64_t hash = hash_of(ids->id[i]), at = hash >> 32;
        if (!is_set(ids->twice, hash & (ids->bits - 1)))
            continue;
        uint32_t *slot = &slots[at & (slot_count - 1)];
        while (*slot != 0 && ids->id[*slot - 1] != ids->id[i])
            slot = &slots[++at & (slot_count - 1)];
        if (*slot != 0) {
            code = is_fuller(pieces, *slot - 1, i, told, &fuller, err);
            set(ids->gone, fuller ? *slot - 1 : i);
        }
        if (*slot == 0 || fuller)
            *slot = i + 1;
    }
    forget(&told[0]);
    forget(&told[1]);
    free(slots);
    return code;
}

/* Cuts the rows that go out of the pieces. */
static enum tk_err
cut_gone(struct tk_pieces *pieces, const struct ids *ids)
{
    struct tk_piece *all = pieces->piece;
    uint32_t count = pieces->count;
    enum tk_err code = TK_OK;
    pieces->piece = NULL;
    pieces->count = pieces->_capacity = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t end = all[i].row + all[i].count, before = all[i].before;
        struct tk_piece piece = all[i];
        for (uint32_t row = all[i].row; row < end && code == TK_OK; row += piece.count) {
            bool gone = is_set(ids->gone, before + (row - all[i].row));
            piece.row = row;
            piece.count = 1;
            while (row + piece.count < end &&
                   is_set(ids->gone, before + (row + piece.count - all[i].row)) == gone)
                piece.count++;
            if (!gone)
                code = add(pieces, piece);
        }
    }
    free(all);
    return code;
}

static enum tk_err
dedup(struct tk_pieces *pieces, struct ids *ids, struct tk_error *err)
{
    enum tk_err code = list_ids(pieces, ids->id, &ids->count, err);
    if (code == TK_OK)
        code = mark_ids(pieces, ids);
    if (code != TK_OK || ids->again == 0)
        return code;
    code = find_gone(pieces, ids, err);
    return code == TK_OK ? cut_gone(pieces, ids) : code;
}

enum tk_err
tk_pieces_dedup(struct tk_pieces *pieces, struct tk_error *err)
{
    size_t size = ((size_t)count_rows(pieces) + 1) * sizeof(tk_span_id);
    struct ids ids = {.id = malloc(size)};
    tk_memory_huge(ids.id, size);
    enum tk_err code = ids.id != NULL ? dedup(pieces, &ids, err) : TK_ERR_MEMORY;
    free(ids.id);
    return code == TK_ERR_MEMORY ? tk_error_set(err, code, "out of memory for a trace") : code;
}

/* Are there few pieces in groups?  Then each decodes no more than it needs. */
static bool
is_in_few_groups(const struct tk_pieces *pieces)
{
    enum { FEW = 8 };
    uint32_t groups = 0;
    for (uint32_t at = 0; at < pieces->count && groups <= FEW; at++)
        groups += pieces->piece[at].batch == NULL;
    return groups <= FEW;
}

static enum tk_err
copy_from_batch(struct tk_pieces *pieces, uint32_t *at, struct tk_batch *to)
{
    struct tk_batch_map map;
    const struct tk_batch *from = pieces->piece[*at].batch;
    enum tk_err code = tk_batch_map_init(&map, from);
    for (; *at < pieces->count && pieces->piece[*at].batch == from && code == TK_OK; (*at)++) {
        const struct tk_piece *piece = &pieces->piece[*at];
        for (uint32_t i = 0; i < piece->count && code == TK_OK; i++)
            code = tk_batch_copy_span(to, from, piece->row + i, pieces->deep, &map);
    }
    tk_batch_map_release(&map);
    return code;
}

static enum tk_err
copy_from_group(struct tk_pieces *pieces, const struct tk_piece *piece, struct tk_trace_id id,
                struct tk_error *err)
{
    const struct tk_store_want *want = pieces->_copy.want;
    struct tk_group *own = NULL;
    enum tk_err code = TK_OK;
    if (piece->group == NULL)
        code = tk_group_open(piece->segment, piece->number, want == NULL || !want->lean, &own, err);
    if (code == TK_OK)
        code = tk_row_copy_add(&pieces->_copy, piece->segment, own != NULL ? own : piece->group, id,
                               piece->row, piece->count, err);
    tk_group_close(own);
    return code;
}

enum tk_err
tk_pieces_copy(struct tk_pieces *pieces, struct tk_trace_id id, const struct tk_store_want *want,
               struct tk_batch *to, struct tk_error *err)
{
    enum tk_err code = TK_OK;
    uint32_t before = to->span_count;
    tk_row_copy_clear(&pieces->_copy);
    pieces->_copy.to = to;
    pieces->_copy.want = want;
    pieces->_copy.deep = pieces->deep;
    /* who copies deep wants no other trace */
    pieces->_copy.alone = pieces->deep && is_in_few_groups(pieces);
    /* Within a limit room is taken as it is needed: some spans with what they refer to. */
    if (to->memory_max == 0 && tk_batch_reserve(to, count_rows(pieces), 0) != TK_OK)
        return tk_error_set(err, TK_ERR_MEMORY, "out of memory for spans");
    for (uint32_t at = 0; at < pieces->count && code == TK_OK;) {
        if (pieces->piece[at].batch != NULL) {
            code = copy_from_batch(pieces, &at, to);
            if (code != TK_OK)
                (void)tk_error_set(err, code, "out of memory for spans");
            continue;
        }
        code = copy_from_group(pieces, &pieces->piece[at++], id, err);
        if (code == TK_ERR_CORRUPT)
            code = TK_OK; /* was reported; the rest is served */
    }
    /* without a span none could be read: its ids, and the piece was gone before; or its columns */
    return code == TK_OK && to->span_count == before ? TK_ERR_CORRUPT : code;
}
