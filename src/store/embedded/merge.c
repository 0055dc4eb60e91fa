/*
 * merge - see merge.h.
 *
 * Every source lists its traces newest first; a heap of cursors pops the newest part of any trace.
 * A trace starts where its earliest part starts, so a part that pops is the place of the trace only
 * if no other source has an earlier one; otherwise the trace comes later, when that one pops (on a
 * tie, when the part of the oldest source does).  That makes the order exact though parts of a
 * trace came at different times, and costs a lookup per source and trace.
 *
 * The start (end) of a trace is the least (greatest) over every copy of every span that ever
 * arrived, also of copies that dedup sets aside: so a trace's place never moves, whatever is sealed
 * or compacted between two pages of one scan.
 *
 * With filters the cursors walk in one of two ways:
 *   sparse  only over the parts that have a span for which one of the filters (the rarest) holds.
 *           The part of a trace that has it need not be the one at the trace's place; so a trace
 *           whose place is further on is put off until then, and parts newer than the range are
 *           walked too, since the trace of one may start within it.
 *   dense   over all parts within the range: when too many parts newer than the range would have to
 *           be walked, of which hardly any start within it.
 * Either way a trace is yielded only if all filters hold somewhere in it (in all its parts).
 *
 * Groups are read when the scan reaches their newest trace, not before.
 *
 * A source that cannot be asked for a trace (damage, or a disk that fails now and then) may still
 * have a part of it, which pops by itself later.  Traces that were yielded so are remembered: none
 * comes twice.
 */
#include "store/embedded/merge.h"

#include "base/hash.h"
#include "store/embedded/later.h"
#include "store/embedded/match.h"
#include "store/segment/number_map.h"

#include <stdlib.h>

enum {
    NEWER_GROUPS_MAX = 64, /* that are walked though they are newer than the range */
    EXPIRED_STEPS = 16,
};

struct cursor {
    uint32_t source;
    uint64_t start_nano; /* the key: of the part at hand, or of the newest that may come */
    struct tk_trace_id id;
    bool is_open; /* the key is that of a part */
    bool begun;
    /* of a segment */
    struct tk_cache_item *item; /* of the group at hand, held */
    struct tk_values high, low, start, before;
    const uint32_t *masks; /* of the group's traces, when sparse */
    uint32_t group, trace;
    bool broken; /* the group before this one could not be read */
    /* of a buffer */
    struct tk_trace_entry *entries; /* owned */
    uint32_t at, count;
};

struct tk_merge {
    const struct tk_sources *sources;
    struct tk_store_range range;
    struct tk_filters filters;
    bool sparse;
    uint32_t driver;         /* the filter whose parts are walked when sparse */
    struct tk_match **match; /* [sources->count]; of segments, made when first needed */
    struct cursor *cursors;  /* [sources->count] */
    struct cursor **heap;    /* [heap_count]; the newest on top */
    uint32_t heap_count;
    struct tk_later later;         /* whose place is further on */
    struct tk_place last;          /* handled; start 0: none */
    struct tk_trace_entry *parts;  /* [sources->count]: of the trace at hand; row_count 0: none */
    bool partial;                  /* a source could not be asked for it */
    struct tk_number_map partials; /* hashes of ids: yielded so */
    uint32_t steps;
};

static enum tk_err
no_memory(struct tk_error *err)
{
    return tk_error_set(err, TK_ERR_MEMORY, "out of memory for a scan");
}

static bool
comes_before(const struct cursor *a, const struct cursor *b)
{
    int order = tk_trace_entry_cmp(a->start_nano, a->id, b->start_nano, b->id);
    return order != 0 ? order < 0 : a->source < b->source;
}

/* Puts the top where it belongs after its key has changed. */
static void
sift_down(struct tk_merge *merge)
{
    for (uint32_t at = 0;;) {
        uint32_t first = at, left = 2 * at + 1;
        for (uint32_t child = left; child < left + 2 && child < merge->heap_count; child++)
            if (comes_before(merge->heap[child], merge->heap[first]))
                first = child;
        if (first == at)
            return;
        struct cursor *moved = merge->heap[at];
        merge->heap[at] = merge->heap[first];
        merge->heap[first] = moved;
        at = first;
    }
}

