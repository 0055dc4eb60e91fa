/*
 * The contract of store.h, as sentences, against whatever fulfils it: a store is one row of
 * `openers`, and every test runs for each.
 */
#include "store/fixture.h"

typedef enum tk_err (*opener)(const struct tk_store_options *, struct tk_store **,
                              struct tk_error *);
static const opener openers[] = {tk_embedded_open};
static opener open_store; /* of the row at hand */

struct home {
    char *dir;
    struct tk_store *store;
    size_t memory;
};

static void
open_home(struct home *home)
{
    struct tk_error err = {0};
    struct tk_store_options options = {.dir = home->dir, .memory = home->memory};
    if (open_store(&options, &home->store, &err) != TK_OK)
        fail_msg("open: %s", err.message);
}

static struct home
make_home(void)
{
    struct home home = {.dir = fx_dir(), .memory = 32 << 20};
    open_home(&home);
    return home;
}

static void
reopen(struct home *home)
{
    tk_store_close(home->store);
    open_home(home);
}

static void
end_home(struct home *home)
{
    tk_store_close(home->store);
    fx_remove_dir(home->dir);
}

static void
seal(struct home *home)
{
    struct tk_error err = {0};
    if (tk_store_seal(home->store, &err) != TK_OK)
        fail_msg("seal: %s", err.message);
}

static void
every_acknowledged_span_is_there_after_a_restart(void **state)
{
    struct home home = make_home();
    (void)state;
    for (uint64_t i = 1; i <= 50; i++)
        assert_int_equal(FX_SEND(home.store, 1, {.trace = i, .span = i, .start = 1000 + i}), TK_OK);
    reopen(&home);
    for (uint64_t i = 1; i <= 50; i++)
        assert_int_equal(fx_span_count(home.store, 1, i), 1);
    end_home(&home);
}

static void
a_span_is_visible_as_soon_as_it_is_acknowledged(void **state)
{
    struct home home = make_home();
    struct fx_scan scan;
    (void)state;
    for (uint64_t i = 1; i <= 20; i++) {
        assert_int_equal(FX_SEND(home.store, 1, {.trace = i, .span = i, .start = 1000 + i}), TK_OK);
        assert_int_equal(fx_span_count(home.store, 1, i), 1);
        fx_scan(home.store, 1, (struct tk_store_range){0}, 1, &scan);
        assert_int_equal(scan.trace[0], i);
    }
    end_home(&home);
}

static void
a_picture_does_not_change_while_spans_come_and_are_sealed(void **state)
{
    struct home home = make_home();
    struct tk_store_view *view;
    struct tk_error err;
    struct tk_batch *found = tk_batch_new();
    (void)state;
    assert_int_equal(FX_SEND(home.store, 1, {.trace = 1, .span = 1, .start = 100}), TK_OK);
    assert_int_equal(tk_store_view_open(home.store, 1, &view, &err), TK_OK);
    assert_int_equal(FX_SEND(home.store, 1, {.trace = 1, .span = 2, .start = 50},
                             {.trace = 2, .span = 3, .start = 60}),
                     TK_OK);
    seal(&home);
    assert_int_equal(tk_store_find(view, fx_trace_id(1), NULL, found, &err), TK_OK);
    assert_int_equal(found->span_count, 1);
    assert_int_equal(tk_store_find(view, fx_trace_id(2), NULL, found, &err), TK_ERR_NOT_FOUND);
    tk_store_view_close(view);
    assert_int_equal(fx_span_count(home.store, 1, 1), 2);
    tk_batch_free(found);
    end_home(&home);
}

static void
a_retried_request_does_not_double_its_spans(void **state)
{
    struct home home = make_home();
    struct fx_scan scan;
    (void)state;
    for (int round = 0; round < 4; round++) {
        assert_int_equal(FX_SEND(home.store, 1, {.trace = 1, .span = 1, .start = 100},
                                 {.trace = 1, .span = 2, .start = 110}),
                         TK_OK);
        assert_int_equal(fx_span_count(home.store, 1, 1), 2);
        fx_scan(home.store, 1, (struct tk_store_range){0}, 10, &scan);
        assert_int_equal(scan.count, 1);
        assert_int_equal(scan.span_count, 2);
        if (round % 2 == 1)
            seal(&home);
    }
    end_home(&home);
}

