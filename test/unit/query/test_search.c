/* Search: the order, pages that neither repeat nor skip, times, and honest failure. */
#include "query/memory_store.h"
#include "query/search.h"

static struct tk_arena arena;
static uint64_t found[MEMORY_STORE_MAX];
static uint32_t found_count;

static enum tk_err
note(void *arg, const struct tk_store_trace *trace)
{
    (void)arg;
    found[found_count++] = trace->id.low;
    return TK_OK;
}

static enum tk_err
search(const char *q, struct tk_search terms, struct tk_cursor *last, bool *more)
{
    struct tk_query_error error;
    struct tk_error err;
    assert_int_equal(tk_query_parse(tk_str_from(q), &arena, &terms.query, &error), TK_OK);
    terms.each = note;
    found_count = 0;
    enum tk_err result = tk_search_run(&memory_store.view, &terms, last, more, &err);
    tk_query_release(terms.query);
    return result;
}

/* Ten traces of one span each, "even" or "odd"; two and two begin together. */
static int
setup(void **state)
{
    (void)state;
    tk_arena_init(&arena, 1024, 1 << 24);
    memory_store_begin();
    for (uint64_t id = 1; id <= 10; id++) {
        struct tk_batch *spans = new_batch();
        add_span(spans, add_service(spans, "a"), 1, 0, id % 2 == 0 ? "even" : "odd", id / 2, 1);
        memory_store_add(spans, id);
    }
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    memory_store_end();
    tk_arena_release(&arena);
    return 0;
}

static void
expect_found(const uint64_t *ids, uint32_t count)
{
    assert_int_equal(found_count, count);
    assert_memory_equal(found, ids, count * sizeof *ids);
}

#define EXPECT_FOUND(...)                                                                          \
    expect_found((const uint64_t[]){__VA_ARGS__},                                                  \
                 sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))

static void
the_newest_come_first_and_ties_by_id(void **state)
{
    struct tk_cursor last;
    bool more;
    (void)state;
    assert_int_equal(search("", (struct tk_search){.limit = 20}, &last, &more), TK_OK);
    EXPECT_FOUND(10, 8, 9, 6, 7, 4, 5, 2, 3, 1);
    assert_false(more);
    assert_int_equal(search("odd", (struct tk_search){.limit = 20}, &last, &more), TK_OK);
    EXPECT_FOUND(9, 7, 5, 3, 1);
}

static void
pages_neither_repeat_nor_skip(void **state)
{
    struct tk_cursor last, cursor;
    char text[TK_CURSOR_TEXT + 1];
    bool more;
    (void)state;
    assert_int_equal(search("", (struct tk_search){.limit = 4}, &last, &more), TK_OK);
    EXPECT_FOUND(10, 8, 9, 6);
    assert_true(more);
    tk_cursor_format(&last, text);
    assert_true(tk_cursor_parse(tk_str_from(text), &cursor));
    assert_int_equal(search("", (struct tk_search){.limit = 3, .after = &cursor}, &last, &more),
                     TK_OK);
    EXPECT_FOUND(7, 4, 5);
    assert_true(more);
    cursor = last;
    assert_int_equal(search("", (struct tk_search){.limit = 3, .after = &cursor}, &last, &more),
                     TK_OK);
    EXPECT_FOUND(2, 3, 1);
    assert_false(more);
}

static void
a_full_page_knows_whether_there_is_more_of_its_kind(void **state)
{
    struct tk_cursor last;
    bool more;
    (void)state;
    assert_int_equal(search("odd", (struct tk_search){.limit = 5}, &last, &more), TK_OK);
    assert_false(more);
    assert_int_equal(search("odd", (struct tk_search){.limit = 4}, &last, &more), TK_OK);
    assert_true(more);
}

static void
the_start_lies_between_the_times(void **state)
{
    struct tk_search terms = {.begin_nano = EPOCH + 2 * MS, .end_nano = EPOCH + 4 * MS};
    struct tk_cursor last;
    bool more;
    (void)state;
    assert_int_equal(search("", terms, &last, &more), TK_OK);
    EXPECT_FOUND(6, 7, 4, 5);
}

