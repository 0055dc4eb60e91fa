/* Findings of a project, and the bounds of all findings. */
#include "query/findings/scene.h"

#include <stdio.h>

static const uint64_t NO_END = INT64_MAX;

/* A trace of one span whose parent is not there, `at_ms` after EPOCH. */
static void
add_rootless(uint64_t id, const char *service, uint64_t at_ms)
{
    struct tk_batch *trace = new_batch();
    add_span(trace, add_program(trace, service, "go", "tracekit"), 1, 99, "work", at_ms, 5);
    memory_store_add(trace, id);
}

static void
ask_project(uint64_t begin_ms, uint64_t end_nano, uint32_t limit)
{
    struct tk_findings_ask ask = scene_ask();
    struct tk_error err = {.message = ""};
    assert_int_equal(
        tk_findings_of_project(&ask, EPOCH + begin_ms * MS, end_nano, limit, &scene_findings, &err),
        TK_OK);
}

static void
equal_findings_are_one_with_the_traces_it_was_found_in(void **state)
{
    (void)state;
    for (uint64_t id = 1; id <= 8; id++)
        add_rootless(id, id <= 7 ? "api" : "web", id);
    ask_project(0, NO_END, 100);
    expect_text("hint missing-root certain web >  1\nhint missing-root certain api >  1\n");
    const struct tk_finding *api = scene_findings.first->next;
    assert_int_equal(api->trace_count, 7);
    for (uint32_t i = 0; i < TK_FINDING_TRACES_MAX; i++)
        assert_int_equal(api->traces[i].low, 7 - i);
    assert_int_equal(scene_findings.trace_count, 8);
    assert_int_equal(scene_findings.span_count, 8);
    assert_int_equal(scene_findings.cut, TK_FINDINGS_WHOLE);
}

static void
only_traces_that_begin_within_the_time_count(void **state)
{
    (void)state;
    for (uint64_t id = 1; id <= 8; id++)
        add_rootless(id, "api", id * 10);
    ask_project(30, EPOCH + 60 * MS, 100);
    assert_int_equal(scene_findings.trace_count, 3);
}

static void
a_sample_takes_of_every_part_of_the_time(void **state)
{
    (void)state;
    add_rootless(1, "old", 0);
    for (uint64_t id = 2; id <= 60; id++)
        add_rootless(id, "new", 990 + id / 10);
    ask_project(0, EPOCH + 1000 * MS, 20);
    assert_int_equal(scene_findings.trace_count, 20);
    assert_int_equal(scene_findings.cut, TK_FINDINGS_CUT_TRACES);
    expect_text("hint missing-root certain new >  1\nhint missing-root certain old >  1\n");
    ask_project(0, EPOCH + 1000 * MS, 60);
    assert_int_equal(scene_findings.trace_count, 60);
    assert_int_equal(scene_findings.cut, TK_FINDINGS_WHOLE);
}

static void
when_the_time_is_up_what_was_found_is_told(void **state)
{
    (void)state;
    for (uint64_t id = 1; id <= 40; id++)
        add_rootless(id, "api", id);
    scene_step_nano = 100 * MS; /* each look at the clock takes as long */
    ask_project(0, NO_END, 40);
    assert_int_equal(scene_findings.cut, TK_FINDINGS_CUT_TIME);
    assert_in_range(scene_findings.trace_count, 0, 39);
}

