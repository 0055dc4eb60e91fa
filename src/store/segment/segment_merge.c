/*
 * segment_merge - see segment_merge.h.
 *
 * Every source lists its traces newest first; the newest of those at hand comes next.  Which traces
 * lie in several sources is found out before, in two looks at all trace ids: they are hashed into a
 * bitmap, and where a bit is set already the hash is remembered; of what is remembered the second
 * look notes where the parts are.  Such a trace comes when that part of it does that starts first.
 */
#include "store/segment/segment_merge.h"

#include "base/hash.h"
#include "store/segment/merge_block.h"

#include <stdlib.h>

enum {
    BITS_PER_TRACE = 16,
    BITS_MIN = 1 << 12,
    BITS_MAX = 1 << 27,
    SLOTS_MIN = 1 << 10,
    REPEATED_MAX = 1 << 20, /* hashes; and parts of traces that have them */
    ROWS_MAX = 1 << 20,     /* of a trace that is put together of several parts */
    STOP_EVERY = 1024,      /* traces */
    MORE_BLOCKS = 8,        /* open, besides one of each source */
    ROWS_FEW = 32,          /* of a trace: sorted by moving them */
};
static const uint32_t NO_PART = UINT32_MAX;

/* Where a trace begins in a source. */
struct part {
    struct tk_trace_id id;
    uint64_t start_nano;
    uint32_t group;
    uint16_t trace, source;
    uint32_t next; /* with the same hash, of a newer source; or NO_PART */
};

/* A hash that was met twice in the bitmap. */
struct slot {
    uint64_t hash;        /* 0: free */
    uint32_t first, last; /* parts */
};

/* The part of a trace that a source has next. */
struct cursor {
    uint32_t group, trace;
    struct tk_trace_entry at;
    bool at_end;
};

/* A row of a trace that is put together. */
struct row {
    uint64_t span_id, start_nano, end_nano, fullness;
    uint32_t source, group, row;
    bool gone;
};

struct merge {
    const struct tk_segment_merge *what;
    const struct tk_schema_merge *schema;
    struct tk_segment_writer *writer;
    struct cursor *cursors; /* [what->count] */
    struct tk_merge_blocks blocks;
    uint64_t *bits;
    uint64_t bit_count; /* a power of two */
    struct slot *slots; /* [slot_count]; open addressing */
    uint32_t slot_count, repeated_count;
    struct part *parts; /* [part_count] */
    uint32_t part_count, part_capacity;
    struct row *rows;
    uint32_t row_count, row_capacity;
};

static enum tk_err
no_memory(struct tk_error *err)
{
    return tk_error_set(err, TK_ERR_MEMORY, "out of memory for merging segments");
}

static enum tk_err
get_block(struct merge *merge, uint32_t source, uint32_t group, struct tk_merge_block **ret_block,
          struct tk_error *err)
{
    return tk_merge_blocks_get(&merge->blocks, merge->what->segments[source],
                               &merge->schema->sources[source], group, ret_block, err);
}

/* ---- traces that several sources have --------------------------------------------------------*/

static uint64_t
hash_of(struct tk_trace_id id)
{
    uint64_t hash = tk_hash((tk_str){(const char *)&id, sizeof id});
    return hash != 0 ? hash : 1;
}

static struct slot *
find_slot(const struct merge *merge, uint64_t hash)
{
    uint32_t mask = merge->slot_count - 1, at = (uint32_t)hash & mask;
    while (merge->slots[at].hash != 0 && merge->slots[at].hash != hash)
        at = (at + 1) & mask;
    return &merge->slots[at];
}

/* The first part of what has the hash of this trace, if there are several; else NULL. */
static const struct part *
find_parts(const struct merge *merge, struct tk_trace_id id)
{
    if (merge->part_count == 0)
        return NULL;
    const struct slot *slot = find_slot(merge, hash_of(id));
    return slot->hash != 0 && slot->first != slot->last ? &merge->parts[slot->first] : NULL;
}

