/*
 * What thinning takes away and what it leaves, on a disk in memory with a clock of its own: whole
 * traces, judged by all their parts; and that a crash in the middle loses none that stays.
 */
#include "store/disk.h"
#include "store/fixture.h"

#include "base/log.h"

static const uint64_t SECOND = 1000000000, DAY = 86400 * UINT64_C(1000000000);
static const uint64_t NOON = UINT64_C(1700000000) * 1000000000;
enum { TRACES = 40, DEADLINE_S = 60 };

static _Atomic uint64_t wall_now;

static uint64_t
test_wall(struct tk_env *env)
{
    (void)env;
    return wall_now;
}

/* Keeps traces with a span of this name, and remembers what it was shown. */
struct rule {
    uint32_t most_spans;
    _Atomic uint32_t asked;
};

static bool
keep_errors(void *arg, const struct tk_store_trace *trace)
{
    struct rule *rule = arg;
    rule->asked++;
    if (trace->spans->span_count > rule->most_spans)
        rule->most_spans = trace->spans->span_count;
    for (uint32_t row = 0; row < trace->spans->span_count; row++)
        if (tk_str_eq(trace->spans->name[row], TK_STR("failed")))
            return true;
    return false;
}

/* fx_trace_id(n) has n in its low bits: a threshold of n + 1 takes traces 0 to n. */
static struct tk_store *
open_on(struct disk *disk, struct rule *rule, const struct tk_thin_step *steps, size_t step_count)
{
    struct tk_store *store;
    struct tk_error err = {0};
    struct tk_store_options options = {.env = &disk->env, .dir = "data", .memory = 8 << 20};
    if (rule != NULL) {
        options.thinning.keep = keep_errors;
        options.thinning.arg = rule;
    }
    options.thinning.step_count = step_count;
    for (size_t i = 0; i < step_count; i++)
        options.thinning.steps[i] = steps[i];
    disk->env.wall_nano = test_wall;
    if (tk_embedded_open(&options, &store, &err) != TK_OK)
        fail_msg("open: %s", err.message);
    return store;
}

static uint64_t
threshold_of(uint64_t trace)
{
    return fx_trace_id(trace).low & (TK_THIN_ALL - 1);
}

/* One segment: spans `first`.. of each of the traces; every tenth has failed in the second one. */
static void
add_segment(struct tk_store *store, uint64_t first, uint64_t end)
{
    struct tk_error err = {0};
    for (uint64_t trace = 1; trace <= TRACES; trace++)
        assert_int_equal(FX_SEND(store, 1,
                                 {.trace = trace, .span = first, .start = end - SECOND, .end = end},
                                 {.trace = trace,
                                  .span = first + 1,
                                  .start = end - SECOND,
                                  .end = end,
                                  .name = trace % 10 == 0 && first > 2 ? "failed" : "fine"}),
                         TK_OK);
    assert_int_equal(tk_store_seal(store, &err), TK_OK);
}

/* Wakes the store and waits until so many segments have been thinned. */
static struct tk_store_stats
wait_for_thinned(struct tk_store *store, uint64_t segments)
{
    struct tk_store_stats stats;
    struct tk_store_limits none = {0};
    struct tk_error err;
    for (int i = 0; i < DEADLINE_S * 100; i++) {
        assert_int_equal(tk_store_set_limits(store, 0, &none, &err), TK_OK);
        tk_store_get_stats(store, &stats);
        if (stats.thinned.segments == segments)
            return stats;
        (void)usleep(10000);
    }
    fail_msg("%llu segments were thinned", (unsigned long long)stats.thinned.segments);
    return stats;
}

