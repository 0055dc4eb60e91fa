/* What is handed out beside damage: what can be read, and nothing that the store frees. */
#include "store/disk.h"
#include "store/fixture.h"

#include "base/log.h"

enum { FULL = 2048 /* rows of a group */, COUNT = FULL + 50 };

static struct tk_store *
open_on(struct disk *disk)
{
    struct tk_store *store;
    struct tk_error err = {0};
    struct tk_store_options options = {.env = &disk->env, .dir = "data", .memory = 32 << 20};
    if (tk_embedded_open(&options, &store, &err) != TK_OK)
        fail_msg("open: %s", err.message);
    return store;
}

/* One segment: trace 1, which fills the first group and reaches into the second. */
static struct disk_inode *
make_segment(struct disk *disk)
{
    struct tk_store *store = open_on(disk);
    struct fx_span spans[COUNT];
    for (uint64_t i = 0; i < COUNT; i++)
        spans[i] = (struct fx_span){.trace = 1, .span = i + 1, .start = 5000 + i};
    assert_int_equal(fx_send(store, 1, spans, COUNT), TK_OK);
    tk_store_close(store);
    struct disk_name *name = disk_find(&disk->now, "data/p1/00000001-00000001.seg");
    assert_non_null(name);
    return name->inode;
}

/* The store is gone when it returns.  NULL: nothing of the trace can be read. */
static struct tk_batch *
find_what_is_left(struct disk *disk)
{
    struct tk_store *store = open_on(disk);
    struct tk_store_view *view;
    struct tk_error err;
    struct tk_batch *found = tk_batch_new();
    assert_int_equal(tk_store_view_open(store, 1, &view, &err), TK_OK);
    enum tk_err code = tk_store_find(view, fx_trace_id(1), NULL, found, &err);
    tk_store_view_close(view);
    tk_store_close(store);
    if (code == TK_OK)
        return found;
    assert_int_equal(code, TK_ERR_CORRUPT);
    tk_batch_free(found);
    return NULL;
}

/* Not even at the text of a dictionary that it met first in a group that proved to be damaged. */
static void
what_was_found_beside_damage_looks_at_nothing_that_the_store_frees(void **state)
{
    enum { PLACES = 100 };
    struct disk *disk = disk_new();
    struct disk_inode *file = make_segment(disk);
    uint32_t cut = 0;
    (void)state;
    for (size_t at = 100; at < file->len / 2; at += file->len / PLACES) {
        file->bytes[at] ^= 0x40;
        struct tk_batch *found = find_what_is_left(disk);
        file->bytes[at] ^= 0x40;
        for (uint32_t row = 0; found != NULL && row < found->span_count; row++)
            assert_true(
                tk_str_eq(found->event[found->events[row].begin].name, TK_STR("exception")));
        cut += found != NULL && found->span_count == COUNT - FULL;
        tk_batch_free(found);
    }
    assert_true(cut > 0);
    disk_free(disk);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_found_beside_damage_looks_at_nothing_that_the_store_frees),
    };
    tk_log_set_level(TK_LOG_ERROR + 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