static void
of_two_copies_the_fuller_one_wins_wherever_they_lie(void **state)
{
    (void)state;
    for (int sealed = 0; sealed < 2; sealed++) {
        struct home home = make_home();
        /* attributes decide first, whatever came first */
        assert_int_equal(FX_SEND(home.store, 1, {.trace = 1, .span = 1, .start = 9, .attrs = 2}),
                         TK_OK);
        /* of equal ones the later end */
        assert_int_equal(FX_SEND(home.store, 1, {.trace = 1, .span = 2, .start = 9, .end = 90}),
                         TK_OK);
        /* of equal ends the later arrival */
        assert_int_equal(FX_SEND(home.store, 1, {.trace = 1, .span = 3, .start = 9, .name = "a"}),
                         TK_OK);
        if (sealed)
            seal(&home);
        assert_int_equal(FX_SEND(home.store, 1, {.trace = 1, .span = 1, .start = 9, .end = 99},
                                 {.trace = 1, .span = 2, .start = 9, .end = 80},
                                 {.trace = 1, .span = 3, .start = 9, .name = "b"}),
                         TK_OK);
        struct tk_batch *found = fx_find(home.store, 1, 1);
        assert_int_equal(found->span_count, 3);
        assert_int_equal(found->attrs[fx_row_of(found, 1)].count, 11);
        assert_int_equal(found->end_nano[fx_row_of(found, 2)], 90);
        assert_true(tk_str_eq(found->name[fx_row_of(found, 3)], TK_STR("b")));
        tk_batch_free(found);
        end_home(&home);
    }
}

/* Spans 1.. of trace 1; every hundredth has more attributes if `fuller`. */
static void
send_long(struct home *home, uint32_t count, bool fuller)
{
    enum { REQUEST = 1000 };
    struct fx_span spans[REQUEST];
    for (uint32_t sent = 0; sent < count; sent += REQUEST) {
        for (uint32_t i = 0; i < REQUEST; i++)
            spans[i] = (struct fx_span){.trace = 1,
                                        .span = sent + i + 1,
                                        .start = 1000 + sent + i,
                                        .attrs = fuller && i % 100 == 0 ? 3 : 0,
                                        .name = fuller && i % 100 == 0 ? "fuller" : "long"};
        assert_int_equal(fx_send(home->store, 1, spans, REQUEST), TK_OK);
    }
}

static void
a_long_trace_that_came_twice_is_there_once_with_the_fuller_spans(void **state)
{
    enum { COUNT = 10000 }; /* of one segment more than are put together at once */
    (void)state;
    for (int first_fuller = 0; first_fuller < 2; first_fuller++) {
        struct home home = make_home();
        send_long(&home, COUNT, first_fuller != 0);
        seal(&home);
        send_long(&home, COUNT, first_fuller == 0);
        for (int sealed = 0; sealed < 2; sealed++) {
            struct tk_batch *found = fx_find(home.store, 1, 1);
            uint64_t sum = 0, fuller = 0;
            assert_int_equal(found->span_count, COUNT);
            for (uint32_t row = 0; row < COUNT; row++) {
                uint64_t span = found->span_id[row];
                bool is_fuller = (span - 1) % 100 == 0;
                assert_true(found->start_nano[row] == 999 + span);
                assert_true(
                    tk_str_eq(found->name[row], is_fuller ? TK_STR("fuller") : TK_STR("long")));
                sum += span;
                fuller += is_fuller;
            }
            assert_int_equal(fuller, COUNT / 100);
            assert_true(sum == (uint64_t)COUNT * (COUNT + 1) / 2);
            tk_batch_free(found);
            seal(&home);
        }
        end_home(&home);
    }
}

