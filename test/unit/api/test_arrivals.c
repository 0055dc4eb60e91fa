/* Arrivals: every trace that a watched project hears of, once; what does not fit is counted. */
#include "api/arrivals.h"
#include "query/spans.h"

#include <string.h>

static struct tk_arrivals arrivals, taken;
static struct tk_arena arena;

static struct tk_batch *
batch_of(uint32_t traces, uint32_t spans_each)
{
    struct tk_batch *batch = new_batch();
    uint32_t resource = add_service(batch, "s");
    for (uint32_t i = 0; i < traces * spans_each; i++) {
        uint32_t row = add_span(batch, resource, i + 1, 0, "x", i, 1);
        batch->trace_id[row] = (struct tk_trace_id){1, i / spans_each + 1};
    }
    return batch;
}

static struct tk_arrivals_note
note_of(uint32_t traces, uint32_t spans_each)
{
    struct tk_arrivals_note note;
    struct tk_batch *batch = batch_of(traces, spans_each);
    tk_arrivals_note(batch, &arena, &note);
    tk_batch_free(batch);
    return note;
}

static void
expect_taken(uint32_t project, uint32_t count, uint64_t left_out)
{
    uint32_t seen;
    uint64_t seen_left_out;
    const struct tk_arrival *arrival = tk_arrivals_of(&taken, project, &seen, &seen_left_out);
    assert_int_equal(seen, count);
    assert_int_equal(seen_left_out, left_out);
    for (uint32_t i = 0; i < seen; i++)
        assert_true(arrival[i].project == project && arrival[i].id.low == i + 1);
}

static void
take(void)
{
    tk_arrivals_take(&arrivals, &taken);
    tk_arrivals_sort(&taken);
}

static void
a_watched_project_hears_of_each_trace_once(void **state)
{
    struct tk_arrivals_note five = note_of(5, 3), three = note_of(3, 1);
    (void)state;
    assert_int_equal(five.count, 5);
    tk_arrivals_watch(&arrivals, 7);
    tk_arrivals_watch(&arrivals, 9);
    tk_arrivals_add(&arrivals, 9, &three);
    tk_arrivals_add(&arrivals, 7, &three);
    tk_arrivals_add(&arrivals, 7, &five);
    take();
    expect_taken(7, 5, 0);
    expect_taken(9, 3, 0);
    take();
    expect_taken(7, 0, 0);
}

static void
a_project_is_heard_of_while_somebody_watches(void **state)
{
    struct tk_arrivals_note one = note_of(1, 1);
    (void)state;
    tk_arrivals_add(&arrivals, 7, &one);
    tk_arrivals_watch(&arrivals, 7);
    tk_arrivals_watch(&arrivals, 7);
    take();
    expect_taken(7, 0, 0);
    tk_arrivals_unwatch(&arrivals, 7);
    tk_arrivals_add(&arrivals, 7, &one);
    take();
    expect_taken(7, 1, 0);
    tk_arrivals_unwatch(&arrivals, 7);
    tk_arrivals_add(&arrivals, 7, &one);
    take();
    expect_taken(7, 0, 0);
}

static void
of_one_request_so_many_traces_are_heard_of_and_the_rest_is_counted(void **state)
{
    struct tk_arrivals_note all = note_of(TK_ARRIVALS_OF_REQUEST_MAX, 2),
                            more = note_of(TK_ARRIVALS_OF_REQUEST_MAX + 1, 2);
    (void)state;
    assert_int_equal(all.count, TK_ARRIVALS_OF_REQUEST_MAX);
    assert_int_equal(all.left_out, 0);
    assert_int_equal(more.count, TK_ARRIVALS_OF_REQUEST_MAX);
    assert_int_equal(more.left_out, 1);
    tk_arrivals_watch(&arrivals, 7);
    tk_arrivals_add(&arrivals, 7, &more);
    take();
    expect_taken(7, TK_ARRIVALS_OF_REQUEST_MAX, 1);
    take();
    expect_taken(7, 0, 0); /* told once */
}

static void
between_two_takes_so_many_fit_and_the_rest_is_counted_for_its_project(void **state)
{
    struct tk_arrivals_note all = note_of(TK_ARRIVALS_OF_REQUEST_MAX, 1), one = note_of(1, 1);
    (void)state;
    tk_arrivals_watch(&arrivals, 7);
    tk_arrivals_watch(&arrivals, 9);
    for (uint32_t sum = 0; sum < TK_ARRIVALS_MAX; sum += all.count)
        tk_arrivals_add(&arrivals, 7, &all);
    assert_int_equal(arrivals.count, TK_ARRIVALS_MAX);
    take();
    expect_taken(7, TK_ARRIVALS_OF_REQUEST_MAX, 0);
    for (uint32_t sum = 0; sum < TK_ARRIVALS_MAX; sum += all.count)
        tk_arrivals_add(&arrivals, 7, &all);
    tk_arrivals_add(&arrivals, 9, &one);
    take();
    expect_taken(7, TK_ARRIVALS_OF_REQUEST_MAX, 0);
    expect_taken(9, 0, 1);
}

static void
as_many_projects_can_be_watched_as_there_may_be_watchers(void **state)
{
    struct tk_arrivals_note one = note_of(1, 1);
    (void)state;
    for (uint32_t project = 1; project <= TK_WATCHERS_MAX; project++)
        tk_arrivals_watch(&arrivals, project);
    tk_arrivals_unwatch(&arrivals, 20);
    tk_arrivals_watch(&arrivals, TK_WATCHERS_MAX + 1);
    for (uint32_t project = 1; project <= TK_WATCHERS_MAX + 1; project++)
        tk_arrivals_add(&arrivals, project, &one);
    take();
    for (uint32_t project = 1; project <= TK_WATCHERS_MAX + 1; project++)
        expect_taken(project, project != 20, 0);
}

static void
without_memory_all_is_counted(void **state)
{
    struct tk_arrivals_note note;
    struct tk_batch *batch = batch_of(3, 2);
    struct tk_arena none;
    (void)state;
    tk_arena_init(&none, 16, 0);
    tk_arrivals_note(batch, &none, &note);
    assert_true(note.count == 0 && note.left_out == 3);
    tk_arena_release(&none);
    tk_batch_free(batch);
}

static int
setup(void **state)
{
    (void)state;
    memset(&arrivals, 0, sizeof arrivals);
    tk_arena_init(&arena, 1024, 1 << 20);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    tk_arena_release(&arena);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_watched_project_hears_of_each_trace_once),
        TEST(a_project_is_heard_of_while_somebody_watches),
        TEST(of_one_request_so_many_traces_are_heard_of_and_the_rest_is_counted),
        TEST(between_two_takes_so_many_fit_and_the_rest_is_counted_for_its_project),
        TEST(as_many_projects_can_be_watched_as_there_may_be_watchers),
        TEST(without_memory_all_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
