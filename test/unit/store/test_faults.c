/*
 * Faults, one at a time until none fires: the disk in memory (disk.h) fails or crashes at its first
 * operation, its second, its third, ... while a store appends, seals and drops.  Whatever happens,
 * every acknowledged span is found afterwards, once, and nothing that was never sent.
 */
#include "store/disk.h"
#include "store/fixture.h"

#include "base/log.h"

enum { SENDS = 12, SPANS = 3, TRACES = 5 };

/* Every operation fails once.  TSan and ASan, many times slower, look for other things: they take
   every seventh and every fifth. */
#if defined(__SANITIZE_THREAD__)
enum { STRIDE = 7 };
#elif defined(__SANITIZE_ADDRESS__)
enum { STRIDE = 5 };
#else
enum { STRIDE = 1 };
#endif

struct run {
    struct disk *disk;
    struct tk_store *store;
    bool acknowledged[SENDS];
    bool dropped; /* project 2: acknowledged */
};

static enum tk_err
open_on(struct disk *disk, struct tk_store **ret_store)
{
    struct tk_error err;
    struct tk_store_options options = {.env = &disk->env, .dir = "data", .memory = 8 << 20};
    return tk_embedded_open(&options, ret_store, &err);
}

static enum tk_err
send(struct tk_store *store, uint64_t number)
{
    struct fx_span spans[SPANS];
    for (uint64_t i = 0; i < SPANS; i++)
        spans[i] = (struct fx_span){.trace = 1 + (number + i) % TRACES,
                                    .span = 1 + number * SPANS + i,
                                    .start = 1000 + number * 10 + i};
    return fx_send(store, 1, spans, SPANS);
}

/* What every run does: sends, seals in between, a project that comes and is dropped. */
static void
work(struct run *run)
{
    struct tk_error err;
    if (open_on(run->disk, &run->store) != TK_OK)
        return;
    (void)FX_SEND(run->store, 2, {.trace = 1, .span = 1, .start = 5});
    for (uint64_t i = 0; i < SENDS; i++) {
        run->acknowledged[i] = send(run->store, i) == TK_OK;
        if (i % 4 == 3)
            (void)!tk_store_seal(run->store, &err);
        if (i == 6)
            run->dropped = tk_store_drop(run->store, 2, &err) == TK_OK;
    }
}

/* Closes in its own way of failing: what the disk refuses stays refused. */
static void
end_work(struct run *run)
{
    tk_store_close(run->store);
    run->store = NULL;
}

static void
assert_all_there_once(struct tk_store *store, const struct run *run)
{
    struct fx_scan scan;
    bool found[SENDS * SPANS + 1] = {false};
    for (uint64_t trace = 1; trace <= TRACES; trace++) {
        struct tk_batch *spans = fx_find(store, 1, trace);
        for (uint32_t row = 0; spans != NULL && row < spans->span_count; row++) {
            uint64_t id = spans->span_id[row];
            assert_in_range(id, 1, SENDS * SPANS);
            assert_false(found[id]);
            found[id] = true;
        }
        tk_batch_free(spans);
    }
    uint64_t count = 0;
    for (uint64_t id = 1; id <= SENDS * SPANS; id++) {
        count += found[id];
        if (run->acknowledged[(id - 1) / SPANS])
            assert_true(found[id]);
    }
    fx_scan(store, 1, (struct tk_store_range){0}, 99, &scan);
    assert_int_equal(scan.span_count, count);
    if (run->dropped)
        assert_int_equal(fx_span_count(store, 2, 1), 0);
}

/* On whatever disk is left, a new store serves it, goes on, and counts nothing twice. */
static void
assert_recovers(struct disk *disk, const struct run *run)
{
    struct tk_store *store;
    struct tk_store_stats stats;
    struct tk_error err = {0};
    disk->fail_at = 0;
    for (int round = 0; round < 2; round++) {
        assert_int_equal(open_on(disk, &store), TK_OK);
        assert_all_there_once(store, run);
        assert_int_equal(FX_SEND(store, 3, {.trace = 1, .span = 1, .start = 1}), TK_OK);
        assert_int_equal(tk_store_seal(store, &err), TK_OK);
        assert_all_there_once(store, run);
        tk_store_get_stats(store, &stats);
        assert_int_equal(stats.damaged_blocks, 0);
        assert_int_equal(stats.open_spans, 0);
        assert_true(stats.segment_spans <= SENDS * SPANS + 3); /* + project 3's, and 2's */
        tk_store_close(store);
    }
}