static enum tk_err
grow_slots(struct merge *merge)
{
    struct slot *old = merge->slots;
    uint32_t old_count = merge->slot_count;
    uint32_t grown = old_count > 0 ? old_count * 2 : SLOTS_MIN;
    struct slot *slots = calloc(grown, sizeof *slots);
    if (slots == NULL)
        return TK_ERR_MEMORY;
    merge->slots = slots;
    merge->slot_count = grown;
    for (uint32_t i = 0; i < old_count; i++)
        if (old[i].hash != 0)
            *find_slot(merge, old[i].hash) = old[i];
    free(old);
    return TK_OK;
}

/* The first look. */
static enum tk_err
note_hash(struct merge *merge, const struct part *part)
{
    uint64_t hash = hash_of(part->id), bit = hash & (merge->bit_count - 1);
    uint64_t *word = &merge->bits[bit / 64], mask = (uint64_t)1 << (bit % 64);
    bool was_set = (*word & mask) != 0;
    *word |= mask;
    if (!was_set)
        return TK_OK;
    if (merge->repeated_count >= merge->slot_count / 2) {
        if (merge->repeated_count >= REPEATED_MAX)
            return TK_ERR_LIMIT;
        enum tk_err code = grow_slots(merge);
        if (code != TK_OK)
            return code;
    }
    struct slot *slot = find_slot(merge, hash);
    merge->repeated_count += slot->hash == 0;
    *slot = (struct slot){hash, NO_PART, NO_PART};
    return TK_OK;
}

/* The second one. */
static enum tk_err
note_part(struct merge *merge, const struct part *part)
{
    struct slot *slot = find_slot(merge, hash_of(part->id));
    if (slot->hash == 0)
        return TK_OK;
    if (merge->part_count == merge->part_capacity) {
        uint32_t capacity = merge->part_capacity > 0 ? merge->part_capacity * 2 : SLOTS_MIN;
        if (capacity > 2 * REPEATED_MAX)
            return TK_ERR_LIMIT;
        struct part *parts = realloc(merge->parts, capacity * sizeof *parts);
        if (parts == NULL)
            return TK_ERR_MEMORY;
        merge->parts = parts;
        merge->part_capacity = capacity;
    }
    uint32_t number = merge->part_count++;
    merge->parts[number] = *part;
    if (slot->first == NO_PART)
        slot->first = number;
    else
        merge->parts[slot->last].next = number;
    slot->last = number;
    return TK_OK;
}

typedef enum tk_err (*note_fn)(struct merge *merge, const struct part *part);

static enum tk_err
note_group(struct merge *merge, uint32_t source, uint32_t number, note_fn note,
           struct tk_error *err)
{
    struct tk_values high, low, start, before;
    struct tk_group *group;
    enum tk_err code = tk_group_open(merge->what->segments[source], number, false, &group, err);
    if (code != TK_OK)
        return code;
    code = tk_group_values(group, TK_COLUMN_TRACE_HIGH, &high, err);
    if (code == TK_OK)
        code = tk_group_values(group, TK_COLUMN_TRACE_LOW, &low, err);
    if (code == TK_OK)
        code = tk_group_values(group, TK_COLUMN_TRACE_START, &start, err);
    if (code == TK_OK)
        code = tk_group_values(group, TK_COLUMN_TRACE_BEFORE, &before, err);
    for (uint32_t i = 0; code == TK_OK && i < high.count; i++) {
        if (before.number[i] > 0)
            continue;
        struct part part = {.id = {high.number[i], low.number[i]},
                            .start_nano = start.number[i],
                            .group = number,
                            .trace = (uint16_t)i,
                            .source = (uint16_t)source,
                            .next = NO_PART};
        code = note(merge, &part);
        if (code != TK_OK)
            code = tk_error_set(err, code, "too many traces lie in several segments");
    }
    tk_group_close(group);
    return code;
}

/* One look at all trace ids. */
static enum tk_err
note_all(struct merge *merge, note_fn note, struct tk_error *err)
{
    enum tk_err code = TK_OK;
    for (uint32_t s = 0; s < merge->what->count && code == TK_OK; s++)
        for (uint32_t g = 0; g < merge->what->segments[s]->group_count && code == TK_OK; g++)
            code = note_group(merge, s, g, note, err);
    return code;
}

