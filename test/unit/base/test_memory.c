/* Counts page faults, which are the kernel's to tell: with a sanitizer's malloc they mean nothing.
 */
#include "base/memory.h"
#include "test.h"

#include <stdlib.h>
#include <sys/resource.h>

enum { BLOCK = 1 << 20, BLOCKS = 32, PAGE = 4096 };

static long
faults_of_a_round(void)
{
    struct rusage before, after;
    char *blocks[BLOCKS];
    assert_int_equal(getrusage(RUSAGE_SELF, &before), 0);
    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = malloc(BLOCK);
        assert_non_null(blocks[i]);
        memset(blocks[i], i, BLOCK);
    }
    for (int i = 0; i < BLOCKS; i++)
        free(blocks[i]);
    assert_int_equal(getrusage(RUSAGE_SELF, &after), 0);
    return after.ru_minflt - before.ru_minflt;
}

static void
freed_memory_is_used_again_until_it_is_given_back(void **state)
{
    (void)state;
    tk_memory_setup(256 << 20);
    (void)faults_of_a_round(); /* the first time the pages must come from somewhere */
    assert_true(faults_of_a_round() < BLOCKS * BLOCK / PAGE / 16);
    tk_memory_trim();
    assert_true(faults_of_a_round() > BLOCKS * BLOCK / PAGE / 2);
    tk_memory_trim(); /* too soon: nothing happens */
    assert_true(faults_of_a_round() < BLOCKS * BLOCK / PAGE / 16);
}

int
main(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    (void)freed_memory_is_used_again_until_it_is_given_back;
    return 0;
#else
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(freed_memory_is_used_again_until_it_is_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
#endif
}
