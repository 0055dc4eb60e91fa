#ifndef TK_TEST_QUERY_FILTERS_H
#define TK_TEST_QUERY_FILTERS_H
/* filters - what store/filter.h says, said once more as simply as can be, for tests: does a filter
   hold for a span, and a filter as text. */
#include "query/spans.h"
#include "store/filter.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

static inline int
filter_order(struct tk_value a, struct tk_value b) /* 2: none */
{
    long double x = a.type == TK_VALUE_INT ? (long double)a.i : (long double)a.d;
    long double y = b.type == TK_VALUE_INT ? (long double)b.i : (long double)b.d;
    return isnan(x) || isnan(y) ? 2 : (x > y) - (x < y);
}

static inline bool
is_numeric(struct tk_value value)
{
    return value.type == TK_VALUE_INT || value.type == TK_VALUE_DOUBLE;
}

static inline bool
filter_tests(const struct tk_filter *test, struct tk_value value)
{
    if (test->op == TK_FILTER_EXISTS || value.type == TK_VALUE_ARRAY ||
        value.type == TK_VALUE_MAP || value.type == TK_VALUE_BYTES || value.type == TK_VALUE_EMPTY)
        return true;
    if (test->op == TK_FILTER_MATCHES)
        return value.type == TK_VALUE_STRING && test->matches(test->arg, tk_value_str(value));
    if (value.type == TK_VALUE_STRING || value.type == TK_VALUE_BOOL) {
        if (test->op != TK_FILTER_EQ || test->value.type != value.type)
            return false;
        return value.type == TK_VALUE_BOOL
                   ? value.b == test->value.b
                   : tk_str_eq(tk_value_str(value), tk_value_str(test->value));
    }
    if (!is_numeric(test->value))
        return false;
    int order = filter_order(value, test->value);
    switch (test->op) {
    case TK_FILTER_EQ:
        return order == 0;
    case TK_FILTER_LT:
        return order == -1;
    case TK_FILTER_LE:
        return order == -1 || order == 0;
    case TK_FILTER_GT:
        return order == 1;
    default:
        return order == 1 || order == 0;
    }
}

static inline bool
filter_tests_attrs(const struct tk_filter *test, const struct tk_batch *t, struct tk_range range)
{
    for (uint32_t i = range.begin; i < range.begin + range.count; i++) {
        if (tk_str_eq(t->keys.strings[t->attr_key[i]], test->key) &&
            filter_tests(test, t->attr_value[i]))
            return true;
    }
    return false;
}

static inline struct tk_value
filter_text_value(tk_str text)
{
    return (struct tk_value){.type = TK_VALUE_STRING, .len = (uint32_t)text.len, .ptr = text.ptr};
}

static inline bool
filter_tests_span(const struct tk_filter *test, const struct tk_batch *t, uint32_t row)
{
    struct tk_range events = t->events[row], links = t->links[row];
    switch (test->field) {
    case TK_FIELD_NAME:
        return filter_tests(test, filter_text_value(t->name[row]));
    case TK_FIELD_STATUS_MESSAGE:
        return filter_tests(test, filter_text_value(t->status_message[row]));
    case TK_FIELD_SCOPE_NAME:
        return filter_tests(test, filter_text_value(t->scopes[t->scope[row]].name));
    case TK_FIELD_SCOPE_VERSION:
        return filter_tests(test, filter_text_value(t->scopes[t->scope[row]].version));
    case TK_FIELD_STATUS:
        return filter_tests(test, int_attr(t->status[row]));
    case TK_FIELD_KIND:
        return filter_tests(test, int_attr(t->kind[row]));
    case TK_FIELD_DURATION:
        return filter_tests(test, int_attr((int64_t)(t->end_nano[row] - t->start_nano[row])));
    case TK_FIELD_EVENT_NAME:
        for (uint32_t i = events.begin; i < events.begin + events.count; i++) {
            if (filter_tests(test, filter_text_value(t->event[i].name)))
                return true;
        }
        return test->op == TK_FILTER_EXISTS;
    case TK_FIELD_ATTRIBUTE:
        break;
    }
    if (((test->owners & TK_OWNER_SPAN) != 0 && filter_tests_attrs(test, t, t->attrs[row])) ||
        ((test->owners & TK_OWNER_RESOURCE) != 0 &&
         filter_tests_attrs(test, t, t->resources[t->resource[row]].attrs)) ||
        ((test->owners & TK_OWNER_SCOPE) != 0 &&
         filter_tests_attrs(test, t, t->scopes[t->scope[row]].attrs)))
        return true;
    for (uint32_t i = events.begin; i < events.begin + events.count; i++) {
        if ((test->owners & TK_OWNER_EVENT) != 0 && filter_tests_attrs(test, t, t->event[i].attrs))
            return true;
    }
    for (uint32_t i = links.begin; i < links.begin + links.count; i++) {
        if ((test->owners & TK_OWNER_LINK) != 0 && filter_tests_attrs(test, t, t->link[i].attrs))
            return true;
    }
    return false;
}