static void
only_what_its_id_lets_stay_is_left_of_old_traces(void **state)
{
    struct disk *disk = disk_new();
    struct tk_thin_step step = {DAY, threshold_of(21)};
    (void)state;
    wall_now = NOON;
    struct tk_store *store = open_on(disk, NULL, &step, 1);
    add_segment(store, 1, NOON - DAY + 1); /* a nanosecond too young */
    add_segment(store, 11, NOON - DAY);
    struct tk_store_stats stats = wait_for_thinned(store, 1);
    for (uint64_t trace = 1; trace <= TRACES; trace++)
        assert_int_equal(fx_span_count(store, 1, trace), trace <= 20 ? 2 : 4);
    assert_int_equal(stats.thinned.spans, 40);
    assert_true(stats.thinned.bytes > 0);
    wall_now = NOON + 1;
    stats = wait_for_thinned(store, 2);
    for (uint64_t trace = 1; trace <= TRACES; trace++)
        assert_int_equal(fx_span_count(store, 1, trace), trace <= 20 ? 0 : 4);
    assert_int_equal(stats.thinned.spans, 80);
    assert_int_equal(stats.segment_spans, 80);
    assert_int_equal(stats.segments, 2);
    tk_store_close(store);
    store = open_on(disk, NULL, NULL, 0);
    for (uint64_t trace = 1; trace <= TRACES; trace++)
        assert_int_equal(fx_span_count(store, 1, trace), trace <= 20 ? 0 : 4);
    tk_store_close(store);
    disk_free(disk);
}

static void
a_trace_that_the_rule_holds_for_stays_whole_though_only_one_part_shows_why(void **state)
{
    struct disk *disk = disk_new();
    struct rule rule = {0};
    struct tk_thin_step step = {DAY, TK_THIN_ALL};
    (void)state;
    wall_now = NOON;
    struct tk_store *store = open_on(disk, &rule, &step, 1);
    add_segment(store, 11, NOON); /* young, and has the failures */
    add_segment(store, 1, NOON - 2 * DAY);
    (void)wait_for_thinned(store, 1);
    for (uint64_t trace = 1; trace <= TRACES; trace++)
        assert_int_equal(fx_span_count(store, 1, trace), trace % 10 == 0 ? 4 : 2);
    wall_now = NOON + DAY;
    (void)wait_for_thinned(store, 2);
    for (uint64_t trace = 1; trace <= TRACES; trace++)
        assert_int_equal(fx_span_count(store, 1, trace), trace % 10 == 0 ? 4 : 0);
    assert_true(rule.asked >= TRACES);
    assert_true(rule.most_spans == 4);
    tk_store_close(store);
    disk_free(disk);
}

/* One bit of the head of the only group of each segment that there is. */
static void
damage_segments(struct disk *disk)
{
    enum { IN_THE_HEAD = 100 };
    pthread_mutex_lock(&disk->lock);
    for (int i = 0; i < disk->now.count; i++)
        if (tk_str_ends_with(tk_str_from(disk->now.name[i].path), TK_STR(".seg")))
            disk->now.name[i].inode->bytes[IN_THE_HEAD] ^= 0x40;
    pthread_mutex_unlock(&disk->lock);
}

static void
a_trace_of_which_a_part_cannot_be_read_stays_for_the_part_may_be_why(void **state)
{
    struct disk *disk = disk_new();
    struct rule rule = {0};
    struct tk_thin_step step = {DAY, TK_THIN_ALL};
    (void)state;
    wall_now = NOON;
    struct tk_store *store = open_on(disk, &rule, &step, 1);
    add_segment(store, 11, NOON); /* young, and has the failures */
    damage_segments(disk);
    add_segment(store, 1, NOON - 2 * DAY);
    (void)wait_for_thinned(store, 1);
    for (uint64_t trace = 1; trace <= TRACES; trace++)
        assert_int_equal(fx_span_count(store, 1, trace), 2);
    tk_store_close(store);
    disk_free(disk);
}

