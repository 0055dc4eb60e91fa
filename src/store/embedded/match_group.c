/*
 * match_group - which rows of a group a filter holds for (match.h).
 *
 * A column's values are tested first, all of them in a tight loop; only if one passes it is worked
 * out whose it is.  Rows are bits.
 */
#include "store/embedded/match_int.h"

#include "wire/otlp.h"

#include <stdlib.h>

enum { ROW_WORDS = TK_GROUP_ROWS / 64 };

struct rows {
    uint64_t bits[ROW_WORDS];
};

/* One group under way. */
struct look {
    struct tk_match *match;
    struct tk_group *group;
    uint32_t number, row_count;
    struct tk_error *err;
};

static bool
is_empty(const struct rows *rows)
{
    uint64_t any = 0;
    for (unsigned i = 0; i < ROW_WORDS; i++)
        any |= rows->bits[i];
    return any == 0;
}

static void
set_all(const struct look *look, struct rows *rows)
{
    memset(rows, 0, sizeof *rows);
    for (uint32_t row = 0; row < look->row_count; row++)
        tk_bit_set(rows->bits, row);
}

/* Which shapes have the probe's column (or are shape 0, of OTHER). */
static enum tk_err
find_shapes(const struct tk_schema_view *schema, struct tk_match_probe *probe)
{
    if (probe->shapes != NULL)
        return TK_OK;
    probe->shapes = calloc(schema->shape_count / 64 + 1, sizeof *probe->shapes);
    if (probe->shapes == NULL)
        return TK_ERR_MEMORY;
    if (probe->other)
        tk_bit_set(probe->shapes, 0);
    for (uint32_t s = 0; s < schema->shape_count; s++)
        for (uint32_t k = 0; k < schema->shapes[s].count; k++)
            if (schema->shapes[s].columns[k] == probe->column)
                tk_bit_set(probe->shapes, s);
    return TK_OK;
}

struct member_test {
    const struct tk_filter *test;
    bool passes;
};

static bool
test_member(void *arg, tk_str key, struct tk_value value)
{
    struct member_test *member = arg;
    if (tk_str_eq(key, member->test->key) && tk_match_value(member->test, value))
        member->passes = true;
    return !member->passes;
}

/* Does the value at place `at` of the column pass? */
static bool
value_passes(const struct look *look, const struct tk_filter *test,
             const struct tk_match_probe *probe, const struct tk_values *values, uint32_t at)
{
    if (probe->any)
        return true;
    if (probe->other) {
        struct member_test member = {.test = test};
        struct tk_value map = tk_match_text(values->text[at]);
        map.type = TK_VALUE_MAP;
        tk_value_each(map, test_member, &member);
        return member.passes;
    }
    if (probe->codes != NULL)
        return tk_bit(probe->codes, values->number[at]);
    if (values->text != NULL && tk_column_is_text(look->match->schema, probe->column))
        return tk_match_value(test, tk_match_text(values->text[at]));
    return tk_match_value(test, tk_match_number(look->match, probe->column, values->number[at]));
}

/* Sets *passing [values->count], bytes; false: none passes. */
static bool
test_values(const struct look *look, const struct tk_filter *test,
            const struct tk_match_probe *probe, const struct tk_values *values,
            unsigned char *passing)
{
    bool any = false;
    if (probe->codes != NULL && probe->matched <= 1) { /* the most frequent: a simple loop */
        unsigned char found = 0;
        for (uint32_t i = 0; i < values->count; i++) {
            passing[i] = values->number[i] == probe->code && probe->matched == 1;
            found |= passing[i];
        }
        return found != 0;
    }
    for (uint32_t i = 0; i < values->count; i++) {
        passing[i] = value_passes(look, test, probe, values, i);
        any = any || passing[i];
    }
    return any;
}

