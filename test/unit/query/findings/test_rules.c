/* Each rule on a faulty trace, and on its healthy twin. */
#include "query/findings/around.h"
#include "query/findings/scene.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const CHROME = "Mozilla/5.0 (X11) Chrome/140";

/* ---- a page that asks a backend ---- */

/* The page's trace: a click and its request to localhost:3001, with what the browser SDK notes. */
static struct tk_batch *
page_trace(const char *url, const char *propagation, int status)
{
    struct tk_batch *trace = new_batch();
    uint32_t web = add_program(trace, "web", "webjs", "tracekit");
    add_span(trace, web, 1, 0, "click", 0, 120);
    add_attr(trace, "url.full", string_attr("http://localhost:3000/users"));
    add_call(trace, web, 2, 1, url, status, 10, 100);
    if (propagation != NULL)
        add_attr(trace, "tracekit.propagation", string_attr(propagation));
    return trace;
}

static struct tk_batch *
api_trace(const char *sdk, tk_span_id parent, uint64_t start_ms)
{
    struct tk_batch *trace = new_batch();
    uint32_t api = add_program(trace, "api", "nodejs", sdk);
    add_server(trace, api, 11, parent, 3001, "/api/users", CHROME, start_ms, 60);
    return trace;
}

static const char URL[] = "http://localhost:3001/api/users?q=1";

/* The same trace when all is well: the backend's span is its child. */
static struct tk_batch *
connected_trace(const char *propagation)
{
    struct tk_batch *trace = page_trace(URL, propagation, 200);
    uint32_t api = add_program(trace, "api", "nodejs", "tracekit");
    add_server(trace, api, 11, 2, 3001, "/api/users", CHROME, 20, 60);
    return trace;
}

static void
a_backend_that_is_no_target_is_named_with_the_line_to_add(void **state)
{
    (void)state;
    memory_store_add(page_trace(URL, "not_target", 200), SCENE_ID);
    memory_store_add(api_trace("tracekit", 0, 20), 2);
    expect_findings("error not-a-target certain web > api 1\n");
    const struct tk_finding *found = scene_findings.first;
    assert_int_equal(found->spans[0], 2);
    assert_int_equal(found->other.span_id, 11);
    assert_int_equal(found->other.trace_id.low, 2);
    assert_non_null(strstr(found->snippet.ptr, "tracePropagationTargets: ['localhost:3001']"));
    assert_non_null(strstr(found->message.ptr, "localhost:3001/api/users"));
}

static void
a_backend_that_was_seen_before_is_likely_the_one(void **state)
{
    (void)state;
    memory_store_add(page_trace(URL, "not_target", 200), SCENE_ID);
    memory_store_add(api_trace("tracekit", 0, 90000), 2);
    expect_findings("error not-a-target likely web > api 1\n");
}

static void
hosts_of_others_need_no_headers(void **state)
{
    (void)state;
    memory_store_add(page_trace("https://api.stripe.com/v1", "not_target", 200), SCENE_ID);
    memory_store_add(api_trace("tracekit", 0, 20), 2);
    expect_findings("");
}

static void
another_port_is_another_host(void **state)
{
    (void)state;
    memory_store_add(page_trace("http://localhost:3002/api/users", "not_target", 200), SCENE_ID);
    memory_store_add(api_trace("tracekit", 0, 20), 2);
    expect_findings("");
}

static void
unset_targets_are_told_apart_from_missing_ones(void **state)
{
    (void)state;
    memory_store_add(page_trace(URL, "same_origin_default", 200), SCENE_ID);
    memory_store_add(api_trace("tracekit", 0, 20), 2);
    expect_findings("error same-origin-default certain web > api 1\n");
}

static void
a_connected_trace_has_no_findings(void **state)
{
    (void)state;
    memory_store_add(connected_trace("sent"), SCENE_ID);
    memory_store_add(api_trace("tracekit", 0, 25), 2); /* somebody else's request */
    expect_findings("");
}

