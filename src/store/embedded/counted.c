/* counted - see counted.h. */
#include "store/embedded/counted.h"

#include "store/embedded/group.h"

#include <stdlib.h>

/* The spans of the trace at hand that a source has. */
struct tk_counted_source {
    bool asked, in_order;
    uint64_t *spans; /* [count] */
    uint32_t count, capacity;
};

enum tk_err
tk_counted_init(struct tk_counted *counted, const struct tk_source *older, uint32_t count)
{
    *counted = (struct tk_counted){._older = older, ._count = count};
    counted->_sources = calloc((size_t)count + 1, sizeof *counted->_sources);
    return counted->_sources != NULL ? TK_OK : TK_ERR_MEMORY;
}

void
tk_counted_release(struct tk_counted *counted)
{
    for (uint32_t i = 0; counted->_sources != NULL && i < counted->_count; i++)
        free(counted->_sources[i].spans);
    free(counted->_sources);
}

static bool
add_spans(struct tk_counted_source *source, const uint64_t *spans, uint32_t count)
{
    if (source->capacity - source->count < count) {
        uint32_t capacity = (source->count + count) * 2;
        uint64_t *grown = realloc(source->spans, capacity * sizeof *grown);
        if (grown == NULL)
            return false;
        source->spans = grown;
        source->capacity = capacity;
    }
    memcpy(source->spans + source->count, spans, count * sizeof *spans);
    source->count += count;
    return true;
}

/* Rows of the trace in one group; false: no more can be told. */
static bool
add_group(struct tk_counted_source *source, struct tk_segment *segment, uint32_t number,
          uint32_t trace, uint32_t *left)
{
    struct tk_cache_item *item;
    struct tk_values ids;
    const void *array;
    struct tk_error err;
    if (tk_segment_group(segment, number, false, &item, &err) != TK_OK)
        return false;
    struct tk_group *group = item->value;
    bool ok = trace < tk_group_entry(group)->trace_count &&
              tk_group_array(group, TK_GROUP_TRACE_ROW, &array, &err) == TK_OK &&
              tk_group_values(group, TK_COLUMN_SPAN_ID, &ids, &err) == TK_OK;
    if (ok) {
        const uint32_t *first = (const uint32_t *)array + trace;
        uint32_t count = first[1] - first[0];
        count = count < *left ? count : *left;
        ok = add_spans(source, ids.number + first[0], count);
        *left -= count;
    }
    tk_cache_release(item);
    return ok;
}

static void
ask_segment(struct tk_counted_source *source, struct tk_segment *segment, struct tk_trace_id id)
{
    struct tk_trace_entry trace;
    struct tk_error err;
    if (tk_segment_find(segment, id, &trace, &err) != TK_OK)
        return;
    uint32_t left = trace.row_count, number = trace.trace;
    for (uint32_t group = trace.group; left > 0 && group < segment->group_count; group++) {
        if (!add_group(source, segment, group, number, &left))
            return;
        number = 0;
    }
}

static void
ask_buffer(struct tk_counted_source *source, const struct tk_source *from, struct tk_trace_id id)
{
    struct tk_pieces pieces;
    tk_pieces_init(&pieces);
    if (tk_buffer_collect(from->buffer, from->batch_count, id, &pieces) == TK_OK)
        for (uint32_t i = 0; i < pieces.count; i++)
            if (!add_spans(source, &pieces.piece[i].batch->span_id[pieces.piece[i].row], 1))
                break;
    tk_pieces_release(&pieces);
}

static int
compare_spans(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static bool
has_span(struct tk_counted_source *source, tk_span_id span_id)
{
    enum { FEW = 16 };
    if (source->count > FEW) {
        if (!source->in_order)
            qsort(source->spans, source->count, sizeof *source->spans, compare_spans);
        source->in_order = true;
        return bsearch(&span_id, source->spans, source->count, sizeof span_id, compare_spans) !=
               NULL;
    }
    for (uint32_t i = 0; i < source->count; i++)
        if (source->spans[i] == span_id)
            return true;
    return false;
}

bool
tk_counted_may_have(const struct tk_counted *counted, uint64_t start_min, uint64_t start_max)
{
    for (uint32_t i = 0; i < counted->_count; i++) {
        const struct tk_segment *older = counted->_older[i].segment;
        if (older == NULL || (start_max >= older->start_min && start_min <= older->end_max))
            return true;
    }
    return false;
}

bool
tk_counted_has(struct tk_counted *counted, struct tk_trace_id id, tk_span_id span_id,
               uint64_t start_nano)
{
    if (!tk_trace_id_eq(counted->_id, id)) {
        for (uint32_t i = 0; i < counted->_count; i++) {
            counted->_sources[i].asked = counted->_sources[i].in_order = false;
            counted->_sources[i].count = 0;
        }
        counted->_id = id;
    }
    for (uint32_t i = counted->_count; i > 0; i--) { /* the newest is the likeliest */
        const struct tk_source *older = &counted->_older[i - 1];
        struct tk_counted_source *source = &counted->_sources[i - 1];
        if (older->segment != NULL &&
            (start_nano < older->segment->start_min || start_nano > older->segment->end_max))
            continue;
        if (!source->asked && older->segment != NULL)
            ask_segment(source, older->segment, id);
        else if (!source->asked)
            ask_buffer(source, older, id);
        source->asked = true;
        if (source->count > 0 && has_span(source, span_id))
            return true;
    }
    return false;
}