/* Beyond that a trace of one segment is put together group by group. */
static void
all_of_a_long_trace_is_there_at_either_side_of_what_is_put_together_at_once(void **state)
{
    enum { SIDE = 4 * 2048, PARTS = 8 };
    struct fx_span spans[SIDE];
    (void)state;
    for (uint32_t i = 0; i < SIDE; i++)
        spans[i] = (struct fx_span){.trace = 1, .span = i + 1, .parent = i / 2, .start = 1000 + i};
    for (uint32_t count = SIDE - 1; count <= SIDE; count++) {
        struct home home = {.dir = fx_dir(), .memory = 256 << 20};
        struct tk_store_stats stats;
        open_home(&home);
        for (uint32_t at = 0; at < count; at += SIDE / PARTS) {
            uint32_t left = count - at;
            assert_int_equal(
                fx_send(home.store, 1, spans + at, left < SIDE / PARTS ? left : SIDE / PARTS),
                TK_OK);
        }
        seal(&home);
        tk_store_get_stats(home.store, &stats);
        assert_int_equal(stats.segments, 1);
        struct tk_batch *sent = fx_batch(spans, count), *found = fx_find(home.store, 1, 1);
        fx_assert_same_spans(sent, found);
        tk_batch_free(sent);
        tk_batch_free(found);
        end_home(&home);
    }
}

static void
a_scan_yields_newest_first_and_ties_by_id(void **state)
{
    static const uint64_t order[] = {5, 2, 3, 9, 1};
    struct home home = make_home();
    struct fx_scan scan;
    (void)state;
    assert_int_equal(FX_SEND(home.store, 1, {.trace = 9, .span = 1, .start = 300}), TK_OK);
    assert_int_equal(FX_SEND(home.store, 1, {.trace = 1, .span = 1, .start = 100}), TK_OK);
    seal(&home);
    assert_int_equal(FX_SEND(home.store, 1, {.trace = 3, .span = 1, .start = 300}), TK_OK);
    seal(&home);
    assert_int_equal(FX_SEND(home.store, 1, {.trace = 2, .span = 1, .start = 300},
                             {.trace = 5, .span = 1, .start = 500}),
                     TK_OK);
    fx_scan(home.store, 1, (struct tk_store_range){0}, 10, &scan);
    assert_int_equal(scan.count, 5);
    for (uint32_t i = 0; i < 5; i++)
        assert_int_equal(scan.trace[i], order[i]);
    end_home(&home);
}

static void
a_late_span_moves_its_trace_and_is_merged_into_it(void **state)
{
    struct home home = make_home();
    struct fx_scan scan;
    (void)state;
    assert_int_equal(FX_SEND(home.store, 1, {.trace = 1, .span = 1, .start = 500},
                             {.trace = 2, .span = 2, .start = 400}),
                     TK_OK);
    seal(&home);
    assert_int_equal(FX_SEND(home.store, 1, {.trace = 1, .span = 3, .start = 300}), TK_OK);
    for (int round = 0; round < 2; round++) {
        fx_scan(home.store, 1, (struct tk_store_range){0}, 10, &scan);
        assert_int_equal(scan.count, 2);
        assert_int_equal(scan.span_count, 3);
        assert_int_equal(scan.trace[0], 2);
        assert_int_equal(scan.trace[1], 1);
        assert_int_equal(scan.start[1], 300);
        seal(&home);
    }
    end_home(&home);
}

static void
a_range_takes_traces_by_their_start(void **state)
{
    struct home home = make_home();
    struct fx_scan scan;
    (void)state;
    for (uint64_t i = 1; i <= 10; i++) {
        assert_int_equal(FX_SEND(home.store, 1, {.trace = i, .span = i, .start = 100 * i}), TK_OK);
        if (i % 4 == 0)
            seal(&home);
    }
    fx_scan(home.store, 1, (struct tk_store_range){.begin_nano = 300, .end_nano = 700}, 99, &scan);
    assert_int_equal(scan.count, 4);
    assert_int_equal(scan.trace[0], 6);
    assert_int_equal(scan.trace[3], 3);
    /* a late, earlier span takes the whole trace out of the range */
    assert_int_equal(FX_SEND(home.store, 1, {.trace = 5, .span = 50, .start = 20}), TK_OK);
    fx_scan(home.store, 1, (struct tk_store_range){.begin_nano = 300, .end_nano = 700}, 99, &scan);
    assert_int_equal(scan.count, 3);
    end_home(&home);
}