static enum tk_err
find_repeated(struct merge *merge, struct tk_error *err)
{
    uint64_t traces = 0;
    if (merge->what->count == 1)
        return TK_OK;
    for (uint32_t s = 0; s < merge->what->count; s++)
        traces += merge->what->segments[s]->trace_count;
    merge->bit_count = BITS_MIN;
    while (merge->bit_count < traces * BITS_PER_TRACE && merge->bit_count < BITS_MAX)
        merge->bit_count *= 2;
    merge->bits = calloc(merge->bit_count / 64, sizeof *merge->bits);
    if (merge->bits == NULL || grow_slots(merge) != TK_OK)
        return no_memory(err);
    enum tk_err code = note_all(merge, note_hash, err);
    free(merge->bits);
    merge->bits = NULL;
    return code == TK_OK && merge->repeated_count > 0 ? note_all(merge, note_part, err) : code;
}

/* ---- copying ---------------------------------------------------------------------------------*/

/* The first row and the end of a trace's rows in a block. */
static enum tk_err
find_rows(struct tk_merge_block *block, const struct tk_trace_entry *trace, uint32_t group,
          uint32_t *ret_row, uint32_t *ret_end, struct tk_error *err)
{
    uint32_t number = group == trace->group ? trace->trace : 0;
    if (number >= block->entry->trace_count)
        return tk_segment_corrupt(block->segment, block->entry->offset, "a group",
                                  "it does not go on with a trace", err);
    *ret_row = block->trace_row[number];
    *ret_end = block->trace_row[number + 1];
    return TK_OK;
}

/* Calls for every row of a part of a trace, through all its groups. */
static enum tk_err
each_row(struct merge *merge, uint32_t source, const struct tk_trace_entry *trace,
         enum tk_err (*each)(struct merge *merge, uint32_t source, struct tk_merge_block *block,
                             uint32_t row, struct tk_error *err),
         struct tk_error *err)
{
    uint32_t left = trace->row_count;
    enum tk_err code = TK_OK;
    for (uint32_t group = trace->group; left > 0 && code == TK_OK; group++) {
        struct tk_segment *segment = merge->what->segments[source];
        struct tk_merge_block *block;
        uint32_t row = 0, end = 0;
        if (group >= segment->group_count)
            return tk_segment_corrupt(segment, segment->groups[trace->group].offset, "a group",
                                      "a trace does not end", err);
        code = get_block(merge, source, group, &block, err);
        if (code == TK_OK)
            code = tk_merge_block_prepare(block, err);
        if (code == TK_OK)
            code = find_rows(block, trace, group, &row, &end, err);
        if (code == TK_OK && end - row > left)
            end = row + left;
        for (; code == TK_OK && row < end; row++, left--)
            code = each(merge, source, block, row, err);
    }
    return code;
}

static enum tk_err
copy_row(struct merge *merge, uint32_t source, struct tk_merge_block *block, uint32_t row,
         struct tk_error *err)
{
    (void)source;
    return tk_merge_block_copy(block, row, merge->writer, &merge->schema->schema, err);
}

/* TK_ERR_NOT_FOUND: it does not stay. */
static enum tk_err
begin_trace(struct merge *merge, const struct tk_trace_entry *trace, uint32_t row_count,
            struct tk_error *err)
{
    const struct tk_segment_merge *what = merge->what;
    enum tk_err code = TK_OK;
    if (what->keep != NULL)
        code = what->keep(what->arg, trace, row_count, err);
    return code == TK_OK ? tk_segment_writer_trace(merge->writer, trace->id, trace->start_nano,
                                                   trace->end_nano, row_count, err)
                         : code;
}

static enum tk_err
copy_trace(struct merge *merge, uint32_t source, const struct tk_trace_entry *trace,
           struct tk_error *err)
{
    enum tk_err code = begin_trace(merge, trace, trace->row_count, err);
    return code == TK_OK ? each_row(merge, source, trace, copy_row, err) : code;
}

