#include "base/intern.h"
#include "test.h"

static void
equal_strings_get_one_number_in_order_of_first_sight(void **state)
{
    struct tk_intern table;
    uint32_t id;
    (void)state;
    tk_intern_init(&table, 10);
    assert_int_equal(tk_intern_add(&table, TK_STR("a"), &id), TK_OK);
    assert_int_equal(id, 0);
    assert_int_equal(tk_intern_add(&table, TK_STR(""), &id), TK_OK);
    assert_int_equal(id, 1);
    assert_int_equal(tk_intern_add(&table, TK_STR("a"), &id), TK_OK);
    assert_int_equal(id, 0);
    assert_int_equal(tk_intern_add(&table, TK_STR_NONE, &id), TK_OK);
    assert_int_equal(id, 1);
    assert_true(tk_intern_find(&table, TK_STR("a"), &id));
    assert_false(tk_intern_find(&table, TK_STR("b"), &id));
    tk_intern_release(&table);
}

static void
a_table_grows_and_can_be_cleared_and_used_again(void **state)
{
    struct tk_intern table;
    struct tk_arena arena;
    uint32_t id;
    (void)state;
    tk_arena_init(&arena, 256, 1 << 20);
    tk_intern_init(&table, 100000);
    for (int round = 0; round < 2; round++) {
        for (uint32_t pass = 0; pass < 2; pass++) {
            for (uint32_t i = 0; i < 5000; i++) {
                char text[16];
                (void)snprintf(text, sizeof text, "key-%u", i);
                assert_int_equal(tk_intern_copy(&table, &arena, tk_str_from(text), &id), TK_OK);
                assert_int_equal(id, i);
            }
        }
        assert_int_equal(table.count, 5000);
        assert_text(table.strings[4999], "key-4999");
        tk_intern_clear(&table);
        assert_false(tk_intern_find(&table, TK_STR("key-1"), &id));
        tk_arena_clear(&arena);
    }
    tk_intern_release(&table);
    tk_arena_release(&arena);
}

static void
a_full_table_still_knows_what_it_has(void **state)
{
    struct tk_intern table;
    uint32_t id = 77;
    (void)state;
    tk_intern_init(&table, 2);
    assert_int_equal(tk_intern_add(&table, TK_STR("a"), &id), TK_OK);
    assert_int_equal(tk_intern_add(&table, TK_STR("b"), &id), TK_OK);
    id = 77;
    assert_int_equal(tk_intern_add(&table, TK_STR("c"), &id), TK_ERR_LIMIT);
    assert_int_equal(id, 77);
    assert_int_equal(tk_intern_add(&table, TK_STR("b"), &id), TK_OK);
    assert_int_equal(id, 1);
    tk_intern_release(&table);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_strings_get_one_number_in_order_of_first_sight),
        cmocka_unit_test(a_table_grows_and_can_be_cleared_and_used_again),
        cmocka_unit_test(a_full_table_still_knows_what_it_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