static void
a_browser_without_our_sdk_is_likely_to_send_no_headers(void **state)
{
    (void)state;
    memory_store_add(page_trace(URL, NULL, 200), SCENE_ID);
    memory_store_add(api_trace("tracekit", 0, 20), 2);
    expect_findings("error not-a-target likely web > api 1\n");
}

static void
a_request_that_fails_without_an_answer_is_what_cors_does(void **state)
{
    (void)state;
    memory_store_add(page_trace(URL, "sent", 0), SCENE_ID);
    memory_store_add(api_trace("tracekit", 0, 90000), 2);
    expect_findings(""); /* no error was noted: it may have been left by going elsewhere */
    scene_end(NULL);
    scene_begin(NULL);

    struct tk_batch *failed = page_trace(URL, "sent", 0);
    add_attr(failed, "error.type", string_attr("TypeError"));
    memory_store_add(failed, SCENE_ID);
    memory_store_add(api_trace("tracekit", 0, 90000), 2);
    expect_findings("error cors-refused likely api > web 1\n");
    assert_non_null(strstr(scene_findings.first->snippet.ptr, "'traceparent', 'tracestate'"));
}

static void
a_request_to_the_pages_own_origin_or_given_up_is_not_cors(void **state)
{
    (void)state;
    struct tk_batch *own = page_trace("http://localhost:3000/data", "sent", 0);
    add_attr(own, "error.type", string_attr("TypeError"));
    memory_store_add(own, SCENE_ID);
    expect_findings("");
    scene_end(NULL);
    scene_begin(NULL);

    struct tk_batch *left = page_trace(URL, "sent", 0);
    add_attr(left, "error.type", string_attr("AbortError"));
    memory_store_add(left, SCENE_ID);
    expect_findings("");
}

static void
a_backend_that_never_sent_a_span_is_silent(void **state)
{
    (void)state;
    memory_store_add(page_trace(URL, "sent", 200), SCENE_ID);
    expect_findings("error backend-silent likely  > localhost:3001 1\n");
}

static void
a_silent_server_of_files_and_an_answer_from_the_cache_are_fine(void **state)
{
    (void)state;
    memory_store_add(page_trace("http://localhost:3000/data.json", "sent", 200), SCENE_ID);
    expect_findings("");
    scene_end(NULL);
    scene_begin(NULL);

    memory_store_add(page_trace(URL, "sent", 200), SCENE_ID);
    memory_store_add(api_trace("tracekit", 99, 90000), 2); /* known, but not asked this time */
    expect_findings("");
}

static void
a_backend_that_never_continues_a_trace_does_not_extract(void **state)
{
    (void)state;
    memory_store_add(page_trace(URL, "sent", 200), SCENE_ID);
    memory_store_add(api_trace("opentelemetry", 0, 20), 2);
    expect_findings("error not-extracted likely api > web 1\n");
    assert_non_null(strstr(scene_findings.first->snippet.ptr, "TraceKit.Handlers.requestHandler"));
}

static void
spans_without_a_server_span_are_a_middleware_that_is_absent(void **state)
{
    struct tk_batch *inner = new_batch();
    uint32_t api = add_program(inner, "api", "go", "tracekit");
    (void)state;
    add_span(inner, api, 21, 0, "load users", 30, 20);
    memory_store_add(page_trace(URL, "sent", 200), SCENE_ID);
    memory_store_add(inner, 2);
    expect_findings("error not-extracted likely api > web 1\n");
    assert_non_null(strstr(scene_findings.first->snippet.ptr, "sdk.GinMiddleware()"));
}