static void
push(struct tk_merge *merge, struct cursor *cursor)
{
    uint32_t at = merge->heap_count++;
    for (; at > 0 && comes_before(cursor, merge->heap[(at - 1) / 2]); at = (at - 1) / 2)
        merge->heap[at] = merge->heap[(at - 1) / 2];
    merge->heap[at] = cursor;
}

static void
unload(struct cursor *cursor)
{
    tk_cache_release(cursor->item);
    free(cursor->entries);
    cursor->item = NULL;
    cursor->entries = NULL;
}

static void
pop(struct tk_merge *merge)
{
    unload(merge->heap[0]);
    merge->heap[0] = merge->heap[--merge->heap_count];
    sift_down(merge);
}

/* Does the range begin behind this place of the order? */
static bool
is_before_range(const struct tk_store_range *range, uint64_t start_nano, struct tk_trace_id id)
{
    if (range->end_nano != 0 && start_nano >= range->end_nano)
        return true;
    return range->after &&
           tk_trace_entry_cmp(start_nano, id, range->after_start_nano, range->after_id) <= 0;
}

/* The newest start that the range may have. */
static uint64_t
newest(const struct tk_store_range *range)
{
    uint64_t start = range->end_nano != 0 ? range->end_nano - 1 : UINT64_MAX;
    return range->after && range->after_start_nano < start ? range->after_start_nano : start;
}

static const struct tk_source *
source_of(const struct tk_merge *merge, const struct cursor *cursor)
{
    return &merge->sources->source[cursor->source];
}

static enum tk_err
open_match(struct tk_merge *merge, uint32_t source, struct tk_error *err)
{
    if (merge->match[source] != NULL)
        return TK_OK;
    return tk_match_open(merge->sources->source[source].segment, merge->filters,
                         &merge->match[source], err);
}

/* Segments. */

/* Moves on to the next group from cursor->group on that is to be looked at. False: none is left. */
static bool
seek_group(struct tk_merge *merge, struct cursor *cursor)
{
    const struct tk_segment *segment = source_of(merge, cursor)->segment;
    const uint64_t *bits =
        merge->sparse ? tk_match_groups(merge->match[cursor->source], merge->driver) : NULL;
    uint32_t group = cursor->group;
    while (group < segment->group_count && bits != NULL && !tk_bit(bits, group))
        group += bits[group >> 6] >> (group & 63) == 0 ? 64 - (group & 63) : 1;
    cursor->group = group;
    if (group >= segment->group_count ||
        segment->groups[group].trace_start_max < merge->range.begin_nano)
        return false;
    cursor->start_nano = segment->groups[group].trace_start_max;
    cursor->id = (struct tk_trace_id){0};
    cursor->is_open = false;
    return true;
}

