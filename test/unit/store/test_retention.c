/*
 * What goes when: by age, by the caps of project and store; what never goes; and that a crash in
 * the middle of it changes nothing that was to stay.  On a disk in memory, with a clock of its own.
 */
#include "store/disk.h"
#include "store/fixture.h"

#include "base/log.h"

static const uint64_t SECOND = 1000000000, DAY = 86400 * UINT64_C(1000000000);
static const uint64_t NOON = UINT64_C(1700000000) * 1000000000;
static const uint64_t NONE = UINT64_MAX; /* TK_STORE_UNLIMITED */

static _Atomic uint64_t wall_now;

static uint64_t
test_wall(struct tk_env *env)
{
    (void)env;
    return wall_now;
}

static struct tk_store *
open_on(struct disk *disk)
{
    struct tk_store *store;
    struct tk_error err = {0};
    struct tk_store_options options = {.env = &disk->env, .dir = "data", .memory = 8 << 20};
    disk->env.wall_nano = test_wall;
    if (tk_embedded_open(&options, &store, &err) != TK_OK)
        fail_msg("open: %s", err.message);
    return store;
}

/* One segment: one trace of this number, whose spans end at `end`. */
static void
add_segment(struct tk_store *store, uint32_t project, uint64_t trace, uint64_t end)
{
    struct tk_error err = {0};
    assert_int_equal(FX_SEND(store, project,
                             {.trace = trace, .span = 1, .start = end - SECOND, .end = end},
                             {.trace = trace, .span = 2, .start = end - SECOND, .end = end - 1}),
                     TK_OK);
    assert_int_equal(tk_store_seal(store, &err), TK_OK);
}

static void
limit(struct tk_store *store, uint32_t project, uint64_t retention_nano, uint64_t disk_bytes)
{
    struct tk_error err = {0};
    struct tk_store_limits limits = {retention_nano, disk_bytes};
    if (tk_store_set_limits(store, project, &limits, &err) != TK_OK)
        fail_msg("set_limits: %s", err.message);
}

static struct tk_store_stats
stats_of(struct tk_store *store)
{
    struct tk_store_stats stats;
    tk_store_get_stats(store, &stats);
    return stats;
}

static bool
is_there(struct tk_store *store, uint32_t project, uint64_t trace)
{
    uint32_t count = fx_span_count(store, project, trace);
    assert_true(count == 0 || count == 2);
    return count == 2;
}

static int
segment_files(struct disk *disk)
{
    int count = 0;
    pthread_mutex_lock(&disk->lock);
    for (int i = 0; i < disk->now.count; i++)
        count += strstr(disk->now.name[i].path, ".seg") != NULL;
    pthread_mutex_unlock(&disk->lock);
    return count;
}

static void
a_segment_goes_when_its_newest_span_is_older_than_the_age_and_not_before(void **state)
{
    struct disk *disk = disk_new();
    struct tk_store *store = open_on(disk);
    (void)state;
    wall_now = NOON;
    add_segment(store, 1, 1, NOON - DAY);
    add_segment(store, 1, 2, NOON);
    limit(store, 0, DAY, 0);
    assert_true(is_there(store, 1, 1)); /* to the nanosecond */
    wall_now = NOON + 1;
    uint64_t bytes = stats_of(store).segment_bytes;
    limit(store, 0, DAY, 0);
    assert_false(is_there(store, 1, 1));
    assert_true(is_there(store, 1, 2));
    struct tk_store_stats stats = stats_of(store);
    assert_int_equal(stats.expired.segments, 1);
    assert_int_equal(stats.expired.spans, 2);
    assert_int_equal(stats.expired.bytes, bytes - stats.segment_bytes);
    assert_int_equal(stats.evicted.segments, 0);
    assert_int_equal(stats.oldest_nano, NOON - SECOND);
    assert_int_equal(segment_files(disk), 1);
    tk_store_close(store);
    disk_free(disk);
}

static void
spans_that_are_not_sealed_stay_however_old_they_are(void **state)
{
    struct disk *disk = disk_new();
    struct tk_store *store = open_on(disk);
    (void)state;
    wall_now = NOON;
    limit(store, 0, SECOND, 1);
    assert_int_equal(
        FX_SEND(store, 1, {.trace = 1, .span = 1, .start = 1}, {.trace = 1, .span = 2, .start = 1}),
        TK_ERR_FULL); /* a cap of one byte has no room for a log */
    limit(store, 0, SECOND, 0);
    assert_int_equal(
        FX_SEND(store, 1, {.trace = 1, .span = 1, .start = 1}, {.trace = 1, .span = 2, .start = 1}),
        TK_OK);
    limit(store, 0, SECOND, 1);
    assert_true(is_there(store, 1, 1));
    struct disk *after = disk_crash(disk, DISK_NOTHING);
    struct tk_store *again = open_on(after);
    assert_true(is_there(again, 1, 1));
    tk_store_close(again);
    disk_free(after);
    tk_store_close(store);
    disk_free(disk);
}

