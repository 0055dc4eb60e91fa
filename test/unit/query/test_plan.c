/* Planning: what a query asks of the store, and that no plan excludes what the query selects. */
#include "query/filters.h"
#include "query/plan.h"
#include "query/random.h"

static struct tk_arena arena;

static struct tk_query *
parse(const char *text)
{
    struct tk_query *query = NULL;
    struct tk_query_error error;
    if (tk_query_parse(tk_str_from(text), &arena, &query, &error) != TK_OK)
        fail_msg("\"%s\": %zu: %s", text, error.position, error.detail);
    return query;
}

static struct tk_plan
plan(struct tk_query *query)
{
    struct tk_plan result;
    assert_int_equal(tk_plan_make(query, &result), TK_OK);
    return result;
}

/* The filters, with " & " between them. */
static void
expect_filters(const char *q, const char *expected)
{
    struct tk_query *query = parse(q);
    struct tk_plan made = plan(query);
    struct tk_buf text;
    tk_buf_init(&text, 1 << 16);
    for (size_t i = 0; i < made.filter_count; i++) {
        if (i > 0)
            tk_buf_append(&text, TK_STR(" & "));
        filter_text(made.filters[i], &text);
    }
    tk_buf_append_char(&text, '\0');
    if (strcmp(text.ptr, expected) != 0)
        fail_msg("%s\n  gives    %s\n  expected %s", q, text.ptr, expected);
    tk_buf_release(&text);
    tk_query_release(query);
}

static void
conditions_become_tests(void **state)
{
    (void)state;
    expect_filters("{ span.a = 42 }", "span a = 42");
    expect_filters("{ 42 = span.a }", "span a = 42");
    expect_filters("{ 42 < span.a }", "span a > 42");
    expect_filters("{ span.a <= 1.5 }", "span a <= 1.5");
    expect_filters("{ resource.a = \"x\" }", "resource a = \"x\"");
    expect_filters("{ .a = true }", "span+resource a = true");
    expect_filters("{ .a }", "span+resource a = true");
    expect_filters("{ event.a = 1 }", "event a = 1");
    expect_filters("{ link.a = 1 }", "link a = 1");
    expect_filters("{ instrumentation.a = 1 }", "scope a = 1");
    expect_filters("{ span.a =~ \"x.*\" }", "span a matches");
    expect_filters("{ span.a > 200ms }", "span a > 200000000");
    expect_filters("{ name = \"charge\" }", "name = \"charge\"");
    expect_filters("{ name =~ \"c.*\" }", "name matches");
    expect_filters("{ status = error }", "status = 2");
    expect_filters("{ kind = server }", "kind = 2");
    expect_filters("{ duration > 200ms }", "duration > 200000000");
    expect_filters("{ statusMessage = \"x\" }", "statusMessage = \"x\"");
    expect_filters("{ event:name = \"exception\" }", "event:name = \"exception\"");
    expect_filters("{ instrumentation:name = \"x\" && instrumentation:version = \"1\" }",
                   "all(scope:name = \"x\", scope:version = \"1\")");
}

static void
names_that_changed_are_looked_for_under_all_of_them(void **state)
{
    (void)state;
    expect_filters("{ span.http.status_code = 500 }",
                   "any(span http.status_code = 500, span http.response.status_code = 500)");
}

static void
and_is_all_and_or_is_any(void **state)
{
    (void)state;
    expect_filters("{ span.a = 1 && span.b = 2 || span.c = 3 }",
                   "any(all(span a = 1, span b = 2), span c = 3)");
    expect_filters("{ span.a = 1 && true }", "span a = 1");
    expect_filters("{ span.a = 1 || true }", "");
    expect_filters("{ span.a = 1 && false }", "any()");
    expect_filters("{ span.a = 1 || false }", "span a = 1");
    expect_filters("{}", "");
}

static void
what_excludes_asks_for_the_key_at_most(void **state)
{
    (void)state;
    expect_filters("{ span.a != 1 }", "span a exists");
    expect_filters("{ span.a !~ \"x\" }", "span a exists");
    expect_filters("{ span.a > \"x\" }", "span a exists");
    expect_filters("{ span.a != nil }", "span a exists");
    expect_filters("{ span.a = nil }", "");
    expect_filters("{ !(span.a = nil) }", "span a exists");
    expect_filters("{ !(span.a = 1) }", "");
    expect_filters("{ !(span.a != 1) }", "");
    expect_filters("{ !span.a }", "");
    expect_filters("{ name != \"x\" }", "");
    expect_filters("{ !(name != \"x\") }", "name = \"x\"");
    expect_filters("{ !(duration > 1s) }", "duration <= 1000000000");
    expect_filters("{ !(event:name != \"x\") }", "");
    expect_filters("{ !(duration > 1s || name != \"x\") }",
                   "all(duration <= 1000000000, name = \"x\")");
    expect_filters("{ !(duration > 1s && name != \"x\") }",
                   "any(duration <= 1000000000, name = \"x\")");
    expect_filters("{ span.a = span.b }", "all(span a exists, span b exists)");
    expect_filters("{ span.a > duration }", "span a exists");
    expect_filters("{ !(span.a = span.b) }", "");
}