/* api calls `url`, which nobody serves; meanwhile users has a span of its own. */
static struct tk_batch *
backend_trace_to(const char *url)
{
    struct tk_batch *trace = new_batch(), *inner = new_batch();
    uint32_t api = add_program(trace, "api", "nodejs", "tracekit");
    add_server(trace, api, 1, 0, 3001, "/api/users", CHROME, 0, 100);
    add_call(trace, api, 2, 1, url, 200, 10, 80);
    add_span(inner, add_program(inner, "users", "go", "tracekit"), 21, 0, "load users", 30, 20);
    memory_store_add(inner, 2);
    return trace;
}

static void
a_service_that_calls_another_knows_its_hosts_by_their_names(void **state)
{
    static const char *const own[] = {"http://users:8080/users", "http://localhost:8080/users",
                                      "http://10.0.0.7/users", "http://users.shop.svc/users"};
    static const char *const others[] = {"https://api.example.com/users", "https://8.8.8.8/users"};
    (void)state;
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        memory_store_add(backend_trace_to(own[i]), SCENE_ID);
        expect_findings("error not-extracted likely users > api 1\n");
        scene_end(NULL);
        scene_begin(NULL);
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        memory_store_add(backend_trace_to(others[i]), SCENE_ID);
        expect_findings("");
        scene_end(NULL);
        scene_begin(NULL);
    }
}

static void
headers_that_a_reading_backend_did_not_get_were_stripped(void **state)
{
    (void)state;
    memory_store_add(page_trace(URL, "sent", 200), SCENE_ID);
    memory_store_add(api_trace("tracekit", 0, 20), 2); /* our middleware always reads them */
    expect_findings("error header-stripped likely web > api 1\n");
    scene_end(NULL);
    scene_begin(NULL);

    memory_store_add(page_trace(URL, "sent", 200), SCENE_ID);
    memory_store_add(api_trace("opentelemetry", 0, 20), 2);
    memory_store_add(api_trace("opentelemetry", 99, 90000), 3); /* it continues others' traces */
    expect_findings("error header-stripped likely web > api 1\n");
}

static void
a_program_is_not_taken_for_the_page(void **state)
{
    struct tk_batch *probe = new_batch();
    (void)state;
    add_server(probe, add_program(probe, "api", "nodejs", "tracekit"), 11, 0, 3001, "/api/users",
               "curl/8.1", 20, 60);
    memory_store_add(page_trace(URL, "sent", 200), SCENE_ID);
    memory_store_add(probe, 2);
    expect_findings("");
}

/* ---- a backend that asks another ---- */

static struct tk_batch *
backend_trace(bool calls)
{
    struct tk_batch *trace = new_batch();
    uint32_t api = add_program(trace, "api", "nodejs", "tracekit");
    add_server(trace, api, 1, 0, 3001, "/api/users", CHROME, 0, 100);
    if (calls)
        add_call(trace, api, 2, 1, "http://localhost:8080/users", 200, 10, 80);
    return trace;
}

static struct tk_batch *
go_trace(const char *path, const char *agent)
{
    struct tk_batch *trace = new_batch();
    uint32_t go = add_program(trace, "users", "go", "tracekit");
    add_server(trace, go, 21, 0, 8080, path, agent, 20, 60);
    return trace;
}

static void
a_raw_client_is_found_from_both_sides(void **state)
{
    (void)state;
    memory_store_add(backend_trace(false), SCENE_ID);
    memory_store_add(go_trace("/users", "node"), 2);
    expect_findings("warning raw-client likely api > users 1\n");
    assert_non_null(strstr(scene_findings.first->snippet.ptr, "tracekit.fetch"));
    scene_end(NULL);
    scene_begin(NULL);

    memory_store_add(backend_trace(false), 2);
    memory_store_add(go_trace("/users", "node"), SCENE_ID);
    expect_findings("warning raw-client likely api > users 1\n");
}