/* ---- a trace in several parts ----------------------------------------------------------------*/

static enum tk_err
gather_row(struct merge *merge, uint32_t source, struct tk_merge_block *block, uint32_t row,
           struct tk_error *err)
{
    if (merge->row_count == merge->row_capacity) {
        uint32_t capacity = merge->row_capacity > 0 ? merge->row_capacity * 2 : 256;
        if (capacity > ROWS_MAX)
            return tk_error_set(err, TK_ERR_LIMIT, "a trace of several segments is too long");
        struct row *rows = realloc(merge->rows, capacity * sizeof *rows);
        if (rows == NULL)
            return no_memory(err);
        merge->rows = rows;
        merge->row_capacity = capacity;
    }
    uint64_t start = block->starts[row];
    struct row *to = &merge->rows[merge->row_count++];
    *to = (struct row){.span_id = block->fixed[TK_COLUMN_SPAN_ID].number[row],
                       .start_nano = start,
                       .end_nano = start + block->fixed[TK_COLUMN_DURATION].number[row],
                       .source = source,
                       .group = block->number,
                       .row = row};
    return tk_merge_block_fullness(block, row, &to->fullness, err);
}

/* Equal spans together, the one that stays first. */
static int
compare_copies(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    if (x->span_id != y->span_id)
        return x->span_id < y->span_id ? -1 : 1;
    if (x->fullness != y->fullness)
        return x->fullness > y->fullness ? -1 : 1;
    if (x->end_nano != y->end_nano)
        return x->end_nano > y->end_nano ? -1 : 1;
    return (x->source < y->source) - (x->source > y->source);
}

/* The order of rows in a trace; what is gone last. */
static int
compare_rows(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    if (x->gone != y->gone)
        return x->gone ? 1 : -1;
    if (x->start_nano != y->start_nano)
        return x->start_nano < y->start_nano ? -1 : 1;
    return (x->span_id > y->span_id) - (x->span_id < y->span_id);
}

/* Most traces are short, and made of parts that are in order. */
static void
sort_rows(struct row *rows, uint32_t count, int (*compare)(const void *a, const void *b))
{
    if (count > ROWS_FEW) {
        qsort(rows, count, sizeof *rows, compare);
        return;
    }
    for (uint32_t i = 1; i < count; i++) {
        struct row row = rows[i];
        uint32_t at = i;
        for (; at > 0 && compare(&rows[at - 1], &row) > 0; at--)
            rows[at] = rows[at - 1];
        rows[at] = row;
    }
}

/* Is a span there twice? */
static bool
has_copies(const struct row *rows, uint32_t count)
{
    if (count > ROWS_FEW)
        return true; /* who knows */
    for (uint32_t i = 1; i < count; i++)
        for (uint32_t k = 0; k < i; k++)
            if (rows[i].span_id == rows[k].span_id)
                return true;
    return false;
}

/* Puts the gathered rows in order, each span once. */
static void
settle_rows(struct merge *merge)
{
    struct row *rows = merge->rows;
    uint32_t kept = 0;
    if (!has_copies(rows, merge->row_count)) {
        sort_rows(rows, merge->row_count, compare_rows);
        return;
    }
    qsort(rows, merge->row_count, sizeof *rows, compare_copies);
    for (uint32_t i = 0; i < merge->row_count; i++) {
        rows[i].gone = i > 0 && rows[i].span_id == rows[i - 1].span_id;
        kept += !rows[i].gone;
    }
    qsort(rows, merge->row_count, sizeof *rows, compare_rows);
    merge->row_count = kept;
}

/* All that is told of a part. */
static enum tk_err
read_part(struct merge *merge, const struct part *part, struct tk_trace_entry *ret_trace,
          struct tk_error *err)
{
    struct tk_merge_block *block;
    enum tk_err code = get_block(merge, part->source, part->group, &block, err);
    if (code != TK_OK)
        return code;
    return tk_segment_trace(merge->what->segments[part->source], block->group, part->group,
                            part->trace, ret_trace, err);
}