static void
a_trace_id_is_looked_up_and_still_obeys_the_terms(void **state)
{
    static const char id[] = "00000000000000000000000000000007";
    struct tk_search early = {.end_nano = EPOCH + 3 * MS};
    struct tk_cursor last, cursor = {EPOCH + 3 * MS, {0, 7}};
    bool more;
    (void)state;
    assert_int_equal(search(id, (struct tk_search){.limit = 1}, &last, &more), TK_OK);
    EXPECT_FOUND(7);
    assert_int_equal(memory_store.scanned, 0);
    assert_false(more);
    assert_int_equal(search(id, early, &last, &more), TK_OK);
    assert_int_equal(found_count, 0);
    assert_int_equal(search(id, (struct tk_search){.after = &cursor}, &last, &more), TK_OK);
    assert_int_equal(found_count, 0);
    assert_int_equal(search("000000000000000000000000000000ff", early, &last, &more), TK_OK);
    assert_int_equal(found_count, 0);
}

static void
the_store_is_told_what_may_be_left_out(void **state)
{
    struct tk_cursor last;
    bool more;
    (void)state;
    assert_int_equal(search("{ name = \"even\" && span.a != 1 }", (struct tk_search){.lean = true},
                            &last, &more),
                     TK_OK);
    assert_int_equal(memory_store.range.filter_count, 1);
    assert_true(memory_store.range.want.lean);
    assert_int_equal(memory_store.range.want.key_count, 1);
    assert_int_equal(search("{}", (struct tk_search){.limit = 1}, &last, &more), TK_OK);
    assert_int_equal(memory_store.range.filter_count, 0);
    assert_false(memory_store.range.want.lean);
}

static void
a_trace_that_is_looked_up_is_decided_on(void **state)
{
    static const char odd[] =
        "{ trace:id = \"00000000000000000000000000000007\" && name = \"odd\" }";
    static const char even[] =
        "{ trace:id = \"00000000000000000000000000000007\" && name = \"even\" }";
    struct tk_cursor last;
    bool more;
    (void)state;
    assert_int_equal(search(odd, (struct tk_search){.limit = 1}, &last, &more), TK_OK);
    EXPECT_FOUND(7);
    assert_int_equal(search(even, (struct tk_search){.limit = 1}, &last, &more), TK_OK);
    assert_int_equal(found_count, 0);
    assert_int_equal(memory_store.scanned, 0);
}

static uint64_t
mono_nano(struct tk_env *env)
{
    (void)env;
    return 1000;
}

static void
a_deadline_is_an_error_and_no_shorter_answer(void **state)
{
    struct tk_env env = {.mono_nano = mono_nano};
    struct tk_cursor last;
    bool more;
    (void)state;
    assert_int_equal(
        search("", (struct tk_search){.env = &env, .deadline_nano = 999}, &last, &more),
        TK_ERR_TIMEOUT);
    assert_int_equal(
        search("", (struct tk_search){.env = &env, .deadline_nano = 1001}, &last, &more), TK_OK);
}

static void
garbage_is_no_cursor(void **state)
{
    static const char *const cases[] = {
        "",
        "x",
        "0",
        "17979cfe362a0000000000000000000000000000000000",
        "17979cfe362a00000000000000000000000000000000000000",
        "zz979cfe362a000000000000000000010000"
        "0000000001",
        "000000000000000000000000000000010000000000000001",
        "17979cfe362a000000000000000000000000000000000000",
    };
    struct tk_cursor cursor;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_false(tk_cursor_parse(tk_str_from(cases[i]), &cursor));
    assert_true(
        tk_cursor_parse(TK_STR("17979cfe362a000000000000000000000000000000000001"), &cursor));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_newest_come_first_and_ties_by_id),
        TEST(pages_neither_repeat_nor_skip),
        TEST(a_full_page_knows_whether_there_is_more_of_its_kind),
        TEST(the_start_lies_between_the_times),
        TEST(a_trace_id_is_looked_up_and_still_obeys_the_terms),
        TEST(the_store_is_told_what_may_be_left_out),
        TEST(a_trace_that_is_looked_up_is_decided_on),
        TEST(a_deadline_is_an_error_and_no_shorter_answer),
        TEST(garbage_is_no_cursor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
