/* merge_block - see merge_block.h. */
#include "store/segment/merge_block.h"

#include "store/segment/told.h"
#include "store/segment/varint.h"

#include <stdlib.h>

static enum tk_err
no_memory(struct tk_error *err)
{
    return tk_error_set(err, TK_ERR_MEMORY, "out of memory for merging segments");
}

static enum tk_err
corrupt(struct tk_merge_block *block, const char *why, struct tk_error *err)
{
    return tk_segment_corrupt(block->segment, block->entry->offset, "a group", why, err);
}

/* ---- opening ---------------------------------------------------------------------------------*/

/* A code that stands for nothing, or a value where the schema says there is none, would only show
   in the new file. */
static enum tk_err
check_values(struct tk_merge_block *block, uint32_t column, const struct tk_values *values,
             struct tk_error *err)
{
    const struct tk_column *of = &block->map->schema->columns[column];
    if (of->value_count == 0 && values->count > 0)
        return corrupt(block, "it has values of an empty column", err);
    const uint32_t *codes = block->map->columns[column].codes;
    uint32_t limit = column == TK_COLUMN_RESOURCE  ? block->map->resource_count
                     : column == TK_COLUMN_SCOPE   ? block->map->scope_count
                     : codes == block->map->shapes ? block->map->schema->shape_count
                                                   : of->distinct;
    bool limited = of->kind == TK_COLUMN_DICTIONARY || codes != NULL;
    for (uint32_t i = 0; limited && i < values->count; i++)
        if (values->number[i] >= limit)
            return corrupt(block, "a code stands for nothing", err);
    return TK_OK;
}

static enum tk_err
load_columns(struct tk_merge_block *block, uint32_t begin, uint32_t end, struct tk_error *err)
{
    enum tk_err code = TK_OK;
    for (uint32_t c = begin; c < end && code == TK_OK; c++) {
        code = tk_group_values(block->group, c, &block->fixed[c], err);
        if (code == TK_OK)
            code = check_values(block, c, &block->fixed[c], err);
    }
    return code;
}

static enum tk_err
load_arrays(struct tk_merge_block *block, struct tk_error *err)
{
    const void *trace_row, *event_begin, *link_begin, *starts;
    enum tk_err code = tk_group_array(block->group, TK_GROUP_TRACE_ROW, &trace_row, err);
    if (code == TK_OK)
        code = tk_group_array(block->group, TK_GROUP_EVENT_BEGIN, &event_begin, err);
    if (code == TK_OK)
        code = tk_group_array(block->group, TK_GROUP_LINK_BEGIN, &link_begin, err);
    if (code == TK_OK)
        code = tk_group_array(block->group, TK_GROUP_STARTS, &starts, err);
    for (int owner = TK_COLUMN_OF_SPAN; owner <= TK_COLUMN_OF_LINK && code == TK_OK; owner++)
        code = tk_group_attrs(block->group, (enum tk_column_owner)owner, &block->attrs[owner], err);
    if (code != TK_OK)
        return code;
    block->trace_row = trace_row;
    block->event_begin = event_begin;
    block->link_begin = link_begin;
    block->starts = starts;
    return TK_OK;
}

/* A parent in the same trace and group is told by how far it is away. */
static enum tk_err
load_parents(struct tk_merge_block *block, struct tk_error *err)
{
    const struct tk_values *parents = &block->fixed[TK_COLUMN_PARENT];
    const uint64_t *far = block->fixed[TK_COLUMN_PARENT_ID].number;
    block->parents = malloc(((size_t)parents->count + 1) * sizeof *block->parents);
    if (block->parents == NULL)
        return no_memory(err);
    for (uint32_t row = 0; row < parents->count; row++) {
        uint64_t number = parents->number[row];
        if (number < 2) {
            block->parents[row] = number == 0 ? 0 : *far++;
            continue;
        }
        int64_t at = (int64_t)row - tk_unzigzag(number - 2);
        if (at < 0 || at >= parents->count)
            return corrupt(block, "a parent is nowhere", err);
        block->parents[row] = block->fixed[TK_COLUMN_SPAN_ID].number[at];
    }
    return TK_OK;
}

static void
close_block(struct tk_merge_block *block)
{
    tk_group_close(block->group);
    free(block->attributes);
    free(block->parents);
    free(block->numbers);
    free(block->texts);
    *block = (struct tk_merge_block){.used = 0};
}