static void
what_others_ask_meanwhile_is_not_taken_for_a_raw_client(void **state)
{
    static const struct {
        const char *path, *agent;
    } healthy[] = {{"/healthz", "node"}, {"/users", "Go-http-client/1.1"}, {"/users", "curl/8"}};
    (void)state;
    for (size_t i = 0; i < sizeof healthy / sizeof *healthy; i++) {
        memory_store_add(backend_trace(false), SCENE_ID);
        memory_store_add(go_trace(healthy[i].path, healthy[i].agent), 2);
        expect_findings("");
        scene_end(NULL);
        scene_begin(NULL);
    }
}

static void
a_traced_call_whose_headers_are_lost_is_possibly_stripped(void **state)
{
    (void)state;
    memory_store_add(backend_trace(true), SCENE_ID);
    memory_store_add(go_trace("/users", "node"), 2);
    expect_findings("error header-stripped possible api > users 1\n");
}

/* ---- projects and names ---- */

static struct tk_batch *elsewhere;

static enum tk_err
find_elsewhere(struct tk_store_view *view, struct tk_trace_id id, const struct tk_store_want *want,
               struct tk_batch *to, struct tk_error *err)
{
    struct tk_batch_map map;
    (void)view;
    (void)want;
    (void)err;
    if (!tk_trace_id_eq(elsewhere->trace_id[0], id))
        return TK_ERR_NOT_FOUND;
    assert_int_equal(tk_batch_map_init(&map, elsewhere), TK_OK);
    for (uint32_t row = 0; row < elsewhere->span_count; row++)
        assert_int_equal(tk_batch_copy_span(to, elsewhere, row, true, &map), TK_OK);
    tk_batch_map_release(&map);
    return TK_OK;
}

static void
expect_with_elsewhere(const char *expected)
{
    static const struct tk_store_vtable vtable = {.find = find_elsewhere};
    struct tk_store_view view = {&vtable};
    struct tk_findings_project other = {TK_STR("backend"), &view};
    struct tk_findings_ask ask = scene_ask();
    struct tk_error err = {.message = ""};
    ask.others = &other;
    ask.other_count = 1;
    assert_int_equal(
        tk_findings_of_trace(&ask, (struct tk_trace_id){0, SCENE_ID}, &scene_findings, &err),
        TK_OK);
    expect_text(expected);
}

static void
a_trace_that_goes_on_in_another_project_is_named_with_it(void **state)
{
    (void)state;
    memory_store_add(page_trace(URL, "sent", 200), SCENE_ID);
    elsewhere = api_trace("tracekit", 2, 20);
    elsewhere->trace_id[0] = (struct tk_trace_id){0, SCENE_ID};
    expect_with_elsewhere("error continues-in-other-project certain api > web 1\n");
    assert_string_equal(scene_findings.first->other.project.ptr, "backend");
    tk_batch_free(elsewhere);
}

static void
a_trace_that_begins_in_another_project_is_named_with_it(void **state)
{
    (void)state;
    memory_store_add(api_trace("tracekit", 2, 20), SCENE_ID);
    elsewhere = page_trace(URL, "sent", 200);
    for (uint32_t row = 0; row < elsewhere->span_count; row++)
        elsewhere->trace_id[row] = (struct tk_trace_id){0, SCENE_ID};
    expect_with_elsewhere("error parent-in-other-project certain api > web 1\n");
    tk_batch_free(elsewhere);
}

static void
one_name_for_two_programs_is_found(void **state)
{
    struct tk_batch *trace = connected_trace("sent");
    uint32_t go = add_program(trace, "api", "go", "tracekit");
    (void)state;
    add_span(trace, go, 31, 11, "load", 30, 10);
    memory_store_add(trace, SCENE_ID);
    expect_findings("warning shared-service-name certain api >  1\n");
}

