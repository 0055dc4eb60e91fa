/* The catalog: what was seen, counted once each. */
#include "query/catalog.h"
#include "query/memory_store.h"
#include "query/quantiles.h"

#include <stdio.h>

enum { QUERIES_MAX = 16 };

static struct tk_arena arena;
static struct tk_query *queries[QUERIES_MAX]; /* of the running test */
static size_t query_count;

static struct tk_catalog
catalog(const char *q)
{
    struct tk_catalog catalog = {.view = &memory_store.view, .arena = &arena};
    struct tk_query_error error;
    assert_true(query_count < QUERIES_MAX);
    assert_int_equal(tk_query_parse(tk_str_from(q), &arena, &catalog.query, &error), TK_OK);
    queries[query_count++] = catalog.query;
    return catalog;
}

static int
setup(void **state)
{
    (void)state;
    tk_arena_init(&arena, 1024, 1 << 24);
    memory_store_begin();
    for (uint64_t id = 1; id <= 4; id++) {
        struct tk_batch *t = new_batch();
        uint32_t web = add_service(t, "web"), api = add_service(t, "api"), event;
        add_span(t, web, 1, 0, "load", id * 1000, 100);
        add_attr(t, "order.id", string_attr("42"));
        add_attr(t, "http.method", string_attr("GET"));
        add_span(t, api, 2, 1, "work", id * 1000 + 10, id * 10);
        t->kind[1] = TK_KIND_SERVER;
        t->status[1] = id == 4 ? TK_STATUS_ERROR : TK_STATUS_OK;
        add_attr(t, "order.id", int_attr((int64_t)id / 3 * 100 + 42));
        add_attr(t, "http.request.method", string_attr("GET"));
        add_attr(t, "ok", bool_attr(true));
        assert_int_equal(tk_batch_add_event(t, &event), TK_OK);
        t->event[event].attrs = (struct tk_range){t->attr_count, 1};
        assert_int_equal(tk_batch_add_attr(t, TK_STR("ratio"), double_attr(0.5)), TK_OK);
        t->events[1] = (struct tk_range){event, 1};
        memory_store_add(t, id);
    }
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    memory_store_end();
    while (query_count > 0)
        tk_query_release(queries[--query_count]);
    tk_arena_release(&arena);
    return 0;
}

static void
services_are_counted(void **state)
{
    struct tk_catalog all = catalog("");
    struct tk_service_entry *entries;
    size_t count;
    (void)state;
    assert_int_equal(tk_catalog_services(&all, &entries, &count, NULL), TK_OK);
    assert_int_equal(count, 2);
    assert_true(tk_str_eq(entries[0].name, TK_STR("api")));
    assert_int_equal(entries[0].span_count, 4);
    assert_int_equal(entries[0].error_count, 1);
    assert_int_equal(entries[0].last_seen_nano, EPOCH + 4050 * MS);
    assert_true(tk_str_eq(entries[1].name, TK_STR("web")));
    assert_int_equal(entries[1].error_count, 0);
}

static void
operations_have_their_quantiles(void **state)
{
    struct tk_catalog all = catalog("");
    struct tk_operation_entry *entries;
    size_t count;
    (void)state;
    assert_int_equal(tk_catalog_operations(&all, TK_STR("api"), &entries, &count, NULL), TK_OK);
    assert_int_equal(count, 1);
    assert_true(tk_str_eq(entries[0].name, TK_STR("work")));
    assert_int_equal(entries[0].kind, TK_KIND_SERVER);
    assert_int_equal(entries[0].span_count, 4);
    assert_int_equal(entries[0].error_count, 1);
    assert_int_equal(entries[0].p50_nano, 20 * MS);
    assert_int_equal(entries[0].p99_nano, 40 * MS);
    assert_int_equal(tk_catalog_operations(&all, TK_STR("none"), &entries, &count, NULL), TK_OK);
    assert_int_equal(count, 0);
}

static void
operations_of_many_spans_have_quantiles_within_a_bucket(void **state)
{
    enum { MANY = TK_QUANTILES_EXACT + 1 };
    struct tk_catalog all = catalog("");
    struct tk_operation_entry *entries;
    struct tk_batch *t = new_batch();
    uint32_t many = add_service(t, "many");
    size_t count;
    (void)state;
    for (uint64_t i = 1; i <= MANY; i++)
        add_span(t, many, i, 0, "step", 9000, i);
    memory_store_add(t, 9);
    assert_int_equal(tk_catalog_operations(&all, TK_STR("many"), &entries, &count, NULL), TK_OK);
    assert_int_equal(count, 1);
    assert_int_equal(entries[0].span_count, MANY);
    assert_in_range(entries[0].p50_nano, MANY * MS * 48 / 100, MANY * MS * 52 / 100);
    assert_in_range(entries[0].p99_nano, MANY * MS * 96 / 100, MANY * MS * 102 / 100);
}

static void
only_spans_that_start_within_the_times_count(void **state)
{
    static const char *const queries[] = {"", "duration>0ms"};
    struct tk_service_entry *services;
    struct tk_operation_entry *operations;
    struct tk_tag_value_entry *values;
    size_t count;
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct tk_catalog some = catalog(queries[i]);
        some.begin_nano = EPOCH + 2010 * MS; /* of the second trace only the span of "api" */
        some.end_nano = EPOCH + 3001 * MS;   /* of the third only that of "web" */
        assert_int_equal(tk_catalog_services(&some, &services, &count, NULL), TK_OK);
        assert_int_equal(count, 2);
        assert_int_equal(services[0].span_count, 1);
        assert_int_equal(services[0].last_seen_nano, EPOCH + 2030 * MS);
        assert_int_equal(services[1].span_count, 1);
        assert_int_equal(tk_catalog_operations(&some, TK_STR("api"), &operations, &count, NULL),
                         TK_OK);
        assert_int_equal(count, 1);
        assert_int_equal(operations[0].p99_nano, 20 * MS);
        assert_int_equal(
            tk_catalog_values(&some, TK_STR("order.id"), TK_STR(""), &values, &count, NULL), TK_OK);
        assert_int_equal(count, 2);
        assert_int_equal(values[0].count + values[1].count, 2);
    }
}