/* The first group that is not all before the range. */
static uint32_t
first_group(const struct tk_segment *segment, uint64_t start_max)
{
    uint32_t low = 0, high = segment->group_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (segment->groups[middle].trace_start_min > start_max)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static enum tk_err
load_group(struct tk_merge *merge, struct cursor *cursor, struct tk_error *err)
{
    struct tk_segment *segment = source_of(merge, cursor)->segment;
    enum tk_err code = TK_OK;
    if (merge->sparse)
        code = tk_match_group(merge->match[cursor->source], cursor->group, merge->driver,
                              &cursor->masks, err);
    if (code == TK_OK)
        code = tk_segment_group(segment, cursor->group, false, &cursor->item, err);
    if (code != TK_OK)
        return code;
    struct {
        uint32_t column;
        struct tk_values *values;
    } wanted[] = {{TK_COLUMN_TRACE_HIGH, &cursor->high},
                  {TK_COLUMN_TRACE_LOW, &cursor->low},
                  {TK_COLUMN_TRACE_START, &cursor->start},
                  {TK_COLUMN_TRACE_BEFORE, &cursor->before}};
    for (size_t i = 0; i < 4 && code == TK_OK; i++)
        code = tk_group_values(cursor->item->value, wanted[i].column, wanted[i].values, err);
    cursor->trace = 0;
    return code;
}

/* Does the walk stop at this trace of the group at hand? */
static bool
is_stop(const struct tk_merge *merge, const struct cursor *cursor)
{
    uint32_t at = cursor->trace;
    struct tk_trace_id id = {cursor->high.number[at], cursor->low.number[at]};
    if (merge->sparse)
        return (cursor->masks[at] >> merge->driver & 1) != 0;
    if (cursor->before.number[at] > 0 && !cursor->broken)
        return false; /* it was met in the group before */
    return !is_before_range(&merge->range, cursor->start.number[at], id);
}

/* From the trace at hand on, in this group; false: no stop is left in it. */
static bool
seek_trace(struct tk_merge *merge, struct cursor *cursor)
{
    while (cursor->trace < cursor->start.count && !is_stop(merge, cursor))
        cursor->trace++;
    if (cursor->trace == cursor->start.count)
        return false;
    cursor->start_nano = cursor->start.number[cursor->trace];
    cursor->id =
        (struct tk_trace_id){cursor->high.number[cursor->trace], cursor->low.number[cursor->trace]};
    cursor->is_open = true;
    return true;
}

/* Gives the top its next key, or takes it off when it has nothing more. */
static void
leave_group(struct tk_merge *merge)
{
    struct cursor *cursor = merge->heap[0];
    tk_cache_release(cursor->item);
    cursor->item = NULL;
    cursor->group++;
    if (seek_group(merge, cursor))
        sift_down(merge);
    else
        pop(merge);
}

static enum tk_err
open_segment(struct tk_merge *merge, struct tk_error *err)
{
    struct cursor *cursor = merge->heap[0];
    const struct tk_segment *segment = source_of(merge, cursor)->segment;
    if (!cursor->begun) {
        enum tk_err code = merge->sparse ? open_match(merge, cursor->source, err) : TK_OK;
        if (code != TK_OK)
            return code;
        cursor->begun = true;
        cursor->group = merge->sparse && merge->sources->count > 1
                            ? 0
                            : first_group(segment, newest(&merge->range));
        if (seek_group(merge, cursor))
            sift_down(merge);
        else
            pop(merge);
        return TK_OK;
    }
    enum tk_err code = load_group(merge, cursor, err);
    if (code != TK_OK && code != TK_ERR_CORRUPT)
        return code;
    if (code == TK_OK && seek_trace(merge, cursor))
        sift_down(merge);
    else
        leave_group(merge);
    cursor->broken = code == TK_ERR_CORRUPT;
    return TK_OK;
}

/* Buffers. */

/* Which rows of the buffer's batches the driver holds for; NULL-ended by count. */
static enum tk_err
list_matching(struct tk_merge *merge, struct cursor *cursor)
{
    const struct tk_source *source = source_of(merge, cursor);
    uint64_t **rows = calloc((size_t)source->batch_count + 1, sizeof *rows);
    enum tk_err code = rows != NULL ? TK_OK : TK_ERR_MEMORY;
    for (uint32_t i = 0; i < source->batch_count && code == TK_OK; i++) {
        const struct tk_batch *batch = tk_buffer_batch(source->buffer, i);
        rows[i] = calloc(batch->span_count / 64 + 1, sizeof **rows);
        code = rows[i] == NULL
                   ? TK_ERR_MEMORY
                   : tk_match_batch(merge->filters.filter[merge->driver], batch, rows[i]);
    }
    if (code == TK_OK)
        code = tk_buffer_list(source->buffer, source->batch_count, rows, &cursor->entries,
                              &cursor->count);
    for (uint32_t i = 0; rows != NULL && i < source->batch_count; i++)
        free(rows[i]);
    free(rows);
    return code;
}

/* The first entry of the cursor's list that is not before the range. */
static uint32_t
first_entry(const struct cursor *cursor, const struct tk_store_range *range)
{
    uint32_t low = 0, high = cursor->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct tk_trace_entry *entry = &cursor->entries[middle];
        if (is_before_range(range, entry->start_nano, entry->id))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void
seek_entry(struct tk_merge *merge)
{
    struct cursor *cursor = merge->heap[0];
    if (cursor->at >= cursor->count) {
        pop(merge);
        return;
    }
    cursor->start_nano = cursor->entries[cursor->at].start_nano;
    cursor->id = cursor->entries[cursor->at].id;
    cursor->is_open = true;
    sift_down(merge);
}

static enum tk_err
open_buffer(struct tk_merge *merge, struct tk_error *err)
{
    struct cursor *cursor = merge->heap[0];
    const struct tk_source *source = source_of(merge, cursor);
    enum tk_err code = merge->sparse ? list_matching(merge, cursor)
                                     : tk_buffer_list(source->buffer, source->batch_count, NULL,
                                                      &cursor->entries, &cursor->count);
    if (code != TK_OK)
        return no_memory(err);
    if (!merge->sparse || merge->sources->count == 1)
        cursor->at = first_entry(cursor, &merge->range);
    seek_entry(merge);
    return TK_OK;
}

/* Opening. */

static uint32_t
count_groups(const struct tk_segment *segment, const uint64_t *bits, uint64_t start_min)
{
    uint32_t count = 0;
    for (uint32_t i = 0;
         i < segment->group_count && segment->groups[i].trace_start_max >= start_min; i++)
        count += bits == NULL || tk_bit(bits, i);
    return count;
}

/* The filter that fewest groups may satisfy. */
static enum tk_err
choose_driver(struct tk_merge *merge, struct tk_error *err)
{
    uint64_t counts[TK_MATCH_MAX] = {0};
    if (merge->filters.count == 1)
        return TK_OK;
    for (uint32_t i = 0; i < merge->heap_count; i++) {
        uint32_t source = merge->heap[i]->source;
        const struct tk_segment *segment = merge->sources->source[source].segment;
        if (segment == NULL)
            continue;
        enum tk_err code = open_match(merge, source, err);
        if (code != TK_OK)
            return code;
        for (uint32_t f = 0; f < merge->filters.count; f++)
            counts[f] += count_groups(segment, tk_match_groups(merge->match[source], f),
                                      merge->range.begin_nano);
    }
    for (uint32_t f = 1; f < merge->filters.count; f++)
        if (counts[f] < counts[merge->driver])
            merge->driver = f;
    return TK_OK;
}

/* Sparse, unless too much lies before the range. */
static enum tk_err
choose_walk(struct tk_merge *merge, struct tk_error *err)
{
    uint64_t start = newest(&merge->range), count = 0;
    merge->sparse = true;
    for (uint32_t i = 0; i < merge->heap_count && merge->sources->count > 1; i++) {
        uint32_t source = merge->heap[i]->source;
        const struct tk_segment *segment = merge->sources->source[source].segment;
        if (segment == NULL || segment->start_max < start)
            continue;
        enum tk_err code = open_match(merge, source, err);
        if (code != TK_OK)
            return code;
        count += count_groups(segment, tk_match_groups(merge->match[source], merge->driver), start);
    }
    merge->sparse = count <= NEWER_GROUPS_MAX;
    return TK_OK;
}

/* Sources that may have what is asked for. */
static void
push_sources(struct tk_merge *merge)
{
    for (uint32_t i = 0; i < merge->sources->count; i++) {
        const struct tk_segment *segment = merge->sources->source[i].segment;
        if (segment != NULL &&
            (segment->group_count == 0 || segment->start_max < merge->range.begin_nano))
            continue;
        merge->cursors[i].source = i;
        merge->cursors[i].start_nano = segment != NULL ? segment->start_max : UINT64_MAX;
        push(merge, &merge->cursors[i]);
    }
}

enum tk_err
tk_merge_open(const struct tk_sources *sources, const struct tk_store_range *range,
              struct tk_merge **ret_merge, struct tk_error *err)
{
    struct tk_merge *merge = calloc(1, sizeof *merge);
    if (merge == NULL)
        return no_memory(err);
    size_t count = (size_t)sources->count + 1;
    enum tk_err code = TK_OK;
    merge->sources = sources;
    merge->range = *range;
    merge->filters.filter = range->filters;
    merge->filters.count =
        (uint32_t)(range->filter_count < TK_MATCH_MAX ? range->filter_count : TK_MATCH_MAX);
    merge->match = calloc(count, sizeof(struct tk_match *));
    merge->cursors = calloc(count, sizeof *merge->cursors);
    merge->heap = calloc(count, sizeof(struct cursor *));
    merge->parts = calloc(count, sizeof *merge->parts);
    if (merge->match == NULL || merge->cursors == NULL || merge->heap == NULL ||
        merge->parts == NULL)
        code = no_memory(err);
    if (code == TK_OK)
        push_sources(merge);
    if (code == TK_OK && merge->filters.count > 0)
        code = choose_driver(merge, err);
    if (code == TK_OK && merge->filters.count > 0)
        code = choose_walk(merge, err);
    if (code == TK_OK)
        *ret_merge = merge;
    else
        tk_merge_close(merge);
    return code;
}

void
tk_merge_close(struct tk_merge *merge)
{
    if (merge == NULL)
        return;
    for (uint32_t i = 0; i < merge->heap_count; i++)
        unload(merge->heap[i]);
    for (uint32_t i = 0; merge->match != NULL && i < merge->sources->count; i++)
        tk_match_close(merge->match[i]);
    free(merge->match);
    free(merge->cursors);
    free(merge->heap);
    tk_later_release(&merge->later);
    free(merge->parts);
    tk_number_map_release(&merge->partials);
    free(merge);
}

/* Traces. */

/* The part at hand of the top cursor as the source tells it; the cursor moves on. */
static enum tk_err
take_part(struct tk_merge *merge, struct tk_trace_entry *ret_part, struct tk_error *err)
{
    struct cursor *cursor = merge->heap[0];
    struct tk_segment *segment = source_of(merge, cursor)->segment;
    if (segment == NULL) {
        *ret_part = cursor->entries[cursor->at++];
        seek_entry(merge);
        return TK_OK;
    }
    uint64_t before = cursor->before.number[cursor->trace];
    struct tk_trace_id id = cursor->id;
    enum tk_err code =
        tk_segment_trace(segment, cursor->item->value, cursor->group, cursor->trace, ret_part, err);
    cursor->trace++;
    if (seek_trace(merge, cursor))
        sift_down(merge);
    else
        leave_group(merge);
    if (code == TK_OK && before > 0) { /* it begins in an earlier group, if that can be read */
        struct tk_trace_entry rest = *ret_part;
        code = tk_segment_find(segment, id, false, ret_part, err);
        if (code == TK_ERR_NOT_FOUND || code == TK_ERR_CORRUPT) {
            *ret_part = rest;
            code = TK_OK;
        }
    }
    return code;
}

/*
 * Looks the trace up everywhere but in source `own`, whose part is in merge->parts already
 * (UINT32_MAX: nowhere is it known).  *whole spans all parts.  False in *ret_first: an earlier part
 * than own's lies in another source (or as early a one, in an older source).
 */
static enum tk_err
find_parts(struct tk_merge *merge, uint32_t own, struct tk_trace_id id,
           struct tk_trace_entry *whole, bool *ret_first, struct tk_error *err)
{
    *ret_first = true;
    merge->partial = false;
    *whole = (struct tk_trace_entry){.id = id, .start_nano = UINT64_MAX};
    if (own != UINT32_MAX)
        *whole = merge->parts[own];
    tk_sources_find_ahead(merge->sources, own, id);
    for (uint32_t i = 0; i < merge->sources->count; i++) {
        struct tk_trace_entry *part = &merge->parts[i];
        if (i == own)
            continue;
        enum tk_err code = tk_source_find(&merge->sources->source[i], id, false, part, err);
        if (code == TK_ERR_NOT_FOUND || code == TK_ERR_CORRUPT) {
            part->row_count = 0;
            merge->partial = merge->partial || code == TK_ERR_CORRUPT;
            continue;
        }
        if (code != TK_OK)
            return code;
        if (part->start_nano < whole->start_nano ||
            (part->start_nano == whole->start_nano && i < own))
            *ret_first = false;
        if (!*ret_first && !merge->sparse)
            return TK_OK;
        whole->start_nano =
            part->start_nano < whole->start_nano ? part->start_nano : whole->start_nano;
        whole->end_nano = part->end_nano > whole->end_nano ? part->end_nano : whole->end_nano;
    }
    return TK_OK;
}

/* TK_ERR_NOT_FOUND: nothing of it can be read. */
static enum tk_err
collect_parts(struct tk_merge *merge, struct tk_pieces *pieces, struct tk_error *err)
{
    uint32_t found = 0;
    bool buffers = false;
    tk_pieces_clear(pieces);
    for (uint32_t i = 0; i < merge->sources->count; i++) {
        if (merge->parts[i].row_count == 0)
            continue;
        const struct tk_source *source = &merge->sources->source[i];
        enum tk_err code =
            tk_source_collect(source, &merge->parts[i], !merge->range.want.lean, pieces, err);
        if (code != TK_OK && code != TK_ERR_CORRUPT)
            return code;
        found++;
        buffers = buffers || source->buffer != NULL;
    }
    if (pieces->count == 0)
        return TK_ERR_NOT_FOUND;
    return found > 1 || buffers ? tk_pieces_dedup(pieces, err) : TK_OK;
}

/* How many rows of the group's last trace lie in it. */
static enum tk_err
count_last(struct tk_segment *segment, uint32_t number, uint32_t *ret_count, struct tk_error *err)
{
    struct tk_cache_item *item;
    const void *array;
    uint32_t traces = segment->groups[number].trace_count;
    enum tk_err code = tk_segment_group(segment, number, false, &item, err);
    if (code != TK_OK)
        return code;
    code = tk_group_array(item->value, TK_GROUP_TRACE_ROW, &array, err);
    const uint32_t *trace_row = array;
    if (code == TK_OK)
        *ret_count = trace_row[traces] - trace_row[traces - 1];
    tk_cache_release(item);
    return code;
}

/* Which filters hold in the part that a segment has. */
static enum tk_err
mask_segment(struct tk_merge *merge, uint32_t source, uint32_t *mask, struct tk_error *err)
{
    const struct tk_trace_entry *part = &merge->parts[source];
    struct tk_segment *segment = merge->sources->source[source].segment;
    enum tk_err code = open_match(merge, source, err);
    uint32_t trace = part->trace, seen = 0;
    for (uint32_t group = part->group;
         code == TK_OK && group < segment->group_count && seen < part->row_count;
         group++, trace = 0) {
        const uint32_t *masks;
        uint32_t count = segment->groups[group].row_count;
        code = tk_match_group(merge->match[source], group, UINT32_MAX, &masks, err);
        if (code == TK_OK)
            *mask |= masks[trace];
        if (trace + 1 < segment->groups[group].trace_count)
            break; /* it ends in this group */
        if (code == TK_OK)
            code = count_last(segment, group, &count, err);
        if (code == TK_ERR_CORRUPT)
            code = TK_OK;
        seen += count;
    }
    return code;
}

/* Does each filter hold somewhere in the trace?  TK_ERR_NOT_FOUND: no. */
static enum tk_err
check_filters(struct tk_merge *merge, const struct tk_pieces *pieces, struct tk_error *err)
{
    uint32_t mask = 0, count = merge->filters.count;
    uint32_t all = count == 32 ? UINT32_MAX : ((uint32_t)1 << count) - 1;
    for (uint32_t i = 0; i < pieces->count && mask != all; i++) {
        const struct tk_piece *piece = &pieces->piece[i];
        for (uint32_t f = 0; f < count && piece->batch != NULL; f++)
            for (uint32_t k = 0; k < piece->count && (mask >> f & 1) == 0; k++)
                if (tk_match_row(merge->filters.filter[f], piece->batch, piece->row + k))
                    mask |= (uint32_t)1 << f;
    }
    for (uint32_t i = 0; i < merge->sources->count && mask != all; i++) {
        if (merge->parts[i].row_count == 0 || merge->sources->source[i].segment == NULL)
            continue;
        enum tk_err code = mask_segment(merge, i, &mask, err);
        if (code != TK_OK)
            return code;
    }
    return mask == all ? TK_OK : TK_ERR_NOT_FOUND;
}

static uint64_t
hash_of(struct tk_trace_id id)
{
    return tk_hash((tk_str){(const char *)&id, sizeof id});
}

static bool
was_handled(const struct tk_merge *merge, uint64_t start_nano, struct tk_trace_id id)
{
    uint32_t value;
    return (merge->last.start_nano == start_nano && tk_trace_id_eq(merge->last.id, id)) ||
           tk_number_map_find(&merge->partials, hash_of(id), &value);
}

/* The trace, all of whose parts are known, at its place.  TK_ERR_NOT_FOUND: it is not yielded. */
static enum tk_err
finish(struct tk_merge *merge, const struct tk_trace_entry *whole, struct tk_pieces *pieces,
       struct tk_error *err)
{
    merge->last = (struct tk_place){whole->start_nano, whole->id};
    if (whole->end_nano < merge->range.ended_nano)
        return TK_ERR_NOT_FOUND;
    enum tk_err code = collect_parts(merge, pieces, err);
    if (code == TK_OK && merge->filters.count > 0)
        code = check_filters(merge, pieces, err);
    if (code == TK_OK && merge->partial &&
        tk_number_map_add(&merge->partials, hash_of(whole->id), 1) != TK_OK)
        code = no_memory(err);
    return code;
}

/* It is yielded, if at all, when the walk reaches its place.  TK_ERR_NOT_FOUND: done. */
static enum tk_err
put_off(struct tk_merge *merge, const struct tk_trace_entry *whole, struct tk_error *err)
{
    if (whole->start_nano < merge->range.begin_nano)
        return TK_ERR_NOT_FOUND;
    struct tk_place place = {whole->start_nano, whole->id};
    return tk_later_add(&merge->later, place) == TK_OK ? TK_ERR_NOT_FOUND : no_memory(err);
}

/* A trace that was put off until now. */
static enum tk_err
next_later(struct tk_merge *merge, struct tk_trace_entry *whole, struct tk_pieces *pieces,
           struct tk_error *err)
{
    struct tk_place place = tk_later_take(&merge->later);
    bool first;
    if (was_handled(merge, place.start_nano, place.id))
        return TK_ERR_NOT_FOUND;
    enum tk_err code = find_parts(merge, UINT32_MAX, place.id, whole, &first, err);
    if (code != TK_OK)
        return code;
    if (whole->start_nano < place.start_nano)
        return put_off(merge, whole, err); /* who knows it could not be asked before */
    whole->start_nano = place.start_nano;  /* even if who knew it cannot be asked any more */
    return finish(merge, whole, pieces, err);
}

/* The trace of the part at hand.  TK_ERR_NOT_FOUND: nothing is yielded here. */
static enum tk_err
next_part(struct tk_merge *merge, struct tk_trace_entry *whole, struct tk_pieces *pieces,
          struct tk_error *err)
{
    uint32_t own = merge->heap[0]->source;
    struct tk_trace_entry part;
    bool first;
    enum tk_err code = take_part(merge, &part, err);
    if (code == TK_ERR_CORRUPT)
        return TK_ERR_NOT_FOUND;
    if (code != TK_OK)
        return code;
    if (was_handled(merge, part.start_nano, part.id))
        return TK_ERR_NOT_FOUND;
    merge->parts[own] = part;
    code = find_parts(merge, own, part.id, whole, &first, err);
    if (code != TK_OK)
        return code;
    if (!first && !merge->sparse)
        return TK_ERR_NOT_FOUND;
    if (is_before_range(&merge->range, whole->start_nano, whole->id))
        return TK_ERR_NOT_FOUND;
    if (whole->start_nano < part.start_nano)
        return put_off(merge, whole, err);
    return finish(merge, whole, pieces, err);
}

static bool
is_expired(struct tk_merge *merge)
{
    return merge->range.expired != NULL && merge->steps++ % EXPIRED_STEPS == 0 &&
           merge->range.expired(merge->range.expired_arg);
}

enum tk_err
tk_merge_next(struct tk_merge *merge, struct tk_trace_entry *ret_entry, struct tk_pieces *pieces,
              struct tk_error *err)
{
    struct tk_trace_entry whole;
    while (merge->heap_count > 0 || merge->later.count > 0) {
        enum tk_err code;
        struct cursor *top = merge->heap_count > 0 ? merge->heap[0] : NULL;
        if (is_expired(merge))
            return tk_error_set(err, TK_ERR_TIMEOUT, "out of time");
        if (top == NULL || (merge->later.count > 0 &&
                            tk_place_cmp(merge->later.place[0],
                                         (struct tk_place){top->start_nano, top->id}) <= 0)) {
            code = next_later(merge, &whole, pieces, err);
        } else if (!top->is_open) {
            code = source_of(merge, top)->segment != NULL ? open_segment(merge, err)
                                                          : open_buffer(merge, err);
            if (code == TK_OK || code == TK_ERR_CORRUPT)
                continue;
        } else if (top->start_nano < merge->range.begin_nano) {
            pop(merge);
            continue;
        } else {
            code = next_part(merge, &whole, pieces, err);
        }
        if (code == TK_ERR_NOT_FOUND)
            continue;
        if (code == TK_OK)
            *ret_entry = whole;
        return code;
    }
    return TK_ERR_END;
}
