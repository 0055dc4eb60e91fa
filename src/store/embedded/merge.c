/*
 * merge - see merge.h.
 *
 * Every source lists its traces newest first; a heap of cursors pops the newest part of any trace.
 * A trace starts where its earliest part starts, so a part that pops is the place of the trace only
 * if no other source has an earlier one; otherwise the trace comes later, when that one pops (on a
 * tie, when the part of the oldest source does).  That makes the order exact though parts of a
 * trace came at different times, and costs one filter probe per source and trace.
 *
 * The start (end) of a trace is the least (greatest) over every copy of every span that ever
 * arrived, also of copies that dedup sets aside: so a trace's place never moves, whatever is sealed
 * or compacted between two pages of one scan.
 *
 * A segment's table is read when the scan reaches the segment's newest trace, not before.
 */
#include "store/embedded/merge.h"

#include <stdlib.h>

struct cursor {
    uint32_t source;
    uint64_t start_nano; /* the key: of entries[at], or of what may come when not loaded */
    struct tk_trace_id id;
    bool loaded;
    const struct tk_trace_entry *entries;
    uint32_t at, count;
    struct tk_cache_item *table;  /* held; of a segment */
    struct tk_trace_entry *owned; /* of a buffer */
};

struct tk_merge {
    const struct tk_sources *sources;
    struct tk_store_range range;
    struct cursor *cursors; /* [sources->count] */
    struct cursor **heap;   /* [heap_count]; the newest on top */
    uint32_t heap_count;
    struct tk_trace_entry *parts; /* [sources->count]: of the trace at hand; row_count 0: none */
};

void
tk_sources_init(struct tk_sources *sources)
{
    *sources = (struct tk_sources){0};
}

void
tk_sources_release(struct tk_sources *sources)
{
    for (uint32_t i = 0; i < sources->count; i++) {
        tk_segment_unref(sources->source[i].segment);
        tk_buffer_unref(sources->source[i].buffer);
    }
    free(sources->source);
    tk_sources_init(sources);
}

static struct tk_source *
add_source(struct tk_sources *sources)
{
    if (sources->count == sources->_capacity) {
        uint32_t capacity = sources->_capacity > 0 ? sources->_capacity * 2 : 16;
        struct tk_source *source = realloc(sources->source, capacity * sizeof *source);
        if (source == NULL)
            return NULL;
        sources->source = source;
        sources->_capacity = capacity;
    }
    return &sources->source[sources->count++];
}

enum tk_err
tk_sources_add_segment(struct tk_sources *sources, struct tk_segment *segment)
{
    struct tk_source *source = add_source(sources);
    if (source == NULL)
        return TK_ERR_MEMORY;
    *source = (struct tk_source){.segment = tk_segment_ref(segment)};
    return TK_OK;
}

enum tk_err
tk_sources_add_buffer(struct tk_sources *sources, struct tk_buffer *buffer, uint32_t batch_count)
{
    struct tk_source *source = add_source(sources);
    if (source == NULL)
        return TK_ERR_MEMORY;
    *source = (struct tk_source){.buffer = tk_buffer_ref(buffer), .batch_count = batch_count};
    return TK_OK;
}

static enum tk_err
find_part(const struct tk_source *source, struct tk_trace_id id, struct tk_trace_entry *ret_part,
          struct tk_error *err)
{
    if (source->segment != NULL)
        return tk_segment_find(source->segment, id, ret_part, err);
    enum tk_err code = tk_buffer_find(source->buffer, source->batch_count, id, ret_part);
    return code == TK_ERR_MEMORY ? tk_error_set(err, code, "out of memory for an index") : code;
}

static enum tk_err
collect_part(const struct tk_source *source, const struct tk_trace_entry *part,
             struct tk_pieces *pieces, struct tk_error *err)
{
    if (source->segment != NULL)
        return tk_segment_collect(source->segment, part, pieces, err);
    enum tk_err code = tk_buffer_collect(source->buffer, source->batch_count, part->id, pieces);
    return code != TK_OK ? tk_error_set(err, code, "out of memory for a trace") : code;
}