/* The row of an event or link: the one whose range holds it. */
static enum tk_err
mark_row(const struct look *look, enum tk_column_owner owner, uint32_t at, uint32_t *row,
         struct rows *rows)
{
    const void *array;
    enum tk_err code = tk_group_array(
        look->group, owner == TK_COLUMN_OF_EVENT ? TK_GROUP_EVENT_BEGIN : TK_GROUP_LINK_BEGIN,
        &array, look->err);
    if (code != TK_OK)
        return code;
    const uint32_t *begin = array;
    while (begin[*row + 1] <= at)
        (*row)++;
    tk_bit_set(rows->bits, *row);
    return TK_OK;
}

/* Owners whose shape has the column, in order, are those of its values. */
static enum tk_err
mark_owners(const struct look *look, const struct tk_match_probe *probe,
            const unsigned char *passing, uint32_t count, struct rows *rows)
{
    static const uint32_t shape_columns[] = {[TK_COLUMN_OF_SPAN] = TK_COLUMN_SHAPE,
                                             [TK_COLUMN_OF_EVENT] = TK_COLUMN_EVENT_SHAPE,
                                             [TK_COLUMN_OF_LINK] = TK_COLUMN_LINK_SHAPE};
    bool is_fixed = probe->column < TK_COLUMN_FIXED && !probe->other;
    struct tk_values shapes = {.count = count};
    enum tk_err code = TK_OK;
    uint32_t at = 0, row = 0;
    if (!is_fixed)
        code = tk_group_values(look->group, shape_columns[probe->owner], &shapes, look->err);
    for (uint32_t i = 0; i < shapes.count && at < count && code == TK_OK; i++) {
        if (!is_fixed && (shapes.number[i] >= look->match->schema->shape_count ||
                          !tk_bit(probe->shapes, shapes.number[i])))
            continue;
        if (passing[at++] == 0)
            continue;
        if (probe->owner == TK_COLUMN_OF_SPAN)
            tk_bit_set(rows->bits, i);
        else
            code = mark_row(look, probe->owner, i, &row, rows);
    }
    return code;
}

static enum tk_err
look_at_column(const struct look *look, const struct tk_filter *test, struct tk_match_probe *probe,
               struct rows *rows)
{
    struct tk_values values;
    unsigned char few[TK_GROUP_ROWS], *passing = few;
    if (probe->codes != NULL && probe->matched == 0)
        return TK_OK;
    enum tk_err code = find_shapes(look->match->schema, probe);
    if (code != TK_OK)
        return tk_error_set(look->err, code, "out of memory for a filter");
    code = tk_group_values(look->group, probe->column, &values, look->err);
    if (code == TK_ERR_CORRUPT)
        return TK_OK; /* lost, and reported */
    if (code != TK_OK || values.count == 0)
        return code;
    if (values.count > TK_GROUP_ROWS) {
        passing = malloc(values.count);
        if (passing == NULL)
            return tk_error_set(look->err, TK_ERR_MEMORY, "out of memory for a filter");
    }
    if (test_values(look, test, probe, &values, passing))
        code = mark_owners(look, probe, passing, values.count, rows);
    if (passing != few)
        free(passing);
    return code == TK_ERR_CORRUPT ? TK_OK : code;
}

static enum tk_err
look_at_numbers(const struct look *look, uint32_t column, const uint64_t *bits, uint32_t count,
                struct rows *rows)
{
    struct tk_values values;
    enum tk_err code = tk_group_values(look->group, column, &values, look->err);
    for (uint32_t row = 0; code == TK_OK && row < values.count; row++)
        if (values.number[row] < count && tk_bit(bits, values.number[row]))
            tk_bit_set(rows->bits, row);
    return code == TK_ERR_CORRUPT ? TK_OK : code;
}

