/*
 * check_summary - the summaries of a segment against its rows (internal.h): they are made again,
 * and must be the same bytes.
 */
#include "store/embedded/internal.h"

#include "store/segment/group.h"
#include "store/segment/summary.h"
#include "store/segment/varint.h"

#include <stdlib.h>

struct remaking {
    struct tk_segment *segment;
    uint64_t error_code; /* of column STATUS */
    struct tk_summary_writer writer;
    struct tk_arena arena;
    struct tk_intern services;
    uint32_t *service_of; /* [resource_count]; service + 1; 0: not known yet */
    uint32_t resource_count;
};

static enum tk_err
no_memory(struct tk_error *err)
{
    return tk_error_set(err, TK_ERR_MEMORY, "out of memory");
}

static enum tk_err
find_service(struct remaking *re, uint64_t resource, uint32_t *ret_service, struct tk_error *err)
{
    struct tk_cache_item *item;
    if (resource >= re->resource_count)
        return TK_ERR_CORRUPT; /* what becomes of its spans was checked before */
    if (re->service_of[resource] == 0) {
        uint32_t page = (uint32_t)resource / TK_RESOURCE_PAGE, number = 0;
        uint32_t place = (uint32_t)resource % TK_RESOURCE_PAGE;
        enum tk_err code = tk_segment_decoded(re->segment, TK_MESSAGE_RESOURCE, page, &item, err);
        if (code != TK_OK)
            return code;
        const struct tk_batch *resources = item->value;
        code = place < resources->resource_count
                   ? tk_intern_copy(&re->services, &re->arena,
                                    tk_batch_resource_service(resources, place), &number)
                   : TK_ERR_CORRUPT;
        tk_cache_release(item);
        if (code != TK_OK)
            return code == TK_ERR_CORRUPT ? code : no_memory(err);
        re->service_of[resource] = number + 1;
    }
    *ret_service = re->service_of[resource] - 1;
    return TK_OK;
}

static enum tk_err
add_rows(struct remaking *re, struct tk_group *group, struct tk_error *err)
{
    struct tk_counted_span rows[TK_GROUP_ROWS];
    struct tk_values resources, status, durations;
    uint32_t count = tk_group_entry(group)->row_count;
    enum tk_err code = tk_group_values(group, TK_COLUMN_RESOURCE, &resources, err);
    if (code == TK_OK)
        code = tk_group_values(group, TK_COLUMN_STATUS, &status, err);
    if (code == TK_OK)
        code = tk_group_values(group, TK_COLUMN_DURATION, &durations, err);
    for (uint32_t i = 0; i < count && code == TK_OK; i++) {
        rows[i] = (struct tk_counted_span){
            .bucket = (uint16_t)tk_histogram_bucket(durations.number[i]),
            .is_error = status.number[i] == re->error_code,
        };
        code = find_service(re, resources.number[i], &rows[i].code, err);
    }
    if (code != TK_OK)
        return code;
    code = tk_summary_writer_rows(&re->writer, rows, resources.number, count);
    return code == TK_OK ? TK_OK : no_memory(err);
}

static enum tk_err
remake(struct remaking *re, tk_str *ret_section, struct tk_error *err)
{
    enum tk_err code = TK_OK;
    for (uint32_t g = 0; g < re->segment->group_count && code == TK_OK; g++) {
        struct tk_cache_item *item;
        code = tk_segment_group(re->segment, g, false, &item, err);
        if (code != TK_OK)
            return code;
        code = add_rows(re, item->value, err);
        tk_cache_release(item);
        tk_summary_writer_end_group(&re->writer, re->segment->groups[g].size);
    }
    if (code == TK_OK && tk_summary_writer_section(&re->writer, ret_section) != TK_OK)
        code = no_memory(err);
    return code;
}

enum tk_err
tk_check_summaries(struct tk_segment *segment, const struct tk_schema_view *schema,
                   struct tk_error *err)
{
    struct remaking re = {.segment = segment};
    struct tk_cache_item *item;
    tk_str section;
    enum tk_err code = tk_segment_summaries(segment, &item, err);
    if (code != TK_OK)
        return code == TK_ERR_NOT_FOUND ? TK_OK : code;
    const struct tk_summaries *summaries = item->value;
    tk_arena_init(&re.arena, 4096, SIZE_MAX / 2);
    tk_intern_init(&re.services, TK_BATCH_ELEMENTS_MAX);
    code = tk_segment_message_count(segment, TK_MESSAGE_RESOURCE, &re.resource_count, err);
    if (code == TK_OK)
        code = tk_segment_code(segment, schema, TK_COLUMN_STATUS, tk_zigzag(TK_STATUS_ERROR),
                               &re.error_code, err);
    if (code == TK_OK && tk_summary_writer_init(&re.writer, re.resource_count) != TK_OK)
        code = no_memory(err);
    if (code == TK_OK &&
        (re.service_of = calloc((size_t)re.resource_count + 1, sizeof *re.service_of)) == NULL)
        code = no_memory(err);
    if (code == TK_OK)
        code = remake(&re, &section, err);
    if (code == TK_OK && !tk_str_eq(section, summaries->section))
        code = tk_segment_corrupt(segment, segment->summaries.offset, "summaries",
                                  "they are not what the rows say", err);
    tk_cache_release(item);
    tk_summary_writer_release(&re.writer);
    free(re.service_of);
    tk_intern_release(&re.services);
    tk_arena_release(&re.arena);
    return code;
}
