/*
 * range_counts - see range_counts.h.
 *
 * A group is decoded column by column, and only if some of it lies within the range.  Which older
 * source counts a span is asked only where one's times overlap the group's.
 */
#include "store/embedded/range_counts.h"

#include "store/count.h"
#include "store/segment/group.h"
#include "store/segment/number_map.h"
#include "store/segment/varint.h"

#include <stdlib.h>

/* Rows of one group that count, and what there is to know of them but for their codes. */
struct selection {
    uint32_t count;
    uint32_t row[TK_GROUP_ROWS];
    struct tk_counted_span span[TK_GROUP_ROWS];
};

/* Adds the rows selected of a group. */
typedef enum tk_err add_rows(void *arg, struct tk_group *group, struct selection *rows,
                             struct tk_error *err);

/* Takes out the rows that an older source counts. */
static enum tk_err
leave_counted_out(struct tk_counted *counted, struct tk_group *group, struct selection *rows,
                  const uint64_t *starts, struct tk_error *err)
{
    struct tk_values high, low, ids;
    const void *array;
    enum tk_err code = tk_group_values(group, TK_COLUMN_TRACE_HIGH, &high, err);
    if (code == TK_OK)
        code = tk_group_values(group, TK_COLUMN_TRACE_LOW, &low, err);
    if (code == TK_OK)
        code = tk_group_values(group, TK_COLUMN_SPAN_ID, &ids, err);
    if (code == TK_OK)
        code = tk_group_array(group, TK_GROUP_TRACE_ROW, &array, err);
    if (code != TK_OK)
        return code;
    const uint32_t *first_row = array;
    uint32_t kept = 0, trace = 0;
    for (uint32_t i = 0; i < rows->count; i++) {
        uint32_t row = rows->row[i];
        while (row >= first_row[trace + 1])
            trace++;
        struct tk_trace_id id = {high.number[trace], low.number[trace]};
        if (tk_counted_has(counted, id, ids.number[row], starts[row]))
            continue;
        rows->row[kept] = row;
        rows->span[kept++] = rows->span[i];
    }
    rows->count = kept;
    return TK_OK;
}

/* Which code of column STATUS is an error?  UINT64_MAX: none. */
static enum tk_err
find_error_code(const struct tk_range_counts *of, uint64_t *ret_code, struct tk_error *err)
{
    struct tk_cache_item *item;
    *ret_code = tk_zigzag(TK_STATUS_ERROR);
    if (of->schema->columns[TK_COLUMN_STATUS].dictionary.size == 0)
        return TK_OK;
    enum tk_err code = tk_segment_dictionary(of->segment, of->schema, TK_COLUMN_STATUS, &item, err);
    if (code != TK_OK)
        return code;
    const struct tk_dictionary *dictionary = item->value;
    uint64_t error = *ret_code;
    *ret_code = UINT64_MAX;
    for (uint32_t i = 0; i < dictionary->count; i++)
        if (dictionary->numbers[i] == error)
            *ret_code = i;
    tk_cache_release(item);
    return TK_OK;
}

static enum tk_err
select_rows(const struct tk_range_counts *of, struct tk_group *group, uint64_t error_code,
            struct selection *rows, struct tk_error *err)
{
    const struct tk_group_entry *entry = tk_group_entry(group);
    struct tk_values duration, status;
    const void *array;
    enum tk_err code = tk_group_array(group, TK_GROUP_STARTS, &array, err);
    if (code == TK_OK)
        code = tk_group_values(group, TK_COLUMN_DURATION, &duration, err);
    if (code == TK_OK)
        code = tk_group_values(group, TK_COLUMN_STATUS, &status, err);
    if (code != TK_OK)
        return code;
    const uint64_t *starts = array;
    rows->count = 0;
    for (uint32_t row = 0; row < entry->row_count; row++) {
        if (!tk_count_is_within(of->range, starts[row]))
            continue;
        rows->row[rows->count] = row;
        rows->span[rows->count++] = (struct tk_counted_span){
            .bucket = (uint16_t)tk_histogram_bucket(duration.number[row]),
            .is_error = status.number[row] == error_code,
            .end_nano = starts[row] + duration.number[row],
        };
    }
    return tk_counted_may_have(of->counted, entry->start_min, entry->start_max)
               ? leave_counted_out(of->counted, group, rows, starts, err)
               : TK_OK;
}

