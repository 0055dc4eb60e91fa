/*
 * The 41 cases of the W3C's own harness (w3c/trace-context, commit acab820, SPEC_LEVEL=2,
 * STRICT_LEVEL=2), by their names: what a request made while serving one with these headers
 * carries.
 */
#include "test.h"

#define PARENT "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
#define X8(c) c c c c c c c c
#define X32(c) X8(c) X8(c) X8(c) X8(c)
#define T241 X32("ttttttt") X8("tt") "t"
#define T242 T241 "t"
#define Z256 X32("zzzzzzzz")
#define Z257 Z256 "z"

struct request {
    const char *headers; /* a line each; NULL behind the last request */
    bool same_trace;
    const char *tracestate;
};

static const struct row {
    const char *name;
    struct request requests[8];
} rows[] = {
    {"test_both_traceparent_and_tracestate_missing", {{"", false, "ot=th:0"}}},
    {"test_traceparent_included_tracestate_missing", {{PARENT, true, ""}}},
    {"test_traceparent_duplicated",
     {{PARENT "\ntraceparent: 00-4bf92f3577b34da6a3ce929d0e0e4737-00f067aa0ba902b7-01", false,
       "ot=th:0"}}},
    {"test_traceparent_header_name",
     {{"trace-parent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", false, "ot=th:0"},
      {"trace.parent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", false, "ot=th:0"}}},
    {"test_traceparent_header_name_valid_casing",
     {{"TraceParent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", true, ""},
      {"TrAcEpArEnT: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", true, ""},
      {"TRACEPARENT: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", true, ""}}},
    {"test_traceparent_version_0x00",
     {{PARENT ".", false, "ot=th:0"}, {PARENT "-what-the-future-will-be-like", false, "ot=th:0"}}},
    {"test_traceparent_version_0xcc",
     {{"traceparent: cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", true, ""},
      {"traceparent: "
       "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-the-future-will-be-like",
       true, ""},
      {"traceparent: "
       "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.what-the-future-will-be-like",
       false, "ot=th:0"}}},
    {"test_traceparent_version_0xff",
     {{"traceparent: ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", false, "ot=th:0"}}},
    {"test_traceparent_version_illegal_characters",
     {{"traceparent: .0-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", false, "ot=th:0"},
      {"traceparent: 0.-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", false, "ot=th:0"}}},
    {"test_traceparent_version_too_long",
     {{"traceparent: 000-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", false, "ot=th:0"},
      {"traceparent: 0000-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", false,
       "ot=th:0"}}},
    {"test_traceparent_version_too_short",
     {{"traceparent: 0-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", false, "ot=th:0"}}},
    {"test_traceparent_trace_id_all_zero",
     {{"traceparent: 00-00000000000000000000000000000000-00f067aa0ba902b7-01", false, "ot=th:0"}}},
    {"test_traceparent_trace_id_illegal_characters",
     {{"traceparent: 00-.bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", false, "ot=th:0"},
      {"traceparent: 00-4bf92f3577b34da6a3ce929d0e0e473.-00f067aa0ba902b7-01", false, "ot=th:0"}}},
    {"test_traceparent_trace_id_too_long",
     {{"traceparent: 00-4bf92f3577b34da6a3ce929d0e0e47363-00f067aa0ba902b7-01", false, "ot=th:0"}}},
    {"test_traceparent_trace_id_too_short",
     {{"traceparent: 00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01", false, "ot=th:0"}}},
    {"test_traceparent_parent_id_all_zero",
     {{"traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", false, "ot=th:0"}}},
    {"test_traceparent_parent_id_illegal_characters",
     {{"traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-.0f067aa0ba902b7-01", false, "ot=th:0"},
      {"traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b.-01", false, "ot=th:0"}}},
    {"test_traceparent_parent_id_too_long",
     {{"traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b77-01", false, "ot=th:0"}}},
    {"test_traceparent_parent_id_too_short",
     {{"traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b-01", false, "ot=th:0"}}},
    {"test_traceparent_trace_flags_illegal_characters",
     {{"traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-.0", false, "ot=th:0"},
      {"traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0.", false, "ot=th:0"}}},
    {"test_traceparent_trace_flags_too_long",
     {{"traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-001", false, "ot=th:0"}}},
    {"test_traceparent_trace_flags_too_short",
     {{"traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1", false, "ot=th:0"}}},
    {"test_traceparent_ows_handling",
     {{"traceparent:  00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", true, ""},
      {"traceparent: \t00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", true, ""},
      {PARENT " ", true, ""},
      {PARENT "\t", true, ""},
      {"traceparent: \t 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01 \t", true, ""}}},
    {"test_tracestate_included_traceparent_missing",
     {{"tracestate: foo=1", false, "ot=th:0"}, {"tracestate: foo=1,bar=2", false, "ot=th:0"}}},
    {"test_tracestate_included_traceparent_included",
     {{PARENT "\ntracestate: foo=1,bar=2", true, "foo=1,bar=2"}}},
    {"test_tracestate_header_name",
     {{PARENT "\ntrace-state: foo=1", true, ""}, {PARENT "\ntrace.state: foo=1", true, ""}}},
    {"test_tracestate_header_name_valid_casing",
     {{PARENT "\nTraceState: foo=1", true, "foo=1"},
      {PARENT "\nTrAcEsTaTe: foo=1", true, "foo=1"},
      {PARENT "\nTRACESTATE: foo=1", true, "foo=1"}}},
    {"test_tracestate_empty_header",
     {{PARENT "\ntracestate: ", true, ""},
      {PARENT "\ntracestate: foo=1\ntracestate: ", true, "foo=1"},
      {PARENT "\ntracestate: \ntracestate: foo=1", true, "foo=1"}}},
    {"test_tracestate_multiple_headers_different_keys",
     {{PARENT "\ntracestate: foo=1,bar=2\ntracestate: rojo=1,congo=2\ntracestate: baz=3", true,
       "foo=1,bar=2,rojo=1,congo=2,baz=3"}}},
    {"test_tracestate_duplicated_keys",
     {{PARENT "\ntracestate: foo=1,foo=1", true, "foo=1"},
      {PARENT "\ntracestate: foo=1,foo=2", true, "foo=1"},
      {PARENT "\ntracestate: foo=1\ntracestate: foo=1", true, "foo=1"},
      {PARENT "\ntracestate: foo=1\ntracestate: foo=2", true, "foo=1"}}},
    {"test_tracestate_all_allowed_characters",
     {{PARENT "\ntracestate: abcdefghijklmnopqrstuvwxyz0123456789_-*/= "
              "!\"#$%&'()*+-./"
              "0123456789:;<>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~",
       true,
       "abcdefghijklmnopqrstuvwxyz0123456789_-*/= "
       "!\"#$%&'()*+-./"
       "0123456789:;<>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~"},
      {PARENT "\ntracestate: abcdefghijklmnopqrstuvwxyz0123456789_-*/@a-z0-9_-*/= "
              "!\"#$%&'()*+-./"
              "0123456789:;<>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~",
       true,
       "abcdefghijklmnopqrstuvwxyz0123456789_-*/@a-z0-9_-*/= "
       "!\"#$%&'()*+-./"
       "0123456789:;<>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~"}}},
    {"test_tracestate_ows_handling",
     {{PARENT "\ntracestate: foo=1 \t , \t bar=2, \t baz=3", true, "foo=1,bar=2,baz=3"},
      {PARENT "\ntracestate: foo=1\t \t,\t \tbar=2,\t \tbaz=3", true, "foo=1,bar=2,baz=3"},
      {PARENT "\ntracestate:  foo=1", true, "foo=1"},
      {PARENT "\ntracestate: \tfoo=1", true, "foo=1"},
      {PARENT "\ntracestate: foo=1 ", true, "foo=1"},
      {PARENT "\ntracestate: foo=1\t", true, "foo=1"},
      {PARENT "\ntracestate: \t foo=1 \t", true, "foo=1"}}},
    {"test_tracestate_key_illegal_characters",
     {{PARENT "\ntracestate: foo =1", true, ""},
      {PARENT "\ntracestate: FOO=1", true, ""},
      {PARENT "\ntracestate: foo.bar=1", true, ""}}},
    {"test_tracestate_key_illegal_vendor_format",
     {{PARENT "\ntracestate: foo@=1,bar=2", true, "foo@=1,bar=2"},
      {PARENT "\ntracestate: @foo=1,bar=2", true, ""},
      {PARENT "\ntracestate: foo@@bar=1,bar=2", true, "foo@@bar=1,bar=2"},
      {PARENT "\ntracestate: foo@bar@baz=1,bar=2", true, "foo@bar@baz=1,bar=2"}}},
    {"test_tracestate_member_count_limit",
     {{PARENT "\ntracestate: "
              "bar01=01,bar02=02,bar03=03,bar04=04,bar05=05,bar06=06,bar07=07,bar08=08,bar09=09,"
              "bar10=10\ntracestate: "
              "bar11=11,bar12=12,bar13=13,bar14=14,bar15=15,bar16=16,bar17=17,bar18=18,bar19=19,"
              "bar20=20\ntracestate: "
              "bar21=21,bar22=22,bar23=23,bar24=24,bar25=25,bar26=26,bar27=27,bar28=28,bar29=29,"
              "bar30=30\ntracestate: bar31=31,bar32=32",
       true,
       "bar01=01,bar02=02,bar03=03,bar04=04,bar05=05,bar06=06,bar07=07,bar08=08,bar09=09,bar10=10,"
       "bar11=11,bar12=12,bar13=13,bar14=14,bar15=15,bar16=16,bar17=17,bar18=18,bar19=19,bar20=20,"
       "bar21=21,bar22=22,bar23=23,bar24=24,bar25=25,bar26=26,bar27=27,bar28=28,bar29=29,bar30=30,"
       "bar31=31,bar32=32"},
      {PARENT "\ntracestate: "
              "bar01=01,bar02=02,bar03=03,bar04=04,bar05=05,bar06=06,bar07=07,bar08=08,bar09=09,"
              "bar10=10\ntracestate: "
              "bar11=11,bar12=12,bar13=13,bar14=14,bar15=15,bar16=16,bar17=17,bar18=18,bar19=19,"
              "bar20=20\ntracestate: "
              "bar21=21,bar22=22,bar23=23,bar24=24,bar25=25,bar26=26,bar27=27,bar28=28,bar29=29,"
              "bar30=30\ntracestate: bar31=31,bar32=32,bar33=33",
       true, ""}}},
    {"test_tracestate_key_length_limit",
     {{PARENT "\ntracestate: foo=1\ntracestate: " Z256 "=1", true, "foo=1," Z256 "=1"},
      {PARENT "\ntracestate: foo=1\ntracestate: " Z257 "=1", true, ""},
      {PARENT "\ntracestate: foo=1\ntracestate: " T241 "@vvvvvvvvvvvvvv=1", true,
       "foo=1," T241 "@vvvvvvvvvvvvvv=1"},
      {PARENT "\ntracestate: foo=1\ntracestate: " T242 "@v=1", true, "foo=1," T242 "@v=1"},
      {PARENT "\ntracestate: foo=1\ntracestate: t@vvvvvvvvvvvvvvv=1", true,
       "foo=1,t@vvvvvvvvvvvvvvv=1"}}},
    {"test_tracestate_value_illegal_characters",
     {{PARENT "\ntracestate: foo=bar=baz", true, ""},
      {PARENT "\ntracestate: foo=,bar=3", true, ""}}},
};

