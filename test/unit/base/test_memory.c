/* Counts page faults, which are the kernel's to tell: with a sanitizer's malloc they mean nothing.
 */
#include "base/memory.h"
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

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
    assert_true(faults_of_a_round() < BLOCKS * BLOCK / PAGE / 16);
}

static void
write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* A group in a group; the limit of either, neither or a larger one than the machine is. */
static void
memory_is_the_machines_or_the_least_limit_of_the_control_groups(void **state)
{
    char dir[] = "/tmp/tk-memory-XXXXXX", proc[64], inner[64], outer[64], folder[64];
    uint64_t machine = tk_memory_of_machine("/nowhere/cgroup", "/nowhere");
    (void)state;
    assert_true(machine > 64 << 20);
    assert_non_null(mkdtemp(dir));
    (void)snprintf(proc, sizeof proc, "%s/cgroup", dir);
    (void)snprintf(folder, sizeof folder, "%s/a", dir);
    (void)snprintf(outer, sizeof outer, "%s/a/memory.max", dir);
    assert_int_equal(mkdir(folder, 0700), 0);
    (void)snprintf(folder, sizeof folder, "%s/a/b", dir);
    (void)snprintf(inner, sizeof inner, "%s/a/b/memory.max", dir);
    assert_int_equal(mkdir(folder, 0700), 0);
    write_text(proc, "4:memory:/c\n0::/a/b\n");
    assert_true(tk_memory_of_machine(proc, dir) == machine);
    write_text(outer, "33554432\n");
    write_text(inner, "max\n");
    assert_int_equal(tk_memory_of_machine(proc, dir), 33554432);
    write_text(inner, "16777216\n");
    assert_int_equal(tk_memory_of_machine(proc, dir), 16777216);
    write_text(outer, "9223372036854771712\n");
    write_text(inner, "9223372036854771712\n");
    assert_true(tk_memory_of_machine(proc, dir) == machine);
    write_text(proc, "0::/\n");
    write_text(inner, "16777216\n");
    assert_true(tk_memory_of_machine(proc, dir) == machine);
    const char *made[] = {inner, outer, proc, folder};
    for (size_t i = 0; i < sizeof made / sizeof made[0]; i++)
        assert_int_equal(remove(made[i]), 0);
    folder[strlen(folder) - 2] = '\0';
    assert_int_equal(remove(folder), 0);
    assert_int_equal(remove(dir), 0);
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
        cmocka_unit_test(memory_is_the_machines_or_the_least_limit_of_the_control_groups),
        cmocka_unit_test(blocks_of_any_size_and_place_may_ask_for_huge_pages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
