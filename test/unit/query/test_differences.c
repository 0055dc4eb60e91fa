/* Differences: every limit from both sides, and what counts once. */
#include "query/differences.h"
#include "query/memory_store.h"

#include <stdio.h>

static struct tk_arena arena;
static uint64_t now;

static uint64_t
mono_nano(struct tk_env *env)
{
    (void)env;
    return now++;
}

static struct tk_env env = {.mono_nano = mono_nano};

/* Everything that q selects against everything else. */
static struct tk_differences
run(const char *q, uint64_t deadline_nano)
{
    struct tk_query_error error;
    struct tk_error err;
    struct tk_differences differences;
    struct tk_differences_ask ask = {.view = &memory_store.view,
                                     .env = &env,
                                     .deadline_nano = deadline_nano,
                                     .memory = 64 << 20,
                                     .arena = &arena};
    assert_int_equal(tk_query_parse(tk_str_from(q), &arena, &ask.selected.query, &error), TK_OK);
    assert_int_equal(tk_query_parse(TK_STR(""), &arena, &ask.rest.query, &error), TK_OK);
    assert_int_equal(tk_differences_run(&ask, &differences, &err), TK_OK);
    tk_query_release(ask.selected.query);
    tk_query_release(ask.rest.query);
    return differences;
}

static const struct tk_difference *
find(const struct tk_differences *differences, const char *key)
{
    for (size_t i = 0; i < differences->count; i++)
        if (tk_str_eq(differences->entries[i].key, tk_str_from(key)))
            return &differences->entries[i];
    return NULL;
}

/* One trace of a thousand spans: `selected` is true of the second half. */
static struct tk_batch *
halves(void)
{
    struct tk_batch *batch = new_batch();
    uint32_t service = add_service(batch, "api");
    for (uint32_t i = 0; i < 1000; i++) {
        add_span(batch, service, i + 1, 0, "step", i, 1);
        add_attr(batch, "selected", bool_attr(i >= 500));
    }
    return batch;
}

static void
a_repeated_key_counts_once_by_its_first_value(void **state)
{
    struct tk_batch *batch = new_batch();
    uint32_t service = add_service(batch, "api");
    (void)state;
    for (uint32_t i = 0; i < 40; i++) {
        add_span(batch, service, i + 1, 0, i < 20 ? "a" : "b", i, 1);
        add_attr(batch, "size", string_attr(i < 20 ? "small" : "large"));
        add_attr(batch, "size", string_attr("large"));
    }
    memory_store_add(batch, 1);
    struct tk_differences differences = run("{ name = `a` }", 0);
    const struct tk_difference *found = find(&differences, "size");
    assert_non_null(found);
    assert_true(tk_str_eq(tk_value_str(found->value), TK_STR("small")));
    assert_int_equal(found->count[0], 20);
    assert_int_equal(found->count[1], 0);
}

static void
types_are_kept_apart(void **state)
{
    struct tk_batch *batch = new_batch();
    uint32_t service = add_service(batch, "api");
    (void)state;
    for (uint32_t i = 0; i < 60; i++) {
        add_span(batch, service, i + 1, 0, i < 30 ? "a" : "b", i, 1);
        add_attr(batch, "code", i < 30 ? int_attr(200) : string_attr("200"));
    }
    memory_store_add(batch, 1);
    struct tk_differences differences = run("{ name = `a` }", 0);
    const struct tk_difference *found = find(&differences, "code");
    assert_non_null(found);
    assert_int_equal(found->value.type, TK_VALUE_INT);
    assert_int_equal(found->count[1], 0);
}