static enum tk_err
look_at_test(const struct look *look, struct tk_match_node *node, struct rows *rows)
{
    uint32_t count = 0;
    enum tk_err code = TK_OK;
    memset(rows, 0, sizeof *rows);
    if (node->always)
        set_all(look, rows);
    for (uint32_t i = 0; i < node->probe_count && code == TK_OK; i++)
        code = look_at_column(look, node->filter, &node->probe[i], rows);
    if (code == TK_OK && node->resources != NULL &&
        tk_segment_message_count(look->match->segment, TK_MESSAGE_RESOURCE, &count, look->err) ==
            TK_OK)
        code = look_at_numbers(look, TK_COLUMN_RESOURCE, node->resources, count, rows);
    if (code == TK_OK && node->scopes != NULL &&
        tk_segment_message_count(look->match->segment, TK_MESSAGE_SCOPE, &count, look->err) ==
            TK_OK)
        code = look_at_numbers(look, TK_COLUMN_SCOPE, node->scopes, count, rows);
    return code;
}

static enum tk_err
look_at_node(const struct look *look, uint32_t number, struct rows *rows)
{
    struct tk_match_node *node = &look->match->nodes[number];
    struct rows of_child;
    enum tk_err code = TK_OK;
    memset(rows, 0, sizeof *rows);
    if (node->groups != NULL && !tk_bit(node->groups, look->number))
        return TK_OK;
    if (node->filter->type == TK_FILTER_TEST)
        return look_at_test(look, node, rows);
    bool all = node->filter->type == TK_FILTER_ALL;
    if (all)
        set_all(look, rows);
    for (uint32_t at = node->child; at != 0 && code == TK_OK; at = look->match->nodes[at].next) {
        code = look_at_node(look, at, &of_child);
        for (unsigned i = 0; i < ROW_WORDS; i++)
            rows->bits[i] =
                all ? rows->bits[i] & of_child.bits[i] : rows->bits[i] | of_child.bits[i];
        if (all && is_empty(rows))
            break;
    }
    return code;
}

/* Adds the filter's bit to the traces that have a row. */
static enum tk_err
mark_traces(const struct look *look, const struct rows *rows, uint32_t filter)
{
    const void *array;
    enum tk_err code = tk_group_array(look->group, TK_GROUP_TRACE_ROW, &array, look->err);
    const uint32_t *trace_row = array;
    uint32_t trace = 0;
    for (uint32_t row = 0; code == TK_OK && row < look->row_count; row++) {
        if (rows->bits[row >> 6] == 0) {
            row |= 63;
            continue;
        }
        if (!tk_bit(rows->bits, row))
            continue;
        while (trace_row[trace + 1] <= row)
            trace++;
        look->match->masks[trace] |= (uint32_t)1 << filter;
    }
    return code;
}

static enum tk_err
look_at_filter(const struct look *look, uint32_t filter, bool *ret_any)
{
    struct rows rows;
    enum tk_err code = look_at_node(look, look->match->roots[filter], &rows);
    *ret_any = code == TK_OK && !is_empty(&rows);
    return *ret_any ? mark_traces(look, &rows, filter) : code;
}

enum tk_err
tk_match_group(struct tk_match *match, uint32_t number, uint32_t needed, const uint32_t **ret_masks,
               struct tk_error *err)
{
    struct tk_cache_item *item;
    bool any = true;
    *ret_masks = match->masks;
    if (match->group == number && (match->is_complete || match->needed == needed))
        return TK_OK;
    match->group = UINT32_MAX;
    enum tk_err code = tk_segment_group(match->segment, number, false, &item, err);
    if (code != TK_OK)
        return code;
    struct look look = {match, item->value, number, 0, err};
    look.row_count = tk_group_entry(look.group)->row_count;
    memset(match->masks, 0, sizeof match->masks);
    if (needed < match->filters.count)
        code = look_at_filter(&look, needed, &any);
    for (uint32_t i = 0; i < match->filters.count && code == TK_OK && any; i++) {
        bool held;
        if (i != needed)
            code = look_at_filter(&look, i, &held);
    }
    tk_cache_release(item);
    if (code == TK_OK) {
        match->group = number;
        match->needed = needed;
        match->is_complete = any;
    }
    return code;
}