static void
each_step_thins_what_the_one_before_has_left(void **state)
{
    struct disk *disk = disk_new();
    struct tk_thin_step steps[] = {{DAY, threshold_of(11)}, {7 * DAY, threshold_of(31)}};
    (void)state;
    wall_now = NOON;
    struct tk_store *store = open_on(disk, NULL, steps, 2);
    add_segment(store, 1, NOON);
    wall_now = NOON + DAY;
    assert_int_equal(wait_for_thinned(store, 1).thinned.spans, 20);
    wall_now = NOON + 7 * DAY;
    assert_int_equal(wait_for_thinned(store, 2).thinned.spans, 60);
    for (uint64_t trace = 1; trace <= TRACES; trace++)
        assert_int_equal(fx_span_count(store, 1, trace), trace <= 30 ? 0 : 2);
    tk_store_close(store);
    disk_free(disk);
}

static void
a_segment_of_which_nothing_stays_hurts_nobody(void **state)
{
    struct disk *disk = disk_new();
    struct tk_thin_step step = {DAY, TK_THIN_ALL};
    struct fx_scan scan;
    (void)state;
    wall_now = NOON;
    struct tk_store *store = open_on(disk, NULL, &step, 1);
    add_segment(store, 1, NOON - DAY);
    (void)wait_for_thinned(store, 1);
    fx_scan(store, 1, (struct tk_store_range){0}, 99, &scan);
    assert_int_equal(scan.count, 0);
    tk_store_close(store);
    store = open_on(disk, NULL, &step, 1);
    add_segment(store, 1, NOON);
    fx_scan(store, 1, (struct tk_store_range){0}, 99, &scan);
    assert_int_equal(scan.count, TRACES);
    tk_store_close(store);
    disk_free(disk);
}

/* Has something failed before it was done? */
static bool
thin_or_fail(struct tk_store *store, struct disk *disk)
{
    struct tk_store_limits none = {0};
    struct tk_store_stats stats;
    struct tk_error err;
    for (int i = 0; i < DEADLINE_S * 1000; i++) {
        assert_int_equal(tk_store_set_limits(store, 0, &none, &err), TK_OK);
        tk_store_get_stats(store, &stats);
        pthread_mutex_lock(&disk->lock);
        bool failed = disk->failed > 0;
        pthread_mutex_unlock(&disk->lock);
        if (failed || stats.thinned.segments > 0)
            return failed;
        (void)usleep(1000);
    }
    fail_msg("nothing was thinned");
    return false;
}

static void
a_crash_at_any_operation_of_thinning_loses_no_trace_that_stays(void **state)
{
    bool fired = true;
    (void)state;
    for (uint64_t at = 1; fired; at++) {
        struct disk *disk = disk_new();
        struct tk_thin_step step = {DAY, threshold_of(21)};
        wall_now = NOON - DAY;
        struct tk_store *store = open_on(disk, NULL, &step, 1);
        add_segment(store, 1, NOON - DAY);
        disk_fail(disk, DISK_ANY, TK_ERR_IO, at);
        wall_now = NOON;
        fired = thin_or_fail(store, disk);
        tk_store_close(store);
        for (enum disk_luck luck = 0; luck < DISK_LUCKS; luck++) {
            struct disk *after = disk_crash(disk, luck);
            struct tk_store *again = open_on(after, NULL, &step, 1);
            for (uint64_t trace = 21; trace <= TRACES; trace++)
                assert_int_equal(fx_span_count(again, 1, trace), 2);
            tk_store_close(again);
            disk_free(after);
        }
        disk_free(disk);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_its_id_lets_stay_is_left_of_old_traces),
        cmocka_unit_test(
            a_trace_that_the_rule_holds_for_stays_whole_though_only_one_part_shows_why),
        cmocka_unit_test(a_trace_of_which_a_part_cannot_be_read_stays_for_the_part_may_be_why),
        cmocka_unit_test(each_step_thins_what_the_one_before_has_left),
        cmocka_unit_test(a_segment_of_which_nothing_stays_hurts_nobody),
        cmocka_unit_test(a_crash_at_any_operation_of_thinning_loses_no_trace_that_stays),
    };
    tk_log_set_level(TK_LOG_ERROR + 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