static void
spans_of_no_named_service_are_not_lost(void **state)
{
    (void)state;
    expect_filters("{ resource.service.name = \"api\" }", "resource service.name = \"api\"");
    expect_filters("{ .service.name = \"api\" }", "span+resource service.name = \"api\"");
    expect_filters("{ resource.service.name = \"unknown_service\" }", "");
    expect_filters("{ resource.service.name =~ \"a.*\" }", "resource service.name matches");
    expect_filters("{ resource.service.name =~ \"unk.*\" }", "");
    expect_filters("{ resource.service.name != \"api\" }", "");
    expect_filters("{ resource.service.name != nil }", "");
    expect_filters("{ span.service.name != \"api\" }", "span service.name exists");
}

static void
what_speaks_of_the_trace_is_a_filter_of_its_own(void **state)
{
    (void)state;
    expect_filters("{ rootName = \"x\" && span.a = 1 }", "name = \"x\" & span a = 1");
    expect_filters("{ rootName = \"x\" || span.a = 1 }", "");
    expect_filters("{ rootServiceName = \"x\" }", "resource service.name = \"x\"");
    expect_filters("{ rootServiceName = \"unknown_service\" }", "");
    expect_filters("{ traceDuration > 1s }", "");
    expect_filters("{ span.a = 1 } && { span.b = 2 }", "span a = 1 & span b = 2");
    expect_filters("{ span.a = 1 } || { span.b = 2 }", "any(span a = 1, span b = 2)");
    expect_filters("({ span.a = 1 } && { span.c = 3 }) || { span.b = 2 }",
                   "any(span a = 1, span b = 2) & any(span c = 3, span b = 2)");
    expect_filters("{ span.a = 1 } || {}", "");
}

static void
pipelines_and_relations_ask_for_each_of_their_spansets(void **state)
{
    (void)state;
    expect_filters("{ span.a = 1 } >> { span.b = 2 }", "span a = 1 & span b = 2");
    expect_filters("{ span.a = 1 } &~ { span.b = 2 }", "span a = 1 & span b = 2");
    expect_filters("{ span.a = 1 } !>> { span.b = 2 }", "span b = 2");
    expect_filters("{ span.a = 1 } | count() > 2 | by(name) | { span.b = 2 }",
                   "span a = 1 & span b = 2");
    expect_filters("({ span.a = 1 } | count() > 2) || { span.b = 2 }",
                   "any(span a = 1, span b = 2)");
    expect_filters("count() > 2 | select(.a)", "");
    expect_filters("{ span.a = 1 } | rate() by (span.b)", "span a = 1");
}

static void
what_is_calculated_needs_what_it_is_calculated_of(void **state)
{
    (void)state;
    expect_filters("{ span.a + 1 = 2 }", "span a exists");
    expect_filters("{ -span.a < span.b * 2 }", "all(span a exists, span b exists)");
    expect_filters("{ duration > 1s * 2 }", "duration > 2000000000");
    expect_filters("{ duration * 2 > 1s }", "");
    expect_filters("{ (span.a = nil) = true }", "");
    expect_filters("{ !(span.a + 1 = 2) }", "");
    expect_filters("{ span.a + 1 != nil }", "span a exists");
}

static void
a_parent_is_another_span(void **state)
{
    (void)state;
    expect_filters("{ parent.a = 1 && span.b = 2 }", "span+resource a = 1 & span b = 2");
    expect_filters("{ parent.a = 1 || span.b = 2 }", "");
    expect_filters("{ parent.name = \"x\" }", "name = \"x\"");
    expect_filters("{ !(parent.name != \"x\") }", "");
    expect_filters("{ parent.duration > 1s }", "duration > 1000000000");
    expect_filters("{ parent.a = nil }", "");
}