static void
beyond_the_cap_the_oldest_data_goes_first_whenever_it_came(void **state)
{
    struct disk *disk = disk_new();
    struct tk_store *store = open_on(disk);
    (void)state;
    wall_now = NOON;
    add_segment(store, 1, 1, NOON - 1 * DAY);
    add_segment(store, 1, 2, NOON - 3 * DAY);
    add_segment(store, 2, 3, NOON - 2 * DAY);
    add_segment(store, 2, 4, NOON - 4 * DAY);
    uint64_t bytes = stats_of(store).segment_bytes;
    limit(store, 0, 0, bytes);
    assert_int_equal(stats_of(store).segments, 4);
    limit(store, 0, 0, bytes - 1);
    assert_false(is_there(store, 2, 4));
    assert_int_equal(stats_of(store).segments, 3);
    limit(store, 0, 0, stats_of(store).segment_bytes / 2);
    assert_false(is_there(store, 1, 2));
    assert_false(is_there(store, 2, 3));
    assert_true(is_there(store, 1, 1));
    assert_int_equal(stats_of(store).evicted.segments, 3);
    assert_int_equal(stats_of(store).evicted.spans, 6);
    assert_int_equal(stats_of(store).expired.segments, 0);
    tk_store_close(store);
    disk_free(disk);
}

static void
a_project_pays_for_its_own_cap_before_others_pay(void **state)
{
    struct disk *disk = disk_new();
    struct tk_store *store = open_on(disk);
    (void)state;
    wall_now = NOON;
    add_segment(store, 1, 1, NOON - 9 * DAY);
    add_segment(store, 2, 2, NOON - 2 * DAY);
    add_segment(store, 2, 3, NOON - 1 * DAY);
    uint64_t bytes = stats_of(store).segment_bytes;
    limit(store, 2, 0, bytes / 3 + bytes / 6);
    assert_true(is_there(store, 1, 1));
    assert_false(is_there(store, 2, 2));
    limit(store, 0, 0, stats_of(store).segment_bytes);
    assert_true(is_there(store, 1, 1));
    assert_true(is_there(store, 2, 3));
    tk_store_close(store);
    disk_free(disk);
}

static void
a_projects_own_age_stands_before_the_stores(void **state)
{
    struct disk *disk = disk_new();
    struct tk_store *store = open_on(disk);
    (void)state;
    wall_now = NOON;
    for (uint32_t project = 1; project <= 4; project++)
        add_segment(store, project, 1, NOON - 5 * DAY);
    limit(store, 2, 4 * DAY, 0);
    limit(store, 3, 6 * DAY, 0);
    limit(store, 4, NONE, NONE);
    assert_false(is_there(store, 2, 1));
    assert_int_equal(stats_of(store).segments, 3);
    limit(store, 0, 4 * DAY, 0);
    assert_false(is_there(store, 1, 1));
    assert_true(is_there(store, 3, 1));
    assert_true(is_there(store, 4, 1));
    limit(store, 3, 0, 0); /* back to the store's */
    assert_false(is_there(store, 3, 1));
    assert_true(is_there(store, 4, 1));
    tk_store_close(store);
    disk_free(disk);
}

static void
a_project_is_given_limits_before_it_has_spans(void **state)
{
    struct disk *disk = disk_new();
    struct tk_store *store = open_on(disk);
    (void)state;
    wall_now = NOON;
    limit(store, 7, DAY, 0);
    add_segment(store, 7, 1, NOON - 2 * DAY);
    add_segment(store, 8, 1, NOON - 2 * DAY);
    limit(store, 0, 0, 0);
    assert_false(is_there(store, 7, 1));
    assert_true(is_there(store, 8, 1));
    tk_store_close(store);
    disk_free(disk);
}

static void
spans_of_the_future_and_a_clock_that_goes_back_drop_nothing(void **state)
{
    struct disk *disk = disk_new();
    struct tk_store *store = open_on(disk);
    (void)state;
    wall_now = NOON;
    add_segment(store, 1, 1, NOON + 90 * DAY);
    add_segment(store, 1, 2, NOON);
    wall_now = NOON - 90 * DAY;
    limit(store, 0, 1, 0);
    assert_true(is_there(store, 1, 1));
    assert_true(is_there(store, 1, 2));
    tk_store_close(store);
    disk_free(disk);
}