static enum tk_err
add_group(const struct tk_range_counts *of, uint32_t number, uint64_t error_code,
          struct selection *rows, add_rows *add, void *arg, struct tk_error *err)
{
    struct tk_cache_item *item;
    enum tk_err code = tk_segment_group(of->segment, number, false, &item, err);
    if (code != TK_OK)
        return code;
    code = select_rows(of, item->value, error_code, rows, err);
    if (code == TK_OK && rows->count > 0)
        code = add(arg, item->value, rows, err);
    tk_cache_release(item);
    return code;
}

static enum tk_err
each_group(const struct tk_range_counts *of, add_rows *add, void *arg, struct tk_error *err)
{
    struct selection *rows = malloc(sizeof *rows);
    uint64_t error_code;
    if (rows == NULL)
        return tk_error_set(err, TK_ERR_MEMORY, "out of memory for counting");
    enum tk_err code = find_error_code(of, &error_code, err);
    for (uint32_t g = 0; g < of->segment->group_count && code == TK_OK; g++) {
        const struct tk_group_entry *group = &of->segment->groups[g];
        if (tk_count_misses(of->range, group->start_min, group->start_max))
            continue;
        code = tk_count_go_on(of->range, err);
        if (code == TK_OK)
            code = add_group(of, g, error_code, rows, add, arg, err);
        if (code == TK_ERR_CORRUPT) /* was reported; the rest counts */
            code = TK_OK;
    }
    free(rows);
    return code;
}

/* ---- by code of a column ---- */

struct by_code {
    const struct tk_range_counts *of;
    uint32_t column;
    struct tk_counts *counts;
};

/* The place of the column in each shape, plus one; 0: the shape has it not. */
static uint32_t
place_in_shape(const struct tk_schema_view *schema, uint32_t shape, uint32_t column)
{
    const struct tk_shape *columns = &schema->shapes[shape];
    for (uint32_t i = 0; shape != 0 && i < columns->count; i++)
        if (columns->columns[i] == column)
            return i + 1;
    return 0;
}

/* Rows without the attribute go; *code[] of the rest is set. */
static enum tk_err
find_codes_of_attribute(const struct by_code *by, struct tk_group *group, struct selection *rows,
                        struct tk_error *err)
{
    struct tk_group_attrs attrs;
    struct tk_values values;
    uint32_t kept = 0, last_shape = 0, place = 0;
    enum tk_err code = tk_group_values(group, by->column, &values, err);
    if (code == TK_OK)
        code = tk_group_attrs(group, TK_COLUMN_OF_SPAN, &attrs, err);
    if (code != TK_OK)
        return code;
    for (uint32_t i = 0; i < rows->count; i++) {
        uint32_t row = rows->row[i], shape = attrs.shape[row];
        if (shape != last_shape)
            place = place_in_shape(by->of->schema, last_shape = shape, by->column);
        if (place == 0)
            continue;
        rows->span[kept] = rows->span[i];
        rows->span[kept++].code = (uint32_t)values.number[attrs.at[attrs.begin[row] + place - 1]];
    }
    rows->count = kept;
    return TK_OK;
}

static enum tk_err
add_codes(void *arg, struct tk_group *group, struct selection *rows, struct tk_error *err)
{
    const struct by_code *by = arg;
    struct tk_values values;
    enum tk_err code;
    if (by->column >= TK_COLUMN_FIXED) {
        code = find_codes_of_attribute(by, group, rows, err);
    } else {
        code = tk_group_values(group, by->column, &values, err);
        for (uint32_t i = 0; i < rows->count && code == TK_OK; i++)
            rows->span[i].code = (uint32_t)values.number[rows->row[i]];
    }
    if (code == TK_OK) {
        code = tk_counts_add(by->counts, rows->span, rows->count);
        if (code != TK_OK)
            return tk_error_set(err, code, "out of memory for counting");
    }
    return code;
}