static void
a_crash_at_any_operation_loses_no_acknowledged_span(void **state)
{
    (void)state;
    bool fired = true;
    for (uint64_t at = 1; fired; at += STRIDE) {
        struct run run = {.disk = disk_new()};
        run.disk->fail_at = at;
        run.disk->fail_forever = true;
        run.disk->fail_code = TK_ERR_IO;
        work(&run);
        end_work(&run);
        fired = run.disk->failed > 0;
        for (enum disk_luck luck = 0; luck < DISK_LUCKS; luck++) {
            struct disk *after = disk_crash(run.disk, luck);
            assert_recovers(after, &run);
            disk_free(after);
        }
        disk_free(run.disk);
    }
}

static void
fail_each(enum disk_what what, enum tk_err code, bool is_short, bool forever)
{
    bool fired = true;
    for (uint64_t at = 1; fired; at += STRIDE) {
        struct run run = {.disk = disk_new()};
        run.disk->fail_at = at;
        run.disk->fail_what = what;
        run.disk->fail_code = code;
        run.disk->fail_short = is_short;
        run.disk->fail_forever = forever;
        work(&run);
        if (run.store != NULL)
            assert_all_there_once(run.store, &run);
        end_work(&run);
        fired = run.disk->failed > 0;
        assert_recovers(run.disk, &run);
        disk_free(run.disk);
    }
}

static void
a_failed_write_anywhere_loses_no_acknowledged_span(void **state)
{
    (void)state;
    fail_each(DISK_WRITE, TK_ERR_IO, false, false);
}

static void
a_short_write_anywhere_loses_no_acknowledged_span(void **state)
{
    (void)state;
    fail_each(DISK_WRITE, TK_ERR_IO, true, false);
    fail_each(DISK_WRITE, TK_ERR_FULL, true, false);
}

static void
a_failed_sync_anywhere_loses_no_acknowledged_span(void **state)
{
    (void)state;
    fail_each(DISK_SYNC, TK_ERR_IO, false, false);
}

static void
a_disk_that_fills_up_anywhere_loses_no_acknowledged_span(void **state)
{
    (void)state;
    fail_each(DISK_WRITE, TK_ERR_FULL, false, true);
}

static void
any_other_call_may_fail_too(void **state)
{
    (void)state;
    fail_each(DISK_OTHER, TK_ERR_IO, false, false);
    fail_each(DISK_OTHER, TK_ERR_FULL, false, false);
}

static void
after_a_failed_sync_nothing_is_acknowledged_and_reading_goes_on(void **state)
{
    struct run run = {.disk = disk_new()};
    struct tk_error err = {0};
    (void)state;
    assert_int_equal(open_on(run.disk, &run.store), TK_OK);
    run.acknowledged[0] = send(run.store, 0) == TK_OK;
    assert_true(run.acknowledged[0]);
    run.disk->fail_what = DISK_SYNC;
    run.disk->operations = 0;
    run.disk->fail_at = 1;
    run.disk->fail_code = TK_ERR_IO;
    assert_int_equal(send(run.store, 1), TK_ERR_IO);
    assert_int_equal(send(run.store, 2), TK_ERR_IO); /* the disk is fine again, but was it? */
    assert_int_equal(tk_store_ready(run.store, &err), TK_ERR_IO);
    assert_true(strlen(err.message) > 0);
    assert_all_there_once(run.store, &run);
    end_work(&run);
    assert_recovers(run.disk, &run);
    disk_free(run.disk);
}

/* A sealing that fails behind its rename leaves a whole segment that the store does not know. */
static void
a_project_dropped_between_two_attempts_to_seal_it_is_gone_for_good(void **state)
{
    (void)state;
    for (uint64_t at = 1; at < 12; at++) {
        struct run run = {.disk = disk_new()};
        struct tk_error err;
        assert_int_equal(open_on(run.disk, &run.store), TK_OK);
        assert_int_equal(FX_SEND(run.store, 2, {.trace = 1, .span = 1, .start = 5}), TK_OK);
        disk_fail(run.disk, DISK_SYNC, TK_ERR_FULL, at); /* for ever: sealing is tried twice */
        (void)!tk_store_seal(run.store, &err);
        disk_fail(run.disk, DISK_SYNC, TK_ERR_FULL, 0);
        assert_int_equal(tk_store_drop(run.store, 2, &err), TK_OK);
        end_work(&run);
        assert_int_equal(open_on(run.disk, &run.store), TK_OK);
        assert_int_equal(fx_span_count(run.store, 2, 1), 0);
        end_work(&run);
        disk_free(run.disk);
    }
}

