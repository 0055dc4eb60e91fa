/*
 * range_counts - see range_counts.h.
 *
 * A group is decoded column by column, and only if some of it lies within the range.  Most lie
 * within one step as a whole: of those nobody asks when a row starts.  What they count by service
 * their summaries say (summary.h), what else they counted is remembered (block_counts.h).  Which
 * older source counts a span is asked only where one's times overlap the group's.
 */
#include "store/embedded/range_counts.h"

#include "base/assert.h"
#include "store/count.h"
#include "store/embedded/block_counts.h"
#include "store/segment/group.h"
#include "store/segment/number_map.h"
#include "store/segment/summary.h"
#include "store/segment/varint.h"

#include <stdlib.h>

enum { ARENA_CHUNK = 4096, SERVICES_MAX = 1 << 28 };

/* Rows of one group that count. */
struct selection {
    uint32_t count;
    bool one_step; /* all are of step[0]; the rest of step[] is not set */
    uint32_t row[TK_GROUP_ROWS], step[TK_GROUP_ROWS], code[TK_GROUP_ROWS];
};

struct counter {
    const struct tk_range_counts *of;
    struct tk_counts counts; /* of one step: */
    uint32_t step;
    bool any;            /* something was counted and not told yet */
    uint32_t code_count; /* that counts may have something of */
    uint64_t error_code; /* of column STATUS; UINT64_MAX: none */
    struct selection rows;
    /* Of the group at hand, by row; NULL: not asked. */
    const uint64_t *status, *duration, *start;
    /* Sets code[] of the rows; those that count for none go. */
    enum tk_err (*find_codes)(struct counter *counter, struct tk_group *group,
                              struct tk_error *err);
    enum tk_err (*tell)(struct counter *counter); /* what was counted */
    enum tk_err told;                             /* what that returned */
    uint32_t flushes;                             /* how often something was told */
    /* What blocks are remembered as; what code stands for, and the code for it. */
    uint32_t what;
    const struct tk_summaries *summaries; /* of services; or NULL */
    struct tk_block_count (*name_code)(const struct counter *counter, uint32_t code);
    enum tk_err (*find_code)(struct counter *counter, const struct tk_block_count *of,
                             uint32_t *ret_code, struct tk_error *err);
};

static enum tk_err
no_memory(struct tk_error *err)
{
    return tk_error_set(err, TK_ERR_MEMORY, "out of memory for counting");
}

static bool
wants(const struct counter *counter, enum tk_count_detail detail)
{
    return (counter->of->range->details & detail) != 0;
}

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
        rows->step[kept++] = rows->step[i];
    }
    rows->count = kept;
    return TK_OK;
}

/* Are all rows within one step, and may none be counted elsewhere? */
static bool
is_whole(const struct counter *counter, const struct tk_group_entry *entry)
{
    const struct tk_store_range *range = counter->of->range;
    return tk_count_is_within(range, entry->start_min) &&
           tk_count_is_within(range, entry->start_max) &&
           tk_count_step(range, entry->start_min) == tk_count_step(range, entry->start_max) &&
           !tk_counted_may_have(counter->of->counted, entry->start_min, entry->start_max);
}

static void
select_all(struct selection *rows, uint32_t count, uint32_t step)
{
    rows->count = count;
    rows->one_step = true;
    rows->step[0] = step;
    for (uint32_t row = 0; row < count; row++)
        rows->row[row] = row;
}

static enum tk_err
select_by_start(struct counter *counter, struct tk_group *group, struct tk_error *err)
{
    const struct tk_group_entry *entry = tk_group_entry(group);
    const struct tk_store_range *range = counter->of->range;
    struct selection *rows = &counter->rows;
    rows->count = 0;
    rows->one_step = false;
    for (uint32_t row = 0; row < entry->row_count; row++) {
        if (!tk_count_is_within(range, counter->start[row]))
            continue;
        rows->row[rows->count] = row;
        rows->step[rows->count++] = tk_count_step(range, counter->start[row]);
    }
    return tk_counted_may_have(counter->of->counted, entry->start_min, entry->start_max)
               ? leave_counted_out(counter->of->counted, group, rows, counter->start, err)
               : TK_OK;
}