static void
a_trace_beyond_the_memory_is_cut_and_its_gaps_prove_nothing(void **state)
{
    struct tk_findings_ask ask = scene_ask();
    struct tk_error err = {.message = ""};
    struct tk_batch *trace = new_batch();
    uint32_t api = add_program(trace, "api", "go", "tracekit");
    (void)state;
    for (uint32_t i = 1; i <= 50000; i++)
        add_span(trace, api, i, i == 1 ? 99999 : i - 1, "work", i, 5);
    memory_store_add(trace, SCENE_ID);
    ask.memory = 8 << 20;
    assert_int_equal(
        tk_findings_of_trace(&ask, (struct tk_trace_id){0, SCENE_ID}, &scene_findings, &err),
        TK_OK);
    assert_int_equal(scene_findings.cut, TK_FINDINGS_CUT_MEMORY);
    assert_in_range(scene_findings.span_count, 1, 49999);
    expect_text("");
    ask.memory = 64 << 20;
    assert_int_equal(
        tk_findings_of_trace(&ask, (struct tk_trace_id){0, SCENE_ID}, &scene_findings, &err),
        TK_OK);
    assert_int_equal(scene_findings.cut, TK_FINDINGS_WHOLE);
    expect_text("hint missing-root certain api >  1\n");
}

static void
a_finding_names_some_spans_and_counts_all(void **state)
{
    struct tk_batch *trace = new_batch();
    uint32_t api = add_program(trace, "api", "go", "tracekit");
    (void)state;
    add_span(trace, api, 1, 0, "work", 0, 1000);
    for (uint32_t i = 2; i < 102; i++)
        add_span(trace, api, i, 1000 + i, "lost", i, 5);
    memory_store_add(trace, SCENE_ID);
    expect_findings("warning broken-parent certain api >  100\n");
    assert_int_equal(scene_findings.first->spans[TK_FINDING_SPANS_MAX - 1], 21);
}

static void
more_findings_than_there_may_be_are_said_to_be_more(void **state)
{
    struct tk_batch *trace = new_batch();
    static char name[TK_FINDINGS_MAX + 1][8];
    (void)state;
    add_span(trace, add_program(trace, "root", "go", "tracekit"), 1, 0, "work", 0, 1000);
    for (uint32_t i = 0; i <= TK_FINDINGS_MAX; i++) {
        (void)snprintf(name[i], sizeof name[i], "s%u", i);
        add_span(trace, add_program(trace, name[i], "go", "tracekit"), 2 + i, 9000, "lost", 1, 5);
    }
    memory_store_add(trace, SCENE_ID);
    ask_project(0, NO_END, 1);
    assert_int_equal(scene_findings.count, TK_FINDINGS_MAX);
    assert_int_equal(scene_findings.cut, TK_FINDINGS_CUT_COUNT);
}

static void
a_trace_that_is_not_there_is_not_found(void **state)
{
    struct tk_findings_ask ask = scene_ask();
    struct tk_error err = {.message = ""};
    (void)state;
    assert_int_equal(tk_findings_of_trace(&ask, (struct tk_trace_id){0, 5}, &scene_findings, &err),
                     TK_ERR_NOT_FOUND);
    ask_project(0, NO_END, 10);
    expect_text("");
}

static void
one_name_for_two_programs_is_found_across_traces(void **state)
{
    struct tk_batch *page = new_batch(), *api = new_batch();
    (void)state;
    add_span(page, add_program(page, "shop", "webjs", "tracekit"), 1, 0, "click", 0, 5);
    add_span(api, add_program(api, "shop", "nodejs", "tracekit"), 1, 0, "GET /", 9, 5);
    memory_store_add(page, 1);
    memory_store_add(api, 2);
    ask_project(0, NO_END, 10);
    expect_text("warning shared-service-name certain shop >  1\n");
    assert_int_equal(scene_findings.first->other.trace_id.low, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_begin, scene_end)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(equal_findings_are_one_with_the_traces_it_was_found_in),
        TEST(only_traces_that_begin_within_the_time_count),
        TEST(a_sample_takes_of_every_part_of_the_time),
        TEST(when_the_time_is_up_what_was_found_is_told),
        TEST(a_trace_beyond_the_memory_is_cut_and_its_gaps_prove_nothing),
        TEST(a_finding_names_some_spans_and_counts_all),
        TEST(more_findings_than_there_may_be_are_said_to_be_more),
        TEST(a_trace_that_is_not_there_is_not_found),
        TEST(one_name_for_two_programs_is_found_across_traces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