/* The next one of the same trace from here on; NULL: none. */
static const struct part *
same_trace(const struct merge *merge, const struct part *part, struct tk_trace_id id)
{
    while (part != NULL && !tk_trace_id_eq(part->id, id))
        part = part->next != NO_PART ? &merge->parts[part->next] : NULL;
    return part;
}

static const struct part *
next_part(const struct merge *merge, const struct part *part)
{
    const struct part *next = part->next != NO_PART ? &merge->parts[part->next] : NULL;
    return same_trace(merge, next, part->id);
}

static enum tk_err
copy_gathered(struct merge *merge, const struct tk_trace_entry *trace, struct tk_error *err)
{
    enum tk_err code = begin_trace(merge, trace, merge->row_count, err);
    for (uint32_t i = 0; i < merge->row_count && code == TK_OK; i++) {
        const struct row *row = &merge->rows[i];
        struct tk_merge_block *block;
        code = get_block(merge, row->source, row->group, &block, err);
        if (code == TK_OK)
            code = tk_merge_block_prepare(block, err);
        if (code == TK_OK)
            code = copy_row(merge, row->source, block, row->row, err);
    }
    return code;
}

/* A trace of several parts, of which `first` is the one of the oldest source. */
static enum tk_err
copy_parts(struct merge *merge, const struct part *first, struct tk_error *err)
{
    struct tk_trace_entry all = {.id = first->id, .start_nano = UINT64_MAX};
    enum tk_err code = TK_OK;
    merge->row_count = 0;
    for (const struct part *part = first; part != NULL && code == TK_OK;
         part = next_part(merge, part)) {
        struct tk_trace_entry trace;
        code = read_part(merge, part, &trace, err);
        if (code != TK_OK)
            break;
        all.start_nano = trace.start_nano < all.start_nano ? trace.start_nano : all.start_nano;
        all.end_nano = trace.end_nano > all.end_nano ? trace.end_nano : all.end_nano;
        code = each_row(merge, part->source, &trace, gather_row, err);
    }
    if (code != TK_OK)
        return code;
    settle_rows(merge);
    return copy_gathered(merge, &all, err);
}

/* A trace that other sources may have too, at its part in `source`: comes now if it is this one
   that starts first; of equal starts that of the oldest source. */
static enum tk_err
copy_repeated(struct merge *merge, uint32_t source, const struct part *first, struct tk_error *err)
{
    const struct tk_trace_entry *here = &merge->cursors[source].at;
    first = same_trace(merge, first, here->id);
    if (first == NULL || next_part(merge, first) == NULL)
        return copy_trace(merge, source, here, err); /* only a hash is the same */
    const struct part *comes = first;
    for (const struct part *part = first; part != NULL; part = next_part(merge, part))
        comes = part->start_nano < comes->start_nano ? part : comes;
    return comes->source == source ? copy_parts(merge, first, err) : TK_OK;
}

/* ---- the order of traces ---------------------------------------------------------------------*/

/* The part at the cursor, or the next one that begins there. */
static enum tk_err
load_cursor(struct merge *merge, uint32_t source, struct tk_error *err)
{
    struct cursor *cursor = &merge->cursors[source];
    struct tk_segment *segment = merge->what->segments[source];
    for (; cursor->group < segment->group_count; cursor->group++, cursor->trace = 0) {
        struct tk_merge_block *block;
        enum tk_err code = get_block(merge, source, cursor->group, &block, err);
        if (code != TK_OK)
            return code;
        if (cursor->trace == 0 && block->entry->trace_count > 0 &&
            block->fixed[TK_COLUMN_TRACE_BEFORE].number[0] > 0)
            cursor->trace = 1; /* the rest of one that was copied */
        if (cursor->trace < block->entry->trace_count)
            return tk_segment_trace(segment, block->group, cursor->group, cursor->trace,
                                    &cursor->at, err);
    }
    cursor->at_end = true;
    return TK_OK;
}

