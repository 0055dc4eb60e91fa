/* thin: what a step says, and which traces it lets stay, exact at the boundaries. */
#include "store/thin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const uint64_t HOUR = UINT64_C(3600000000000);

static void
a_step_is_a_ratio_and_an_age(void **state)
{
    static const struct {
        const char *text;
        uint64_t age_nano, threshold;
    } good[] = {
        {"0.5@1d", UINT64_C(86400000000000), UINT64_C(1) << 55},
        {"0.25@90m", UINT64_C(5400000000000), 3 * (UINT64_C(1) << 54)},
        {"0@1s", 1000000000, UINT64_C(1) << 56},
        {"0.0@0", 0, UINT64_C(1) << 56},
        {"0.1@3d", UINT64_C(259200000000000), (UINT64_C(1) << 56) - UINT64_C(7205759403792793)},
        {"0.999999999@1ns", 1, (UINT64_C(1) << 56) - UINT64_C(72057593965870341)},
        {" 0.5@1h30m ", 3 * HOUR / 2, UINT64_C(1) << 55},
    };
    static const char *const bad[] = {
        "",     "0.5",      "@1d",    "1@1d",     "1.0@1d", ".5@1d",   "0.@1d",          "-0.5@1d",
        "0.5@", "0.5@soon", "50%@1d", "0.1e1@1d", "0,5@1d", "00.5@1d", "0.0000000001@1d"};
    struct tk_thin_step step;
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(tk_thin_parse(tk_str_from(good[i].text), &step));
        assert_int_equal(step.age_nano, good[i].age_nano);
        assert_int_equal(step.threshold, good[i].threshold);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (tk_thin_parse(tk_str_from(bad[i]), &step))
            fail_msg("\"%s\" was taken", bad[i]);
}

static void
the_strictest_step_whose_age_is_reached_counts_to_the_nanosecond(void **state)
{
    static const struct tk_thin_step steps[] = {{7 * 24, 900}, {24, 500}, {48, 400}};
    (void)state;
    assert_int_equal(tk_thin_threshold(steps, 3, 0), 0);
    assert_int_equal(tk_thin_threshold(steps, 3, 23), 0);
    assert_int_equal(tk_thin_threshold(steps, 3, 24), 500);
    assert_int_equal(tk_thin_threshold(steps, 3, 48), 500);
    assert_int_equal(tk_thin_threshold(steps, 3, 167), 500);
    assert_int_equal(tk_thin_threshold(steps, 3, 168), 900);
    assert_int_equal(tk_thin_threshold(steps, 3, UINT64_MAX), 900);
    assert_int_equal(tk_thin_threshold(steps, 0, UINT64_MAX), 0);
}

static void
only_the_low_56_bits_of_the_id_decide_and_the_threshold_itself_stays(void **state)
{
    static const uint64_t T = UINT64_C(0x40000000000000);
    (void)state;
    assert_true(tk_thin_stays(T, (struct tk_trace_id){1, T}));
    assert_false(tk_thin_stays(T, (struct tk_trace_id){1, T - 1}));
    assert_true(tk_thin_stays(T, (struct tk_trace_id){0, UINT64_C(0xAB00000000000000) | T}));
    assert_false(tk_thin_stays(T, (struct tk_trace_id){UINT64_MAX, UINT64_C(0xFF) << 56}));
    assert_true(tk_thin_stays(0, (struct tk_trace_id){1, 0}));
    assert_false(tk_thin_stays(TK_THIN_ALL, (struct tk_trace_id){1, UINT64_MAX}));
}

static void
a_later_step_keeps_a_part_of_what_an_earlier_one_kept(void **state)
{
    struct tk_thin_step half, tenth;
    uint64_t random = 1, halves = 0, tenths = 0;
    enum { IDS = 100000 };
    (void)state;
    assert_true(tk_thin_parse(TK_STR("0.5@1d"), &half));
    assert_true(tk_thin_parse(TK_STR("0.1@7d"), &tenth));
    for (int i = 0; i < IDS; i++) {
        random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        struct tk_trace_id id = {1, random >> 8};
        bool in_half = tk_thin_stays(half.threshold, id);
        bool in_tenth = tk_thin_stays(tenth.threshold, id);
        assert_true(in_half || !in_tenth);
        halves += in_half;
        tenths += in_tenth;
    }
    assert_in_range(halves, IDS * 49 / 100, IDS * 51 / 100);
    assert_in_range(tenths, IDS * 9 / 100, IDS * 11 / 100);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_is_a_ratio_and_an_age),
        cmocka_unit_test(the_strictest_step_whose_age_is_reached_counts_to_the_nanosecond),
        cmocka_unit_test(only_the_low_56_bits_of_the_id_decide_and_the_threshold_itself_stays),
        cmocka_unit_test(a_later_step_keeps_a_part_of_what_an_earlier_one_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