static void
instances_of_one_program_and_programs_without_a_name_share_it_rightly(void **state)
{
    struct tk_batch *trace = connected_trace("sent");
    uint32_t second = add_program(trace, "api", "nodejs", "opentelemetry");
    uint32_t unnamed = add_program(trace, NULL, "go", "tracekit");
    uint32_t nameless = add_program(trace, NULL, "python", "tracekit");
    (void)state;
    add_span(trace, second, 31, 11, "load", 30, 10);
    add_span(trace, unnamed, 32, 31, "load", 30, 10);
    add_span(trace, nameless, 33, 31, "load", 30, 10);
    memory_store_add(trace, SCENE_ID);
    expect_findings("");
}

/* ---- parents ---- */

static void
a_trace_without_a_beginning_says_so_once_it_has_settled(void **state)
{
    (void)state;
    memory_store_add(api_trace("tracekit", 99, 0), SCENE_ID);
    expect_findings("hint missing-root certain api >  1\n");
    assert_true(scene_findings.settled);
    scene_age_nano = 20 * UINT64_C(1000000000);
    expect_findings("");
    assert_false(scene_findings.settled);
}

static void
a_trace_that_verify_began_needs_no_beginning(void **state)
{
    struct tk_batch *trace = api_trace("tracekit", 99, 0);
    (void)state;
    trace->trace_state[0] = TK_STR("ot=th:0, tracekit=verify");
    memory_store_add(trace, SCENE_ID);
    expect_findings("");
}

static void
a_parent_that_is_missing_within_a_trace_breaks_it(void **state)
{
    struct tk_batch *trace = connected_trace("sent");
    (void)state;
    add_span(trace, 1, 41, 77, "job", 40, 5);
    add_span(trace, 1, 42, 78, "job", 40, 5);
    memory_store_add(trace, SCENE_ID);
    expect_findings("warning broken-parent certain api >  2\n");
    scene_age_nano = 1;
    expect_findings("");
}

static void
a_parent_id_that_something_rewrote_is_put_down_to_it(void **state)
{
    struct tk_batch *trace = page_trace(URL, "sent", 200);
    uint32_t api = add_program(trace, "api", "nodejs", "tracekit");
    (void)state;
    add_server(trace, api, 11, 77, 3001, "/api/users", CHROME, 20, 60);
    memory_store_add(trace, SCENE_ID);
    expect_findings("warning broken-parent certain api > web 1\n");
    assert_non_null(strstr(scene_findings.first->cause.ptr, "proxy"));
}

/* ---- times ---- */

static struct tk_batch *
two_clocks(uint64_t server_start_ms, uint64_t server_duration_ms, int status)
{
    struct tk_batch *trace = new_batch();
    uint32_t a = add_program(trace, "a", "go", "tracekit");
    uint32_t b = add_program(trace, "b", "go", "tracekit");
    add_call(trace, a, 1, 0, "http://b/x", status, 100, 50);
    add_server(trace, b, 2, 1, 80, "/x", "Go-http-client/1.1", server_start_ms, server_duration_ms);
    return trace;
}

static void
a_clock_that_is_behind_or_ahead_is_found(void **state)
{
    (void)state;
    memory_store_add(two_clocks(60, 20, 200), SCENE_ID);
    expect_findings("warning clock-skew certain b > a 1\n");
    assert_non_null(strstr(scene_findings.first->message.ptr, "at least 40.0 ms behind"));
    scene_end(NULL);
    scene_begin(NULL);

    memory_store_add(two_clocks(180, 20, 200), SCENE_ID);
    expect_findings("warning clock-skew certain b > a 1\n");
    assert_non_null(strstr(scene_findings.first->message.ptr, "at least 30.0 ms ahead"));
}

static void
clocks_that_may_be_right_are_left_alone(void **state)
{
    static const struct {
        uint64_t start, duration;
        int status;
    } healthy[] = {
        {90, 20, 200},   /* 10 ms: as clocks are */
        {110, 500, 200}, /* a body that is streamed after the headers came */
        {180, 20, 0},    /* a client that gave up before the request was served */
        {160, 20, 200},
    };
    (void)state;
    for (size_t i = 0; i < sizeof healthy / sizeof *healthy; i++) {
        memory_store_add(two_clocks(healthy[i].start, healthy[i].duration, healthy[i].status),
                         SCENE_ID);
        expect_findings("");
        scene_end(NULL);
        scene_begin(NULL);
    }
}

