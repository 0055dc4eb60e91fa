/* limit: the token bucket of a browser key. */
#include "api/limit.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const uint64_t second = 1000000000;

static unsigned
take_all(struct tk_limit *limit, uint32_t key_id, uint64_t now)
{
    unsigned count = 0;
    while (tk_limit_take(limit, key_id, now))
        count++;
    return count;
}

static void
a_full_bucket_holds_the_burst_and_fills_by_the_second(void **state)
{
    static struct tk_limit limit;
    uint64_t now = 5 * second;
    (void)state;
    assert_int_equal(take_all(&limit, 7, now), TK_BROWSER_REQUESTS_BURST);
    assert_int_equal(take_all(&limit, 7, now), 0);
    assert_int_equal(take_all(&limit, 7, now + second), TK_BROWSER_REQUESTS_PER_S);
    assert_int_equal(take_all(&limit, 7, now + 60 * second), TK_BROWSER_REQUESTS_BURST);
}

static void
keys_have_buckets_of_their_own(void **state)
{
    static struct tk_limit limit;
    (void)state;
    assert_int_equal(take_all(&limit, 1, second), TK_BROWSER_REQUESTS_BURST);
    assert_int_equal(take_all(&limit, 2, second), TK_BROWSER_REQUESTS_BURST);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_bucket_holds_the_burst_and_fills_by_the_second),
        cmocka_unit_test(keys_have_buckets_of_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