static bool
comes_before(const struct tk_trace_entry *a, const struct tk_trace_entry *b)
{
    if (a->start_nano != b->start_nano)
        return a->start_nano > b->start_nano;
    return tk_trace_id_cmp(a->id, b->id) < 0;
}

/* The source whose part comes next, or UINT32_MAX. */
static uint32_t
next_source(const struct merge *merge)
{
    uint32_t next = UINT32_MAX;
    for (uint32_t s = 0; s < merge->what->count; s++)
        if (!merge->cursors[s].at_end &&
            (next == UINT32_MAX || comes_before(&merge->cursors[s].at, &merge->cursors[next].at)))
            next = s;
    return next;
}

/* Do all traces of the block come next, whole, and from this source alone? */
static bool
comes_whole(const struct merge *merge, uint32_t source, const struct tk_merge_block *block)
{
    const struct tk_values *fixed = block->fixed;
    uint32_t last = block->entry->trace_count - 1;
    struct tk_trace_entry end = {
        .id = {fixed[TK_COLUMN_TRACE_HIGH].number[last], fixed[TK_COLUMN_TRACE_LOW].number[last]},
        .start_nano = fixed[TK_COLUMN_TRACE_START].number[last]};
    if (fixed[TK_COLUMN_TRACE_BEFORE].number[last] + fixed[TK_COLUMN_TRACE_ROWS].number[last] !=
            fixed[TK_COLUMN_TRACE_TOTAL].number[last] ||
        !tk_segment_writer_may_copy(merge->writer, block->entry->row_count))
        return false;
    for (uint32_t s = 0; s < merge->what->count; s++)
        if (s != source && !merge->cursors[s].at_end && !comes_before(&end, &merge->cursors[s].at))
            return false;
    for (uint32_t i = 0; i <= last; i++)
        if (find_parts(merge, (struct tk_trace_id){fixed[TK_COLUMN_TRACE_HIGH].number[i],
                                                   fixed[TK_COLUMN_TRACE_LOW].number[i]}) != NULL)
            return false;
    return true;
}

/* Copies the group at the cursor if it can be as it is. */
static enum tk_err
try_group(struct merge *merge, uint32_t source, bool *ret_done, struct tk_error *err)
{
    struct cursor *cursor = &merge->cursors[source];
    struct tk_merge_block *block;
    *ret_done = false;
    if (cursor->trace != 0 || merge->what->keep != NULL ||
        merge->what->segments[source]->version != TK_SEGMENT_VERSION)
        return TK_OK;
    enum tk_err code = get_block(merge, source, cursor->group, &block, err);
    if (code != TK_OK || !comes_whole(merge, source, block))
        return code;
    code = tk_segment_writer_copy_begin(merge->writer, err);
    if (code == TK_OK)
        code = tk_merge_block_copy_all(block, merge->writer, err);
    cursor->trace = block->entry->trace_count - 1; /* the last one done */
    *ret_done = true;
    return code;
}

/* Copies the trace at the cursor. */
static enum tk_err
copy_next(struct merge *merge, uint32_t source, struct tk_error *err)
{
    bool done;
    enum tk_err code = try_group(merge, source, &done, err);
    if (code != TK_OK || done)
        return code;
    const struct part *parts = find_parts(merge, merge->cursors[source].at.id);
    if (parts != NULL)
        code = copy_repeated(merge, source, parts, err);
    else
        code = copy_trace(merge, source, &merge->cursors[source].at, err);
    return code == TK_ERR_NOT_FOUND ? TK_OK : code;
}

static enum tk_err
copy_all(struct merge *merge, struct tk_error *err)
{
    const struct tk_segment_merge *what = merge->what;
    enum tk_err code = TK_OK;
    for (uint32_t s = 0; s < what->count && code == TK_OK; s++)
        code = load_cursor(merge, s, err);
    for (uint32_t done = 0; code == TK_OK; done++) {
        uint32_t source = next_source(merge);
        if (source == UINT32_MAX)
            break;
        if (done % STOP_EVERY == 0 && what->stop != NULL && atomic_load(what->stop))
            code = tk_error_set(err, TK_ERR_BUSY, "stopped");
        else
            code = copy_next(merge, source, err);
        merge->cursors[source].trace++;
        if (code == TK_OK)
            code = load_cursor(merge, source, err);
    }
    return code;
}