static void
a_read_that_began_before_goes_on_to_its_end(void **state)
{
    struct disk *disk = disk_new();
    struct tk_store *store = open_on(disk);
    struct tk_store_view *view;
    struct tk_store_scan *scan;
    struct tk_store_trace trace;
    struct tk_error err = {0};
    static const struct tk_store_range all = {0};
    uint32_t seen = 0;
    (void)state;
    wall_now = NOON;
    for (uint64_t i = 1; i <= 5; i++)
        add_segment(store, 1, i, NOON - i * DAY);
    assert_int_equal(tk_store_view_open(store, 1, &view, &err), TK_OK);
    assert_int_equal(tk_store_scan_open(view, &all, &scan, &err), TK_OK);
    assert_int_equal(tk_store_scan_next(scan, &trace, &err), TK_OK);
    limit(store, 0, 1, 0);
    assert_int_equal(segment_files(disk), 0);
    for (seen = 1; tk_store_scan_next(scan, &trace, &err) == TK_OK; seen++)
        assert_int_equal(trace.spans->span_count, 2);
    assert_int_equal(seen, 5);
    tk_store_scan_close(scan);
    tk_store_view_close(view);
    assert_int_equal(stats_of(store).segments, 0);
    tk_store_close(store);
    disk_free(disk);
}

static void
a_file_that_cannot_be_removed_stays_visible_and_goes_at_the_next_attempt(void **state)
{
    struct disk *disk = disk_new();
    struct tk_store *store = open_on(disk);
    struct tk_store_limits limits = {.retention_nano = 1};
    struct tk_error err = {0};
    (void)state;
    wall_now = NOON;
    add_segment(store, 1, 1, NOON - DAY);
    disk_fail(disk, DISK_OTHER, TK_ERR_DENIED, 1); /* for ever: the store may try by itself */
    assert_int_equal(tk_store_set_limits(store, 0, &limits, &err), TK_ERR_DENIED);
    assert_true(strlen(err.message) > 0);
    assert_true(is_there(store, 1, 1));
    assert_int_equal(stats_of(store).expired.segments, 0);
    disk_fail(disk, DISK_OTHER, TK_ERR_DENIED, 0);
    limit(store, 0, 1, 0);
    assert_false(is_there(store, 1, 1));
    assert_int_equal(stats_of(store).expired.segments, 1);
    tk_store_close(store);
    disk_free(disk);
}

static void
a_crash_at_any_operation_of_dropping_keeps_what_is_to_stay(void **state)
{
    bool fired = true;
    (void)state;
    for (uint64_t at = 1; fired; at++) {
        struct disk *disk = disk_new();
        struct tk_store *store = open_on(disk);
        struct tk_store_limits limits = {.retention_nano = 2 * DAY};
        struct tk_error err;
        wall_now = NOON;
        for (uint64_t i = 1; i <= 6; i++)
            add_segment(store, 1 + i % 2, i, NOON - i * DAY);
        disk_fail(disk, DISK_ANY, TK_ERR_IO, at);
        (void)!tk_store_set_limits(store, 0, &limits, &err);
        pthread_mutex_lock(&disk->lock);
        fired = disk->failed > 0;
        pthread_mutex_unlock(&disk->lock);
        for (enum disk_luck luck = 0; luck < DISK_LUCKS; luck++) {
            struct disk *after = disk_crash(disk, luck);
            struct tk_store *again = open_on(after);
            assert_true(is_there(again, 2, 1) && is_there(again, 1, 2));
            limit(again, 0, 2 * DAY, 0);
            for (uint64_t i = 1; i <= 6; i++)
                assert_int_equal(is_there(again, 1 + (uint32_t)i % 2, i), i <= 2);
            assert_int_equal(stats_of(again).damaged_blocks, 0);
            assert_int_equal(segment_files(after), 2);
            tk_store_close(again);
            disk_free(after);
        }
        tk_store_close(store);
        disk_free(disk);
    }
}

static struct tk_store_usage
usage_of(struct tk_store *store, uint32_t project, uint64_t retention_nano, uint64_t disk_bytes)
{
    struct tk_error err = {0};
    struct tk_store_limits limits = {retention_nano, disk_bytes};
    struct tk_store_usage usage;
    if (tk_store_usage(store, project, &limits, &usage, &err) != TK_OK)
        fail_msg("usage: %s", err.message);
    return usage;
}

