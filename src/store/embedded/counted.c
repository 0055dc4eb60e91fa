/* counted - see counted.h. */
#include "store/embedded/counted.h"

#include "store/segment/group.h"

#include <stdlib.h>

/* The spans of the trace at hand that a source has. */
struct tk_counted_source {
    uint64_t asked; /* when: _asking */
    bool in_order;
    uint64_t *spans; /* [count] */
    uint32_t count, capacity;
};

enum tk_err
tk_counted_init(struct tk_counted *counted, const struct tk_source *older, uint32_t count)
{
    *counted = (struct tk_counted){._older = older, ._count = count, ._near_from = UINT64_MAX};
    counted->_sources = calloc((size_t)count + 1, sizeof *counted->_sources);
    counted->_near = malloc(((size_t)count + 1) * sizeof *counted->_near);
    if (counted->_sources != NULL && counted->_near != NULL)
        return TK_OK;
    tk_counted_release(counted);
    return TK_ERR_MEMORY;
}

void
tk_counted_release(struct tk_counted *counted)
{
    for (uint32_t i = 0; counted->_sources != NULL && i < counted->_count; i++)
        free(counted->_sources[i].spans);
    free(counted->_sources);
    free(counted->_near);
    *counted = (struct tk_counted){0};
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
    if (tk_segment_find(segment, id, false, &trace, &err) != TK_OK)
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
            if (!add_spans(source, pieces.piece[i].batch->span_id + pieces.piece[i].row,
                           pieces.piece[i].count))
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

/* Was the source under way between the two? */
static bool
touches(const struct tk_source *source, uint64_t from, uint64_t to)
{
    return source->segment == NULL ||
           (from <= source->segment->end_max && to >= source->segment->start_min);
}

/* Spans that are sealed together are of about the same time: most sources are out of question for
   all of them. */
static void
look_around(struct tk_counted *counted, uint64_t nano)
{
    static const uint64_t AROUND = 60000000000; /* ns */
    counted->_near_from = nano > AROUND ? nano - AROUND : 0;
    counted->_near_to = nano < UINT64_MAX - AROUND ? nano + AROUND : UINT64_MAX;
    counted->_near_count = 0;
    for (uint32_t i = 0; i < counted->_count; i++)
        if (touches(&counted->_older[i], counted->_near_from, counted->_near_to))
            counted->_near[counted->_near_count++] = i;
}

bool
tk_counted_may_have(const struct tk_counted *counted, uint64_t start_min, uint64_t start_max)
{
    for (uint32_t i = 0; i < counted->_count; i++)
        if (touches(&counted->_older[i], start_min, start_max))
            return true;
    return false;
}

bool
tk_counted_has(struct tk_counted *counted, struct tk_trace_id id, tk_span_id span_id,
               uint64_t start_nano)
{
    if (counted->_asking == 0 || !tk_trace_id_eq(counted->_id, id)) {
        counted->_asking++;
        counted->_id = id;
    }
    if (start_nano < counted->_near_from || start_nano > counted->_near_to)
        look_around(counted, start_nano);
    for (uint32_t i = counted->_near_count; i > 0; i--) { /* the newest is the likeliest */
        const struct tk_source *older = &counted->_older[counted->_near[i - 1]];
        struct tk_counted_source *source = &counted->_sources[counted->_near[i - 1]];
        if (!touches(older, start_nano, start_nano))
            continue;
        if (source->asked != counted->_asking) {
            source->asked = counted->_asking;
            source->in_order = false;
            source->count = 0;
            if (older->segment != NULL)
                ask_segment(source, older->segment, id);
            else
                ask_buffer(source, older, id);
        }
        if (source->count > 0 && has_span(source, span_id))
            return true;
    }
    return false;
}