static enum tk_err
open_block(struct tk_merge_block *block, struct tk_segment *segment,
           const struct tk_source_map *map, uint32_t number, struct tk_error *err)
{
    enum tk_err code = tk_group_open(segment, number, true, &block->group, err);
    if (code != TK_OK)
        return code;
    block->segment = segment;
    block->map = map;
    block->number = number;
    block->entry = tk_group_entry(block->group);
    block->attributes = calloc(map->schema->column_count, sizeof *block->attributes);
    return block->attributes != NULL ? load_columns(block, 0, TK_COLUMN_SPAN_ID, err)
                                     : no_memory(err);
}

enum tk_err
tk_merge_block_prepare(struct tk_merge_block *block, struct tk_error *err)
{
    if (block->prepared)
        return TK_OK;
    enum tk_err code = load_columns(block, TK_COLUMN_SPAN_ID, TK_COLUMN_FIXED, err);
    if (code == TK_OK)
        code = load_arrays(block, err);
    if (code == TK_OK)
        code = load_parents(block, err);
    block->prepared = code == TK_OK;
    return code;
}

enum tk_err
tk_merge_blocks_init(struct tk_merge_blocks *blocks, uint32_t count)
{
    *blocks = (struct tk_merge_blocks){calloc(count, sizeof *blocks->block), count, 0};
    return blocks->block != NULL ? TK_OK : TK_ERR_MEMORY;
}

void
tk_merge_blocks_release(struct tk_merge_blocks *blocks)
{
    for (uint32_t i = 0; blocks->block != NULL && i < blocks->block_count; i++)
        close_block(&blocks->block[i]);
    free(blocks->block);
}

enum tk_err
tk_merge_blocks_get(struct tk_merge_blocks *blocks, struct tk_segment *segment,
                    const struct tk_source_map *map, uint32_t number,
                    struct tk_merge_block **ret_block, struct tk_error *err)
{
    struct tk_merge_block *oldest = &blocks->block[0];
    for (uint32_t i = 0; i < blocks->block_count; i++) {
        struct tk_merge_block *block = &blocks->block[i];
        if (block->segment == segment && block->number == number) {
            block->used = ++blocks->_clock;
            *ret_block = block;
            return TK_OK;
        }
        if (block->used < oldest->used)
            oldest = block;
    }
    close_block(oldest);
    enum tk_err code = open_block(oldest, segment, map, number, err);
    if (code != TK_OK) {
        close_block(oldest);
        return code;
    }
    oldest->used = ++blocks->_clock;
    *ret_block = oldest;
    return TK_OK;
}

/* ---- rows ------------------------------------------------------------------------------------*/

static enum tk_err
get_column(struct tk_merge_block *block, uint32_t column, const struct tk_values **ret_values,
           struct tk_error *err)
{
    struct tk_values *values = column < TK_COLUMN_FIXED
                                   ? &block->fixed[column]
                                   : &block->attributes[column - TK_COLUMN_FIXED];
    enum tk_err code = TK_OK;
    if (values->count == 0) {
        code = tk_group_values(block->group, column, values, err);
        if (code == TK_OK)
            code = check_values(block, column, values, err);
    }
    *ret_values = values;
    return code;
}

static uint64_t
count_key_values(tk_str attributes)
{
    struct tk_reader in = {(const unsigned char *)attributes.ptr,
                           (const unsigned char *)attributes.ptr + attributes.len, true};
    uint64_t count = 0;
    for (; in.at < in.end && in.ok; count++) {
        (void)tk_get_varint(&in); /* KeyValueList.values, the only field */
        (void)tk_get_bytes(&in, tk_get_varint(&in));
    }
    return count;
}

enum tk_err
tk_merge_block_fullness(struct tk_merge_block *block, uint32_t row, uint64_t *ret_size,
                        struct tk_error *err)
{
    const struct tk_group_attrs *attrs = &block->attrs[TK_COLUMN_OF_SPAN];
    uint64_t size =
        block->fixed[TK_COLUMN_EVENTS].number[row] + block->fixed[TK_COLUMN_LINKS].number[row];
    enum tk_err code = TK_OK;
    if (attrs->shape[row] == 0) {
        const struct tk_values *other;
        code = get_column(block, TK_COLUMN_OTHER, &other, err);
        if (code == TK_OK)
            size += count_key_values(other->text[attrs->at[attrs->begin[row]]]);
    } else {
        size += attrs->begin[row + 1] - attrs->begin[row];
    }
    *ret_size = size;
    return code;
}