static void
read_headers(tracekit_context *caller, const char *lines)
{
    while (*lines != '\0') {
        size_t size = strcspn(lines, "\n"), name = strcspn(lines, ":");
        tracekit_extract_n(caller, lines, name, lines + name + 2, size - name - 2);
        lines += size + (lines[size] == '\n');
    }
}

static void
serve(const char *lines, tracekit_headers *ret_headers, unsigned requests)
{
    tracekit_context caller = {0};
    read_headers(&caller, lines);
    tracekit_span *server =
        tracekit_start_server(&(tracekit_request){.method = "POST", .route = "/test"}, &caller);
    for (unsigned i = 0; i < requests; i++)
        tracekit_end(
            tracekit_start_client(server, "POST", "http://127.0.0.1:7777/", &ret_headers[i]));
    tracekit_end(server);
}

static void
run_row(void **state)
{
    const struct row *row = *state;
    for (const struct request *request = row->requests; request->headers != NULL; request++) {
        tracekit_headers sent;
        serve(request->headers, &sent, 1);
        assert_int_equal(strlen(sent.traceparent), 55);
        assert_int_equal(strstr(sent.traceparent, "4bf92f3577b34da6a3ce929d0e0e4736") != NULL,
                         request->same_trace);
        assert_null(strstr(sent.traceparent, "00f067aa0ba902b7"));
        assert_null(strstr(sent.traceparent, "00000000000000000000000000000000"));
        assert_string_equal(sent.tracestate, request->tracestate);
    }
}