static void
pages_by_cursor_yield_every_trace_once_in_order(void **state)
{
    struct home home = make_home();
    struct fx_scan all, page;
    struct tk_store_range range = {0};
    uint32_t seen = 0;
    (void)state;
    for (uint64_t i = 1; i <= 120; i++) {
        assert_int_equal(
            FX_SEND(home.store, 1, {.trace = (i * 7919) % 1000 + 1, .span = i, .start = 1 + i % 9}),
            TK_OK);
        if (i % 50 == 0)
            seal(&home);
    }
    fx_scan(home.store, 1, range, 4096, &all);
    assert_int_equal(all.count, 120);
    for (;;) {
        fx_scan(home.store, 1, range, 7, &page);
        for (uint32_t i = 0; i < page.count; i++)
            assert_int_equal(page.trace[i], all.trace[seen + i]);
        seen += page.count;
        if (page.count < 7)
            break;
        range.after = true;
        range.after_start_nano = page.start[6];
        range.after_id = fx_trace_id(page.trace[6]);
    }
    assert_int_equal(seen, 120);
    end_home(&home);
}

static void
what_came_as_otlp_goes_out_as_otlp(void **state)
{
    struct home home = make_home();
    struct fx_span spans[] = {
        {.trace = 1, .span = 1, .start = 100, .end = 900, .attrs = 3},
        {.trace = 1, .span = 2, .parent = 1, .start = 200, .name = ""},
        {.trace = 1, .span = 3, .parent = 2, .start = 150, .end = 150},
        {.trace = 1, .span = 4, .parent = 77, .start = 1, .end = INT64_MAX},
        {.trace = 1, .span = UINT64_MAX, .parent = 1, .start = 120},
    };
    (void)state;
    struct tk_batch *sent = fx_batch(spans, 5);
    assert_int_equal(fx_send(home.store, 1, spans, 5), TK_OK);
    for (int round = 0; round < 3; round++) {
        struct tk_batch *found = fx_find(home.store, 1, 1);
        assert_non_null(found);
        fx_assert_same_spans(sent, found);
        tk_batch_free(found);
        if (round == 0)
            seal(&home);
        else
            reopen(&home);
    }
    tk_batch_free(sent);
    end_home(&home);
}

static void
a_trace_longer_than_a_block_is_only_a_long_one(void **state)
{
    enum { COUNT = 10000 };
    struct home home = make_home();
    struct fx_span *spans = calloc(COUNT, sizeof *spans);
    (void)state;
    for (uint64_t i = 0; i < COUNT; i++)
        spans[i] = (struct fx_span){.trace = 1 + i % 3, .span = i + 1, .start = 1000 + i};
    assert_int_equal(fx_send(home.store, 1, spans, COUNT), TK_OK);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(fx_span_count(home.store, 1, 1), 3334);
        assert_int_equal(fx_span_count(home.store, 1, 2), 3333);
        seal(&home);
    }
    struct tk_batch *sent = fx_batch(spans, COUNT), *found = tk_batch_new();
    for (uint64_t trace = 1; trace <= 3; trace++) {
        struct tk_batch *part = fx_find(home.store, 1, trace);
        struct tk_batch_map map;
        assert_int_equal(tk_batch_map_init(&map, part), TK_OK);
        for (uint32_t row = 0; row < part->span_count; row++)
            assert_int_equal(tk_batch_copy_span(found, part, row, true, &map), TK_OK);
        tk_batch_map_release(&map);
        tk_batch_free(part);
    }
    assert_int_equal(found->span_count, COUNT);
    tk_batch_free(found);
    tk_batch_free(sent);
    free(spans);
    end_home(&home);
}

static struct tk_batch *
one_span(const struct tk_batch *of, uint32_t row)
{
    struct tk_batch *one = tk_batch_new();
    struct tk_batch_map map;
    assert_int_equal(tk_batch_map_init(&map, of), TK_OK);
    assert_int_equal(tk_batch_copy_span(one, of, row, false, &map), TK_OK);
    tk_batch_map_release(&map);
    return one;
}

