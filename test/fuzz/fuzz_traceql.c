/*
 * Any text as a query: it is refused with a position within it, or it runs on a small trace, in
 * memory of any size.  Its plan must let through what it selects.  What is taken is said again as
 * TraceQL, and that must be taken too.
 */
#include "query/plan.h"
#include "query/traceql.h"
#include "store/embedded/match.h"

#include "base/assert.h"

enum { SPANS = 3 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ArrayValue { values { string_value: "x" } values { int_value: 7 } } */
static const char list[] = "\x0a\x03\x0a\x01x\x0a\x02\x18\x07";

static void
must(enum tk_err result)
{
    TK_ASSERT(result == TK_OK);
}

static void
add_attr(struct tk_batch *batch, uint32_t row, tk_str key, struct tk_value value)
{
    must(tk_batch_add_attr(batch, key, value));
    batch->attrs[row].count++;
}

static struct tk_batch *
make_trace(void)
{
    struct tk_batch *batch = tk_batch_new();
    uint32_t resource, scope, row, event, link;
    TK_ASSERT(batch != NULL);
    must(tk_batch_add_resource(batch, &resource));
    must(tk_batch_add_scope(batch, &scope));
    for (uint64_t i = 1; i <= SPANS; i++) {
        must(tk_batch_add_span(batch, &row));
        batch->trace_id[row] = (struct tk_trace_id){1, 2};
        batch->span_id[row] = i;
        batch->parent_id[row] = i - 1;
        batch->start_nano[row] = 1000 * i;
        batch->end_nano[row] = 9000;
        batch->name[row] = TK_STR("GET /users/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
        batch->attrs[row].begin = batch->attr_count;
        add_attr(batch, row, TK_STR("a"), (struct tk_value){.type = TK_VALUE_INT, .i = 42});
        add_attr(batch, row, TK_STR("b"), (struct tk_value){.type = TK_VALUE_DOUBLE, .d = 0.5});
        add_attr(batch, row, TK_STR("c"), (struct tk_value){.type = TK_VALUE_BOOL, .b = true});
        add_attr(batch, row, TK_STR("d"),
                 (struct tk_value){.type = TK_VALUE_STRING, .len = 2, .ptr = "42"});
        add_attr(batch, row, TK_STR("e"),
                 (struct tk_value){.type = TK_VALUE_ARRAY, .len = sizeof list - 1, .ptr = list});
    }
    must(tk_batch_add_event(batch, &event));
    batch->event[event].name = TK_STR("exception");
    batch->events[row] = (struct tk_range){event, 1};
    must(tk_batch_add_link(batch, &link));
    batch->links[row] = (struct tk_range){link, 1};
    return batch;
}

static size_t
characters(tk_str text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.len; i++)
        count += ((unsigned char)text.ptr[i] & 0xc0) != 0x80;
    return count;
}

/* Nothing that the query selects is excluded by its plan. */
static void
check_plan(struct tk_query *query, const struct tk_batch *trace, bool matches)
{
    struct tk_plan plan;
    must(tk_plan_make(query, &plan));
    for (size_t i = 0; i < plan.filter_count; i++) {
        bool passes = false;
        for (uint32_t row = 0; row < SPANS && !passes; row++)
            passes = tk_match_row(plan.filters[i], trace, row);
        TK_ASSERT(passes || !matches);
    }
    TK_ASSERT(!plan.one_trace || !matches || tk_trace_id_eq(plan.trace_id, trace->trace_id[0]));
}

/* With little memory it is refused, or the answer is the same. */
static void
check_budget(struct tk_query *query, const struct tk_batch *trace, bool matches, size_t memory)
{
    bool again;
    tk_query_set_budget(query, memory, NULL, NULL);
    enum tk_err result = tk_query_matches(query, trace, &again);
    TK_ASSERT((result == TK_OK && again == matches) ||
              (result == TK_ERR_LIMIT && tk_query_hit(query) != TK_BUDGET_NONE));
}

static void
run(struct tk_query *query, const struct tk_batch *trace, size_t memory)
{
    bool matches, again, selected[SPANS];
    enum tk_err result = tk_query_matches(query, trace, &matches);
    TK_ASSERT(result == TK_OK || result == TK_ERR_LIMIT);
    if (result != TK_OK)
        return;
    result = tk_query_select(query, trace, selected, &again);
    TK_ASSERT(result == TK_ERR_LIMIT ||
              (matches == again && matches == (selected[0] || selected[1] || selected[2])));
    for (uint32_t row = 0; row < SPANS && result == TK_OK; row++)
        (void)tk_query_shown(query, trace, row);
    check_plan(query, trace, matches);
    check_budget(query, trace, matches, memory);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct tk_batch *trace;
    tk_str text = {(const char *)data, size};
    struct tk_query_error error;
    struct tk_query *query, *said_again;
    struct tk_arena arena;
    if (trace == NULL)
        trace = make_trace();
    tk_arena_init(&arena, 4096, 64 << 20);
    enum tk_err result = tk_query_parse(text, &arena, &query, &error);
    if (result == TK_OK) {
        run(query, trace, size % 64 * 128);
        if (tk_query_text(query).len <= TK_QUERY_TEXT_MAX) {
            must(tk_query_parse(tk_query_text(query), &arena, &said_again, &error));
            tk_query_release(said_again);
        }
        tk_query_release(query);
    } else {
        TK_ASSERT(result == TK_ERR_INPUT && error.position <= characters(text));
    }
    tk_arena_release(&arena);
    return 0;
}