static void
a_consumer_may_begin_before_its_producer(void **state)
{
    struct tk_batch *trace = new_batch();
    uint32_t a = add_program(trace, "a", "go", "tracekit");
    uint32_t b = add_program(trace, "b", "go", "tracekit");
    (void)state;
    add_span(trace, a, 1, 0, "publish", 100, 5);
    trace->kind[0] = TK_KIND_PRODUCER;
    add_span(trace, b, 2, 1, "receive", 10, 900000); /* it waited for messages */
    trace->kind[1] = TK_KIND_CONSUMER;
    add_span(trace, b, 3, 2, "process", 800000, 10); /* long after */
    memory_store_add(trace, SCENE_ID);
    expect_findings("");
}

static struct tk_batch *
served(uint64_t work_start_ms, uint64_t work_duration_ms, int32_t kind)
{
    struct tk_batch *trace = backend_trace(false);
    uint32_t row = add_span(trace, 0, 3, 1, "save", work_start_ms, work_duration_ms);
    trace->kind[row] = kind;
    add_span(trace, 0, 4, 3, "below", work_start_ms, work_duration_ms);
    return trace;
}

static void
work_that_outlives_its_request_is_asynchronous(void **state)
{
    (void)state;
    memory_store_add(served(150, 20, TK_KIND_INTERNAL), SCENE_ID);
    expect_findings("hint async-after-response certain api >  1\n");
    scene_end(NULL);
    scene_begin(NULL);

    memory_store_add(served(50, 200, TK_KIND_CLIENT), SCENE_ID);
    expect_findings("hint async-after-response likely api >  1\n");
}

static void
work_that_ends_with_its_request_or_is_queued_is_not(void **state)
{
    (void)state;
    memory_store_add(served(50, 60, TK_KIND_INTERNAL), SCENE_ID); /* 10 ms: as servers end */
    expect_findings("");
    scene_end(NULL);
    scene_begin(NULL);

    memory_store_add(served(200, 60, TK_KIND_CONSUMER), SCENE_ID);
    expect_findings("");
}

static void
spans_long_after_their_trace_are_late(void **state)
{
    (void)state;
    memory_store_add(served(60101, 60, TK_KIND_INTERNAL), SCENE_ID);
    expect_findings("hint late-spans certain api >  1\n");
    scene_end(NULL);
    scene_begin(NULL);

    memory_store_add(served(60100, 60, TK_KIND_INTERNAL), SCENE_ID);
    expect_findings("hint async-after-response certain api >  1\n");
    scene_end(NULL);
    scene_begin(NULL);

    memory_store_add(served(60101, 60, TK_KIND_CONSUMER), SCENE_ID); /* it waited in a queue */
    expect_findings("");
}

/* ---- sampling ---- */

static void
a_service_that_samples_by_itself_is_found(void **state)
{
    struct tk_batch *trace = connected_trace("sent");
    (void)state;
    trace->trace_state[1] = TK_STR("ot=th:0");
    trace->trace_state[2] = TK_STR("vendor=1, ot=rv:0123456789abcd;th:8");
    memory_store_add(trace, SCENE_ID);
    expect_findings("warning sampling-mismatch certain api > web 1\n");
}

static void
a_sampled_trace_is_healthy_when_all_agree(void **state)
{
    struct tk_batch *trace = connected_trace("sent");
    (void)state;
    trace->trace_state[0] = trace->trace_state[1] = TK_STR("ot=th:8");
    trace->trace_state[2] = TK_STR("vendor=1,ot=th:8");
    memory_store_add(trace, SCENE_ID);
    expect_findings("");
}

/* ---- the table ---- */

