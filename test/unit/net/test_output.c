/* The output queue: what is peeked and consumed, and when chunks are done. */
#include "net/output.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static int done_count;

static void
count_done(struct tk_chunk *chunk)
{
    (void)chunk;
    done_count++;
}

static void
chunks_leave_in_order_and_are_done_when_their_bytes_are_gone(void **state)
{
    struct tk_output output;
    struct tk_chunk one = {.bytes = TK_STR("one"), .done = count_done};
    struct tk_chunk none = {.bytes = TK_STR_NONE, .done = count_done};
    struct tk_chunk two = {.bytes = TK_STR("two!"), .done = count_done};
    struct iovec views[4];
    (void)state;
    done_count = 0;
    tk_output_init(&output);
    tk_output_add(&output, &one);
    tk_output_add(&output, &none);
    tk_output_add(&output, &two);
    assert_int_equal(output.size, 7);
    assert_int_equal(tk_output_peek(&output, views, 4), 2);
    assert_memory_equal(views[1].iov_base, "two!", 4);
    assert_int_equal(tk_output_peek(&output, views, 1), 1);

    tk_output_consume(&output, 2);
    assert_int_equal(done_count, 0);
    assert_int_equal(tk_output_peek(&output, views, 4), 2);
    assert_memory_equal(views[0].iov_base, "e", 1);
    tk_output_consume(&output, 2);
    assert_int_equal(done_count, 2);
    assert_int_equal(output.size, 3);
    tk_output_consume(&output, 3);
    assert_int_equal(done_count, 3);
    assert_int_equal(tk_output_peek(&output, views, 4), 0);
}

static void
chunks_without_bytes_are_done_by_consuming_nothing(void **state)
{
    struct tk_output output;
    struct tk_chunk none = {.bytes = TK_STR_NONE, .done = count_done};
    (void)state;
    done_count = 0;
    tk_output_init(&output);
    tk_output_add(&output, &none);
    tk_output_consume(&output, 0);
    assert_int_equal(done_count, 1);
}

static void
releasing_is_done_with_everything(void **state)
{
    struct tk_output output;
    struct tk_chunk one = {.bytes = TK_STR("one"), .done = count_done};
    (void)state;
    done_count = 0;
    tk_output_init(&output);
    tk_output_add(&output, &one);
    assert_int_equal(tk_output_copy(&output, TK_STR("copied")), TK_OK);
    tk_output_release(&output);
    assert_int_equal(done_count, 1);
    assert_int_equal(output.size, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chunks_leave_in_order_and_are_done_when_their_bytes_are_gone),
        cmocka_unit_test(chunks_without_bytes_are_done_by_consuming_nothing),
        cmocka_unit_test(releasing_is_done_with_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