enum tk_err
tk_sources_find(const struct tk_sources *sources, struct tk_trace_id id, struct tk_pieces *pieces,
                struct tk_error *err)
{
    enum tk_err damage = TK_OK;
    struct tk_trace_entry part;
    tk_pieces_clear(pieces);
    for (uint32_t i = 0; i < sources->count; i++) {
        enum tk_err code = find_part(&sources->source[i], id, &part, err);
        if (code == TK_OK)
            code = collect_part(&sources->source[i], &part, pieces, err);
        if (code == TK_ERR_CORRUPT)
            damage = code;
        else if (code != TK_OK && code != TK_ERR_NOT_FOUND)
            return code;
    }
    if (pieces->count == 0)
        return damage != TK_OK ? damage : TK_ERR_NOT_FOUND;
    return tk_pieces_dedup(pieces);
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
    tk_cache_release(cursor->table);
    free(cursor->owned);
    cursor->table = NULL;
    cursor->owned = NULL;
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
is_before_range(const struct tk_store_range *range, const struct tk_trace_entry *entry)
{
    if (range->end_nano != 0 && entry->start_nano >= range->end_nano)
        return true;
    return range->after && tk_trace_entry_cmp(entry->start_nano, entry->id, range->after_start_nano,
                                              range->after_id) <= 0;
}

/* The first entry of the cursor's list that is not before the range. */
static uint32_t
find_begin(const struct cursor *cursor, const struct tk_store_range *range)
{
    uint32_t low = 0, high = cursor->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (is_before_range(range, &cursor->entries[middle]))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static enum tk_err
load(struct tk_merge *merge, struct cursor *cursor, struct tk_error *err)
{
    const struct tk_source *source = &merge->sources->source[cursor->source];
    if (source->segment != NULL) {
        enum tk_err code = tk_segment_table(source->segment, &cursor->table, err);
        if (code != TK_OK)
            return code;
        const struct tk_table *table = cursor->table->value;
        cursor->entries = table->entries;
        cursor->count = table->count;
    } else {
        if (tk_buffer_list(source->buffer, source->batch_count, &cursor->owned, &cursor->count) !=
            TK_OK)
            return tk_error_set(err, TK_ERR_MEMORY, "out of memory for a list of traces");
        cursor->entries = cursor->owned;
    }
    cursor->loaded = true;
    cursor->at = find_begin(cursor, &merge->range);
    return TK_OK;
}

/* Gives the top its new key, or takes it off when it has nothing more. */
static void
update_top(struct tk_merge *merge)
{
    struct cursor *cursor = merge->heap[0];
    if (cursor->at >= cursor->count) {
        pop(merge);
        return;
    }
    cursor->start_nano = cursor->entries[cursor->at].start_nano;
    cursor->id = cursor->entries[cursor->at].id;
    sift_down(merge);
}

enum tk_err
tk_merge_open(const struct tk_sources *sources, const struct tk_store_range *range,
              struct tk_merge **ret_merge, struct tk_error *err)
{
    struct tk_merge *merge = calloc(1, sizeof *merge);
    if (merge == NULL)
        return tk_error_set(err, TK_ERR_MEMORY, "out of memory for a scan");
    size_t count = (size_t)sources->count + 1;
    merge->sources = sources;
    merge->range = *range;
    merge->cursors = calloc(count, sizeof *merge->cursors);
    merge->heap = calloc(count, sizeof *merge->heap);
    merge->parts = calloc(count, sizeof *merge->parts);
    if (merge->cursors == NULL || merge->heap == NULL || merge->parts == NULL) {
        tk_merge_close(merge);
        return tk_error_set(err, TK_ERR_MEMORY, "out of memory for a scan");
    }
    for (uint32_t i = 0; i < sources->count; i++) {
        const struct tk_segment *segment = sources->source[i].segment;
        if (segment != NULL && (segment->start_max < range->begin_nano ||
                                (range->end_nano != 0 && segment->start_min >= range->end_nano)))
            continue;
        merge->cursors[i].source = i;
        merge->cursors[i].start_nano = segment != NULL ? segment->start_max : UINT64_MAX;
        push(merge, &merge->cursors[i]);
    }
    *ret_merge = merge;
    return TK_OK;
}

void
tk_merge_close(struct tk_merge *merge)
{
    if (merge == NULL)
        return;
    for (uint32_t i = 0; i < merge->heap_count; i++)
        unload(merge->heap[i]);
    free(merge->cursors);
    free(merge->heap);
    free(merge->parts);
    free(merge);
}

/*
 * Looks the trace of `part` (of source `own`) up everywhere.  TK_ERR_NOT_FOUND: this is not its
 * place, an earlier part will pop later.  TK_OK: merge->parts has all parts, *whole spans them.
 */
static enum tk_err
find_parts(struct tk_merge *merge, uint32_t own, const struct tk_trace_entry *part,
           struct tk_trace_entry *whole, struct tk_error *err)
{
    *whole = *part;
    for (uint32_t i = 0; i < merge->sources->count; i++) {
        struct tk_trace_entry *other = &merge->parts[i];
        other->row_count = 0;
        if (i == own) {
            *other = *part;
            continue;
        }
        enum tk_err code = find_part(&merge->sources->source[i], part->id, other, err);
        if (code == TK_ERR_NOT_FOUND || code == TK_ERR_CORRUPT)
            continue;
        if (code != TK_OK)
            return code;
        if (other->start_nano < part->start_nano ||
            (other->start_nano == part->start_nano && i < own))
            return TK_ERR_NOT_FOUND;
        if (other->end_nano > whole->end_nano)
            whole->end_nano = other->end_nano;
    }
    return TK_OK;
}

/* TK_ERR_NOT_FOUND: nothing of it can be read. */
static enum tk_err
collect_parts(struct tk_merge *merge, struct tk_pieces *pieces, struct tk_error *err)
{
    tk_pieces_clear(pieces);
    for (uint32_t i = 0; i < merge->sources->count; i++) {
        if (merge->parts[i].row_count == 0)
            continue;
        enum tk_err code = collect_part(&merge->sources->source[i], &merge->parts[i], pieces, err);
        if (code != TK_OK && code != TK_ERR_CORRUPT)
            return code;
    }
    return pieces->count > 0 ? tk_pieces_dedup(pieces) : TK_ERR_NOT_FOUND;
}

enum tk_err
tk_merge_next(struct tk_merge *merge, struct tk_trace_entry *ret_entry, struct tk_pieces *pieces,
              struct tk_error *err)
{
    struct tk_trace_entry whole;
    while (merge->heap_count > 0) {
        struct cursor *top = merge->heap[0];
        if (!top->loaded) {
            enum tk_err code = load(merge, top, err);
            if (code != TK_OK && code != TK_ERR_CORRUPT)
                return code;
            update_top(merge); /* a damaged table lists nothing */
            continue;
        }
        struct tk_trace_entry part = top->entries[top->at++];
        if (part.start_nano < merge->range.begin_nano)
            break;
        uint32_t own = top->source;
        update_top(merge);
        enum tk_err code = find_parts(merge, own, &part, &whole, err);
        if (code == TK_OK)
            code = collect_parts(merge, pieces, err);
        if (code == TK_ERR_NOT_FOUND)
            continue;
        if (code == TK_OK)
            *ret_entry = whole;
        return code;
    }
    return TK_ERR_END;
}