static void
of_each_side_so_many_spans_count(void **state)
{
    struct tk_batch *batch = new_batch();
    uint32_t service = add_service(batch, "api");
    (void)state;
    for (uint32_t i = 0; i < 2 * TK_DIFFERENCES_SPANS_MAX + 1; i++)
        add_span(batch, service, i + 1, 0, i < TK_DIFFERENCES_SPANS_MAX ? "a" : "b", 0, 1);
    memory_store_add(batch, 1);
    struct tk_differences differences = run("{ name = `a` }", 0);
    assert_int_equal(differences.span_count[0], TK_DIFFERENCES_SPANS_MAX);
    assert_false(differences.cut[0]);
    assert_int_equal(differences.span_count[1], TK_DIFFERENCES_SPANS_MAX);
    assert_true(differences.cut[1]);
}

/* Selected spans have `key = yes` once so many other values, or keys, or bytes, came before. */
static bool
is_found(uint32_t values, uint32_t keys, uint32_t bytes)
{
    struct tk_batch *batch = halves();
    uint32_t filler = add_span(batch, 0, 5000, 0, "filler", 2000, 1);
    char *text = tk_arena_zalloc(&arena, 1, bytes + 1);
    assert_non_null(text);
    memset(text, 'y', bytes);
    for (uint32_t i = 0; i < keys; i++)
        add_attr(batch, tk_arena_printf(&arena, "key %u", i).ptr, bool_attr(true));
    for (uint32_t i = 0; i < values; i++) {
        add_span(batch, 0, 6000 + i, 0, "filler", 2000, 1);
        add_attr(batch, "key", int_attr(i));
    }
    for (uint32_t i = 0; i < 100; i++) {
        add_span(batch, 0, 10000 + i, 0, "late", 3000, 1);
        add_attr(batch, "key", string_attr(text));
    }
    batch->status[filler] = TK_STATUS_OK;
    memory_store_begin();
    memory_store_add(batch, 1);
    struct tk_differences differences = run("{ name = `late` || name = `filler` }", 0);
    const struct tk_difference *found = NULL;
    for (size_t i = 0; i < differences.count; i++)
        if (tk_str_eq(differences.entries[i].key, TK_STR("key")) &&
            differences.entries[i].value.type == TK_VALUE_STRING)
            found = &differences.entries[i];
    memory_store_end();
    return found != NULL;
}

static void
further_keys_and_values_and_longer_texts_do_not_count(void **state)
{
    enum { OWN_KEYS = 6 }; /* name, kind, status, selected, service.name, key */
    (void)state;
    assert_true(is_found(TK_DIFFERENCES_VALUES_MAX - 1, 0, 3));
    assert_false(is_found(TK_DIFFERENCES_VALUES_MAX, 0, 3));
    assert_true(is_found(0, TK_DIFFERENCES_KEYS_MAX - OWN_KEYS, 3));
    assert_false(is_found(0, TK_DIFFERENCES_KEYS_MAX, 3));
    assert_true(is_found(0, 0, TK_DIFFERENCES_TEXT_MAX));
    assert_false(is_found(0, 0, TK_DIFFERENCES_TEXT_MAX + 1));
}

static void
what_was_counted_until_the_time_was_up_is_told(void **state)
{
    (void)state;
    for (uint64_t id = 1; id < 10; id++)
        memory_store_add(halves(), id);
    struct tk_differences all = run("{ .selected = true }", 0);
    assert_int_equal(all.span_count[0], 4500);
    assert_false(all.cut[0] || all.cut[1]);
    now = 0;
    struct tk_differences some = run("{ .selected = true }", 12);
    assert_true(some.cut[0] && some.cut[1]);
    assert_true(some.span_count[0] > 0 && some.span_count[0] < 4500);
}

static int
setup(void **state)
{
    (void)state;
    tk_arena_init(&arena, 4096, SIZE_MAX / 2);
    memory_store_begin();
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_repeated_key_counts_once_by_its_first_value),
        TEST(types_are_kept_apart),
        TEST(of_each_side_so_many_spans_count),
        TEST(further_keys_and_values_and_longer_texts_do_not_count),
        TEST(what_was_counted_until_the_time_was_up_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
