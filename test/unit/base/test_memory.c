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

/* Whether the kernel follows is its own affair: what is asked is that nothing else changes. */
static void
blocks_of_any_size_and_place_may_ask_for_huge_pages(void **state)
{
    static const size_t sizes[] = {1, TK_MEMORY_HUGE - 1, TK_MEMORY_HUGE, 3 * TK_MEMORY_HUGE + 5};
    (void)state;
    tk_memory_huge(NULL, TK_MEMORY_HUGE);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char *block = calloc(1, sizes[i]);
        assert_non_null(block);
        block[0] = 'a';
        tk_memory_huge(block, sizes[i]);
        assert_int_equal(block[0], 'a');
        memset(block, 'b', sizes[i]);
        assert_int_equal(block[sizes[i] - 1], 'b');
        free(block);
    }
}

int
main(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    (void)freed_memory_is_used_again_until_it_is_given_back;
#endif
    const struct CMUnitTest tests[] = {
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
        cmocka_unit_test(freed_memory_is_used_again_until_it_is_given_back),
#endif
        cmocka_unit_test(blocks_of_any_size_and_place_may_ask_for_huge_pages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