static void
a_project_says_what_it_takes_sealed_or_not(void **state)
{
    struct disk *disk = disk_new();
    struct tk_store *store = open_on(disk);
    (void)state;
    wall_now = NOON;
    struct tk_store_usage usage = usage_of(store, 1, 0, 0);
    assert_int_equal(usage.sealed.spans + usage.open_spans + usage.sealed.bytes, 0);
    assert_int_equal(usage.oldest_nano + usage.newest_nano, 0);
    add_segment(store, 1, 1, NOON - 2 * DAY);
    add_segment(store, 2, 2, NOON - 9 * DAY);
    uint64_t bytes = stats_of(store).segment_bytes;
    assert_int_equal(FX_SEND(store, 1, {.trace = 3, .span = 1, .start = NOON, .end = NOON + 5}),
                     TK_OK);
    usage = usage_of(store, 1, 0, 0);
    assert_int_equal(usage.sealed.segments, 1);
    assert_int_equal(usage.sealed.spans, 2);
    assert_int_equal(usage.open_spans, 1);
    assert_int_equal(usage.oldest_nano, NOON - 2 * DAY - SECOND);
    assert_int_equal(usage.newest_nano, NOON + 5);
    assert_int_equal(usage.sealed.bytes + usage_of(store, 2, 0, 0).sealed.bytes, bytes);
    tk_store_close(store);
    disk_free(disk);
}

/* For each pair of limits: what it says is due is what goes, and nothing goes by asking. */
static void
what_is_said_to_be_due_is_what_goes_under_these_limits(void **state)
{
    static const struct tk_store_limits asked[] = {
        {0, 0}, {4 * DAY, 0},   {3 * DAY - SECOND, 0}, {0, 1},   {0, 1500},
        {1, 0}, {4 * DAY, 900}, {NONE, NONE},          {NONE, 0}};
    (void)state;
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        struct disk *disk = disk_new();
        struct tk_store *store = open_on(disk);
        wall_now = NOON;
        limit(store, 1, NONE, NONE);
        limit(store, 0, 6 * DAY, 0);
        for (uint64_t trace = 1; trace <= 6; trace++) /* not in order of age */
            add_segment(store, 1, trace, NOON - (trace * 3 % 7) * DAY - DAY);
        struct tk_store_tally due =
            usage_of(store, 1, asked[i].retention_nano, asked[i].disk_bytes).due;
        struct tk_store_usage before = usage_of(store, 1, 0, 0);
        assert_int_equal(before.sealed.segments, 6);
        limit(store, 1, asked[i].retention_nano, asked[i].disk_bytes);
        struct tk_store_usage after = usage_of(store, 1, NONE, NONE);
        assert_int_equal(before.sealed.segments - after.sealed.segments, due.segments);
        assert_int_equal(before.sealed.spans - after.sealed.spans, due.spans);
        assert_int_equal(before.sealed.bytes - after.sealed.bytes, due.bytes);
        assert_true(asked[i].retention_nano == NONE || due.segments > 0);
        assert_int_equal(usage_of(store, 1, asked[i].retention_nano, asked[i].disk_bytes).due.spans,
                         0);
        tk_store_close(store);
        disk_free(disk);
    }
}

/* Closing a file that was removed takes the disk its time. */
static struct tk_store *_Atomic asked; /* while files are closed; NULL: nobody asks */
static _Atomic uint32_t in_time, late;

static void *
ask(void *arg)
{
    (void)arg;
    (void)stats_of(asked);
    return NULL;
}

static void
ask_and_close(struct tk_env *env, tk_file *file)
{
    struct timespec until;
    pthread_t thread;
    if (asked != NULL && late == 0) {
        assert_int_equal(clock_gettime(CLOCK_REALTIME, &until), 0);
        until.tv_sec += 20;
        assert_int_equal(pthread_create(&thread, NULL, ask, NULL), 0);
        bool answered = pthread_timedjoin_np(thread, NULL, &until) == 0;
        in_time += answered;
        late += !answered;
    }
    disk_close(env, file);
}