static uint64_t
late(struct tk_env *env)
{
    (void)env;
    return 100;
}

static void
counting_says_when_it_took_too_long(void **state)
{
    struct tk_env clock = {.mono_nano = late};
    struct tk_catalog all = catalog(""), some = catalog("error");
    struct tk_service_entry *services;
    struct tk_error err;
    size_t count;
    (void)state;
    all.env = some.env = &clock;
    all.deadline_nano = some.deadline_nano = 99;
    assert_int_equal(tk_catalog_services(&all, &services, &count, &err), TK_ERR_TIMEOUT);
    assert_non_null(strstr(err.message, "too long"));
    assert_int_equal(tk_catalog_services(&some, &services, &count, &err), TK_ERR_TIMEOUT);
    assert_non_null(strstr(err.message, "too long"));
    all.deadline_nano = 100;
    assert_int_equal(tk_catalog_services(&all, &services, &count, &err), TK_OK);
}

static void
tags_come_by_key_scope_and_type(void **state)
{
    static const char *const expected[] = {
        "http.method 0 1", "http.request.method 0 1", "ok 0 2", "order.id 0 1", "order.id 0 3",
        "ratio 2 4",       "service.name 1 1",
    };
    struct tk_catalog all = catalog("");
    struct tk_tag_entry *entries;
    size_t count;
    (void)state;
    assert_int_equal(tk_catalog_tags(&all, TK_STR(""), &entries, &count, NULL), TK_OK);
    assert_int_equal(count, 7);
    for (size_t i = 0; i < count; i++) {
        char text[64];
        (void)snprintf(text, sizeof text, "%.*s %d %d", TK_STR_ARG(entries[i].key),
                       (int)entries[i].scope, (int)entries[i].type);
        assert_string_equal(text, expected[i]);
    }
    assert_int_equal(tk_catalog_tags(&all, TK_STR("order"), &entries, &count, NULL), TK_OK);
    assert_int_equal(count, 2);
}

static void
values_are_counted_by_type_and_the_most_frequent_come_first(void **state)
{
    struct tk_catalog all = catalog("");
    struct tk_tag_value_entry *entries;
    size_t count;
    (void)state;
    assert_int_equal(
        tk_catalog_values(&all, TK_STR("order.id"), TK_STR(""), &entries, &count, NULL), TK_OK);
    assert_int_equal(count, 3);
    assert_int_equal(entries[0].value.type, TK_VALUE_STRING);
    assert_int_equal(entries[0].count, 4);
    assert_int_equal(entries[1].value.i, 42);
    assert_int_equal(entries[1].count, 2);
    assert_int_equal(entries[2].value.i, 142);
    assert_int_equal(
        tk_catalog_values(&all, TK_STR("order.id"), TK_STR("14"), &entries, &count, NULL), TK_OK);
    assert_int_equal(count, 1);
    assert_int_equal(entries[0].value.i, 142);
}

static void
values_of_old_and_new_names_are_one(void **state)
{
    struct tk_catalog all = catalog("");
    struct tk_tag_value_entry *entries;
    size_t count;
    (void)state;
    assert_int_equal(
        tk_catalog_values(&all, TK_STR("http.method"), TK_STR(""), &entries, &count, NULL), TK_OK);
    assert_int_equal(count, 1);
    assert_int_equal(entries[0].count, 8);
}

static void
a_query_narrows_what_is_counted(void **state)
{
    struct tk_catalog errors = catalog("error");
    struct tk_tag_value_entry *entries;
    size_t count;
    (void)state;
    assert_int_equal(
        tk_catalog_values(&errors, TK_STR("order.id"), TK_STR(""), &entries, &count, NULL), TK_OK);
    assert_int_equal(count, 1);
    assert_int_equal(entries[0].value.i, 142);
    assert_int_equal(entries[0].count, 1);
}

static void
too_many_values_are_said_to_be_too_many(void **state)
{
    struct tk_catalog all = catalog("");
    struct tk_tag_value_entry *entries;
    struct tk_error err;
    size_t count;
    (void)state;
    arena.limit = arena.used;
    arena.chunk_size = 1 << 20;
    void *rest;
    do
        rest = tk_arena_alloc(&arena, 16);
    while (rest != NULL);
    assert_int_equal(
        tk_catalog_values(&all, TK_STR("order.id"), TK_STR(""), &entries, &count, &err),
        TK_ERR_LIMIT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(services_are_counted),
        TEST(operations_have_their_quantiles),
        TEST(operations_of_many_spans_have_quantiles_within_a_bucket),
        TEST(only_spans_that_start_within_the_times_count),
        TEST(counting_says_when_it_took_too_long),
        TEST(tags_come_by_key_scope_and_type),
        TEST(values_are_counted_by_type_and_the_most_frequent_come_first),
        TEST(values_of_old_and_new_names_are_one),
        TEST(a_query_narrows_what_is_counted),
        TEST(too_many_values_are_said_to_be_too_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
