/* A long trace is opened once and kept; what is answered is what the store has at that instant. */
#include "api/opened.h"
#include "store/disk.h"
#include "store/fixture.h"

enum { PROJECT = 1, OTHER = 2, LONG = 7, PLENTY = 64 << 20 };

struct home {
    char *dir;
    struct tk_store *store;
    struct tk_opened_last last;
};

static struct home
make_home(size_t max)
{
    struct home home = {.dir = fx_dir()};
    struct tk_error err = {0};
    struct tk_store_options options = {.dir = home.dir};
    assert_int_equal(tk_embedded_open(&options, &home.store, &err), TK_OK);
    tk_opened_last_init(&home.last, max);
    return home;
}

static void
end_home(struct home *home)
{
    tk_opened_last_release(&home->last);
    tk_store_close(home->store);
    fx_remove_dir(home->dir);
}

/* A root and its children. */
static void
send_long(struct home *home, uint32_t project, uint64_t trace, uint32_t count)
{
    enum { REQUEST = 1000 };
    struct fx_span spans[REQUEST];
    for (uint32_t sent = 0; sent < count;) {
        uint32_t many = count - sent < REQUEST ? count - sent : REQUEST;
        for (uint32_t i = 0; i < many; i++)
            spans[i] = (struct fx_span){.trace = trace,
                                        .span = sent + i + 1,
                                        .parent = sent + i > 0,
                                        .start = 1000 + sent + i};
        assert_int_equal(fx_send(home->store, project, spans, many), TK_OK);
        sent += many;
    }
}

static void
seal(struct home *home)
{
    struct tk_error err = {0};
    assert_int_equal(tk_store_seal(home->store, &err), TK_OK);
}

static enum tk_err
find(struct home *home, uint32_t project, uint64_t trace, struct tk_opened **ret_opened)
{
    struct tk_error err = {0};
    return tk_opened_find(&home->last, home->store, project, fx_trace_id(trace), ret_opened, &err);
}

/* Its spans; was it there already, as `before`? */
static uint32_t
open_again(struct home *home, uint64_t trace, const struct tk_opened *before, bool *ret_same)
{
    struct tk_opened *opened;
    assert_int_equal(find(home, PROJECT, trace, &opened), TK_OK);
    uint32_t count = opened->tree.span_count;
    assert_int_equal(count, opened->spans->span_count);
    assert_int_equal(opened->services.count, 1);
    assert_int_equal(opened->services.service[0].span_count, count);
    *ret_same = opened == before;
    tk_opened_release(opened);
    return count;
}

static void
a_long_trace_is_assembled_once_and_a_shorter_one_each_time(void **state)
{
    struct home home = make_home(PLENTY);
    struct tk_opened *first;
    bool same;
    (void)state;
    send_long(&home, PROJECT, LONG, TK_OPENED_KEPT_MIN);
    send_long(&home, PROJECT, LONG + 1, TK_OPENED_KEPT_MIN - 1);
    assert_int_equal(find(&home, PROJECT, LONG, &first), TK_OK);
    assert_int_equal(open_again(&home, LONG, first, &same), TK_OPENED_KEPT_MIN);
    assert_true(same);
    assert_int_equal(open_again(&home, LONG + 1, first, &same), TK_OPENED_KEPT_MIN - 1);
    assert_int_equal(open_again(&home, LONG, first, &same), TK_OPENED_KEPT_MIN);
    assert_true(same); /* the short one did not take its place */
    tk_opened_release(first);
    end_home(&home);
}

static void
another_long_trace_takes_the_place_of_the_last(void **state)
{
    struct home home = make_home(PLENTY);
    struct tk_opened *first, *second;
    bool same;
    (void)state;
    send_long(&home, PROJECT, LONG, TK_OPENED_KEPT_MIN);
    send_long(&home, PROJECT, LONG + 1, TK_OPENED_KEPT_MIN + 1);
    assert_int_equal(find(&home, PROJECT, LONG, &first), TK_OK);
    assert_int_equal(find(&home, PROJECT, LONG + 1, &second), TK_OK);
    assert_int_equal(open_again(&home, LONG + 1, second, &same), TK_OPENED_KEPT_MIN + 1);
    assert_true(same);
    assert_int_equal(open_again(&home, LONG, first, &same), TK_OPENED_KEPT_MIN);
    assert_false(same);
    assert_int_equal(first->tree.span_count, TK_OPENED_KEPT_MIN); /* who holds it still has it */
    tk_opened_release(first);
    tk_opened_release(second);
    end_home(&home);
}

