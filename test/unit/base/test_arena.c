#include "base/arena.h"
#include "test.h"

static void
memory_is_aligned_lasts_and_may_be_larger_than_a_chunk(void **state)
{
    struct tk_arena arena;
    char *pieces[200];
    (void)state;
    tk_arena_init(&arena, 64, 1 << 20);
    for (size_t i = 0; i < 200; i++) {
        pieces[i] = tk_arena_alloc(&arena, i * 7 + 1);
        assert_non_null(pieces[i]);
        assert_int_equal((uintptr_t)pieces[i] % 16, 0);
        memset(pieces[i], (int)i, i * 7 + 1);
    }
    for (size_t i = 0; i < 200; i++)
        assert_true(pieces[i][0] == (char)i && pieces[i][i * 7] == (char)i);
    tk_arena_release(&arena);
}

static void
the_limit_holds_over_all_chunks(void **state)
{
    struct tk_arena arena;
    size_t got = 0;
    (void)state;
    tk_arena_init(&arena, 64, 1000);
    while (tk_arena_alloc(&arena, 16) != NULL)
        got += 16;
    assert_true(got > 900 && got <= 1000 && arena.used <= 1000);
    assert_null(tk_arena_alloc(&arena, SIZE_MAX));
    assert_null(tk_arena_zalloc(&arena, SIZE_MAX / 2, 3));
    assert_null(tk_arena_copy(&arena, TK_STR("too much")).ptr);
    tk_arena_clear(&arena);
    assert_non_null(tk_arena_alloc(&arena, 16));
    tk_arena_release(&arena);
}

static void
copies_and_printed_text_end_with_a_nul_that_does_not_count(void **state)
{
    struct tk_arena arena;
    (void)state;
    tk_arena_init(&arena, 64, 1000);
    tk_str copy = tk_arena_copy(&arena, TK_STR("abc"));
    assert_text(copy, "abc");
    assert_int_equal(copy.ptr[3], '\0');
    tk_str empty = tk_arena_copy(&arena, TK_STR_NONE);
    assert_true(empty.ptr != NULL && empty.len == 0);
    assert_text(tk_arena_printf(&arena, "%d-%s", 7, "x"), "7-x");
    tk_arena_release(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_aligned_lasts_and_may_be_larger_than_a_chunk),
        cmocka_unit_test(the_limit_holds_over_all_chunks),
        cmocka_unit_test(copies_and_printed_text_end_with_a_nul_that_does_not_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
