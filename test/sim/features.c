/* features - see features.h: filters worked out by brute force, from the words of filter.h. */
#include "features.h"

#include <stdio.h>

#define TEXT(literal)                                                                              \
    {                                                                                              \
        .type = TK_VALUE_STRING, .len = sizeof(literal) - 1, .ptr = (literal)                      \
    }
#define INT(number)                                                                                \
    {                                                                                              \
        .type = TK_VALUE_INT, .i = (number)                                                        \
    }
#define DOUBLE(number)                                                                             \
    {                                                                                              \
        .type = TK_VALUE_DOUBLE, .d = (number)                                                     \
    }
#define TRUTH(truth)                                                                               \
    {                                                                                              \
        .type = TK_VALUE_BOOL, .b = (truth)                                                        \
    }
#define FIELD(name, how, ...)                                                                      \
    {                                                                                              \
        .type = TK_FILTER_TEST, .field = TK_FIELD_##name, .op = TK_FILTER_##how,                   \
        .value = __VA_ARGS__                                                                       \
    }
#define ATTR(who, name, how, ...)                                                                  \
    {                                                                                              \
        .type = TK_FILTER_TEST, .field = TK_FIELD_ATTRIBUTE, .owners = (who),                      \
        .key = {(name), sizeof(name) - 1}, .op = TK_FILTER_##how, .value = __VA_ARGS__             \
    }

static bool
begins_with_q_or_r(void *arg, tk_str text)
{
    (void)arg;
    return text.len > 0 && (text.ptr[0] == 'q' || text.ptr[0] == 'r');
}

enum { SPAN = TK_OWNER_SPAN, RESOURCE = TK_OWNER_RESOURCE, ANYBODY = 31 };

static const struct tk_filter status_1 = FIELD(STATUS, EQ, INT(1));
static const struct tk_filter kind_1 = {.type = TK_FILTER_TEST,
                                        .field = TK_FIELD_KIND,
                                        .op = TK_FILTER_EQ,
                                        .value = INT(1),
                                        .next = &status_1};
static const struct tk_filter name_query = FIELD(NAME, EQ, TEXT("query"));
static const struct tk_filter has_n = {.type = TK_FILTER_TEST,
                                       .field = TK_FIELD_ATTRIBUTE,
                                       .owners = SPAN,
                                       .key = {"n", 1},
                                       .op = TK_FILTER_EXISTS,
                                       .next = &name_query};

static const struct tk_filter filters[FEATURE_COUNT] = {
    FIELD(NAME, EQ, TEXT("query")),
    FIELD(NAME, EQ, TEXT("")),
    FIELD(STATUS, EQ, INT(2)),
    FIELD(KIND, GE, INT(3)),
    FIELD(DURATION, GT, INT(700)),
    FIELD(DURATION, LE, INT(0)),
    FIELD(EVENT_NAME, EQ, TEXT("exception")),
    FIELD(SCOPE_NAME, EQ, TEXT("lib")),
    FIELD(STATUS_MESSAGE, EQ, TEXT("failed")),
    ATTR(SPAN, "n", EXISTS, INT(0)),
    ATTR(SPAN, "n", EQ, INT(3)),
    ATTR(ANYBODY, "n", GT, DOUBLE(2.5)),
    ATTR(SPAN, "http.method", EQ, TEXT("GET")),
    ATTR(SPAN, "x", EQ, TRUTH(true)),
    ATTR(RESOURCE, "service.name", EQ, TEXT("service-1")),
    ATTR(RESOURCE, "service.name", EQ, TEXT("nobody")),
    ATTR(TK_OWNER_EVENT, "y", EXISTS, INT(0)),
    ATTR(TK_OWNER_LINK | TK_OWNER_SCOPE, "z", LT, INT(3)),
    ATTR(SPAN | RESOURCE, "user.id", EQ, TEXT("ok")),
    {.type = TK_FILTER_TEST,
     .field = TK_FIELD_NAME,
     .op = TK_FILTER_MATCHES,
     .matches = begins_with_q_or_r},
    {.type = TK_FILTER_ANY, .child = &kind_1},
    {.type = TK_FILTER_ALL, .child = &has_n},
};

const struct tk_filter *
feature_filter(unsigned number)
{
    return &filters[number];
}

static bool
fits(enum tk_filter_op op, int order)
{
    switch (op) {
    case TK_FILTER_EQ:
        return order == 0;
    case TK_FILTER_LT:
        return order < 0;
    case TK_FILTER_LE:
        return order <= 0;
    case TK_FILTER_GT:
        return order > 0;
    case TK_FILTER_GE:
        return order >= 0;
    default:
        return false;
    }
}

static bool
is_number(struct tk_value value)
{
    return value.type == TK_VALUE_INT || value.type == TK_VALUE_DOUBLE;
}

static int
compare_numbers(struct tk_value a, struct tk_value b)
{
    if (a.type == TK_VALUE_INT && b.type == TK_VALUE_INT)
        return (a.i > b.i) - (a.i < b.i);
    long double x = a.type == TK_VALUE_INT ? (long double)a.i : (long double)a.d;
    long double y = b.type == TK_VALUE_INT ? (long double)b.i : (long double)b.d;
    return (x > y) - (x < y);
}

