/* The purses that tell a busy HTTP/2 peer from a flooding one. */
#include "net/http2_abuse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { DATA = 0, HEADERS = 1, PING = 6 };

static void
a_burst_of_cheap_frames_is_free_and_one_more_is_too_many(void **state)
{
    struct tk_abuse abuse;
    (void)state;
    tk_abuse_init(&abuse, 1000);
    for (int i = 0; i < TK_ABUSE_BURST; i++)
        assert_true(tk_abuse_spend(&abuse, 1000, PING, 8));
    assert_false(tk_abuse_spend(&abuse, 1000, PING, 8));
}

static void
time_fills_the_purse_and_no_further_than_the_burst(void **state)
{
    struct tk_abuse abuse;
    (void)state;
    tk_abuse_init(&abuse, 0);
    for (int i = 0; i < TK_ABUSE_BURST; i++)
        assert_true(tk_abuse_spend(&abuse, 0, PING, 8));
    for (int i = 0; i < TK_ABUSE_PER_S; i++)
        assert_true(tk_abuse_spend(&abuse, 1000, PING, 8));
    assert_false(tk_abuse_spend(&abuse, 1000, PING, 8));
    for (int i = 0; i < TK_ABUSE_BURST; i++)
        assert_true(tk_abuse_spend(&abuse, 1000000, PING, 8));
    assert_false(tk_abuse_spend(&abuse, 1000000, PING, 8));
}

static void
small_steps_of_time_are_not_lost(void **state)
{
    struct tk_abuse abuse;
    (void)state;
    tk_abuse_init(&abuse, 0);
    for (int i = 0; i < TK_ABUSE_BURST; i++)
        assert_true(tk_abuse_spend(&abuse, 0, PING, 8));
    for (uint64_t ms = 1; ms <= 100; ms++) /* one frame every other millisecond is the rate */
        assert_int_equal(tk_abuse_spend(&abuse, ms, PING, 8), ms % 2 == 0);
}

static void
requests_and_real_data_cost_nothing(void **state)
{
    struct tk_abuse abuse;
    (void)state;
    tk_abuse_init(&abuse, 0);
    for (int i = 0; i < 10 * TK_ABUSE_BURST; i++) {
        assert_true(tk_abuse_spend(&abuse, 0, HEADERS, 100));
        assert_true(tk_abuse_spend(&abuse, 0, DATA, 1000));
    }
    for (int i = 0; i < TK_ABUSE_BURST; i++)
        assert_true(tk_abuse_spend(&abuse, 0, DATA, 0));
    assert_false(tk_abuse_spend(&abuse, 0, DATA, 1));
}

static void
answers_pay_for_the_frames_around_them(void **state)
{
    struct tk_abuse abuse;
    (void)state;
    tk_abuse_init(&abuse, 0);
    for (int i = 0; i < 10 * TK_ABUSE_BURST; i++) {
        for (int j = 0; j < TK_ABUSE_PER_ANSWER; j++)
            assert_true(tk_abuse_spend(&abuse, 0, PING, 8));
        tk_abuse_earn(&abuse, TK_ABUSE_PER_ANSWER);
    }
}

static void
our_own_resets_have_a_limit(void **state)
{
    struct tk_abuse abuse;
    (void)state;
    tk_abuse_init(&abuse, 0);
    for (int i = 0; i < TK_ABUSE_RESETS_BURST; i++)
        assert_true(tk_abuse_reset(&abuse, 0));
    assert_false(tk_abuse_reset(&abuse, 0));
    assert_true(tk_abuse_reset(&abuse, 1000));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_of_cheap_frames_is_free_and_one_more_is_too_many),
        cmocka_unit_test(time_fills_the_purse_and_no_further_than_the_burst),
        cmocka_unit_test(small_steps_of_time_are_not_lost),
        cmocka_unit_test(requests_and_real_data_cost_nothing),
        cmocka_unit_test(answers_pay_for_the_frames_around_them),
        cmocka_unit_test(our_own_resets_have_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