/* Spans out of two segments have each a resource of its own, though it is the same. */
static void
assert_same_one_by_one(const struct tk_batch *sent, const struct tk_batch *found)
{
    assert_int_equal(sent->span_count, found->span_count);
    for (uint32_t row = 0; row < sent->span_count; row++) {
        struct tk_batch *a = one_span(sent, row);
        struct tk_batch *b = one_span(found, fx_row_of(found, sent->span_id[row]));
        fx_assert_same_spans(a, b);
        tk_batch_free(a);
        tk_batch_free(b);
    }
}

/* A group has the rows of many: of each only its own are decoded, and they are what was sent. */
static void
a_trace_among_many_comes_as_it_was_sent(void **state)
{
    enum { TRACES = 300, SPANS_MAX = 13, TWICE = 515 /* attributes, some with the same key */ };
    static const char *const names[] = {"a", "b", "", "GET /users/:id"};
    struct home home = make_home();
    struct fx_span *spans = calloc(TRACES * SPANS_MAX, sizeof *spans);
    size_t first[TRACES + 1], count = 0;
    (void)state;
    for (size_t t = 0; t < TRACES; t++) {
        first[t] = count;
        for (size_t i = 0; i < 1 + t * 7 % SPANS_MAX; i++, count++)
            spans[count] =
                (struct fx_span){.trace = t + 1,
                                 .span = count + 1,
                                 .parent = i % 4 == 3 ? 77
                                           : i > 0    ? first[t] + 1 + i / 2
                                                      : 0,
                                 .start = 1000 + t * 20 + i,
                                 .end = 2000 + t * 31 + i * i,
                                 .attrs = count % 97 == 0 ? TWICE : (uint32_t)(count % 5),
                                 .name = names[count % 4]};
    }
    first[TRACES] = count;
    assert_int_equal(fx_send(home.store, 1, spans, count), TK_OK);
    for (int round = 0; round < 4; round++) {
        for (size_t t = 0; t < TRACES; t++) {
            struct tk_batch *sent = fx_batch(spans + first[t], first[t + 1] - first[t]);
            struct tk_batch *found = fx_find(home.store, 1, t + 1);
            assert_non_null(found);
            assert_same_one_by_one(sent, found);
            tk_batch_free(sent);
            tk_batch_free(found);
        }
        if (round == 1) /* some spans of each come again, so that traces lie in two segments */
            assert_int_equal(fx_send(home.store, 1, spans + count / 3, count / 3), TK_OK);
        else
            seal(&home);
    }
    free(spans);
    end_home(&home);
}

static uint64_t
stamp(struct home *home, uint64_t trace)
{
    struct tk_store_view *view;
    struct tk_error err = {0};
    uint64_t stamp;
    assert_int_equal(tk_store_view_open(home->store, 1, &view, &err), TK_OK);
    assert_int_equal(tk_store_stamp(view, fx_trace_id(trace), &stamp, &err), TK_OK);
    tk_store_view_close(view);
    return stamp;
}

static void
a_stamp_changes_with_every_span_of_its_trace_and_with_none_of_another(void **state)
{
    struct home home = make_home();
    struct tk_store_view *view;
    struct tk_error err = {0};
    uint64_t none, before = 0;
    (void)state;
    for (uint64_t span = 1; span <= 6; span++) {
        assert_int_equal(FX_SEND(home.store, 1, {.trace = 1, .span = span, .start = 5}), TK_OK);
        assert_true(stamp(&home, 1) != before);
        before = stamp(&home, 1);
        assert_int_equal(FX_SEND(home.store, 1, {.trace = 2, .span = span, .start = 5}), TK_OK);
        assert_int_equal(FX_SEND(home.store, 2, {.trace = 1, .span = span, .start = 5}), TK_OK);
        assert_true(stamp(&home, 1) == before);
        if (span % 2 == 0) {
            seal(&home);
            before = stamp(&home, 1);
        }
    }
    assert_int_equal(tk_store_view_open(home.store, 1, &view, &err), TK_OK);
    assert_int_equal(tk_store_stamp(view, fx_trace_id(3), &none, &err), TK_ERR_NOT_FOUND);
    tk_store_view_close(view);
    end_home(&home);
}

