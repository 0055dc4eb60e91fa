/*
 * match_batch - filters against spans in memory (match.h): the rows of open buffers, and the
 * resources and scopes of segments.
 *
 * A batch that lacks a key lacks all spans that a test of it could hold for; so keys are looked up
 * once a batch, and rows then compare numbers.
 */
#include "store/embedded/match.h"

#include <math.h>
#include <stdlib.h>

/* -1, 0, 1; 2: not to be compared. */
static int
compare_numbers(struct tk_value a, struct tk_value b)
{
    if (a.type == TK_VALUE_INT && b.type == TK_VALUE_INT)
        return (a.i > b.i) - (a.i < b.i);
    /* long double has all 64 bits of an integer, so that nothing is rounded */
    long double x = a.type == TK_VALUE_INT ? (long double)a.i : (long double)a.d;
    long double y = b.type == TK_VALUE_INT ? (long double)b.i : (long double)b.d;
    if (isnan(x) || isnan(y))
        return 2;
    return (x > y) - (x < y);
}

static bool
is_number(struct tk_value value)
{
    return value.type == TK_VALUE_INT || value.type == TK_VALUE_DOUBLE;
}

static bool
order_passes(enum tk_filter_op op, int order)
{
    switch (op) {
    case TK_FILTER_EQ:
        return order == 0;
    case TK_FILTER_LT:
        return order == -1;
    case TK_FILTER_LE:
        return order == -1 || order == 0;
    case TK_FILTER_GT:
        return order == 1;
    case TK_FILTER_GE:
        return order == 1 || order == 0;
    default:
        return true;
    }
}

bool
tk_match_value(const struct tk_filter *test, struct tk_value value)
{
    if (test->op == TK_FILTER_EXISTS)
        return true;
    switch (value.type) {
    case TK_VALUE_STRING:
        if (test->op == TK_FILTER_MATCHES)
            return test->matches(test->arg, tk_value_str(value));
        return test->value.type == TK_VALUE_STRING &&
               (test->op != TK_FILTER_EQ ||
                tk_str_eq(tk_value_str(value), tk_value_str(test->value)));
    case TK_VALUE_BOOL:
        return test->op != TK_FILTER_MATCHES && test->value.type == TK_VALUE_BOOL &&
               (test->op != TK_FILTER_EQ || value.b == test->value.b);
    case TK_VALUE_INT:
    case TK_VALUE_DOUBLE:
        return test->op != TK_FILTER_MATCHES && is_number(test->value) &&
               order_passes(test->op, compare_numbers(value, test->value));
    default:
        return true;
    }
}

bool
tk_match_between(const struct tk_filter *test, struct tk_value least, struct tk_value greatest)
{
    if (!is_number(test->value))
        return true;
    int low = compare_numbers(least, test->value), high = compare_numbers(greatest, test->value);
    if (low == 2 || high == 2)
        return true;
    switch (test->op) {
    case TK_FILTER_EQ:
        return low <= 0 && high >= 0;
    case TK_FILTER_LT:
        return low < 0;
    case TK_FILTER_LE:
        return low <= 0;
    case TK_FILTER_GT:
        return high > 0;
    case TK_FILTER_GE:
        return high >= 0;
    default:
        return true;
    }
}

/* What of a batch a test looks at; worked out once a batch. */
struct prepared {
    const struct tk_filter *test;
    const struct tk_batch *batch;
    uint32_t key; /* of attributes */
    bool has_key;
};

static struct prepared
prepare(const struct tk_filter *test, const struct tk_batch *batch)
{
    struct prepared prepared = {.test = test, .batch = batch};
    if (test->field == TK_FIELD_ATTRIBUTE)
        prepared.has_key = tk_intern_find(&batch->keys, test->key, &prepared.key);
    return prepared;
}

static bool
attrs_pass(const struct prepared *of, struct tk_range range)
{
    const uint32_t *keys = of->batch->attr_key;
    for (uint32_t i = range.begin; i < range.begin + range.count; i++)
        if (keys[i] == of->key && tk_match_value(of->test, of->batch->attr_value[i]))
            return true;
    return false;
}

static bool
text_passes(const struct tk_filter *test, tk_str text)
{
    struct tk_value value = {.type = TK_VALUE_STRING, .len = (uint32_t)text.len};
    value.ptr = text.ptr;
    return tk_match_value(test, value);
}

static bool
number_passes(const struct tk_filter *test, int64_t number)
{
    struct tk_value value = {.type = TK_VALUE_INT};
    value.i = number;
    return tk_match_value(test, value);
}

static bool
resource_passes(const struct prepared *of, uint32_t resource)
{
    return of->test->field == TK_FIELD_ATTRIBUTE && (of->test->owners & TK_OWNER_RESOURCE) != 0 &&
           of->has_key && attrs_pass(of, of->batch->resources[resource].attrs);
}

static bool
scope_passes(const struct prepared *of, uint32_t number)
{
    const struct tk_scope *scope = &of->batch->scopes[number];
    if (of->test->field == TK_FIELD_SCOPE_NAME)
        return text_passes(of->test, scope->name);
    if (of->test->field == TK_FIELD_SCOPE_VERSION)
        return text_passes(of->test, scope->version);
    return of->test->field == TK_FIELD_ATTRIBUTE && (of->test->owners & TK_OWNER_SCOPE) != 0 &&
           of->has_key && attrs_pass(of, scope->attrs);
}

