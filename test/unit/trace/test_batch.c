#include "test.h"
#include "trace/batch.h"

static struct tk_value
text(const char *string)
{
    return (struct tk_value){
        .type = TK_VALUE_STRING, .len = (uint32_t)strlen(string), .ptr = string};
}

static struct tk_range
add_attr(struct tk_batch *batch, const char *key, struct tk_value value)
{
    struct tk_range range = {batch->attr_count, 1};
    assert_int_equal(tk_batch_add_attr(batch, tk_str_from(key), value), TK_OK);
    return range;
}

/* A span with one of everything. */
static uint32_t
add_span(struct tk_batch *batch, uint32_t resource, uint32_t scope, const char *name)
{
    uint32_t row, index;
    assert_int_equal(tk_batch_add_span(batch, &row), TK_OK);
    batch->trace_id[row] = (struct tk_trace_id){1, row};
    batch->span_id[row] = row + 1;
    batch->start_nano[row] = batch->end_nano[row] = 5;
    batch->name[row] = tk_str_from(name);
    batch->resource[row] = resource;
    batch->scope[row] = scope;
    batch->attrs[row] = add_attr(batch, "http.route", text("/users"));
    assert_int_equal(tk_batch_add_event(batch, &index), TK_OK);
    batch->event[index].name = TK_STR("exception");
    batch->event[index].attrs = add_attr(batch, "exception.type", text("E"));
    batch->events[row] = (struct tk_range){index, 1};
    assert_int_equal(tk_batch_add_link(batch, &index), TK_OK);
    batch->link[index].span_id = 9;
    batch->link[index].attrs =
        add_attr(batch, "why", (struct tk_value){.type = TK_VALUE_INT, .i = 7});
    batch->links[row] = (struct tk_range){index, 1};
    return row;
}

static struct tk_batch *
make_batch(void)
{
    struct tk_batch *batch = tk_batch_new();
    uint32_t index;
    assert_non_null(batch);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(tk_batch_add_resource(batch, &index), TK_OK);
        batch->resources[index].attrs =
            add_attr(batch, "service.name", text(i == 0 ? "api" : "web"));
        assert_int_equal(tk_batch_add_scope(batch, &index), TK_OK);
        batch->scopes[index].name = i == 0 ? TK_STR("lib") : TK_STR("other");
    }
    (void)add_span(batch, 0, 0, "GET /users");
    (void)add_span(batch, 1, 1, "click");
    (void)add_span(batch, 0, 0, "GET /orders");
    return batch;
}

static void
assert_row_like(const struct tk_batch *a, uint32_t a_row, const struct tk_batch *b, uint32_t b_row)
{
    assert_true(tk_trace_id_eq(a->trace_id[a_row], b->trace_id[b_row]));
    assert_true(tk_str_eq(a->name[a_row], b->name[b_row]));
    assert_true(tk_str_eq(tk_batch_service(a, a_row), tk_batch_service(b, b_row)));
    assert_true(tk_str_eq(a->scopes[a->scope[a_row]].name, b->scopes[b->scope[b_row]].name));
    const struct tk_value *route = tk_batch_find_attr(b, b->attrs[b_row], TK_STR("http.route"));
    assert_non_null(route);
    assert_text(tk_value_str(*route), "/users");
    assert_int_equal(b->events[b_row].count, 1);
    const struct tk_event *event = &b->event[b->events[b_row].begin];
    assert_text(event->name, "exception");
    assert_non_null(tk_batch_find_attr(b, event->attrs, TK_STR("exception.type")));
    const struct tk_link *link = &b->link[b->links[b_row].begin];
    assert_true(link->span_id == 9);
    assert_true(tk_batch_find_attr(b, link->attrs, TK_STR("why"))->i == 7);
}

static void
a_span_is_copied_with_all_it_refers_to(void **state)
{
    (void)state;
    for (int deep = 0; deep < 2; deep++) {
        struct tk_batch *from = make_batch(), *to = tk_batch_new(), *want = make_batch();
        struct tk_batch_map map;
        assert_int_equal(tk_batch_map_init(&map, from), TK_OK);
        for (uint32_t i = 0; i < 3; i++)
            assert_int_equal(tk_batch_copy_span(to, from, 2 - i, deep == 1, &map), TK_OK);
        tk_batch_map_release(&map);
        if (deep == 1)
            tk_batch_free(from);
        assert_int_equal(to->span_count, 3);
        assert_int_equal(to->resource_count, 2);
        assert_int_equal(to->scope_count, 2);
        for (uint32_t i = 0; i < 3; i++)
            assert_row_like(want, 2 - i, to, i);
        if (deep == 0)
            tk_batch_free(from);
        tk_batch_free(to);
        tk_batch_free(want);
    }
}

