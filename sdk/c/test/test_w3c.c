/*
 * The 41 tests of the W3C's own harness, by their names, as sdk/spec/w3c.json has them: what
 * requests made while serving one carry.
 */
#include "test.h"

#include <jansson.h>

static void
serve(const json_t *headers, tracekit_headers *ret_headers, size_t calls)
{
    tracekit_context caller = {0};
    const json_t *pair;
    size_t i;
    json_array_foreach(headers, i, pair)
    {
        tracekit_extract(&caller, json_string_value(json_array_get(pair, 0)),
                         json_string_value(json_array_get(pair, 1)));
    }
    tracekit_request request = {.method = "POST", .route = "/test"};
    tracekit_span *server = tracekit_start_server(&request, &caller);
    for (i = 0; i < calls; i++)
        tracekit_end(
            tracekit_start_client(server, "POST", "http://127.0.0.1:7777/", &ret_headers[i]));
    tracekit_end(server);
}

static void
run_case(void **state)
{
    enum { CALLS_MAX = 8 };
    const json_t *request;
    size_t i;
    json_array_foreach(json_object_get(*state, "requests"), i, request)
    {
        const json_t *want = json_object_get(request, "expect"),
                     *calls = json_object_get(request, "calls");
        size_t count = calls != NULL ? (size_t)json_integer_value(calls) : 1;
        const char *tracestate = json_string_value(json_object_get(want, "tracestate"));
        tracekit_headers sent[CALLS_MAX];
        assert_true(count <= CALLS_MAX);
        serve(json_object_get(request, "headers"), sent, count);
        for (size_t call = 0; call < count; call++) {
            const char *traceparent = sent[call].traceparent;
            bool same = strstr(traceparent, "4bf92f3577b34da6a3ce929d0e0e4736") != NULL;
            assert_int_equal(strlen(traceparent), 55);
            assert_memory_equal(traceparent, "00-", 3);
            assert_int_equal(same, json_is_true(json_object_get(want, "sameTrace")));
            assert_string_equal(traceparent + 53,
                                json_string_value(json_object_get(want, "flags")));
            assert_string_equal(sent[call].tracestate, tracestate != NULL ? tracestate : "");
            assert_null(strstr(traceparent, "00f067aa0ba902b7"));
            assert_memory_equal(traceparent, sent[0].traceparent, 35);
            for (size_t other = 0; other < call; other++)
                assert_memory_not_equal(traceparent + 36, sent[other].traceparent + 36, 16);
        }
    }
    assert_true(i > 0);
}

int
main(void)
{
    enum { CASES = 41 };
    json_t *document = json_load_file(TRACEKIT_SPEC "/w3c.json", 0, NULL), *one;
    struct CMUnitTest tests[CASES] = {0};
    size_t i;
    if (json_array_size(json_object_get(document, "cases")) != CASES) {
        fprintf(stderr, "the harness has %d tests\n", CASES);
        return 1;
    }
    json_array_foreach(json_object_get(document, "cases"), i, one)
    {
        tests[i].name = json_string_value(json_object_get(one, "name"));
        tests[i].test_func = run_case;
        tests[i].initial_state = one;
    }
    set_up(NULL);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    json_decref(document);
    return failed;
}