static bool
events_pass(const struct prepared *of, struct tk_range events)
{
    for (uint32_t i = events.begin; i < events.begin + events.count; i++)
        if (of->test->field == TK_FIELD_EVENT_NAME ? text_passes(of->test, of->batch->event[i].name)
                                                   : attrs_pass(of, of->batch->event[i].attrs))
            return true;
    return false;
}

static bool
links_pass(const struct prepared *of, struct tk_range links)
{
    for (uint32_t i = links.begin; i < links.begin + links.count; i++)
        if (attrs_pass(of, of->batch->link[i].attrs))
            return true;
    return false;
}

static bool
attribute_passes(const struct prepared *of, uint32_t row)
{
    const struct tk_batch *batch = of->batch;
    unsigned owners = of->test->owners;
    if (!of->has_key)
        return false;
    return ((owners & TK_OWNER_SPAN) != 0 && attrs_pass(of, batch->attrs[row])) ||
           ((owners & TK_OWNER_RESOURCE) != 0 && resource_passes(of, batch->resource[row])) ||
           ((owners & TK_OWNER_SCOPE) != 0 && scope_passes(of, batch->scope[row])) ||
           ((owners & TK_OWNER_EVENT) != 0 && events_pass(of, batch->events[row])) ||
           ((owners & TK_OWNER_LINK) != 0 && links_pass(of, batch->links[row]));
}

static bool
row_passes(const struct prepared *of, uint32_t row)
{
    const struct tk_batch *batch = of->batch;
    if (of->test->field != TK_FIELD_ATTRIBUTE && of->test->op == TK_FILTER_EXISTS)
        return true;
    switch (of->test->field) {
    case TK_FIELD_ATTRIBUTE:
        return attribute_passes(of, row);
    case TK_FIELD_NAME:
        return text_passes(of->test, batch->name[row]);
    case TK_FIELD_STATUS_MESSAGE:
        return text_passes(of->test, batch->status_message[row]);
    case TK_FIELD_EVENT_NAME:
        return events_pass(of, batch->events[row]);
    case TK_FIELD_SCOPE_NAME:
    case TK_FIELD_SCOPE_VERSION:
        return scope_passes(of, batch->scope[row]);
    case TK_FIELD_STATUS:
        return number_passes(of->test, batch->status[row]);
    case TK_FIELD_KIND:
        return number_passes(of->test, batch->kind[row]);
    case TK_FIELD_DURATION:
        return number_passes(of->test, (int64_t)(batch->end_nano[row] - batch->start_nano[row]));
    }
    return true;
}

bool
tk_match_row(const struct tk_filter *filter, const struct tk_batch *batch, uint32_t row)
{
    if (filter->type == TK_FILTER_TEST) {
        struct prepared of = prepare(filter, batch);
        return row_passes(&of, row);
    }
    for (const struct tk_filter *child = filter->child; child != NULL; child = child->next)
        if (tk_match_row(child, batch, row) == (filter->type == TK_FILTER_ANY))
            return filter->type == TK_FILTER_ANY;
    return filter->type == TK_FILTER_ALL;
}

enum tk_err
tk_match_batch(const struct tk_filter *filter, const struct tk_batch *batch, uint64_t *rows)
{
    uint32_t words = (batch->span_count + 63) / 64;
    if (filter->type == TK_FILTER_TEST) {
        struct prepared of = prepare(filter, batch);
        if (of.test->field == TK_FIELD_ATTRIBUTE && !of.has_key)
            return TK_OK;
        for (uint32_t row = 0; row < batch->span_count; row++)
            if (row_passes(&of, row))
                tk_bit_set(rows, row);
        return TK_OK;
    }
    uint64_t *scratch = calloc((size_t)words + 1, sizeof *scratch);
    if (scratch == NULL)
        return TK_ERR_MEMORY;
    enum tk_err code = TK_OK;
    bool all = filter->type == TK_FILTER_ALL, any = true;
    for (uint32_t row = 0; all && row < batch->span_count; row++)
        tk_bit_set(rows, row);
    for (const struct tk_filter *child = filter->child; child != NULL && code == TK_OK && any;
         child = child->next) {
        memset(scratch, 0, words * sizeof *scratch);
        code = tk_match_batch(child, batch, scratch);
        any = !all;
        for (uint32_t i = 0; i < words; i++) {
            rows[i] = all ? rows[i] & scratch[i] : rows[i] | scratch[i];
            any = any || rows[i] != 0;
        }
    }
    free(scratch);
    return code;
}

void
tk_match_resources(const struct tk_filter *test, const struct tk_batch *batch, uint64_t *bits,
                   uint32_t first)
{
    struct prepared of = prepare(test, batch);
    for (uint32_t i = 0; i < batch->resource_count; i++)
        if (resource_passes(&of, i))
            tk_bit_set(bits, first + i);
}

void
tk_match_scopes(const struct tk_filter *test, const struct tk_batch *batch, uint64_t *bits,
                uint32_t first)
{
    struct prepared of = prepare(test, batch);
    for (uint32_t i = 0; i < batch->scope_count; i++)
        if (scope_passes(&of, i))
            tk_bit_set(bits, first + i);
}