static void
a_full_disk_refuses_spans_and_takes_them_again_when_there_is_room(void **state)
{
    struct run run = {.disk = disk_new()};
    struct tk_error err = {0};
    uint64_t sent = 0;
    (void)state;
    run.disk->space = 2 << 20;
    assert_int_equal(open_on(run.disk, &run.store), TK_OK);
    enum tk_err code = TK_OK;
    for (int refused = 0; refused < 2;) { /* refused even after what there is was sealed */
        code = FX_SEND(run.store, 1, {.trace = 99, .span = 1 + sent, .start = 7, .attrs = 400});
        sent += code == TK_OK;
        refused = code == TK_OK ? 0 : refused + 1;
        if (refused == 1)
            assert_int_equal(tk_store_seal(run.store, &err), TK_OK);
        assert_true(sent < 100000);
    }
    assert_int_equal(code, TK_ERR_FULL);
    assert_int_equal(tk_store_ready(run.store, &err), TK_ERR_FULL);
    assert_int_equal(fx_span_count(run.store, 1, 99), sent);    /* reading goes on */
    assert_int_equal(tk_store_drop(run.store, 7, &err), TK_OK); /* and so does making room */
    pthread_mutex_lock(&run.disk->lock);
    run.disk->space = 64 << 20;
    pthread_mutex_unlock(&run.disk->lock);
    assert_int_equal(tk_store_ready(run.store, &err), TK_OK);
    assert_int_equal(FX_SEND(run.store, 1, {.trace = 99, .span = 1 + sent, .start = 7}), TK_OK);
    assert_int_equal(fx_span_count(run.store, 1, 99), sent + 1);
    end_work(&run);
    assert_int_equal(open_on(run.disk, &run.store), TK_OK);
    assert_int_equal(fx_span_count(run.store, 1, 99), sent + 1);
    end_work(&run);
    disk_free(run.disk);
}

/* Its part in one segment cannot be asked for at first, and comes up by itself later. */
static void
a_read_that_fails_once_yields_no_trace_twice_or_out_of_order(void **state)
{
    struct run run = {.disk = disk_new()};
    struct tk_error err = {0};
    struct fx_scan scan;
    bool fired = true;
    (void)state;
    assert_int_equal(open_on(run.disk, &run.store), TK_OK);
    for (uint64_t i = 0; i < 2; i++) { /* each trace starts earlier in the other segment, once */
        assert_int_equal(FX_SEND(run.store, 1, {.trace = 1, .span = 1 + i, .start = 10 + 5 * i},
                                 {.trace = 2, .span = 1 + i, .start = 15 - 5 * i},
                                 {.trace = 3, .span = 1 + i, .start = 12}),
                         TK_OK);
        assert_int_equal(tk_store_seal(run.store, &err), TK_OK);
    }
    end_work(&run);
    for (uint64_t at = 1; fired; at++) {
        assert_int_equal(open_on(run.disk, &run.store), TK_OK);
        disk_fail(run.disk, DISK_READ, TK_ERR_IO, at);
        run.disk->fail_forever = false;
        run.disk->failed = 0;
        fx_scan(run.store, 1, (struct tk_store_range){0}, 99, &scan);
        fired = run.disk->failed > 0;
        assert_true(scan.count <= 3);
        for (uint32_t i = 0; i < scan.count; i++)
            for (uint32_t k = 0; k < i; k++) {
                assert_true(scan.trace[k] != scan.trace[i]);
                assert_true(scan.start[k] >= scan.start[i]);
            }
        if (!fired)
            assert_int_equal(scan.span_count, 6);
        disk_fail(run.disk, DISK_ANY, TK_ERR_IO, 0);
        end_work(&run);
    }
    disk_free(run.disk);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_crash_at_any_operation_loses_no_acknowledged_span),
        cmocka_unit_test(a_failed_write_anywhere_loses_no_acknowledged_span),
        cmocka_unit_test(a_short_write_anywhere_loses_no_acknowledged_span),
        cmocka_unit_test(a_failed_sync_anywhere_loses_no_acknowledged_span),
        cmocka_unit_test(a_disk_that_fills_up_anywhere_loses_no_acknowledged_span),
        cmocka_unit_test(any_other_call_may_fail_too),
        cmocka_unit_test(after_a_failed_sync_nothing_is_acknowledged_and_reading_goes_on),
        cmocka_unit_test(a_project_dropped_between_two_attempts_to_seal_it_is_gone_for_good),
        cmocka_unit_test(a_full_disk_refuses_spans_and_takes_them_again_when_there_is_room),
        cmocka_unit_test(a_read_that_fails_once_yields_no_trace_twice_or_out_of_order),
    };
    tk_log_set_level(TK_LOG_ERROR + 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
