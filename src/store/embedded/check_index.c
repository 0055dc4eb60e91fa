/*
 * check_index - what a segment says of a group, against the group's rows (internal.h).
 *
 * An index that leaves a group out hides its rows from every search, without a sign.  So each value
 * that the rows have is looked up as a search would.
 */
#include "store/embedded/internal.h"

#include "store/segment/group.h"
#include "store/segment/value_index.h"

#include <stdlib.h>

/* One column of a group. */
struct question {
    struct tk_segment *segment;
    struct tk_group *group;
    uint32_t number; /* of the group */
    const struct tk_schema_view *schema;
    uint32_t column;
    struct tk_values values;
    struct tk_error *err;
};

static enum tk_err
missing(const struct question *q, const struct tk_part *part, const char *what)
{
    return tk_segment_corrupt(q->segment, part->offset, what, "it leaves out a group", q->err);
}

static bool
is_listed(const uint32_t *groups, uint32_t count, uint32_t group)
{
    for (uint32_t i = 0; i < count; i++)
        if (groups[i] == group)
            return true;
    return false;
}

static enum tk_err
check_postings(const struct question *q)
{
    const struct tk_column *of = &q->schema->columns[q->column];
    struct tk_cache_item *item;
    enum tk_err code = tk_segment_section(q->segment, &of->index, &item, q->err);
    if (code != TK_OK)
        return code;
    uint64_t *met = calloc(of->distinct / 64 + 1, sizeof *met);
    if (met == NULL)
        code = tk_error_set(q->err, TK_ERR_MEMORY, "out of memory");
    for (uint32_t i = 0; code == TK_OK && i < q->values.count; i++) {
        uint64_t value = q->values.number[i];
        uint32_t groups[TK_POSTINGS_MAX], count;
        bool all;
        if (value >= of->distinct) {
            code = missing(q, &of->index, "postings");
            break;
        }
        if (met[value / 64] >> value % 64 & 1)
            continue;
        met[value / 64] |= (uint64_t)1 << value % 64;
        code = tk_postings_lookup(*(const tk_str *)item->value, of->distinct, (uint32_t)value,
                                  groups, &count, &all);
        if (code != TK_OK || (!all && !is_listed(groups, count, q->number)))
            code = missing(q, &of->index, "postings");
    }
    free(met);
    tk_cache_release(item);
    return code;
}

/* Does some run of the index name the group for this text? */
static enum tk_err
look_up(const struct question *q, tk_str section, tk_str text, bool *ret_found)
{
    uint64_t hash = tk_hash_stable(text);
    struct tk_value_index_run run;
    *ret_found = false;
    while (!*ret_found && tk_value_index_next(&section, &run) == TK_OK) {
        uint32_t few[64], *groups = few, count;
        enum tk_err code = tk_segment_lookup(q->segment, &run, hash, few, 64, &count, q->err);
        if (code == TK_OK && count > 64) {
            groups = malloc(count * sizeof *groups);
            code = groups == NULL
                       ? tk_error_set(q->err, TK_ERR_MEMORY, "out of memory")
                       : tk_segment_lookup(q->segment, &run, hash, groups, count, &count, q->err);
        }
        *ret_found = code == TK_OK && is_listed(groups, count, q->number);
        if (groups != few)
            free(groups);
        if (code != TK_OK)
            return code;
    }
    return TK_OK;
}

static enum tk_err
check_value_index(const struct question *q)
{
    const struct tk_part *part = &q->schema->columns[q->column].index;
    struct tk_cache_item *item;
    enum tk_err code = tk_segment_section(q->segment, part, &item, q->err);
    if (code != TK_OK)
        return code;
    for (uint32_t i = 0; code == TK_OK && i < q->values.count; i++) {
        bool found = i > 0 && tk_str_eq(q->values.text[i], q->values.text[i - 1]);
        if (!found)
            code = look_up(q, *(const tk_str *)item->value, q->values.text[i], &found);
        if (code == TK_OK && !found)
            code = missing(q, part, "a value index");
    }
    tk_cache_release(item);
    return code;
}

static enum tk_err
check_zones(const struct question *q)
{
    const struct tk_column *of = &q->schema->columns[q->column];
    struct tk_cache_item *item;
    enum tk_err code = tk_segment_zones(q->segment, q->schema, q->column, &item, q->err);
    if (code != TK_OK)
        return code;
    const struct tk_zones *zones = item->value;
    uint32_t at = q->number;
    for (at = zones->all ? at : 0; !zones->all && at < zones->count; at++)
        if (zones->group[at] == q->number)
            break;
    if (at >= zones->count)
        code = missing(q, &of->zones, "zones");
    for (uint32_t i = 0; code == TK_OK && zones->least != NULL && i < q->values.count; i++) {
        uint64_t number = tk_zones_order(of->type, q->values.number[i]);
        if (number < zones->least[at] || number > zones->greatest[at])
            code = missing(q, &of->zones, "zones");
    }
    tk_cache_release(item);
    return code;
}

static enum tk_err
check_column(struct question *q)
{
    const struct tk_column *of = &q->schema->columns[q->column];
    enum tk_err code = tk_group_values(q->group, q->column, &q->values, q->err);
    if (code != TK_OK || q->values.count == 0)
        return code;
    if (of->zones.size > 0)
        code = check_zones(q);
    if (code == TK_OK && of->index.size > 0 && of->kind == TK_COLUMN_DICTIONARY)
        code = check_postings(q);
    if (code == TK_OK && of->index.size > 0 && of->kind == TK_COLUMN_PLAIN)
        code = check_value_index(q);
    return code;
}

/* Least and greatest of the rows, which the group index has. */
static enum tk_err
check_entry(const struct question *q)
{
    const struct tk_group_entry *entry = tk_group_entry(q->group);
    uint64_t least = UINT64_MAX, greatest = 0, longest = 0;
    struct tk_values durations;
    const void *array;
    enum tk_err code = tk_group_array(q->group, TK_GROUP_STARTS, &array, q->err);
    if (code == TK_OK)
        code = tk_group_values(q->group, TK_COLUMN_DURATION, &durations, q->err);
    if (code != TK_OK)
        return code;
    const uint64_t *starts = array;
    for (uint32_t row = 0; row < entry->row_count; row++) {
        least = starts[row] < least ? starts[row] : least;
        greatest = starts[row] > greatest ? starts[row] : greatest;
        longest = durations.number[row] > longest ? durations.number[row] : longest;
    }
    if (least != entry->start_min || greatest != entry->start_max || longest != entry->duration_max)
        return tk_segment_corrupt(q->segment, entry->offset, "the entry of a group",
                                  "its rows are others", q->err);
    return TK_OK;
}

enum tk_err
tk_check_index(struct tk_segment *segment, struct tk_group *group, uint32_t number,
               struct tk_error *err)
{
    struct question q = {.segment = segment,
                         .group = group,
                         .number = number,
                         .schema = tk_group_schema(group),
                         .err = err};
    enum tk_err code = check_entry(&q);
    for (q.column = 0; q.column < q.schema->column_count; q.column++) {
        enum tk_err found = check_column(&q);
        code = found != TK_OK && code != TK_ERR_MEMORY ? found : code;
    }
    return code;
}