static void
nobody_waits_while_the_files_of_a_dropped_project_are_closed(void **state)
{
    struct disk *disk = disk_new();
    struct tk_error err = {0};
    (void)state;
    wall_now = NOON;
    disk->env.close = ask_and_close;
    struct tk_store *store = open_on(disk);
    for (uint64_t trace = 1; trace <= 3; trace++)
        add_segment(store, 1, trace, NOON);
    asked = store;
    assert_int_equal(tk_store_drop(store, 1, &err), TK_OK);
    assert_int_equal(segment_files(disk), 0);
    asked = NULL;
    assert_int_equal(in_time, 3);
    assert_int_equal(late, 0);
    tk_store_close(store);
    disk_free(disk);
}

/* When everything has gone the numbers of log files begin anew, and so do the names of segments. */
static void
a_power_cut_brings_back_no_dropped_file_in_the_place_of_new_spans(void **state)
{
    struct disk *disk = disk_new();
    struct tk_store *store = open_on(disk);
    (void)state;
    wall_now = NOON;
    add_segment(store, 1, 1, NOON - DAY);
    limit(store, 0, 1, 0);
    tk_store_close(store); /* the removal is not synced */
    store = open_on(disk);
    assert_int_equal(FX_SEND(store, 1, {.trace = 2, .span = 1, .start = NOON},
                             {.trace = 2, .span = 2, .start = NOON}),
                     TK_OK);
    struct disk *after = disk_crash(disk, DISK_NOTHING);
    struct tk_store *again = open_on(after);
    assert_true(is_there(again, 1, 2));
    tk_store_close(again);
    disk_free(after);
    tk_store_close(store);
    disk_free(disk);
}

/* However much comes: with the log, never more on the disk than the cap. */
static void
a_store_with_a_cap_takes_any_number_of_spans_within_it(void **state)
{
    enum { CAP = 4 << 20, SENDS = 400 };
    struct disk *disk = disk_new();
    struct tk_store *store = open_on(disk);
    uint64_t most = 0, sent_bytes;
    struct tk_error err = {0};
    (void)state;
    wall_now = NOON;
    limit(store, 0, 0, CAP);
    for (uint64_t i = 1; i <= SENDS; i++) {
        struct fx_span spans[20];
        for (uint64_t k = 0; k < 20; k++)
            spans[k] = (struct fx_span){
                .trace = i, .span = i * 100 + k, .start = NOON + i * SECOND, .attrs = 100};
        enum tk_err code;
        while ((code = fx_send(store, 1, spans, 20)) == TK_ERR_FULL || code == TK_ERR_BUSY)
            (void)usleep(1000); /* slowed down, not turned away */
        assert_int_equal(code, TK_OK);
        pthread_mutex_lock(&disk->lock);
        uint64_t used = disk_used(disk);
        pthread_mutex_unlock(&disk->lock);
        most = used > most ? used : most;
    }
    sent_bytes = stats_of(store).bytes_appended;
    assert_int_equal(tk_store_seal(store, &err), TK_OK);
    limit(store, 0, 0, CAP);
    assert_true(sent_bytes > 3 * (uint64_t)CAP);
    assert_true(most <= CAP);
    assert_true(stats_of(store).segment_bytes <= CAP);
    assert_true(fx_span_count(store, 1, SENDS) == 20);
    tk_store_close(store);
    disk_free(disk);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_segment_goes_when_its_newest_span_is_older_than_the_age_and_not_before),
        cmocka_unit_test(spans_that_are_not_sealed_stay_however_old_they_are),
        cmocka_unit_test(beyond_the_cap_the_oldest_data_goes_first_whenever_it_came),
        cmocka_unit_test(a_project_pays_for_its_own_cap_before_others_pay),
        cmocka_unit_test(a_projects_own_age_stands_before_the_stores),
        cmocka_unit_test(a_project_is_given_limits_before_it_has_spans),
        cmocka_unit_test(spans_of_the_future_and_a_clock_that_goes_back_drop_nothing),
        cmocka_unit_test(a_read_that_began_before_goes_on_to_its_end),
        cmocka_unit_test(a_file_that_cannot_be_removed_stays_visible_and_goes_at_the_next_attempt),
        cmocka_unit_test(a_crash_at_any_operation_of_dropping_keeps_what_is_to_stay),
        cmocka_unit_test(a_project_says_what_it_takes_sealed_or_not),
        cmocka_unit_test(what_is_said_to_be_due_is_what_goes_under_these_limits),
        cmocka_unit_test(nobody_waits_while_the_files_of_a_dropped_project_are_closed),
        cmocka_unit_test(a_power_cut_brings_back_no_dropped_file_in_the_place_of_new_spans),
        cmocka_unit_test(a_store_with_a_cap_takes_any_number_of_spans_within_it),
    };
    tk_log_set_level(TK_LOG_ERROR + 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
