/*
 * answers - bodies decoded, queries parsed and asked, answers written, with allocations refused
 * (world.h).
 */
#include "fail.h"
#include "heap.h"
#include "sched.h"
#include "world.h"

#include "api/trace_columns.h"
#include "api/trace_json.h"
#include "query/search.h"
#include "wire/otlp.h"

#include <string.h>

enum { BODIES = 6 };

struct answers {
    struct request *requests[BODIES];
    struct tk_batch *whole; /* one trace with all their spans, made while memory lasts */
    uint64_t n;
    bool forever;
};

static void
must_be_clean(enum tk_err code, const char *what)
{
    SIM_CHECK(code == TK_OK || code == TK_ERR_MEMORY || code == TK_ERR_LIMIT, "%s: %s", what,
              tk_err_text(code));
}

static void
ask_query(const struct answers *answers, struct tk_query *query)
{
    const struct tk_batch *trace = answers->whole;
    struct tk_query_groups groups;
    bool matches, *selected = sim_alloc(trace->span_count);
    must_be_clean(tk_query_matches(query, trace, &matches), "matches");
    must_be_clean(tk_query_select(query, trace, selected, &matches), "select");
    enum tk_err code = tk_query_group(query, trace, &groups);
    must_be_clean(code, "group");
    if (code == TK_OK)
        (void)tk_query_shown(query, trace, 0);
    sim_free(selected);
}

static void
ask_queries(const struct answers *answers)
{
    static const char *const texts[] = {
        "{ name = \"query\" && duration > 1us }",
        "{ resource.service.name =~ \"service-.*\" } >> { .n > 2 || status = error }",
        "{ kind = server } | by(name) | count() > 0 | select(.http.method, duration)",
        "checkout error",
        "{ .x = 1 } && ({ name = \"render\" } !> { .y })",
        "{ broken",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct tk_arena arena;
        struct tk_query *query = NULL;
        struct tk_query_error where = {0};
        tk_arena_init(&arena, 1024, 1 << 20);
        enum tk_err code = tk_query_parse(tk_str_from(texts[i]), &arena, &query, &where);
        if (i < 5)
            must_be_clean(code, texts[i]);
        else
            SIM_CHECK(code == TK_ERR_INPUT || code == TK_ERR_MEMORY, "%s: %s", texts[i],
                      tk_err_text(code));
        if (code == TK_OK) {
            ask_query(answers, query);
            tk_query_release(query);
        }
        tk_arena_release(&arena);
    }
}

static void
write_answers(const struct answers *answers)
{
    struct tk_json_writer json;
    struct tk_buf out;
    struct tk_arena arena;
    tk_buf_init(&out, 64 << 20);
    tk_arena_init(&arena, 1024, 64 << 20);
    tk_json_writer_init(&json, &out);
    must_be_clean(tk_summary_json(&json, answers->whole, NULL, &arena), "summary");
    must_be_clean(out.status, "summary");
    tk_buf_clear(&out);
    tk_json_writer_init(&json, &out);
    must_be_clean(tk_trace_json(&json, answers->whole, true, &arena), "trace");
    must_be_clean(out.status, "trace");
    tk_buf_clear(&out);
    struct tk_columns_window window = {.ids = true};
    struct tk_opened opened = {.spans = answers->whole};
    enum tk_err code = tk_tree_build(opened.spans, &arena, &opened.tree);
    if (code == TK_OK)
        code = tk_trace_services(opened.spans, &opened.tree, &arena, &opened.services);
    if (code == TK_OK)
        code = tk_trace_columns(&opened, &window, &arena, &out);
    must_be_clean(code, "columns");
    tk_buf_clear(&out);
    tk_otlp_json_encode(answers->whole, (struct tk_range){0, answers->whole->span_count}, &out);
    must_be_clean(out.status, "OTLP/JSON");
    tk_buf_clear(&out);
    tk_otlp_protobuf_encode(answers->whole, (struct tk_range){0, answers->whole->span_count}, &out);
    must_be_clean(out.status, "OTLP");
    tk_arena_release(&arena);
    tk_buf_release(&out);
}

static void
script(void *arg)
{
    struct answers *answers = arg;
    heap_fail_at(answers->n, answers->forever);
    for (int i = 0; i < BODIES; i++)
        tk_batch_free(request_decode(answers->requests[i]));
    ask_queries(answers);
    write_answers(answers);
    heap_fail_at(0, false);
}

bool
answers_run_refused(uint64_t n, bool forever)
{
    struct answers answers = {.n = n, .forever = forever};
    struct rng rng = rng_stream(7, 0);
    struct pool pool = {0};
    struct request_shape shape = {.now_nano = 1800000000000000000u, .spans_max = 30};
    sched_init(1, shape.now_nano);
    for (uint32_t i = 0; i < BODIES; i++)
        answers.requests[i] = request_new(&rng, &pool, &shape, 1, i);
    answers.whole = request_decode(answers.requests[0]);
    uint64_t refused = heap_refused(), live = heap_live();
    (void)sched_run(script, &answers);
    if (heap_live() != live)
        heap_say_leaks();
    SIM_CHECK(heap_live() == live, "%d blocks of memory are leaked", (int)(heap_live() - live));
    tk_batch_free(answers.whole);
    for (uint32_t i = 0; i < BODIES; i++)
        request_free(answers.requests[i]);
    pool_release(&pool);
    return heap_refused() > refused;
}
