/* sources - what a view looks into, and a trace out of all of it (merge.h). */
#include "store/segment/group.h"
#include "store/embedded/merge.h"

#include "base/hash.h"

#include <stdlib.h>

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

enum tk_err
tk_source_find(const struct tk_source *source, struct tk_trace_id id, bool whole,
               struct tk_trace_entry *ret_part, struct tk_error *err)
{
    if (source->segment != NULL)
        return tk_segment_find(source->segment, id, whole, ret_part, err);
    enum tk_err code = tk_buffer_find(source->buffer, source->batch_count, id, ret_part);
    return code == TK_ERR_MEMORY ? tk_error_set(err, code, "out of memory for an index") : code;
}

void
tk_sources_find_ahead(const struct tk_sources *sources, uint32_t own, struct tk_trace_id id)
{
    for (uint32_t i = 0; i < sources->count; i++)
        if (i != own && sources->source[i].segment != NULL)
            tk_segment_find_ahead(sources->source[i].segment, id);
}

enum tk_err
tk_sources_stamp(const struct tk_sources *sources, struct tk_trace_id id, uint64_t *ret_stamp,
                 struct tk_error *err)
{
    enum tk_err damage = TK_ERR_NOT_FOUND;
    uint64_t stamp = 0;
    bool found = false;
    tk_sources_find_ahead(sources, UINT32_MAX, id);
    for (uint32_t i = 0; i < sources->count; i++) {
        const struct tk_source *source = &sources->source[i];
        struct tk_trace_entry part;
        enum tk_err code = tk_source_find(source, id, false, &part, err);
        if (code != TK_OK && code != TK_ERR_NOT_FOUND && code != TK_ERR_CORRUPT)
            return code;
        if (code == TK_ERR_CORRUPT)
            damage = code;
        if (code != TK_OK)
            continue;
        found = true;
        /* a segment never changes, and of a buffer's rows there come only more */
        uint64_t has[] = {stamp, source->segment != NULL, part.row_count,
                          source->segment != NULL ? source->segment->serial
                                                  : tk_buffer_serial(source->buffer)};
        stamp = tk_hash((tk_str){(const char *)has, sizeof has});
    }
    *ret_stamp = stamp;
    return found ? TK_OK : damage;
}

/* The rows of trace number `trace` of a group, which is this one; from *ret_begin on. */
static enum tk_err
find_rows(struct tk_segment *segment, struct tk_group *group, uint32_t trace, struct tk_trace_id id,
          uint32_t *ret_begin, uint32_t *ret_count, struct tk_error *err)
{
    struct tk_values high, low;
    const void *array;
    enum tk_err code = tk_group_array(group, TK_GROUP_TRACE_ROW, &array, err);
    if (code == TK_OK)
        code = tk_group_values(group, TK_COLUMN_TRACE_HIGH, &high, err);
    if (code == TK_OK)
        code = tk_group_values(group, TK_COLUMN_TRACE_LOW, &low, err);
    if (code == TK_OK &&
        (trace >= high.count || high.number[trace] != id.high || low.number[trace] != id.low))
        code = tk_segment_corrupt(segment, tk_group_entry(group)->offset, "a group",
                                  "its rows are of another trace", err);
    if (code != TK_OK)
        return code;
    const uint32_t *trace_row = array;
    *ret_begin = trace_row[trace];
    *ret_count = trace_row[trace + 1] - trace_row[trace];
    return TK_OK;
}

/* The rows of one trace in one group; *ret_count of them. */
static enum tk_err
collect_group(struct tk_segment *segment, uint32_t number, uint32_t trace,
              const struct tk_trace_entry *part, bool whole, struct tk_pieces *pieces,
              uint32_t *ret_count, struct tk_error *err)
{
    struct tk_cache_item *item = NULL;
    struct tk_group *own = NULL;
    uint32_t begin;
    enum tk_err code = pieces->deep && part->row_count >= TK_PIECES_LONG
                           ? tk_group_open(segment, number, false, &own, err)
                           : tk_segment_group(segment, number, whole, &item, err);
    if (code != TK_OK)
        return code;
    code = find_rows(segment, own != NULL ? own : item->value, trace, part->id, &begin, ret_count,
                     err);
    tk_group_close(own);
    if (code != TK_OK) {
        tk_cache_release(item);
        return code;
    }
    code = tk_pieces_add_group(pieces, segment, number, item, begin, *ret_count);
    return code == TK_OK ? TK_OK : tk_error_set(err, code, "out of memory for a trace");
}

/* A trace that goes on behind its group fills the next ones from their begin. */
static enum tk_err
collect_groups(struct tk_segment *segment, const struct tk_trace_entry *part, bool whole,
               struct tk_pieces *pieces, struct tk_error *err)
{
    enum tk_err damage = TK_OK;
    uint32_t got = 0, count = 0, trace = part->trace;
    for (uint32_t number = part->group; number < segment->group_count && got < part->row_count;
         number++, trace = 0) {
        enum tk_err code = collect_group(segment, number, trace, part, whole, pieces, &count, err);
        if (code == TK_ERR_CORRUPT) {
            damage = code;
            count = segment->groups[number].row_count; /* if it goes on behind this one */
        } else if (code != TK_OK) {
            return code;
        }
        got += count;
    }
    return damage;
}

enum tk_err
tk_source_collect(const struct tk_source *source, const struct tk_trace_entry *part, bool whole,
                  struct tk_pieces *pieces, struct tk_error *err)
{
    if (source->segment != NULL)
        return collect_groups(source->segment, part, whole, pieces, err);
    enum tk_err code = tk_buffer_collect(source->buffer, source->batch_count, part->id, pieces);
    return code != TK_OK ? tk_error_set(err, code, "out of memory for a trace") : code;
}

enum tk_err
tk_sources_find(const struct tk_sources *sources, struct tk_trace_id id, bool whole,
                struct tk_pieces *pieces, struct tk_error *err)
{
    enum tk_err damage = TK_OK;
    struct tk_trace_entry part;
    uint32_t found = 0;
    bool buffers = false;
    tk_pieces_clear(pieces);
    tk_sources_find_ahead(sources, UINT32_MAX, id);
    for (uint32_t i = 0; i < sources->count; i++) {
        enum tk_err code = tk_source_find(&sources->source[i], id, whole, &part, err);
        if (code == TK_OK) {
            found++;
            buffers = buffers || sources->source[i].buffer != NULL;
            code = tk_source_collect(&sources->source[i], &part, whole, pieces, err);
        }
        if (code == TK_ERR_CORRUPT)
            damage = code;
        else if (code != TK_OK && code != TK_ERR_NOT_FOUND)
            return code;
    }
    if (pieces->count == 0)
        return damage != TK_OK ? damage : TK_ERR_NOT_FOUND;
    /* one segment has every span once */
    return found > 1 || buffers ? tk_pieces_dedup(pieces, err) : TK_OK;
}