static void
a_trace_id_that_must_hold_is_looked_up(void **state)
{
    static const char id[] = "trace:id = \"4bf92f3577b34da6a3ce929d0e0e4736\"";
    static const struct {
        const char *format;
        bool one;
    } cases[] = {
        {"{ %s }", true},
        {"{ %s && status = error }", true},
        {"{ %s } && { status = error }", true},
        {"{ %s || status = error }", false},
        {"{ !(%s) }", false},
        {"{ %s } || { status = error }", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[256];
        (void)snprintf(text, sizeof text, cases[i].format, id);
        assert_int_equal(plan(parse(text)).one_trace, cases[i].one);
    }
    assert_int_equal(
        plan(parse("{ trace:id = \"4BF92F3577B34DA6A3CE929D0E0E4736\" }")).trace_id.low,
        0xa3ce929d0e0e4736);
    expect_filters("{ trace:id = \"12\" }", "any()");
    expect_filters("{ trace:id = \"4bf92f3577b34da6a3ce929d0e0e4736\" } && "
                   "{ trace:id = \"4bf92f3577b34da6a3ce929d0e0e4737\" }",
                   "any()");
}

static void
as_much_of_the_spans_is_wanted_as_deciding_needs(void **state)
{
    struct tk_plan lean = plan(parse("{ span.a = 1 && .http.method = \"x\" && resource.b = 2 }"));
    (void)state;
    assert_true(lean.want.lean);
    assert_int_equal(lean.want.key_count, 3);
    assert_true(tk_str_eq(lean.want.keys[0], TK_STR("a")));
    assert_true(tk_str_eq(lean.want.keys[1], TK_STR("http.method")));
    assert_true(tk_str_eq(lean.want.keys[2], TK_STR("http.request.method")));
    assert_false(plan(parse("{ event.a = 1 }")).want.lean);
    assert_false(plan(parse("{ link:spanID = \"1\" }")).want.lean);
    assert_false(plan(parse("{ true || !(statusMessage = \"x\") }")).want.lean);
}

/* ---- at random ---- */

static void
no_plan_excludes_a_trace_that_the_query_selects(void **state)
{
    enum { TRACES = 100, QUERIES = 20000 };
    struct tk_batch *traces[TRACES];
    struct tk_buf text;
    uint64_t selected = 0, excluded = 0, asked = 0;
    (void)state;
    random_seed = 88172645463325252u;
    tk_buf_init(&text, 1 << 20);
    for (size_t i = 0; i < TRACES; i++)
        traces[i] = random_trace();
    for (int n = 0; n < QUERIES; n++) {
        struct tk_query *query;
        struct tk_query_error error;
        tk_buf_clear(&text);
        random_spansets(&text, 0);
        tk_arena_clear(&arena);
        if (tk_query_parse(tk_buf_str(&text), &arena, &query, &error) != TK_OK)
            continue; /* types that do not go together */
        struct tk_plan made = plan(query);
        for (size_t i = 0; i < TRACES; i++) {
            bool matches, passes = true;
            assert_int_equal(tk_query_matches(query, traces[i], &matches), TK_OK);
            for (size_t k = 0; k < made.filter_count; k++)
                passes = passes && filter_holds_for_some(made.filters[k], traces[i]);
            if (matches && !passes)
                fail_msg("%.*s selects trace %zu, its plan does not", TK_STR_ARG(tk_buf_str(&text)),
                         i);
            asked++;
            selected += matches;
            excluded += !passes;
        }
        tk_query_release(query);
    }
    /* and the plans are worth something: they see most of what is not selected */
    assert_true(asked > 400000 && selected > asked / 4 && excluded > asked / 4);
    for (size_t i = 0; i < TRACES; i++)
        tk_batch_free(traces[i]);
    tk_buf_release(&text);
}

static int
setup(void **state)
{
    (void)state;
    tk_arena_init(&arena, 1024, 1 << 26);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    tk_arena_release(&arena);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(conditions_become_tests),
        TEST(names_that_changed_are_looked_for_under_all_of_them),
        TEST(and_is_all_and_or_is_any),
        TEST(what_excludes_asks_for_the_key_at_most),
        TEST(spans_of_no_named_service_are_not_lost),
        TEST(what_speaks_of_the_trace_is_a_filter_of_its_own),
        TEST(pipelines_and_relations_ask_for_each_of_their_spansets),
        TEST(what_is_calculated_needs_what_it_is_calculated_of),
        TEST(a_parent_is_another_span),
        TEST(a_trace_id_that_must_hold_is_looked_up),
        TEST(as_much_of_the_spans_is_wanted_as_deciding_needs),
        TEST(no_plan_excludes_a_trace_that_the_query_selects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