static void
a_refused_span_leaves_nothing_behind(void **state)
{
    struct tk_batch *batch = make_batch();
    struct tk_batch_mark before = tk_batch_mark(batch);
    (void)state;
    (void)add_span(batch, 0, 0, "refused");
    tk_batch_rewind(batch, before);
    struct tk_batch_mark after = tk_batch_mark(batch);
    assert_memory_equal(&before, &after, sizeof before);
    uint32_t row = add_span(batch, 1, 1, "next");
    assert_text(batch->name[row], "next");
    assert_true(batch->parent_id[row] == 0 && batch->flags[row] == 0);
    tk_batch_free(batch);
}

static void
columns_grow_keep_what_they_hold_and_stop_at_the_limit(void **state)
{
    struct tk_batch *batch = tk_batch_new();
    struct tk_value value = {.type = TK_VALUE_BOOL, .b = true};
    enum tk_err code = TK_OK;
    (void)state;
    for (uint32_t i = 0; i < 1000; i++)
        assert_int_equal(add_span(batch, 0, 0, "x"), i);
    assert_true(batch->span_id[0] == 1 && batch->span_id[999] == 1000);
    assert_true(tk_batch_memory(batch) > 1000 * 200);
    while (code == TK_OK)
        code = tk_batch_add_attr(batch, TK_STR("k"), value);
    assert_int_equal(code, TK_ERR_LIMIT);
    assert_int_equal(batch->attr_count, TK_BATCH_ELEMENTS_MAX);
    tk_batch_clear(batch);
    assert_int_equal(batch->span_count + batch->attr_count + batch->keys.count, 0);
    tk_batch_free(batch);
}

/* A span whose attribute keys are the letters of `keys`, the last one of `type`. */
static void
add_shaped(struct tk_batch *batch, const char *keys, uint8_t type)
{
    uint32_t row, count = (uint32_t)strlen(keys);
    assert_int_equal(tk_batch_add_span(batch, &row), TK_OK);
    batch->attrs[row] = (struct tk_range){batch->attr_count, count};
    for (uint32_t i = 0; i < count; i++) {
        static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
        struct tk_value value = {.type = i + 1 == count ? type : TK_VALUE_INT, .i = row};
        tk_str key = {letters + (keys[i] - 'a'), 1};
        assert_int_equal(tk_batch_add_attr(batch, key, value), TK_OK);
    }
}

static void
spans_with_the_same_keys_and_types_have_one_shape(void **state)
{
    struct tk_batch *batch = tk_batch_new();
    (void)state;
    assert_int_equal(tk_batch_find_shapes(batch), TK_OK);
    assert_int_equal(batch->shape_count, 0);
    for (int i = 0; i < 2; i++) {
        add_shaped(batch, "", TK_VALUE_INT);
        add_shaped(batch, "abc", TK_VALUE_INT);
        add_shaped(batch, "abc", TK_VALUE_BOOL);
        add_shaped(batch, "ab", TK_VALUE_INT);
    }
    for (int again = 0; again < 2; again++) {
        assert_int_equal(tk_batch_find_shapes(batch), TK_OK);
        assert_int_equal(batch->shape_count, 4);
        for (uint32_t row = 0; row < 8; row++) {
            assert_int_equal(batch->shape[row], row % 4);
            assert_memory_equal(&batch->shapes[row % 4], &batch->attrs[row % 4],
                                sizeof *batch->shapes);
        }
    }
    tk_batch_clear(batch);
    assert_null(batch->shape);
    tk_batch_free(batch);
}

static void
no_number_of_shapes_makes_unequal_spans_equal(void **state)
{
    struct tk_batch *batch = tk_batch_new();
    (void)state;
    for (uint32_t i = 0; i < 20000; i++) { /* far more than the table has slots */
        uint32_t n = i % 9973;
        char keys[] = {(char)('a' + n % 26), (char)('a' + n / 26 % 26), (char)('a' + n / 676), 0};
        add_shaped(batch, keys, TK_VALUE_STRING);
    }
    assert_int_equal(tk_batch_find_shapes(batch), TK_OK);
    for (uint32_t row = 0; row < batch->span_count; row++) {
        struct tk_range own = batch->attrs[row], first = batch->shapes[batch->shape[row]];
        assert_int_equal(own.count, first.count);
        for (uint32_t i = 0; i < own.count; i++) {
            assert_int_equal(batch->attr_key[own.begin + i], batch->attr_key[first.begin + i]);
            assert_int_equal(batch->attr_value[own.begin + i].type,
                             batch->attr_value[first.begin + i].type);
        }
    }
    tk_batch_free(batch);
}