/* All three requests have one trace, and three parents. */
static void
expect_siblings(const char *headers, const char *trace_id)
{
    tracekit_headers sent[3];
    serve(headers, sent, 3);
    for (int i = 0; i < 3; i++) {
        assert_memory_equal(sent[i].traceparent, sent[0].traceparent, 35);
        assert_memory_not_equal(sent[i].traceparent + 36, sent[(i + 1) % 3].traceparent + 36, 16);
        if (trace_id != NULL)
            assert_memory_equal(sent[i].traceparent + 3, trace_id, 32);
        assert_null(strstr(sent[i].traceparent, "00000000000000000000000000000000"));
    }
}

static void
test_multiple_requests_with_valid_traceparent(void **state)
{
    (void)state;
    expect_siblings(PARENT, "4bf92f3577b34da6a3ce929d0e0e4736");
}

static void
test_multiple_requests_without_traceparent(void **state)
{
    (void)state;
    expect_siblings("", NULL);
}

static void
test_multiple_requests_with_illegal_traceparent(void **state)
{
    (void)state;
    expect_siblings("traceparent: 00-00000000000000000000000000000000-00f067aa0ba902b7-01", NULL);
}

static void
test_propagates_random_flag(void **state)
{
    (void)state;
    tracekit_headers sent;
    serve("traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-02", &sent, 1);
    assert_non_null(strstr(sent.traceparent, "4bf92f3577b34da6a3ce929d0e0e4736"));
    assert_string_equal(sent.traceparent + 53, "02");
}

int
main(void)
{
    enum { ROWS = sizeof rows / sizeof rows[0] };
    struct CMUnitTest tests[ROWS + 4] = {
        cmocka_unit_test(test_multiple_requests_with_valid_traceparent),
        cmocka_unit_test(test_multiple_requests_without_traceparent),
        cmocka_unit_test(test_multiple_requests_with_illegal_traceparent),
        cmocka_unit_test(test_propagates_random_flag),
    };
    for (int i = 0; i < ROWS; i++) {
        tests[4 + i].name = rows[i].name;
        tests[4 + i].test_func = run_row;
        tests[4 + i].initial_state = (void *)(uintptr_t)&rows[i];
    }
    _Static_assert(ROWS + 4 == 41, "the harness has 41 cases");
    set_up(NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