static void
a_span_that_comes_is_in_the_next_answer_in_buffers_and_segments(void **state)
{
    struct home home = make_home(PLENTY);
    uint32_t count = TK_OPENED_KEPT_MIN;
    bool same;
    (void)state;
    send_long(&home, PROJECT, LONG, count);
    for (int round = 0; round < 3; round++) {
        assert_int_equal(open_again(&home, LONG, NULL, &same), count);
        count++;
        assert_int_equal(FX_SEND(home.store, PROJECT,
                                 {.trace = LONG, .span = count, .parent = 1, .start = 5000}),
                         TK_OK);
        assert_int_equal(open_again(&home, LONG, NULL, &same), count);
        seal(&home);
        assert_int_equal(open_again(&home, LONG, NULL, &same), count);
    }
    end_home(&home);
}

static void
a_span_of_another_trace_changes_nothing(void **state)
{
    struct home home = make_home(PLENTY);
    struct tk_opened *first;
    bool same;
    (void)state;
    send_long(&home, PROJECT, LONG, TK_OPENED_KEPT_MIN);
    assert_int_equal(find(&home, PROJECT, LONG, &first), TK_OK);
    assert_int_equal(FX_SEND(home.store, PROJECT, {.trace = 1, .span = 1, .start = 9}), TK_OK);
    assert_int_equal(open_again(&home, LONG, first, &same), TK_OPENED_KEPT_MIN);
    assert_true(same);
    tk_opened_release(first);
    end_home(&home);
}

static void
a_fuller_copy_of_a_span_takes_its_place(void **state)
{
    struct home home = make_home(PLENTY);
    struct tk_opened *opened;
    (void)state;
    send_long(&home, PROJECT, LONG, TK_OPENED_KEPT_MIN);
    assert_int_equal(find(&home, PROJECT, LONG, &opened), TK_OK);
    tk_opened_release(opened);
    assert_int_equal(
        FX_SEND(
            home.store, PROJECT,
            {.trace = LONG, .span = 2, .parent = 1, .start = 1001, .attrs = 3, .name = "fuller"}),
        TK_OK);
    assert_int_equal(find(&home, PROJECT, LONG, &opened), TK_OK);
    assert_int_equal(opened->tree.span_count, TK_OPENED_KEPT_MIN);
    uint32_t row = fx_row_of(opened->spans, 2);
    assert_true(tk_str_eq(opened->spans->name[row], TK_STR("fuller")));
    tk_opened_release(opened);
    end_home(&home);
}

static void
what_is_gone_or_anothers_is_not_answered_from_what_is_kept(void **state)
{
    struct home home = make_home(PLENTY);
    struct tk_opened *opened;
    struct tk_error err = {0};
    bool same;
    (void)state;
    send_long(&home, PROJECT, LONG, TK_OPENED_KEPT_MIN);
    assert_int_equal(open_again(&home, LONG, NULL, &same), TK_OPENED_KEPT_MIN);
    assert_int_equal(find(&home, OTHER, LONG, &opened), TK_ERR_NOT_FOUND);
    assert_int_equal(tk_store_drop(home.store, PROJECT, &err), TK_OK);
    assert_int_equal(find(&home, PROJECT, LONG, &opened), TK_ERR_NOT_FOUND);
    send_long(&home, PROJECT, LONG, 3); /* the same project and trace, in a buffer anew */
    assert_int_equal(open_again(&home, LONG, NULL, &same), 3);
    end_home(&home);
}

static void
what_expired_is_not_answered_from_what_is_kept(void **state)
{
    struct home home = make_home(PLENTY);
    struct tk_store_limits limits = {.retention_nano = 1};
    struct tk_opened *opened;
    struct tk_error err = {0};
    bool same;
    (void)state;
    send_long(&home, PROJECT, LONG, TK_OPENED_KEPT_MIN);
    seal(&home);
    assert_int_equal(open_again(&home, LONG, NULL, &same), TK_OPENED_KEPT_MIN);
    assert_int_equal(tk_store_set_limits(home.store, PROJECT, &limits, &err), TK_OK);
    assert_int_equal(find(&home, PROJECT, LONG, &opened), TK_ERR_NOT_FOUND);
    end_home(&home);
}