static void
what_is_reserved_changes_nothing_but_when_memory_is_taken(void **state)
{
    struct tk_batch *batch = tk_batch_new();
    (void)state;
    assert_int_equal(tk_batch_reserve(batch, 0, 0), TK_OK);
    for (uint32_t i = 0; i < 100; i++) {
        if (i % 10 == 3)
            assert_int_equal(tk_batch_reserve(batch, i, 3 * i), TK_OK);
        assert_int_equal(add_span(batch, 0, 0, "x"), i);
    }
    for (uint32_t i = 0; i < 100; i++) {
        assert_true(batch->span_id[i] == i + 1 &&
                    tk_trace_id_eq(batch->trace_id[i], (struct tk_trace_id){1, i}));
        assert_int_equal(batch->attrs[i].begin, 3 * i);
        assert_text(tk_value_str(batch->attr_value[3 * i]), "/users");
    }
    size_t before = tk_batch_memory(batch);
    assert_int_equal(tk_batch_reserve(batch, 1000, 1000), TK_OK);
    size_t reserved = tk_batch_memory(batch);
    assert_true(reserved > before);
    for (uint32_t i = 100; i < 1100; i++) {
        uint32_t row;
        assert_int_equal(tk_batch_add_span(batch, &row), TK_OK);
    }
    assert_int_equal(tk_batch_memory(batch), reserved);
    /* More than there may be is as much as there may be. */
    assert_int_equal(tk_batch_reserve(batch, 0, UINT32_MAX), TK_OK);
    assert_true(tk_batch_memory(batch) - reserved <= (size_t)TK_BATCH_ELEMENTS_MAX * 20);
    tk_batch_free(batch);
}

static void
a_new_span_is_zero_however_many_there_were_before(void **state)
{
    enum { MANY = 40000 }; /* columns of some MiB, as the kernel gives them */
    struct tk_batch *batch = tk_batch_new();
    uint32_t row;
    (void)state;
    for (uint32_t count = MANY / 2; count <= 4 * MANY; count *= 2) {
        for (uint32_t i = 0; i < count; i++) {
            assert_int_equal(tk_batch_add_span(batch, &row), TK_OK);
            assert_int_equal(row, i);
            assert_true(batch->span_id[i] == 0 && batch->name[i].ptr == NULL);
            assert_true(batch->dropped_links[i] == 0 && batch->flags[i] == 0);
            batch->span_id[i] = batch->flags[i] = batch->dropped_links[i] = i + 1;
            batch->name[i] = TK_STR("x");
        }
        for (uint32_t i = 0; i < count; i++)
            assert_true(batch->span_id[i] == i + 1 && batch->flags[i] == i + 1);
        tk_batch_clear(batch);
    }
    tk_batch_free(batch);
}

static void
a_span_without_a_service_name_is_of_an_unknown_service(void **state)
{
    struct tk_batch *batch = tk_batch_new();
    uint32_t index;
    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(tk_batch_add_resource(batch, &index), TK_OK);
    batch->resources[1].attrs = add_attr(batch, "service.name", text(""));
    batch->resources[2].attrs =
        add_attr(batch, "service.name", (struct tk_value){.type = TK_VALUE_INT, .i = 1});
    assert_int_equal(tk_batch_add_scope(batch, &index), TK_OK);
    for (uint32_t i = 0; i < 3; i++)
        assert_text(tk_batch_service(batch, add_span(batch, i, 0, "x")), "unknown_service");
    tk_batch_free(batch);
    tk_batch_free(NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_span_is_copied_with_all_it_refers_to),
        cmocka_unit_test(a_refused_span_leaves_nothing_behind),
        cmocka_unit_test(columns_grow_keep_what_they_hold_and_stop_at_the_limit),
        cmocka_unit_test(spans_with_the_same_keys_and_types_have_one_shape),
        cmocka_unit_test(no_number_of_shapes_makes_unequal_spans_equal),
        cmocka_unit_test(what_is_reserved_changes_nothing_but_when_memory_is_taken),
        cmocka_unit_test(a_new_span_is_zero_however_many_there_were_before),
        cmocka_unit_test(a_span_without_a_service_name_is_of_an_unknown_service),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