enum tk_err
tk_range_codes(const struct tk_range_counts *of, uint32_t column, struct tk_counts *to,
               struct tk_error *err)
{
    struct by_code by = {of, column, to};
    if (tk_counts_init(to, of->schema->columns[column].distinct) != TK_OK)
        return tk_error_set(err, TK_ERR_MEMORY, "out of memory for counting");
    enum tk_err code = each_group(of, add_codes, &by, err);
    if (code != TK_OK)
        tk_counts_release(to);
    return code;
}

/* ---- by operation ---- */

struct by_operation {
    const struct tk_range_counts *of;
    const struct tk_dictionary *names, *kinds;
    struct tk_operations *operations;
    struct tk_number_map numbers; /* resource, code of the name, of the kind -> operation */
};

static enum tk_err
intern_operation(struct by_operation *by, uint64_t resource, uint64_t name, uint64_t kind,
                 uint32_t *ret_number, struct tk_error *err)
{
    struct tk_cache_item *item;
    enum tk_err code = tk_segment_decoded(by->of->segment, TK_MESSAGE_RESOURCE,
                                          (uint32_t)resource / TK_RESOURCE_PAGE, &item, err);
    if (code != TK_OK)
        return code;
    const struct tk_batch *page = item->value;
    uint32_t place = (uint32_t)resource % TK_RESOURCE_PAGE;
    code = place < page->resource_count
               ? tk_operations_intern(by->operations, tk_batch_resource_service(page, place),
                                      by->names->texts[name],
                                      (int32_t)tk_unzigzag(by->kinds->numbers[kind]), ret_number)
               : TK_ERR_CORRUPT;
    tk_cache_release(item);
    if (code == TK_OK && *ret_number == UINT32_MAX)
        return TK_ERR_NOT_FOUND;
    return code == TK_ERR_MEMORY ? tk_error_set(err, code, "out of memory for counting") : code;
}

static enum tk_err
add_operations(void *arg, struct tk_group *group, struct selection *rows, struct tk_error *err)
{
    enum { NAME_SHIFT = 8, RESOURCE_SHIFT = 32 }; /* kinds are at most 256, names 65,536 */
    struct by_operation *by = arg;
    struct tk_values resource, name, kind;
    enum tk_err code = tk_group_values(group, TK_COLUMN_RESOURCE, &resource, err);
    if (code == TK_OK)
        code = tk_group_values(group, TK_COLUMN_NAME, &name, err);
    if (code == TK_OK)
        code = tk_group_values(group, TK_COLUMN_KIND, &kind, err);
    for (uint32_t i = 0; i < rows->count && code == TK_OK; i++) {
        uint32_t row = rows->row[i], *number = &rows->span[i].code;
        uint64_t key = resource.number[row] << RESOURCE_SHIFT | name.number[row] << NAME_SHIFT |
                       kind.number[row];
        if (tk_number_map_find(&by->numbers, key, number))
            continue;
        code = intern_operation(by, resource.number[row], name.number[row], kind.number[row],
                                number, err);
        if (code == TK_OK && tk_number_map_add(&by->numbers, key, *number) != TK_OK)
            code = tk_error_set(err, TK_ERR_MEMORY, "out of memory for counting");
    }
    if (code == TK_OK && tk_operations_add(by->operations, rows->span, rows->count) != TK_OK)
        code = tk_error_set(err, TK_ERR_MEMORY, "out of memory for counting");
    return code;
}

enum tk_err
tk_range_operations(const struct tk_range_counts *of, struct tk_operations *to,
                    struct tk_error *err)
{
    struct by_operation by = {.of = of, .operations = to};
    struct tk_cache_item *names, *kinds;
    if (of->schema->columns[TK_COLUMN_NAME].dictionary.size == 0 ||
        of->schema->columns[TK_COLUMN_KIND].dictionary.size == 0)
        return TK_ERR_NOT_FOUND;
    enum tk_err code = tk_segment_dictionary(of->segment, of->schema, TK_COLUMN_NAME, &names, err);
    if (code != TK_OK)
        return code;
    code = tk_segment_dictionary(of->segment, of->schema, TK_COLUMN_KIND, &kinds, err);
    if (code == TK_OK) {
        by.names = names->value;
        by.kinds = kinds->value;
        code = each_group(of, add_operations, &by, err);
        tk_number_map_release(&by.numbers);
        tk_cache_release(kinds);
    }
    tk_cache_release(names);
    return code;
}