/* Which rows count, and for which steps. */
static enum tk_err
select_rows(struct counter *counter, struct tk_group *group, struct tk_error *err)
{
    const struct tk_group_entry *entry = tk_group_entry(group);
    bool whole = is_whole(counter, entry), last = wants(counter, TK_COUNT_LAST);
    struct tk_values duration = {0}, status;
    const void *starts = NULL;
    enum tk_err code = tk_group_values(group, TK_COLUMN_STATUS, &status, err);
    if (code == TK_OK && (!whole || last))
        code = tk_group_array(group, TK_GROUP_STARTS, &starts, err);
    if (code == TK_OK && (last || wants(counter, TK_COUNT_DURATIONS)))
        code = tk_group_values(group, TK_COLUMN_DURATION, &duration, err);
    if (code != TK_OK)
        return code;
    counter->start = starts;
    counter->status = status.number;
    counter->duration = duration.number;
    if (!whole)
        return select_by_start(counter, group, err);
    select_all(&counter->rows, entry->row_count,
               tk_count_step(counter->of->range, entry->start_min));
    return TK_OK;
}

/* Tells what was counted, and forgets it. */
static enum tk_err
flush(struct counter *counter)
{
    if (!counter->any)
        return TK_OK;
    counter->any = false;
    counter->flushes++;
    counter->told = counter->tell(counter);
    tk_counts_clear(&counter->counts, counter->code_count);
    return counter->told;
}

/* `count` rows of the one step that is being counted. */
static enum tk_err
add_rows(struct counter *counter, const uint32_t *row, const uint32_t *code, uint32_t count)
{
    enum { AT_ONCE = 64 };
    struct tk_counted_span spans[AT_ONCE];
    struct tk_counts *counts = &counter->counts;
    enum tk_err result = TK_OK;
    if (counter->duration == NULL) {
        for (uint32_t i = 0; i < count; i++) {
            counts->span_count[code[i]]++;
            counts->error_count[code[i]] += counter->status[row[i]] == counter->error_code;
        }
        return TK_OK;
    }
    for (uint32_t at = 0, n = 0; at < count && result == TK_OK; at += n) {
        for (n = 0; n < AT_ONCE && at + n < count; n++) {
            uint32_t of = row[at + n];
            uint64_t duration = counter->duration[of];
            spans[n] = (struct tk_counted_span){
                .code = code[at + n],
                .bucket = (uint16_t)tk_histogram_bucket(duration),
                .is_error = counter->status[of] == counter->error_code,
                .end_nano = counter->start != NULL ? counter->start[of] + duration : 0,
            };
        }
        result = tk_counts_add(counts, spans, n);
    }
    return result;
}

static enum tk_err
add_to_step(struct counter *counter, uint32_t step, const uint32_t *row, const uint32_t *code,
            uint32_t count, struct tk_error *err)
{
    enum tk_err result = step != counter->step ? flush(counter) : TK_OK;
    if (result != TK_OK)
        return result;
    counter->step = step;
    counter->any = true;
    return add_rows(counter, row, code, count) == TK_OK ? TK_OK : no_memory(err);
}

