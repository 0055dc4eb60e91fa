/* Quantiles: exact while there are few numbers, close when there are many. */
#include "query/quantiles.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void
few_numbers_are_exact(void **state)
{
    struct tk_quantiles q = {0};
    (void)state;
    assert_int_equal(tk_quantiles_get(&q, 50), 0);
    for (uint64_t i = 100; i > 0; i--)
        assert_int_equal(tk_quantiles_add(&q, i * 1000003), TK_OK);
    assert_int_equal(tk_quantiles_get(&q, 1), 1000003);
    assert_int_equal(tk_quantiles_get(&q, 50), 50 * 1000003);
    assert_int_equal(tk_quantiles_get(&q, 95), 95 * 1000003);
    assert_int_equal(tk_quantiles_get(&q, 99), 99 * 1000003);
    assert_int_equal(tk_quantiles_get(&q, 100), 100 * 1000003);
    assert_int_equal(tk_quantiles_add(&q, 0), TK_OK);
    assert_int_equal(tk_quantiles_get(&q, 50), 50 * 1000003);
    tk_quantiles_release(&q);
}

static int
compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void
many_numbers_are_close(void **state)
{
    enum { COUNT = 50000 };
    static uint64_t numbers[COUNT];
    struct tk_quantiles q = {0};
    (void)state;
    srand(7);
    for (int i = 0; i < COUNT; i++) {
        numbers[i] = ((uint64_t)rand() << (rand() % 30)) + (uint64_t)(rand() % 200);
        assert_int_equal(tk_quantiles_add(&q, numbers[i]), TK_OK);
    }
    qsort(numbers, COUNT, sizeof numbers[0], compare);
    for (unsigned percent = 1; percent <= 100; percent++) {
        uint64_t exact = numbers[COUNT / 100 * percent - 1], got = tk_quantiles_get(&q, percent);
        uint64_t off = got > exact ? got - exact : exact - got;
        assert_true(off <= exact / 32 + 1);
    }
    tk_quantiles_release(&q);
}

static void
the_largest_number_has_a_bucket(void **state)
{
    struct tk_quantiles q = {0};
    (void)state;
    for (int i = 0; i <= TK_QUANTILES_EXACT; i++)
        assert_int_equal(tk_quantiles_add(&q, UINT64_MAX), TK_OK);
    assert_true(tk_quantiles_get(&q, 50) >= UINT64_MAX / 32 * 31);
    tk_quantiles_release(&q);
}

static void
numbers_and_histograms_add_up(void **state)
{
    struct tk_quantiles q = {0};
    struct tk_histogram h = {0};
    (void)state;
    for (uint64_t i = 1; i <= 100; i++)
        assert_int_equal(i % 2 == 0 ? tk_quantiles_add(&q, i * 1000)
                                    : tk_histogram_add(&h, tk_histogram_bucket(i * 1000), 1),
                         TK_OK);
    assert_int_equal(tk_quantiles_merge(&q, &h), TK_OK);
    assert_int_equal(tk_quantiles_add(&q, 1000000), TK_OK);
    assert_int_equal(q.count, 101);
    assert_in_range(tk_quantiles_get(&q, 50), 48400, 52600);
    assert_true(tk_quantiles_get(&q, 100) >= 980000);
    tk_quantiles_release(&q);
    tk_histogram_release(&h);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_numbers_are_exact),
        cmocka_unit_test(many_numbers_are_close),
        cmocka_unit_test(the_largest_number_has_a_bucket),
        cmocka_unit_test(numbers_and_histograms_add_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
