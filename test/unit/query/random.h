#ifndef TK_TEST_QUERY_RANDOM_H
#define TK_TEST_QUERY_RANDOM_H
/* random - queries of the whole language, and spans of which they select some, from a seed. */
#include "query/spans.h"
#include "query/traceql.h"

static uint64_t random_seed;

static inline uint32_t
below(uint32_t count)
{
    random_seed ^= random_seed << 13;
    random_seed ^= random_seed >> 7;
    random_seed ^= random_seed << 17;
    return (uint32_t)(random_seed >> 32) % count;
}

#define PICK(array) array[below(sizeof array / sizeof *array)]

static const char *const random_fields[] = {
    ".a",
    "span.a",
    "resource.a",
    "span.b",
    "event.a",
    "link.a",
    "instrumentation.a",
    "span.http.method",
    ".service.name",
    "resource.service.name",
    "name",
    "status",
    "kind",
    "duration",
    "statusMessage",
    "rootName",
    "rootServiceName",
    "traceDuration",
    "event:name",
    "instrumentation:name",
    "parent.a",
    "parent.name",
    "parent.event.a",
    "parent.kind",
    "childCount",
    "span.a + 1",
    "-span.b",
    "2 * .a - span.b",
    "event.a * 2",
};
static const char *const random_values[] = {
    "1",     "2",    "1.5",   "1.0", "2ms",   "\"x\"",  "\"y\"",
    "\"\"",  "true", "false", "nil", "error", "server", "\"unknown_service\"",
    "\"1\"",
};
static const char *const random_ops[] = {"=", "!=", "<", "<=", ">", ">=", "=~", "!~"};

static const char *const random_joints[] = {
    " && ",
    " && ",
    " && ",
    " || ",
    " || ",
    " || ",
    " > ",
    " >> ",
    " < ",
    " << ",
    " ~ ",
    " !> ",
    " !>> ",
    " !< ",
    " !<< ",
    " !~ ",
    " &> ",
    " &>> ",
    " &< ",
    " &<< ",
    " &~ ",
    " | ",
    " | count() > 1 | ",
    " | by(name) | ",
    " | by(.a) | count() + 1 > 2 | coalesce() | ",
    " | max(duration) < 2ms | by(.a) | ",
    " | avg(span.b) <= 1 | ",
    " | select(.a, name) | min(duration) != sum(.a) | ",
};

static const char *const random_texts[] = {"x", "y", ""};

static inline void
random_condition(struct tk_buf *out, unsigned depth)
{
    uint32_t what = below(depth > 3 ? 5 : 10);
    if (what == 9)
        tk_buf_append(out, TK_STR("!"));
    if (what > 6) {
        tk_buf_append(out, TK_STR("("));
        random_condition(out, depth + 1);
        while (below(2) == 0) {
            tk_buf_append(out, below(2) == 0 ? TK_STR(" && ") : TK_STR(" || "));
            random_condition(out, depth + 1);
        }
        tk_buf_append(out, TK_STR(")"));
    } else if (what == 0) {
        tk_buf_printf(out, "%s %s %s", PICK(random_fields), PICK(random_ops), PICK(random_fields));
    } else if (what == 1) {
        tk_buf_printf(out, "%s %s %s", PICK(random_values), PICK(random_ops), PICK(random_fields));
    } else if (what == 2) {
        tk_buf_printf(out, "%s%s", below(2) == 0 ? "!" : "", PICK(random_fields));
    } else {
        tk_buf_printf(out, "%s %s %s", PICK(random_fields), PICK(random_ops), PICK(random_values));
    }
}

static inline void
random_spansets(struct tk_buf *out, unsigned depth)
{
    if (depth < 2 && below(3) == 0) {
        tk_buf_append(out, TK_STR("("));
        random_spansets(out, depth + 1);
        tk_buf_append(out, tk_str_from(PICK(random_joints)));
        random_spansets(out, depth + 1);
        tk_buf_append(out, TK_STR(")"));
        return;
    }
    tk_buf_append(out, TK_STR("{ "));
    random_condition(out, 0);
    tk_buf_append(out, TK_STR(" }"));
}

static inline struct tk_value
random_value(void)
{
    /* ArrayValue { values { string_value: "x" } values { int_value: 1 } } */
    static const char list[] = "\x0a\x03\x0a\x01x\x0a\x02\x18\x01";
    switch (below(8)) {
    case 0:
        return int_attr(below(3));
    case 1:
        return double_attr(below(4) / 2.0);
    case 2:
        return bool_attr(below(2) == 0);
    case 3:
        return (struct tk_value){.type = TK_VALUE_ARRAY, .len = sizeof list - 1, .ptr = list};
    case 4:
        return (struct tk_value){.type = TK_VALUE_EMPTY};
    case 5:
        return string_attr("unknown_service");
    default:
        return string_attr(below(2) == 0 ? "x" : "y");
    }
}

static inline struct tk_range
random_attrs(struct tk_batch *t)
{
    static const char *const keys[] = {"a", "b", "http.request.method", "http.method",
                                       "service.name"};
    struct tk_range range = {.begin = t->attr_count};
    while (below(2) == 0)
        assert_int_equal(tk_batch_add_attr(t, tk_str_from(PICK(keys)), random_value()), TK_OK);
    range.count = t->attr_count - range.begin;
    return range;
}

/* Two resources and a scope, for the spans that follow. */
static inline void
random_resources(struct tk_batch *t)
{
    uint32_t at;
    for (uint32_t i = 0; i < 2; i++) {
        struct tk_range attrs = random_attrs(t);
        assert_int_equal(tk_batch_add_resource(t, &at), TK_OK);
        t->resources[at].attrs = attrs;
    }
    struct tk_range attrs = random_attrs(t);
    assert_int_equal(tk_batch_add_scope(t, &at), TK_OK);
    t->scopes[at].attrs = attrs;
    t->scopes[at].name = tk_str_from(PICK(random_texts));
}

static inline void
random_span(struct tk_batch *t, uint64_t id, uint64_t parent, uint64_t start_ms)
{
    uint32_t at, row = add_span(t, below(2), id, parent, PICK(random_texts), start_ms, below(4));
    struct tk_range attrs = random_attrs(t);
    t->attrs[row] = attrs;
    t->status[row] = (int32_t)below(3);
    t->kind[row] = (int32_t)below(4);
    t->status_message[row] = tk_str_from(PICK(random_texts));
    if (below(2) == 0) {
        attrs = random_attrs(t);
        assert_int_equal(tk_batch_add_event(t, &at), TK_OK);
        t->event[at].name = tk_str_from(PICK(random_texts));
        t->event[at].time_nano = t->start_nano[row];
        t->event[at].attrs = attrs;
        t->events[row] = (struct tk_range){at, 1};
    }
    if (below(2) == 0) {
        attrs = random_attrs(t);
        assert_int_equal(tk_batch_add_link(t, &at), TK_OK);
        t->link[at].trace_id = (struct tk_trace_id){1, 2};
        t->link[at].span_id = 3;
        t->link[at].attrs = attrs;
        t->links[row] = (struct tk_range){at, 1};
    }
}

static inline struct tk_batch *
random_trace(void)
{
    struct tk_batch *t = new_batch();
    uint32_t spans = 1 + below(4);
    random_resources(t);
    for (uint32_t i = 0; i < spans; i++)
        random_span(t, i + 1, i, i);
    return t;
}

#endif