static int
compare_numbers(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Rows of several steps, step by step. */
static enum tk_err
add_by_step(struct counter *counter, struct tk_error *err)
{
    const struct selection *rows = &counter->rows;
    uint64_t order[TK_GROUP_ROWS]; /* step, place */
    uint32_t row[TK_GROUP_ROWS], code[TK_GROUP_ROWS];
    enum tk_err result = TK_OK;
    for (uint32_t i = 0; i < rows->count; i++)
        order[i] = (uint64_t)rows->step[i] << 32 | i;
    qsort(order, rows->count, sizeof *order, compare_numbers);
    for (uint32_t i = 0; i < rows->count; i++) {
        row[i] = rows->row[(uint32_t)order[i]];
        code[i] = rows->code[(uint32_t)order[i]];
    }
    for (uint32_t begin = 0, end; begin < rows->count && result == TK_OK; begin = end) {
        uint32_t step = (uint32_t)(order[begin] >> 32);
        for (end = begin + 1; end < rows->count && order[end] >> 32 == step;)
            end++;
        result = add_to_step(counter, step, row + begin, code + begin, end - begin, err);
    }
    return result;
}

/* Not through the cache: there may be many thousands, and what else is in it would go. */
static enum tk_err
add_group(struct counter *counter, uint32_t number, struct tk_error *err)
{
    const struct selection *rows = &counter->rows;
    struct tk_group *group;
    enum tk_err code = tk_group_open(counter->of->segment, number, false, &group, err);
    if (code != TK_OK)
        return code;
    code = select_rows(counter, group, err);
    if (code == TK_OK && rows->count > 0)
        code = counter->find_codes(counter, group, err);
    if (code == TK_OK && rows->count > 0)
        code = rows->one_step
                   ? add_to_step(counter, rows->step[0], rows->row, rows->code, rows->count, err)
                   : add_by_step(counter, err);
    tk_group_close(group);
    return code;
}

/* ---- blocks ---- */

/* Is all of the block within one step, and none of it counted elsewhere?  `around`: the times. */
static bool
is_whole_block(const struct counter *counter, uint32_t first, uint32_t end,
               struct tk_group_entry *around)
{
    const struct tk_group_entry *groups = counter->of->segment->groups;
    *around = groups[first];
    for (uint32_t g = first + 1; g < end; g++) {
        uint64_t least = groups[g].start_min, greatest = groups[g].start_max;
        around->start_min = least < around->start_min ? least : around->start_min;
        around->start_max = greatest > around->start_max ? greatest : around->start_max;
    }
    return is_whole(counter, around);
}

/* What was counted since the last flush is all of the block. */
static void
remember_block(const struct counter *counter, uint32_t block)
{
    const struct tk_counts *counts = &counter->counts;
    uint32_t count = 0;
    for (uint32_t code = 0; code < counter->code_count; code++)
        count += counts->span_count[code] > 0;
    if (count > TK_BLOCK_CODES_MAX)
        return;
    struct tk_block_counts *made = malloc(sizeof *made + count * sizeof *made->entry);
    if (made == NULL)
        return; /* then it is counted again */
    made->count = 0;
    for (uint32_t code = 0; code < counter->code_count; code++) {
        if (counts->span_count[code] == 0)
            continue;
        struct tk_block_count *entry = &made->entry[made->count++];
        *entry = counter->name_code(counter, code);
        entry->span_count = (uint32_t)counts->span_count[code];
        entry->error_count = (uint32_t)counts->error_count[code];
    }
    tk_block_counts_put(counter->of->segment, counter->what, block, made);
}

static enum tk_err
recall_block(struct counter *counter, const struct tk_block_counts *block, uint32_t step,
             struct tk_error *err)
{
    enum tk_err code = step != counter->step ? flush(counter) : TK_OK;
    for (uint32_t i = 0; i < block->count && code == TK_OK; i++) {
        uint32_t at;
        code = counter->find_code(counter, &block->entry[i], &at, err);
        if (code != TK_OK)
            break;
        counter->step = step;
        counter->any = true;
        counter->counts.span_count[at] += block->entry[i].span_count;
        counter->counts.error_count[at] += block->entry[i].error_count;
    }
    return code;
}

static enum tk_err add_groups(struct counter *counter, uint32_t first, uint32_t end,
                              bool *ret_damaged, struct tk_error *err);

static enum tk_err
add_block(struct counter *counter, uint32_t block, uint32_t first, uint32_t end,
          struct tk_error *err)
{
    struct tk_group_entry around;
    bool damaged = false;
    bool small = !wants(counter, TK_COUNT_LAST) && !wants(counter, TK_COUNT_DURATIONS) &&
                 counter->code_count <= TK_BLOCK_CODES_MAX;
    if (!small || !is_whole_block(counter, first, end, &around))
        return add_groups(counter, first, end, &damaged, err);
    struct tk_cache_item *item = tk_block_counts_get(counter->of->segment, counter->what, block);
    if (item != NULL) {
        enum tk_err code = recall_block(counter, item->value,
                                        tk_count_step(counter->of->range, around.start_min), err);
        tk_cache_release(item);
        return code == TK_ERR_CORRUPT && counter->told == TK_OK ? TK_OK : code;
    }
    enum tk_err code = flush(counter);
    uint32_t flushes = counter->flushes;
    if (code == TK_OK)
        code = add_groups(counter, first, end, &damaged, err);
    if (code == TK_OK && !damaged && counter->flushes == flushes)
        remember_block(counter, block);
    return code;
}

static enum tk_err
add_groups(struct counter *counter, uint32_t first, uint32_t end, bool *ret_damaged,
           struct tk_error *err)
{
    const struct tk_range_counts *of = counter->of;
    enum tk_err code = TK_OK;
    for (uint32_t g = first; g < end && code == TK_OK; g++) {
        const struct tk_group_entry *group = &of->segment->groups[g];
        if (tk_count_misses(of->range, group->start_min, group->start_max))
            continue;
        code = tk_count_go_on(of->range, err);
        if (code == TK_OK)
            code = add_group(counter, g, err);
        if (code == TK_ERR_CORRUPT && counter->told == TK_OK) { /* was reported; the rest counts */
            code = TK_OK;
            *ret_damaged = true;
        }
    }
    return code;
}

static enum tk_err
recall_summary(struct counter *counter, tk_str summary, uint32_t step, struct tk_error *err)
{
    struct tk_summary_entry of;
    bool durations = wants(counter, TK_COUNT_DURATIONS);
    enum tk_err code = step != counter->step ? flush(counter) : TK_OK;
    while (code == TK_OK && tk_summary_next(&summary, &of)) {
        uint32_t at;
        code = counter->find_code(counter, &(struct tk_block_count){.code = of.resource}, &at, err);
        if (code != TK_OK)
            break;
        counter->step = step;
        counter->any = true;
        counter->counts.span_count[at] += of.span_count;
        counter->counts.error_count[at] += of.error_count;
        if (durations && tk_summary_durations(&of, &counter->counts.durations[at]) != TK_OK)
            code = no_memory(err);
    }
    return code;
}

static uint32_t
end_of(uint32_t first, uint32_t count, uint32_t end)
{
    return end - first > count ? first + count : end;
}

/* From its summary if all of it is within one step, else block by block. */
static enum tk_err
add_stretch(struct counter *counter, uint32_t first, uint32_t end, struct tk_error *err)
{
    const struct tk_summaries *summaries = counter->summaries;
    struct tk_group_entry around;
    tk_str summary = summaries != NULL ? summaries->stretch[first / TK_SUMMARY_GROUPS] : TK_STR("");
    enum tk_err code = TK_OK;
    if (summary.len > 0 && is_whole_block(counter, first, end, &around))
        return recall_summary(counter, summary, tk_count_step(counter->of->range, around.start_min),
                              err);
    for (uint32_t next; first < end && code == TK_OK; first = next) {
        next = end_of(first, TK_BLOCK_GROUPS, end);
        code = add_block(counter, first / TK_BLOCK_GROUPS, first, next, err);
    }
    return code;
}

static enum tk_err
each_group(struct counter *counter, struct tk_error *err)
{
    uint32_t group_count = counter->of->segment->group_count;
    enum tk_err code = tk_segment_code(counter->of->segment, counter->of->schema, TK_COLUMN_STATUS,
                                       tk_zigzag(TK_STATUS_ERROR), &counter->error_code, err);
    for (uint32_t first = 0, end; first < group_count && code == TK_OK; first = end) {
        end = end_of(first, TK_SUMMARY_GROUPS, group_count);
        code = add_stretch(counter, first, end, err);
    }
    return code == TK_OK ? flush(counter) : code;
}

/* ---- by code of a column ---- */

struct by_code {
    struct counter counter; /* first: what the callbacks get */
    uint32_t column;
    bool *has; /* [shapes]; the column, which is an attribute's */
    enum tk_err (*each)(void *arg, uint32_t step, const struct tk_counts *counts);
    void *arg;
};

/* Which shapes have the column?  None has it twice. */
static enum tk_err
find_shapes(struct by_code *by)
{
    const struct tk_schema_view *schema = by->counter.of->schema;
    by->has = calloc((size_t)schema->shape_count + 1, sizeof *by->has);
    for (uint32_t s = 1; by->has != NULL && s < schema->shape_count; s++)
        for (uint32_t i = 0; i < schema->shapes[s].count; i++)
            by->has[s] = by->has[s] || schema->shapes[s].columns[i] == by->column;
    return by->has != NULL ? TK_OK : TK_ERR_MEMORY;
}

/* Rows without the attribute go.  Its values stand in the order of the rows that have it. */
static enum tk_err
find_codes_of_attribute(const struct by_code *by, struct tk_group *group, struct selection *rows,
                        struct tk_error *err)
{
    struct tk_values shapes, values;
    uint32_t kept = 0, row = 0, place = 0;
    enum tk_err code = tk_group_values(group, by->column, &values, err);
    if (code == TK_OK)
        code = tk_group_values(group, TK_COLUMN_SHAPE, &shapes, err);
    if (code != TK_OK)
        return code;
    for (uint32_t i = 0; i < rows->count && place < values.count; i++) {
        for (; row < rows->row[i]; row++)
            place += by->has[shapes.number[row]];
        if (!by->has[shapes.number[row]])
            continue;
        rows->row[kept] = row;
        if (!rows->one_step)
            rows->step[kept] = rows->step[i];
        rows->code[kept++] = (uint32_t)values.number[place];
    }
    rows->count = kept;
    return TK_OK;
}

static enum tk_err
find_codes(struct counter *counter, struct tk_group *group, struct tk_error *err)
{
    const struct by_code *by = (const struct by_code *)counter;
    struct selection *rows = &counter->rows;
    struct tk_values values;
    if (by->column >= TK_COLUMN_FIXED)
        return find_codes_of_attribute(by, group, rows, err);
    enum tk_err code = tk_group_values(group, by->column, &values, err);
    for (uint32_t i = 0; i < rows->count && code == TK_OK; i++) {
        rows->code[i] = (uint32_t)values.number[rows->row[i]];
        if (rows->code[i] >= counter->code_count) /* a forged file has no resources */
            code = TK_ERR_CORRUPT;
    }
    return code;
}

static struct tk_block_count
name_column_code(const struct counter *counter, uint32_t code)
{
    (void)counter;
    return (struct tk_block_count){.code = code};
}

static enum tk_err
find_column_code(struct counter *counter, const struct tk_block_count *of, uint32_t *ret_code,
                 struct tk_error *err)
{
    (void)err;
    TK_ASSERT(of->code < counter->code_count);
    *ret_code = of->code;
    return TK_OK;
}

static enum tk_err
tell_codes(struct counter *counter)
{
    const struct by_code *by = (const struct by_code *)counter;
    return by->each(by->arg, counter->step, &counter->counts);
}

enum tk_err
tk_range_codes(const struct tk_range_counts *of, uint32_t column,
               enum tk_err (*each)(void *arg, uint32_t step, const struct tk_counts *counts),
               void *arg, struct tk_error *err)
{
    struct by_code *by = calloc(1, sizeof *by);
    if (by == NULL)
        return no_memory(err);
    struct counter *counter = &by->counter;
    *by = (struct by_code){.column = column, .each = each, .arg = arg};
    counter->of = of;
    counter->find_codes = find_codes;
    counter->tell = tell_codes;
    counter->what = TK_BLOCK_COLUMNS + column;
    counter->name_code = name_column_code;
    counter->find_code = find_column_code;
    counter->code_count = of->schema->columns[column].distinct;
    enum tk_err code = tk_counts_init_with(&counter->counts, counter->code_count,
                                           wants(counter, TK_COUNT_DURATIONS));
    if (code == TK_OK && column >= TK_COLUMN_FIXED)
        code = find_shapes(by);
    code = code == TK_OK ? each_group(counter, err) : no_memory(err);
    tk_counts_release(&counter->counts);
    free(by->has);
    free(by);
    return code;
}

/* ---- by operation ---- */

typedef enum tk_err each_operation(void *arg, tk_str service, tk_str name, int32_t kind,
                                   const struct tk_store_count *count);

enum { OPERATIONS_AT_ONCE = 4 * TK_GROUP_ROWS };

struct by_operation {
    struct counter counter; /* first */
    bool by_name;
    const struct tk_dictionary *names, *kinds; /* NULL without by_name */
    struct tk_arena arena;                     /* of texts of services */
    struct tk_intern services;
    uint32_t *service_of;   /* [resources]; service + 1; 0: not known yet */
    uint32_t *resource_of;  /* [services]; one that has it */
    uint32_t *operation_of; /* [resources]; without by_name: operation + 1; 0: not known yet */
    uint32_t resource_count;
    struct operation {
        uint32_t service, name, kind; /* codes of the latter two */
    } operation[OPERATIONS_AT_ONCE];  /* [counter.code_count] */
    struct tk_number_map numbers;     /* service, codes of name and kind -> operation */
    each_operation *each;
    void *arg;
};

static enum tk_err
find_service(struct by_operation *by, uint32_t resource, uint32_t *ret_service,
             struct tk_error *err)
{
    struct tk_cache_item *item;
    if (resource >= by->resource_count) /* a forged file */
        return TK_ERR_CORRUPT;
    uint32_t *known = &by->service_of[resource];
    if (*known == 0) {
        enum tk_err code = tk_segment_decoded(by->counter.of->segment, TK_MESSAGE_RESOURCE,
                                              resource / TK_RESOURCE_PAGE, &item, err);
        if (code != TK_OK)
            return code;
        const struct tk_batch *page = item->value;
        uint32_t place = resource % TK_RESOURCE_PAGE, service = 0;
        code = place < page->resource_count
                   ? tk_intern_copy(&by->services, &by->arena,
                                    tk_batch_resource_service(page, place), &service)
                   : TK_ERR_CORRUPT;
        tk_cache_release(item);
        if (code != TK_OK)
            return code == TK_ERR_CORRUPT ? code : no_memory(err);
        *known = service + 1;
        by->resource_of[service] = resource;
    }
    *ret_service = *known - 1;
    return TK_OK;
}

static enum tk_err
number_operation(struct by_operation *by, struct operation operation, uint32_t *ret_number,
                 struct tk_error *err)
{
    enum { NAME_SHIFT = 16, SERVICE_SHIFT = 32 }; /* dictionaries have at most 65,536 */
    uint64_t key = (uint64_t)operation.service << SERVICE_SHIFT |
                   (uint64_t)operation.name << NAME_SHIFT | operation.kind;
    if (tk_number_map_find(&by->numbers, key, ret_number))
        return TK_OK;
    TK_ASSERT(by->counter.code_count < OPERATIONS_AT_ONCE);
    *ret_number = by->counter.code_count;
    if (tk_number_map_add(&by->numbers, key, *ret_number) != TK_OK)
        return no_memory(err);
    by->operation[by->counter.code_count++] = operation;
    return TK_OK;
}

/* Tells what was counted, and begins anew with no operations. */
static enum tk_err
forget_operations(struct by_operation *by)
{
    enum tk_err code = flush(&by->counter);
    tk_number_map_clear(&by->numbers);
    memset(by->operation_of, 0, by->resource_count * sizeof *by->operation_of);
    by->counter.code_count = 0;
    return code;
}

static enum tk_err
find_operation(struct by_operation *by, uint32_t resource, uint64_t name, uint64_t kind,
               uint32_t *ret_number, struct tk_error *err)
{
    struct operation operation = {.name = (uint32_t)name, .kind = (uint32_t)kind};
    enum tk_err code = find_service(by, resource, &operation.service, err);
    if (code == TK_OK)
        code = number_operation(by, operation, ret_number, err);
    if (code == TK_OK)
        by->operation_of[resource] = *ret_number + 1;
    return code;
}

static enum tk_err
find_operations(struct counter *counter, struct tk_group *group, struct tk_error *err)
{
    struct by_operation *by = (struct by_operation *)counter;
    struct selection *rows = &counter->rows;
    struct tk_values resources, names = {0}, kinds = {0};
    enum tk_err code = TK_OK;
    if (counter->code_count + rows->count > OPERATIONS_AT_ONCE)
        code = forget_operations(by);
    if (code == TK_OK)
        code = tk_group_values(group, TK_COLUMN_RESOURCE, &resources, err);
    if (code == TK_OK && by->by_name)
        code = tk_group_values(group, TK_COLUMN_NAME, &names, err);
    if (code == TK_OK && by->by_name)
        code = tk_group_values(group, TK_COLUMN_KIND, &kinds, err);
    for (uint32_t i = 0; i < rows->count && code == TK_OK; i++) {
        uint32_t row = rows->row[i];
        uint64_t resource = resources.number[row];
        if (resource >= by->resource_count) /* a forged file has none */
            code = TK_ERR_CORRUPT;
        else if (by->by_name)
            code = find_operation(by, (uint32_t)resource, names.number[row], kinds.number[row],
                                  &rows->code[i], err);
        else if (by->operation_of[resource] > 0)
            rows->code[i] = by->operation_of[resource] - 1;
        else
            code = find_operation(by, (uint32_t)resource, 0, 0, &rows->code[i], err);
    }
    return code;
}

static struct tk_block_count
name_operation(const struct counter *counter, uint32_t code)
{
    const struct by_operation *by = (const struct by_operation *)counter;
    const struct operation *operation = &by->operation[code];
    return (struct tk_block_count){.code = by->resource_of[operation->service],
                                   .name = operation->name,
                                   .kind = operation->kind};
}

static enum tk_err
recall_operation(struct counter *counter, const struct tk_block_count *of, uint32_t *ret_number,
                 struct tk_error *err)
{
    struct by_operation *by = (struct by_operation *)counter;
    enum tk_err code = TK_OK;
    if (counter->code_count == OPERATIONS_AT_ONCE)
        code = forget_operations(by);
    return code == TK_OK ? find_operation(by, of->code, of->name, of->kind, ret_number, err) : code;
}

static enum tk_err
tell_operations(struct counter *counter)
{
    const struct by_operation *by = (const struct by_operation *)counter;
    const struct tk_counts *counts = &counter->counts;
    enum tk_err code = TK_OK;
    for (uint32_t i = 0; i < counter->code_count && code == TK_OK; i++) {
        const struct operation *operation = &by->operation[i];
        struct tk_store_count count = {
            .span_count = counts->span_count[i],
            .error_count = counts->error_count[i],
            .last_nano = counts->last_nano[i],
            .durations = counts->durations != NULL ? &counts->durations[i] : NULL,
            .step = counter->step,
        };
        if (count.span_count > 0)
            code = by->each(by->arg, by->services.strings[operation->service],
                            by->by_name ? by->names->texts[operation->name] : TK_STR(""),
                            by->by_name ? (int32_t)tk_unzigzag(by->kinds->numbers[operation->kind])
                                        : 0,
                            &count);
    }
    return code;
}

static enum tk_err
count_operations(struct by_operation *by, struct tk_error *err)
{
    struct counter *counter = &by->counter;
    uint32_t resources = counter->of->schema->columns[TK_COLUMN_RESOURCE].distinct;
    by->resource_count = resources;
    tk_arena_init(&by->arena, ARENA_CHUNK, SIZE_MAX / 2);
    tk_intern_init(&by->services, SERVICES_MAX);
    by->service_of = calloc((size_t)resources * 3 + 1, sizeof *by->service_of);
    if (by->service_of != NULL) {
        by->operation_of = by->service_of + resources;
        by->resource_of = by->operation_of + resources;
    }
    enum tk_err code = tk_counts_init_with(&counter->counts, OPERATIONS_AT_ONCE,
                                           wants(counter, TK_COUNT_DURATIONS));
    code = code == TK_OK && by->service_of != NULL ? each_group(counter, err) : no_memory(err);
    tk_counts_release(&counter->counts);
    free(by->service_of);
    tk_intern_release(&by->services);
    tk_arena_release(&by->arena);
    tk_number_map_release(&by->numbers);
    return code;
}

/* The dictionaries of names and kinds, held. */
static enum tk_err
hold_names(const struct tk_range_counts *of, struct tk_cache_item **names,
           struct tk_cache_item **kinds, struct tk_error *err)
{
    if (of->schema->columns[TK_COLUMN_NAME].dictionary.size == 0 ||
        of->schema->columns[TK_COLUMN_KIND].dictionary.size == 0)
        return TK_ERR_NOT_FOUND;
    enum tk_err code = tk_segment_dictionary(of->segment, of->schema, TK_COLUMN_NAME, names, err);
    return code == TK_OK
               ? tk_segment_dictionary(of->segment, of->schema, TK_COLUMN_KIND, kinds, err)
               : code;
}

enum tk_err
tk_range_operations(const struct tk_range_counts *of, each_operation *each, void *arg,
                    struct tk_error *err)
{
    struct tk_cache_item *names = NULL, *kinds = NULL, *summaries = NULL;
    struct by_operation *by = calloc(1, sizeof *by);
    enum tk_err code = by != NULL ? TK_OK : no_memory(err);
    if (code == TK_OK) {
        by->counter.of = of;
        by->counter.find_codes = find_operations;
        by->counter.tell = tell_operations;
        by->each = each;
        by->arg = arg;
        by->by_name = wants(&by->counter, TK_COUNT_NAMES);
        by->counter.what = by->by_name ? TK_BLOCK_OPERATIONS : TK_BLOCK_SERVICES;
        by->counter.name_code = name_operation;
        by->counter.find_code = recall_operation;
    }
    if (code == TK_OK && by->by_name) {
        code = hold_names(of, &names, &kinds, err);
        by->names = code == TK_OK ? names->value : NULL;
        by->kinds = code == TK_OK ? kinds->value : NULL;
    }
    if (code == TK_OK && !by->by_name && !wants(&by->counter, TK_COUNT_LAST) &&
        tk_segment_summaries(of->segment, &summaries, err) == TK_OK)
        by->counter.summaries = summaries->value;
    if (code == TK_OK)
        code = count_operations(by, err);
    tk_cache_release(summaries);
    tk_cache_release(names);
    tk_cache_release(kinds);
    free(by);
    return code;
}