/* Value `at` of a column goes to the end of the column that it is mapped to. */
static void
copy_value(const struct tk_merge_block *block, uint32_t column, const struct tk_values *values,
           uint32_t at, struct tk_segment_writer *writer)
{
    const struct tk_column_map *map = &block->map->columns[column];
    if (block->map->schema->columns[column].kind == TK_COLUMN_PLAIN)
        tk_segment_writer_text(writer, map->to, values->text[at]);
    else if (map->texts != NULL)
        tk_segment_writer_text(writer, map->to, map->texts[values->number[at]]);
    else if (map->numbers != NULL)
        tk_segment_writer_number(writer, map->to, map->numbers[values->number[at]]);
    else if (map->codes != NULL)
        tk_segment_writer_number(writer, map->to, map->codes[values->number[at]]);
    else
        tk_segment_writer_number(writer, map->to, values->number[at]);
}

/* The attributes of a span, event or link. */
static enum tk_err
copy_attributes(struct tk_merge_block *block, enum tk_column_owner owner, uint32_t number,
                struct tk_segment_writer *writer, struct tk_error *err)
{
    static const uint32_t others[] = {0, TK_COLUMN_OTHER, TK_COLUMN_EVENT_OTHER,
                                      TK_COLUMN_LINK_OTHER};
    const struct tk_group_attrs *attrs = &block->attrs[owner];
    const struct tk_shape *shape = &block->map->schema->shapes[attrs->shape[number]];
    enum tk_err code = TK_OK;
    for (uint32_t i = attrs->begin[number]; i < attrs->begin[number + 1] && code == TK_OK; i++) {
        uint32_t column =
            attrs->shape[number] == 0 ? others[owner] : shape->columns[i - attrs->begin[number]];
        const struct tk_values *values;
        code = get_column(block, column, &values, err);
        if (code == TK_OK)
            copy_value(block, column, values, attrs->at[i], writer);
    }
    return code;
}

static enum tk_err
copy_elements(struct tk_merge_block *block, enum tk_column_owner owner, uint32_t begin,
              uint32_t end, struct tk_segment_writer *writer, struct tk_error *err)
{
    uint32_t first = owner == TK_COLUMN_OF_EVENT ? TK_COLUMN_EVENT_TIME : TK_COLUMN_LINK_HIGH;
    uint32_t other = owner == TK_COLUMN_OF_EVENT ? TK_COLUMN_EVENT_OTHER : TK_COLUMN_LINK_OTHER;
    enum tk_err code = TK_OK;
    for (uint32_t i = begin; i < end && code == TK_OK; i++) {
        for (uint32_t c = first; c < other; c++)
            copy_value(block, c, &block->fixed[c], i, writer);
        code = copy_attributes(block, owner, i, writer, err);
    }
    return code;
}

enum tk_err
tk_merge_block_copy(struct tk_merge_block *block, uint32_t row, struct tk_segment_writer *writer,
                    const struct tk_schema *schema, struct tk_error *err)
{
    struct tk_row to = {.span_id = block->fixed[TK_COLUMN_SPAN_ID].number[row],
                        .parent_id = block->parents[row],
                        .start_nano = block->starts[row],
                        .duration_nano = block->fixed[TK_COLUMN_DURATION].number[row]};
    for (uint32_t c = TK_COLUMN_NAME; c < TK_COLUMN_OTHER; c++) {
        const struct tk_column_map *map = &block->map->columns[c];
        if (schema->columns[c].column.kind == TK_COLUMN_PLAIN)
            continue;
        uint64_t number = block->fixed[c].number[row];
        to.fixed[c] = map->codes != NULL     ? map->codes[number]
                      : map->numbers != NULL ? map->numbers[number]
                                             : number;
    }
    enum tk_err code = tk_segment_writer_row(writer, &to, err);
    for (uint32_t c = TK_COLUMN_NAME; c <= TK_COLUMN_STATUS_MESSAGE && code == TK_OK; c++)
        if (schema->columns[c].column.kind == TK_COLUMN_PLAIN)
            copy_value(block, c, &block->fixed[c], row, writer);
    if (code == TK_OK)
        code = copy_attributes(block, TK_COLUMN_OF_SPAN, row, writer, err);
    if (code == TK_OK)
        code = copy_elements(block, TK_COLUMN_OF_EVENT, block->event_begin[row],
                             block->event_begin[row + 1], writer, err);
    if (code == TK_OK)
        code = copy_elements(block, TK_COLUMN_OF_LINK, block->link_begin[row],
                             block->link_begin[row + 1], writer, err);
    return code;
}

/* ---- whole groups ------------------------------------------------------------------------------
 */