static bool
holds_for_value(const struct tk_filter *filter, struct tk_value value)
{
    if (filter->op == TK_FILTER_EXISTS)
        return true;
    if (value.type == TK_VALUE_STRING && filter->op == TK_FILTER_MATCHES)
        return filter->matches(filter->arg, tk_value_str(value));
    if (is_number(value) && is_number(filter->value))
        return fits(filter->op, compare_numbers(value, filter->value));
    if (value.type != filter->value.type || filter->op != TK_FILTER_EQ)
        return false;
    if (value.type == TK_VALUE_BOOL)
        return value.b == filter->value.b;
    return value.type == TK_VALUE_STRING &&
           tk_str_eq(tk_value_str(value), tk_value_str(filter->value));
}

static bool
holds_for_text(const struct tk_filter *filter, tk_str text)
{
    return holds_for_value(
        filter,
        (struct tk_value){.type = TK_VALUE_STRING, .len = (uint32_t)text.len, .ptr = text.ptr});
}

static bool
holds_for_number(const struct tk_filter *filter, int64_t number)
{
    return holds_for_value(filter, (struct tk_value){.type = TK_VALUE_INT, .i = number});
}

static bool
holds_in(const struct tk_filter *filter, const struct tk_batch *batch, struct tk_range range)
{
    for (uint32_t i = range.begin; i < range.begin + range.count; i++)
        if (tk_str_eq(batch->keys.strings[batch->attr_key[i]], filter->key) &&
            holds_for_value(filter, batch->attr_value[i]))
            return true;
    return false;
}

static bool
holds_for_attributes(const struct tk_filter *filter, const struct tk_batch *batch, uint32_t row)
{
    struct tk_range events = batch->events[row], links = batch->links[row];
    if ((filter->owners & TK_OWNER_SPAN) != 0 && holds_in(filter, batch, batch->attrs[row]))
        return true;
    if ((filter->owners & TK_OWNER_RESOURCE) != 0 &&
        holds_in(filter, batch, batch->resources[batch->resource[row]].attrs))
        return true;
    if ((filter->owners & TK_OWNER_SCOPE) != 0 &&
        holds_in(filter, batch, batch->scopes[batch->scope[row]].attrs))
        return true;
    for (uint32_t i = 0; i < events.count && (filter->owners & TK_OWNER_EVENT) != 0; i++)
        if (holds_in(filter, batch, batch->event[events.begin + i].attrs))
            return true;
    for (uint32_t i = 0; i < links.count && (filter->owners & TK_OWNER_LINK) != 0; i++)
        if (holds_in(filter, batch, batch->link[links.begin + i].attrs))
            return true;
    return false;
}

static bool
holds_for_events(const struct tk_filter *filter, const struct tk_batch *batch, uint32_t row)
{
    struct tk_range events = batch->events[row];
    for (uint32_t i = events.begin; i < events.begin + events.count; i++)
        if (holds_for_text(filter, batch->event[i].name))
            return true;
    return false;
}

static bool
holds_for_field(const struct tk_filter *filter, const struct tk_batch *batch, uint32_t row)
{
    switch (filter->field) {
    case TK_FIELD_ATTRIBUTE:
        return holds_for_attributes(filter, batch, row);
    case TK_FIELD_NAME:
        return holds_for_text(filter, batch->name[row]);
    case TK_FIELD_STATUS_MESSAGE:
        return holds_for_text(filter, batch->status_message[row]);
    case TK_FIELD_EVENT_NAME:
        return holds_for_events(filter, batch, row);
    case TK_FIELD_SCOPE_NAME:
        return holds_for_text(filter, batch->scopes[batch->scope[row]].name);
    case TK_FIELD_SCOPE_VERSION:
        return holds_for_text(filter, batch->scopes[batch->scope[row]].version);
    case TK_FIELD_STATUS:
        return holds_for_number(filter, batch->status[row]);
    case TK_FIELD_KIND:
        return holds_for_number(filter, batch->kind[row]);
    case TK_FIELD_DURATION:
        return holds_for_number(filter, (int64_t)(batch->end_nano[row] - batch->start_nano[row]));
    }
    return false;
}

static bool
holds(const struct tk_filter *filter, const struct tk_batch *batch, uint32_t row)
{
    if (filter->type == TK_FILTER_TEST)
        return holds_for_field(filter, batch, row);
    bool all = filter->type == TK_FILTER_ALL;
    for (const struct tk_filter *child = filter->child; child != NULL; child = child->next)
        if (holds(child, batch, row) != all)
            return !all;
    return all;
}

uint64_t
features_of_row(const struct tk_batch *batch, uint32_t row)
{
    uint64_t features = 0;
    for (unsigned i = 0; i < FEATURE_COUNT; i++)
        features |= (uint64_t)holds(&filters[i], batch, row) << i;
    return features;
}