static void
nothing_of_another_project_is_ever_yielded(void **state)
{
    struct home home = make_home();
    struct fx_scan scan;
    (void)state;
    assert_int_equal(FX_SEND(home.store, 1, {.trace = 1, .span = 1, .start = 10}), TK_OK);
    assert_int_equal(FX_SEND(home.store, 2, {.trace = 1, .span = 2, .start = 20},
                             {.trace = 2, .span = 3, .start = 20}),
                     TK_OK);
    for (int round = 0; round < 2; round++) {
        struct tk_batch *found = fx_find(home.store, 1, 1);
        assert_int_equal(found->span_count, 1);
        assert_int_equal(found->span_id[0], 1);
        tk_batch_free(found);
        assert_int_equal(fx_span_count(home.store, 1, 2), 0);
        fx_scan(home.store, 1, (struct tk_store_range){0}, 10, &scan);
        assert_int_equal(scan.span_count, 1);
        fx_scan(home.store, 3, (struct tk_store_range){0}, 10, &scan);
        assert_int_equal(scan.count, 0);
        seal(&home);
    }
    end_home(&home);
}

static void
a_dropped_project_is_gone_and_stays_gone(void **state)
{
    struct home home = make_home();
    struct tk_error err = {0};
    (void)state;
    assert_int_equal(FX_SEND(home.store, 1, {.trace = 1, .span = 1, .start = 10}), TK_OK);
    assert_int_equal(FX_SEND(home.store, 2, {.trace = 1, .span = 1, .start = 10}), TK_OK);
    seal(&home);
    assert_int_equal(FX_SEND(home.store, 1, {.trace = 2, .span = 2, .start = 20}), TK_OK);
    assert_int_equal(tk_store_drop(home.store, 1, &err), TK_OK);
    assert_int_equal(FX_SEND(home.store, 1, {.trace = 3, .span = 3, .start = 30}), TK_OK);
    for (int round = 0; round < 3; round++) {
        assert_int_equal(fx_span_count(home.store, 1, 1), 0);
        assert_int_equal(fx_span_count(home.store, 1, 2), 0);
        assert_int_equal(fx_span_count(home.store, 1, 3), 1);
        assert_int_equal(fx_span_count(home.store, 2, 1), 1);
        if (round == 0)
            seal(&home);
        else
            reopen(&home);
    }
    end_home(&home);
}

static void
stats_count_what_was_appended_and_where_it_lies(void **state)
{
    struct home home = make_home();
    struct tk_store_stats stats;
    (void)state;
    for (uint64_t i = 1; i <= 30; i++)
        assert_int_equal(FX_SEND(home.store, 1, {.trace = 1 + i % 7, .span = i, .start = i}),
                         TK_OK);
    tk_store_get_stats(home.store, &stats);
    assert_int_equal(stats.spans_appended, 30);
    assert_int_equal(stats.open_spans, 30);
    assert_int_equal(stats.segments, 0);
    assert_true(stats.log_bytes >= stats.bytes_appended && stats.log_syncs > 0);
    seal(&home);
    tk_store_get_stats(home.store, &stats);
    assert_int_equal(stats.open_spans, 0);
    assert_int_equal(stats.segment_spans, 30);
    assert_int_equal(stats.segments, 1);
    assert_int_equal(stats.damaged_blocks, 0);
    end_home(&home);
}

enum { WRITERS = 3, SENDS = 60, SPANS = 40 };

struct writer {
    struct home *home;
    uint64_t number;
    _Atomic uint64_t acknowledged; /* how many of its requests */
    pthread_t thread;
};

/* Request k of a writer: SPANS spans of two traces, the second shared with the request before. */
static uint64_t
trace_of(const struct writer *writer, uint64_t request)
{
    return 1 + writer->number * 1000 + request;
}

