#include "base/histogram.h"

#include "test.h"

static void
every_number_lies_in_a_bucket_that_is_at_most_a_thirtysecond_wide(void **state)
{
    (void)state;
    for (uint64_t number = 0; number < (uint64_t)1 << 62; number += number / 16 + 1) {
        uint32_t bucket = tk_histogram_bucket(number);
        uint64_t least = tk_histogram_least(bucket);
        assert_true(bucket < TK_HISTOGRAM_BUCKETS);
        assert_true(least <= number && number < tk_histogram_least(bucket + 1));
        assert_true(number < 32 || tk_histogram_least(bucket + 1) - least <= number / 32);
    }
    assert_true(tk_histogram_bucket(UINT64_MAX) == TK_HISTOGRAM_BUCKETS - 1);
}

static void
histograms_add_up(void **state)
{
    (void)state;
    struct tk_histogram a = {0}, b = {0};
    assert_int_equal(tk_histogram_add(&a, 1000, 2), TK_OK);
    assert_int_equal(tk_histogram_add(&b, 5, 1), TK_OK);
    assert_int_equal(tk_histogram_add(&b, 1000, 1), TK_OK);
    assert_int_equal(tk_histogram_merge(&a, &b), TK_OK);
    assert_int_equal(a.count, 4);
    assert_int_equal(tk_histogram_get(&a, 5), 1);
    assert_int_equal(tk_histogram_get(&a, 1000), 3);
    assert_int_equal(tk_histogram_get(&a, 6), 0);
    assert_int_equal(tk_histogram_get(&a, 1919), 0);
    tk_histogram_release(&a);
    tk_histogram_release(&b);
}

static void
a_cleared_histogram_is_empty(void **state)
{
    (void)state;
    struct tk_histogram h = {0};
    tk_histogram_clear(&h);
    assert_int_equal(tk_histogram_add(&h, 3, 1), TK_OK);
    assert_int_equal(tk_histogram_add(&h, 1919, 1), TK_OK);
    tk_histogram_clear(&h);
    assert_int_equal(h.count, 0);
    assert_int_equal(tk_histogram_add(&h, 4, 1), TK_OK);
    for (uint32_t i = 0; i < TK_HISTOGRAM_BUCKETS; i++)
        assert_int_equal(tk_histogram_get(&h, i), i == 4);
    tk_histogram_release(&h);
}

static void
quantiles_are_within_a_bucket_of_the_truth(void **state)
{
    (void)state;
    struct tk_histogram h = {0};
    assert_int_equal(tk_histogram_quantile(&h, 0.5), 0);
    for (uint64_t i = 1; i <= 100000; i++)
        assert_int_equal(tk_histogram_add(&h, tk_histogram_bucket(i * 1000), 1), TK_OK);
    for (unsigned percent = 1; percent <= 100; percent++) {
        double truth = percent * 1e6;
        double got = (double)tk_histogram_quantile(&h, percent / 100.0);
        assert_true(got > truth * 0.968 && got < truth * 1.032);
    }
    tk_histogram_release(&h);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_number_lies_in_a_bucket_that_is_at_most_a_thirtysecond_wide),
        cmocka_unit_test(histograms_add_up),
        cmocka_unit_test(a_cleared_histogram_is_empty),
        cmocka_unit_test(quantiles_are_within_a_bucket_of_the_truth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