static void
every_rule_is_told_of_in_the_docs(void **state)
{
    char path[4096], anchor[128];
    static char page[1 << 16];
    (void)state;
    (void)snprintf(path, sizeof path, "%s/docs/findings.md", getenv("TRACEKIT_SOURCE"));
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t size = fread(page, 1, sizeof page - 1, file);
    page[size] = '\0';
    assert_int_equal(fclose(file), 0);
    for (size_t i = 0; i < tk_rule_count; i++) {
        (void)snprintf(anchor, sizeof anchor, "\n### %s\n", tk_rules[i].id);
        if (strstr(page, anchor) == NULL)
            fail_msg("docs/findings.md has no section `%s`", tk_rules[i].id);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(tk_rules[i].id, tk_rules[k].id);
    }
}

static void
agents_tell_languages(void **state)
{
    (void)state;
    assert_true(tk_str_eq(tk_agent_language(TK_STR("Go-http-client/1.1")), TK_STR("go")));
    assert_true(tk_str_eq(tk_agent_language(TK_STR("node")), TK_STR("nodejs")));
    assert_int_equal(tk_agent_language(TK_STR("Mozilla/5.0")).len, 0);
    assert_int_equal(tk_agent_language(TK_STR("")).len, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_begin, scene_end)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_backend_that_is_no_target_is_named_with_the_line_to_add),
        TEST(a_backend_that_was_seen_before_is_likely_the_one),
        TEST(hosts_of_others_need_no_headers),
        TEST(another_port_is_another_host),
        TEST(unset_targets_are_told_apart_from_missing_ones),
        TEST(a_connected_trace_has_no_findings),
        TEST(a_browser_without_our_sdk_is_likely_to_send_no_headers),
        TEST(a_request_that_fails_without_an_answer_is_what_cors_does),
        TEST(a_request_to_the_pages_own_origin_or_given_up_is_not_cors),
        TEST(a_backend_that_never_sent_a_span_is_silent),
        TEST(a_silent_server_of_files_and_an_answer_from_the_cache_are_fine),
        TEST(a_backend_that_never_continues_a_trace_does_not_extract),
        TEST(spans_without_a_server_span_are_a_middleware_that_is_absent),
        TEST(a_service_that_calls_another_knows_its_hosts_by_their_names),
        TEST(headers_that_a_reading_backend_did_not_get_were_stripped),
        TEST(a_program_is_not_taken_for_the_page),
        TEST(a_raw_client_is_found_from_both_sides),
        TEST(what_others_ask_meanwhile_is_not_taken_for_a_raw_client),
        TEST(a_traced_call_whose_headers_are_lost_is_possibly_stripped),
        TEST(a_trace_that_goes_on_in_another_project_is_named_with_it),
        TEST(a_trace_that_begins_in_another_project_is_named_with_it),
        TEST(one_name_for_two_programs_is_found),
        TEST(instances_of_one_program_and_programs_without_a_name_share_it_rightly),
        TEST(a_trace_without_a_beginning_says_so_once_it_has_settled),
        TEST(a_trace_that_verify_began_needs_no_beginning),
        TEST(a_parent_that_is_missing_within_a_trace_breaks_it),
        TEST(a_parent_id_that_something_rewrote_is_put_down_to_it),
        TEST(a_clock_that_is_behind_or_ahead_is_found),
        TEST(clocks_that_may_be_right_are_left_alone),
        TEST(a_consumer_may_begin_before_its_producer),
        TEST(work_that_outlives_its_request_is_asynchronous),
        TEST(work_that_ends_with_its_request_or_is_queued_is_not),
        TEST(spans_long_after_their_trace_are_late),
        TEST(a_service_that_samples_by_itself_is_found),
        TEST(a_sampled_trace_is_healthy_when_all_agree),
        TEST(every_rule_is_told_of_in_the_docs),
        TEST(agents_tell_languages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