/* ---- counts ----------------------------------------------------------------------------------*/

static enum tk_err
add_counts_of(struct merge *merge, uint32_t source, uint32_t column, struct tk_error *err)
{
    struct tk_segment *segment = merge->what->segments[source];
    const struct tk_source_map *map = &merge->schema->sources[source];
    const struct tk_column *from = &map->schema->columns[column];
    struct tk_counts *to = tk_segment_writer_counts(merge->writer, map->columns[column].to);
    uint32_t code_count = column == TK_COLUMN_RESOURCE ? map->resource_count
                          : column == TK_COLUMN_SCOPE  ? map->scope_count
                                                       : from->distinct;
    struct tk_cache_item *item;
    struct tk_counts counts;
    if (to == NULL || from->counts.size == 0 || map->columns[column].codes == NULL)
        return TK_OK;
    enum tk_err code = tk_segment_section(segment, &from->counts, &item, err);
    if (code != TK_OK)
        return code;
    code = tk_counts_read(*(const tk_str *)item->value, code_count, &counts);
    tk_cache_release(item);
    if (code == TK_ERR_CORRUPT)
        return tk_segment_corrupt(segment, from->counts.offset, "counts", "they make no sense",
                                  err);
    if (code == TK_OK) {
        code = tk_counts_merge(to, &counts, map->columns[column].codes);
        tk_counts_release(&counts);
    }
    return code == TK_OK ? TK_OK : no_memory(err);
}

static enum tk_err
add_operations_of(struct merge *merge, uint32_t source, struct tk_error *err)
{
    struct tk_segment *segment = merge->what->segments[source];
    struct tk_operations *operations = NULL, *to = tk_segment_writer_operations(merge->writer);
    struct tk_cache_item *item;
    enum tk_err code = TK_OK;
    if (segment->operations.size > 0) {
        code = tk_segment_section(segment, &segment->operations, &item, err);
        if (code != TK_OK)
            return code;
        code = tk_operations_read(*(const tk_str *)item->value, &operations);
        tk_cache_release(item);
        if (code == TK_ERR_CORRUPT)
            return tk_segment_corrupt(segment, segment->operations.offset, "operations",
                                      "they make no sense", err);
    }
    if (code == TK_OK)
        code = tk_operations_merge(to, operations);
    tk_operations_free(operations);
    return code == TK_OK ? TK_OK : no_memory(err);
}

static enum tk_err
add_counts(struct merge *merge, struct tk_error *err)
{
    enum tk_err code = TK_OK;
    for (uint32_t s = 0; s < merge->what->count && code == TK_OK; s++) {
        code = add_operations_of(merge, s, err);
        for (uint32_t c = 0; c < merge->schema->sources[s].schema->column_count && code == TK_OK;
             c++)
            code = add_counts_of(merge, s, c, err);
    }
    return code;
}

enum tk_err
tk_segment_merge(const struct tk_segment_merge *what, const struct tk_schema_merge *schema,
                 struct tk_segment_writer *writer, struct tk_error *err)
{
    struct merge merge = {.what = what, .schema = schema, .writer = writer};
    merge.cursors = calloc(what->count, sizeof *merge.cursors);
    enum tk_err code = tk_merge_blocks_init(&merge.blocks, what->count + MORE_BLOCKS);
    if (code != TK_OK || merge.cursors == NULL)
        code = no_memory(err);
    if (code == TK_OK)
        code = find_repeated(&merge, err);
    if (code == TK_OK)
        code = copy_all(&merge, err);
    if (code == TK_OK)
        code = add_counts(&merge, err);
    tk_merge_blocks_release(&merge.blocks);
    free(merge.cursors);
    free(merge.bits);
    free(merge.slots);
    free(merge.parts);
    free(merge.rows);
    return code;
}