static void *
write_all(void *arg)
{
    struct writer *writer = arg;
    struct fx_span spans[SPANS];
    for (uint64_t k = 0; k < SENDS; k++) {
        for (uint64_t i = 0; i < SPANS; i++)
            spans[i] = (struct fx_span){.trace = trace_of(writer, i % 2 == 0 ? k : k + 1),
                                        .span = 1 + k * SPANS + i,
                                        .start = 1000 + 100 * k + i,
                                        .attrs = 20};
        enum tk_err code;
        while ((code = fx_send(writer->home->store, 1, spans, SPANS)) == TK_ERR_BUSY)
            usleep(1000);
        assert_int_equal(code, TK_OK);
        writer->acknowledged = k + 1;
    }
    return NULL;
}

static void
writers_readers_and_sealing_at_once_lose_and_double_nothing(void **state)
{
    struct home home = {.dir = fx_dir(), .memory = 2 << 20}; /* seals and compacts all the time */
    struct writer writers[WRITERS];
    struct fx_scan scan;
    bool busy = true;
    (void)state;
    open_home(&home);
    for (uint64_t w = 0; w < WRITERS; w++) {
        writers[w].home = &home;
        writers[w].number = w;
        writers[w].acknowledged = 0;
        assert_int_equal(pthread_create(&writers[w].thread, NULL, write_all, &writers[w]), 0);
    }
    while (busy) {
        busy = false;
        for (uint64_t w = 0; w < WRITERS; w++) {
            uint64_t done = writers[w].acknowledged;
            busy = busy || done < SENDS;
            if (done > 1) /* that trace is whole: both of its requests are acknowledged */
                assert_int_equal(fx_span_count(home.store, 1, trace_of(&writers[w], done - 1)),
                                 SPANS);
        }
        fx_scan(home.store, 1, (struct tk_store_range){0}, 50, &scan);
        for (uint32_t i = 1; i < scan.count; i++)
            assert_true(scan.start[i - 1] > scan.start[i] ||
                        (scan.start[i - 1] == scan.start[i] && scan.trace[i - 1] < scan.trace[i]));
    }
    for (uint64_t w = 0; w < WRITERS; w++)
        pthread_join(writers[w].thread, NULL);
    for (int round = 0; round < 2; round++) {
        fx_scan(home.store, 1, (struct tk_store_range){0}, 4096, &scan);
        assert_int_equal(scan.count, WRITERS * (SENDS + 1));
        assert_int_equal(scan.span_count, WRITERS * SENDS * SPANS);
        reopen(&home);
    }
    end_home(&home);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_acknowledged_span_is_there_after_a_restart),
        cmocka_unit_test(a_span_is_visible_as_soon_as_it_is_acknowledged),
        cmocka_unit_test(a_picture_does_not_change_while_spans_come_and_are_sealed),
        cmocka_unit_test(a_retried_request_does_not_double_its_spans),
        cmocka_unit_test(of_two_copies_the_fuller_one_wins_wherever_they_lie),
        cmocka_unit_test(a_long_trace_that_came_twice_is_there_once_with_the_fuller_spans),
        cmocka_unit_test(
            all_of_a_long_trace_is_there_at_either_side_of_what_is_put_together_at_once),
        cmocka_unit_test(a_scan_yields_newest_first_and_ties_by_id),
        cmocka_unit_test(a_late_span_moves_its_trace_and_is_merged_into_it),
        cmocka_unit_test(a_range_takes_traces_by_their_start),
        cmocka_unit_test(pages_by_cursor_yield_every_trace_once_in_order),
        cmocka_unit_test(what_came_as_otlp_goes_out_as_otlp),
        cmocka_unit_test(a_trace_longer_than_a_block_is_only_a_long_one),
        cmocka_unit_test(a_trace_among_many_comes_as_it_was_sent),
        cmocka_unit_test(a_stamp_changes_with_every_span_of_its_trace_and_with_none_of_another),
        cmocka_unit_test(nothing_of_another_project_is_ever_yielded),
        cmocka_unit_test(a_dropped_project_is_gone_and_stays_gone),
        cmocka_unit_test(writers_readers_and_sealing_at_once_lose_and_double_nothing),
        cmocka_unit_test(stats_count_what_was_appended_and_where_it_lies),
    };
    int failed = 0;
    for (size_t i = 0; i < sizeof openers / sizeof openers[0]; i++) {
        open_store = openers[i];
        failed += cmocka_run_group_tests(tests, NULL, NULL);
    }
    return failed;
}