static enum tk_err
reserve_scratch(struct tk_merge_block *block, uint32_t count, struct tk_error *err)
{
    if (count <= block->scratch_count)
        return TK_OK;
    uint32_t capacity = count < TK_GROUP_ROWS ? TK_GROUP_ROWS : count;
    uint64_t *numbers = realloc(block->numbers, capacity * sizeof *numbers);
    if (numbers != NULL)
        block->numbers = numbers;
    tk_str *texts = realloc(block->texts, capacity * sizeof *texts);
    if (texts != NULL)
        block->texts = texts;
    if (numbers == NULL || texts == NULL)
        return no_memory(err);
    block->scratch_count = capacity;
    return TK_OK;
}

/* Codes become other codes, or values. */
static enum tk_err
copy_codes(struct tk_merge_block *block, uint32_t column, struct tk_segment_writer *writer,
           struct tk_error *err)
{
    const struct tk_column_map *map = &block->map->columns[column];
    struct tk_values values;
    enum tk_err code = tk_group_values(block->group, column, &values, err);
    if (code == TK_OK)
        code = check_values(block, column, &values, err);
    if (code == TK_OK)
        code = reserve_scratch(block, values.count, err);
    if (code != TK_OK || values.count == 0)
        return code;
    for (uint32_t i = 0; i < values.count; i++) {
        uint64_t number = values.number[i];
        if (map->texts != NULL)
            block->texts[i] = map->texts[number];
        else
            block->numbers[i] = map->codes != NULL ? map->codes[number] : map->numbers[number];
    }
    tk_segment_writer_copy_values(writer, map->to, values.count, block->numbers, block->texts);
    return TK_OK;
}

/* Is it told by the group how many values a fixed column has? */
static uint32_t
count_of(const struct tk_merge_block *block, uint32_t column)
{
    const struct tk_group_entry *entry = block->entry;
    if (column <= TK_COLUMN_TRACE_TOTAL)
        return entry->trace_count;
    if (column < TK_COLUMN_EVENT_TIME)
        return entry->row_count;
    return column < TK_COLUMN_LINK_HIGH ? entry->event_count : entry->link_count;
}

/* Values stay what they are: the chunk does. */
static enum tk_err
copy_chunk(struct tk_merge_block *block, uint32_t column, struct tk_segment_writer *writer,
           struct tk_error *err)
{
    uint32_t to = block->map->columns[column].to;
    struct tk_values values = {0};
    tk_str chunk;
    uint32_t checksum;
    enum tk_err code = tk_group_chunk(block->group, column, &chunk, &checksum, err);
    bool by_trace = tk_told_of(TK_SEGMENT_VERSION, column) == TK_TOLD_BY_TRACE;
    if (code == TK_OK && ((chunk.len == 0 && !by_trace) || column == TK_COLUMN_PARENT_ID ||
                          tk_segment_writer_wants(writer, to)))
        code = tk_group_values(block->group, column, &values, err);
    else if (code == TK_OK)
        values.count = count_of(block, column);
    if (code == TK_OK && (values.number != NULL || values.text != NULL))
        code = check_values(block, column, &values, err);
    if (code != TK_OK || values.count == 0)
        return code;
    if (chunk.len > 0 || by_trace)
        tk_segment_writer_copy_chunk(writer, to, values.count, chunk, checksum);
    if (values.number != NULL || values.text != NULL)
        tk_segment_writer_copy_values(writer, to, values.count, values.number, values.text);
    return TK_OK;
}

enum tk_err
tk_merge_block_copy_all(struct tk_merge_block *block, struct tk_segment_writer *writer,
                        struct tk_error *err)
{
    const struct tk_schema_view *schema = block->map->schema;
    const struct tk_values *starts = &block->fixed[TK_COLUMN_TRACE_START];
    uint64_t end_max = 0;
    enum tk_err code = TK_OK;
    for (uint32_t c = 0; c < schema->column_count && code == TK_OK; c++) {
        const struct tk_column_map *map = &block->map->columns[c];
        bool codes =
            (map->codes != NULL && !map->same) || map->texts != NULL || map->numbers != NULL;
        code = codes ? copy_codes(block, c, writer, err) : copy_chunk(block, c, writer, err);
    }
    for (uint32_t i = 0; i < starts->count; i++) {
        uint64_t end = starts->number[i] + block->fixed[TK_COLUMN_TRACE_DURATION].number[i];
        end_max = end > end_max ? end : end_max;
    }
    if (code != TK_OK)
        return code;
    return tk_segment_writer_copy_end(writer, block->entry, starts->count, end_max, err);
}
