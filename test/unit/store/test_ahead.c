/*
 * What is asked of the disk before somebody waits for it: hints come before reads, all of them, and
 * what was warmed is not read again.
 */
#include "store/embedded/embedded.h"
#include "store/fixture.h"
#include "store/segment/group.h"

#include <unistd.h>

enum { SEGMENTS = 3, LOG_MAX = 1024, WAIT_MS = 10000 };

static struct tk_env env;       /* the host's, and writes down who calls it */
static char calls[LOG_MAX + 1]; /* r: a read, a: a hint */
static size_t call_count;

static void
put(char call)
{
    if (call_count < LOG_MAX)
        calls[call_count++] = call;
    calls[call_count] = '\0';
}

static enum tk_err
read_at(struct tk_env *own, tk_file *file, void *bytes, size_t size, uint64_t offset,
        struct tk_error *err)
{
    (void)own;
    put('r');
    return tk_env_host()->read_at(tk_env_host(), file, bytes, size, offset, err);
}

static void
read_ahead(struct tk_env *own, tk_file *file, uint64_t offset, uint64_t size)
{
    (void)own;
    put('a');
    tk_env_host()->read_ahead(tk_env_host(), file, offset, size);
}

static void
clear(void)
{
    call_count = 0;
    calls[0] = '\0';
}

/* A store with a trace in each of its segments. */
static char *
make_store(void)
{
    char *dir = fx_dir();
    struct tk_store *store;
    struct tk_error err;
    struct tk_store_options options = {.dir = dir};
    env = *tk_env_host();
    env.read_at = read_at;
    env.read_ahead = read_ahead;
    assert_int_equal(tk_embedded_open(&options, &store, &err), TK_OK);
    for (uint64_t trace = 1; trace <= SEGMENTS; trace++) {
        assert_int_equal(FX_SEND(store, 1, {.trace = trace, .span = trace, .start = 1000}), TK_OK);
        assert_int_equal(tk_store_seal(store, &err), TK_OK);
    }
    tk_store_close(store);
    return dir;
}

static struct tk_store *
open_store(const char *dir, bool warm)
{
    struct tk_store *store;
    struct tk_error err;
    struct tk_store_options options = {.env = &env, .dir = dir, .warm = warm};
    assert_int_equal(tk_embedded_open(&options, &store, &err), TK_OK);
    return store;
}

static void
the_pages_of_all_segments_are_asked_for_before_one_is_read(void **state)
{
    char *dir = make_store();
    struct tk_store *store = open_store(dir, false);
    (void)state;
    clear();
    assert_null(fx_find(store, 1, SEGMENTS + 1));
    assert_string_equal(calls, "rarara" /* the tables of pages are read first */ "rrr");
    clear();
    assert_null(fx_find(store, 1, SEGMENTS + 1));
    assert_string_equal(calls, ""); /* all is in the cache */
    tk_store_close(store);
    fx_remove_dir(dir);
}

static void
of_a_warm_segment_a_trace_is_two_reads(void **state)
{
    char *dir = make_store(), path[512];
    static struct tk_cache cache;
    struct tk_segment_host host = {.env = &env, .cache = &cache};
    struct tk_segment *segment;
    struct tk_cache_item *schema, *item;
    struct tk_trace_entry entry;
    struct tk_error err;
    (void)state;
    tk_cache_init(&cache, 16 << 20);
    (void)snprintf(path, sizeof path, "%s/p1/00000001-00000001.seg", dir);
    struct tk_segment_name name = {1, 1, 1};
    assert_int_equal(tk_segment_open(&host, path, name, &segment, &err), TK_OK);
    tk_segment_warm(segment);
    clear();
    assert_int_equal(tk_segment_find(segment, fx_trace_id(1), true, &entry, &err), TK_OK);
    assert_string_equal(calls, "rr"); /* a page of the index, and the group */
    assert_int_equal(tk_segment_schema(segment, &schema, &err), TK_OK);
    const struct tk_schema_view *view = schema->value;
    uint32_t dictionaries = 0;
    for (uint32_t i = 0; i < view->column_count; i++) {
        if (view->columns[i].dictionary.size == 0)
            continue;
        assert_int_equal(tk_segment_dictionary(segment, view, i, &item, &err), TK_OK);
        tk_cache_release(item);
        dictionaries++;
    }
    assert_int_equal(tk_segment_decoded(segment, TK_MESSAGE_RESOURCE, 0, &item, &err), TK_OK);
    tk_cache_release(item);
    assert_true(dictionaries > 0);
    assert_string_equal(calls, "rr");
    tk_cache_release(schema);
    tk_segment_unref(segment);
    tk_cache_release_all(&cache);
    fx_remove_dir(dir);
}

static uint64_t
cache_bytes(struct tk_store *store)
{
    struct tk_store_stats stats;
    tk_store_get_stats(store, &stats);
    return stats.cache_bytes;
}

static void
a_store_that_is_to_be_warm_reads_before_somebody_asks(void **state)
{
    char *dir = make_store();
    struct tk_store *store = open_store(dir, false);
    (void)state;
    uint64_t cold = cache_bytes(store);
    tk_store_close(store);
    store = open_store(dir, true);
    for (int ms = 0; ms < WAIT_MS && cache_bytes(store) == cold; ms++)
        (void)usleep(1000);
    assert_true(cache_bytes(store) > cold);
    tk_store_close(store);
    fx_remove_dir(dir);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_pages_of_all_segments_are_asked_for_before_one_is_read),
        cmocka_unit_test(of_a_warm_segment_a_trace_is_two_reads),
        cmocka_unit_test(a_store_that_is_to_be_warm_reads_before_somebody_asks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