/* Does it hold for the span? */
static inline bool
filter_holds(const struct tk_filter *filter, const struct tk_batch *t, uint32_t row)
{
    if (filter->type == TK_FILTER_TEST)
        return filter_tests_span(filter, t, row);
    for (const struct tk_filter *child = filter->child; child != NULL; child = child->next) {
        if (filter_holds(child, t, row) != (filter->type == TK_FILTER_ALL))
            return filter->type == TK_FILTER_ANY;
    }
    return filter->type == TK_FILTER_ALL;
}

static inline bool
filter_holds_for_some(const struct tk_filter *filter, const struct tk_batch *t)
{
    for (uint32_t row = 0; row < t->span_count; row++) {
        if (filter_holds(filter, t, row))
            return true;
    }
    return false;
}

/* "any(span+resource a = 42, name matches)" */
static inline void
filter_text(const struct tk_filter *filter, struct tk_buf *out)
{
    static const char *const fields[] = {"",           "name",       "statusMessage",
                                         "event:name", "scope:name", "scope:version",
                                         "status",     "kind",       "duration"};
    static const char *const ops[] = {"exists", "=", "<", "<=", ">", ">=", "matches"};
    static const char *const owners[] = {"span", "resource", "scope", "event", "link"};
    if (filter->type != TK_FILTER_TEST) {
        tk_buf_append(out, filter->type == TK_FILTER_ALL ? TK_STR("all(") : TK_STR("any("));
        for (const struct tk_filter *child = filter->child; child != NULL; child = child->next) {
            filter_text(child, out);
            if (child->next != NULL)
                tk_buf_append(out, TK_STR(", "));
        }
        tk_buf_append(out, TK_STR(")"));
        return;
    }
    bool first = true;
    for (unsigned i = 0; i < 5 && filter->field == TK_FIELD_ATTRIBUTE; i++) {
        if ((filter->owners >> i & 1) == 0)
            continue;
        tk_buf_printf(out, "%s%s", first ? "" : "+", owners[i]);
        first = false;
    }
    if (filter->field == TK_FIELD_ATTRIBUTE)
        tk_buf_printf(out, " %.*s", TK_STR_ARG(filter->key));
    tk_buf_printf(out, "%s %s", fields[filter->field], ops[filter->op]);
    if (filter->op == TK_FILTER_EXISTS || filter->op == TK_FILTER_MATCHES)
        return;
    if (filter->value.type == TK_VALUE_STRING)
        tk_buf_printf(out, " \"%.*s\"", TK_STR_ARG(tk_value_str(filter->value)));
    else if (filter->value.type == TK_VALUE_INT)
        tk_buf_printf(out, " %" PRId64, filter->value.i);
    else if (filter->value.type == TK_VALUE_DOUBLE)
        tk_buf_printf(out, " %g", filter->value.d);
    else
        tk_buf_printf(out, " %s", filter->value.b ? "true" : "false");
}

#endif
