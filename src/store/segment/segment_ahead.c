/*
 * segment_ahead - what is asked of the disk before somebody waits for it (segment.h).
 *
 * One question reads a page of each run of each segment, and the first one many sections of each: a
 * few KiB each, all over the disk.  One after the other that is the time of a read for each;
 * together it is little more than one.
 */
#include "base/hash.h"
#include "store/segment/segment.h"

static void
read_ahead(struct tk_segment *segment, uint64_t offset, uint64_t size)
{
    struct tk_env *env = segment->host->env;
    if (env->read_ahead != NULL && size > 0)
        env->read_ahead(env, segment->_file, offset, size);
}

void
tk_segment_lookup_ahead(struct tk_segment *segment, const struct tk_value_index_run *run,
                        uint64_t hash)
{
    struct tk_page page = tk_value_index_page_of(run, hash);
    struct tk_cache_key key = {segment->serial, TK_SEGMENT_PAGE_KEY(page.offset)};
    if (page.size > 0 && !tk_cache_has(segment->host->cache, key))
        read_ahead(segment, page.offset, page.size);
}

void
tk_segment_find_ahead(struct tk_segment *segment, struct tk_trace_id id)
{
    struct tk_cache_item *index;
    struct tk_value_index_run run;
    struct tk_error err;
    if (tk_segment_section(segment, &segment->_trace_index, &index, &err) != TK_OK)
        return; /* so who looks will hear */
    uint64_t hash = tk_hash_stable((tk_str){(const char *)&id, sizeof id});
    tk_str rest = *(const tk_str *)index->value;
    while (tk_value_index_next(&rest, &run) == TK_OK)
        tk_segment_lookup_ahead(segment, &run, hash);
    tk_cache_release(index);
}

static void
warm_column(struct tk_segment *segment, const struct tk_schema_view *schema, uint32_t number)
{
    const struct tk_column *column = &schema->columns[number];
    struct tk_cache_item *item;
    struct tk_error err;
    if (column->index.size > 0 && tk_segment_section(segment, &column->index, &item, &err) == TK_OK)
        tk_cache_release(item);
    if (column->dictionary.size > 0 &&
        tk_segment_dictionary(segment, schema, number, &item, &err) == TK_OK)
        tk_cache_release(item);
}

static void
warm_messages(struct tk_segment *segment, enum tk_message what)
{
    struct tk_cache_item *item;
    struct tk_error err;
    uint32_t count = 0;
    enum tk_err code = tk_segment_message_count(segment, what, &count, &err);
    for (uint32_t first = 0; code == TK_OK && first < count; first += TK_RESOURCE_PAGE) {
        code = tk_segment_decoded(segment, what, first / TK_RESOURCE_PAGE, &item, &err);
        if (code == TK_OK)
            tk_cache_release(item);
    }
}

void
tk_segment_warm(struct tk_segment *segment)
{
    struct tk_cache_item *schema_item;
    struct tk_error err;
    if (tk_segment_schema(segment, &schema_item, &err) != TK_OK)
        return;
    const struct tk_schema_view *schema = schema_item->value;
    for (uint32_t i = 0; i < schema->column_count; i++) {
        const struct tk_column *column = &schema->columns[i];
        read_ahead(segment, column->index.offset, column->index.size);
        read_ahead(segment, column->dictionary.offset, column->dictionary.size);
    }
    for (uint32_t i = 0; i < schema->column_count; i++)
        warm_column(segment, schema, i);
    warm_messages(segment, TK_MESSAGE_RESOURCE);
    warm_messages(segment, TK_MESSAGE_SCOPE);
    tk_cache_release(schema_item);
}