static void
of_a_deleted_project_nothing_is_kept(void **state)
{
    struct home home = make_home(PLENTY);
    struct tk_opened *first;
    struct tk_error err = {0};
    bool same;
    (void)state;
    send_long(&home, PROJECT, LONG, TK_OPENED_KEPT_MIN);
    assert_int_equal(find(&home, PROJECT, LONG, &first), TK_OK);
    tk_opened_forget(&home.last, OTHER);
    assert_int_equal(open_again(&home, LONG, first, &same), TK_OPENED_KEPT_MIN);
    assert_true(same);
    tk_opened_forget(&home.last, PROJECT);
    assert_int_equal(open_again(&home, LONG, first, &same), TK_OPENED_KEPT_MIN);
    assert_false(same);
    tk_opened_release(first);
    assert_int_equal(tk_store_drop(home.store, PROJECT, &err), TK_OK);
    end_home(&home);
}

static void
what_a_passing_read_error_hid_is_there_when_it_has_passed(void **state)
{
    enum { READS_MAX = 1000 };
    struct disk *disk = disk_new();
    struct home home = {0};
    struct tk_store_options options = {.env = &disk->env, .dir = "data", .memory = PLENTY};
    struct tk_opened *opened;
    struct tk_error err = {0};
    bool same, was_cut = false;
    (void)state;
    assert_int_equal(tk_embedded_open(&options, &home.store, &err), TK_OK);
    tk_opened_last_init(&home.last, PLENTY);
    send_long(&home, PROJECT, LONG, 2 * TK_OPENED_KEPT_MIN);
    seal(&home);
    for (uint64_t at = 1; at < READS_MAX && !was_cut; at++) {
        disk_fail(disk, DISK_READ, TK_ERR_IO, at); /* what was read before is enough to be kept */
        was_cut = find(&home, PROJECT, LONG, &opened) == TK_OK;
        if (was_cut) {
            was_cut = opened->tree.span_count >= TK_OPENED_KEPT_MIN;
            assert_in_range(opened->tree.span_count, 1, 2 * TK_OPENED_KEPT_MIN - 1);
            tk_opened_release(opened);
        }
        disk_fail(disk, DISK_ANY, TK_OK, 0);
    }
    assert_true(was_cut);
    assert_int_equal(open_again(&home, LONG, NULL, &same), 2 * TK_OPENED_KEPT_MIN);
    tk_opened_last_release(&home.last);
    tk_store_close(home.store);
    disk_free(disk);
}

static void
what_takes_more_than_it_may_is_not_kept(void **state)
{
    struct home home = make_home(PLENTY);
    struct tk_opened *opened;
    bool same;
    (void)state;
    send_long(&home, PROJECT, LONG, TK_OPENED_KEPT_MIN);
    assert_int_equal(find(&home, PROJECT, LONG, &opened), TK_OK);
    size_t bytes = tk_opened_memory(opened);
    tk_opened_release(opened);
    for (size_t less = 0; less <= 1; less++) {
        tk_opened_last_release(&home.last);
        tk_opened_last_init(&home.last, bytes - less);
        assert_int_equal(find(&home, PROJECT, LONG, &opened), TK_OK);
        assert_int_equal(open_again(&home, LONG, opened, &same), TK_OPENED_KEPT_MIN);
        assert_int_equal(same, less == 0);
        tk_opened_release(opened);
    }
    end_home(&home);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_long_trace_is_assembled_once_and_a_shorter_one_each_time),
        cmocka_unit_test(another_long_trace_takes_the_place_of_the_last),
        cmocka_unit_test(a_span_that_comes_is_in_the_next_answer_in_buffers_and_segments),
        cmocka_unit_test(a_span_of_another_trace_changes_nothing),
        cmocka_unit_test(a_fuller_copy_of_a_span_takes_its_place),
        cmocka_unit_test(what_is_gone_or_anothers_is_not_answered_from_what_is_kept),
        cmocka_unit_test(what_expired_is_not_answered_from_what_is_kept),
        cmocka_unit_test(of_a_deleted_project_nothing_is_kept),
        cmocka_unit_test(what_a_passing_read_error_hid_is_there_when_it_has_passed),
        cmocka_unit_test(what_takes_more_than_it_may_is_not_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
