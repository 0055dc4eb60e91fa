/* The host's files behind the seam: codes, not errno. */
#include "base/env.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "/tmp/tk-env-XXXXXX";

static const char *
in_dir(const char *name)
{
    static char path[256];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static int
make_dir(void **state)
{
    (void)state;
    return mkdtemp(dir) == NULL;
}

static int
remove_all(void **state)
{
    char command[300];
    (void)state;
    (void)snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}

static void
a_file_is_written_synced_and_read_back(void **state)
{
    struct tk_env *env = tk_env_host();
    struct tk_error err;
    tk_file *file;
    char bytes[6] = "";
    uint64_t size;
    (void)state;
    assert_int_equal(env->open(env, in_dir("f"), TK_OPEN_CREATE, &file, &err), TK_OK);
    assert_int_equal(env->write_at(env, file, "hello", 5, 3, &err), TK_OK);
    assert_int_equal(env->sync(env, file, &err), TK_OK);
    assert_int_equal(env->size(env, file, &size, &err), TK_OK);
    assert_int_equal(size, 8);
    assert_int_equal(env->read_at(env, file, bytes, 5, 3, &err), TK_OK);
    assert_string_equal(bytes, "hello");
    assert_int_equal(env->read_at(env, file, bytes, 6, 3, &err), TK_ERR_END);
    assert_int_equal(env->truncate(env, file, 4, &err), TK_OK);
    assert_int_equal(env->size(env, file, &size, &err), TK_OK);
    assert_int_equal(size, 4);
    env->close(env, file);
    assert_int_equal(env->open(env, in_dir("f"), TK_OPEN_CREATE, &file, &err), TK_ERR_EXISTS);
    assert_int_equal(env->sync_dir(env, dir, &err), TK_OK);
}

static void
what_is_missing_or_forbidden_has_its_own_code_and_a_message_with_the_path(void **state)
{
    struct tk_env *env = tk_env_host();
    struct tk_error err;
    tk_file *file = NULL;
    (void)state;
    assert_int_equal(env->open(env, in_dir("none"), TK_OPEN_READ, &file, &err), TK_ERR_NOT_FOUND);
    assert_non_null(strstr(err.message, in_dir("none")));
    assert_null(file);
    assert_int_equal(env->remove(env, in_dir("none"), &err), TK_ERR_NOT_FOUND);
    assert_int_equal(env->make_dir(env, in_dir("d"), &err), TK_OK);
    assert_int_equal(env->make_dir(env, in_dir("d"), &err), TK_OK);
    assert_int_equal(env->open(env, "/dev/full", TK_OPEN_WRITE, &file, &err), TK_OK);
    assert_int_equal(env->write_at(env, file, "x", 1, 0, &err), TK_ERR_FULL);
    env->close(env, file);
}

static void
a_lock_is_taken_once_and_says_by_whom(void **state)
{
    struct tk_env *env = tk_env_host();
    struct tk_error err;
    tk_file *file, *second;
    char pid[32];
    (void)state;
    assert_int_equal(env->lock(env, in_dir("lock"), &file, &err), TK_OK);
    assert_int_equal(env->lock(env, in_dir("lock"), &second, &err), TK_ERR_LOCKED);
    (void)snprintf(pid, sizeof pid, "process %ld", (long)getpid());
    assert_non_null(strstr(err.message, pid));
    env->close(env, file);
    assert_int_equal(env->lock(env, in_dir("lock"), &file, &err), TK_OK);
    env->close(env, file);
}

static bool
count_entry(void *arg, const char *name)
{
    assert_string_not_equal(name, ".");
    return ++*(int *)arg < 100;
}

static void
a_directory_lists_its_entries_and_free_space_is_known(void **state)
{
    struct tk_env *env = tk_env_host();
    struct tk_error err;
    uint64_t free_bytes = 0;
    int count = 0;
    (void)state;
    assert_int_equal(env->list(env, dir, count_entry, &count, &err), TK_OK);
    assert_true(count >= 2);
    assert_int_equal(env->free_space(env, dir, &free_bytes, &err), TK_OK);
    assert_true(free_bytes > 0);
    assert_true(env->wall_nano(env) > 1600000000ull * 1000000000);
    assert_true(env->mono_nano(env) <= env->mono_nano(env));
}

static void
a_file_written_around_the_cache_takes_any_write_and_reads_the_same(void **state)
{
    struct tk_env *env = tk_env_host();
    struct tk_error err;
    tk_file *file;
    char *blocks = aligned_alloc(TK_ENV_BLOCK, 3 * TK_ENV_BLOCK), read[3 * TK_ENV_BLOCK];
    uint64_t size;
    (void)state;
    assert_non_null(blocks);
    for (size_t i = 0; i < sizeof read; i++)
        blocks[i] = (char)(i / 7);
    assert_int_equal(env->open(env, in_dir("around"), TK_OPEN_CREATE, &file, &err), TK_OK);
    env->go_around_cache(env, file);
    assert_int_equal(env->write_at(env, file, blocks, 2 * TK_ENV_BLOCK, 0, &err), TK_OK);
    /* Neither the memory nor the offset nor the size is a multiple. */
    assert_int_equal(env->write_at(env, file, blocks + 9, 100, 2 * TK_ENV_BLOCK + 9, &err), TK_OK);
    assert_int_equal(env->sync(env, file, &err), TK_OK);
    assert_int_equal(env->size(env, file, &size, &err), TK_OK);
    assert_int_equal(size, 2 * TK_ENV_BLOCK + 109);
    assert_int_equal(env->read_at(env, file, read, size, 0, &err), TK_OK);
    assert_memory_equal(read, blocks, 2 * TK_ENV_BLOCK);
    assert_memory_equal(read + 2 * TK_ENV_BLOCK + 9, blocks + 9, 100);
    env->close(env, file);
    assert_int_equal(env->remove(env, in_dir("around"), &err), TK_OK);
    free(blocks);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_written_synced_and_read_back),
        cmocka_unit_test(a_file_written_around_the_cache_takes_any_write_and_reads_the_same),
        cmocka_unit_test(what_is_missing_or_forbidden_has_its_own_code_and_a_message_with_the_path),
        cmocka_unit_test(a_lock_is_taken_once_and_says_by_whom),
        cmocka_unit_test(a_directory_lists_its_entries_and_free_space_is_known),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_all);
}
