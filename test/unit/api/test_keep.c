/* keep: which rules and steps are taken, and which traces a rule keeps. */
#include "api/keep.h"
#include "wire/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static const char *const one_step[] = {"0.1@3d"};

static enum tk_err
make(const char *rule, struct tk_keep **ret_keep, struct tk_store_thinning *ret_thinning)
{
    struct tk_error err = {0};
    enum tk_err result = tk_keep_new(rule, one_step, 1, ret_keep, ret_thinning, &err);
    assert_true(result == TK_OK || err.message[0] != '\0');
    return result;
}

/* A trace of one span of service shop. */
static struct tk_batch *
trace_of(uint64_t duration_nano, int status, const char *name)
{
    char body[1024];
    struct tk_rejected rejected;
    struct tk_error err = {0};
    struct tk_batch *batch = tk_batch_new();
    (void)snprintf(
        body, sizeof body,
        "{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\","
        "\"value\":{\"stringValue\":\"shop\"}}]},\"scopeSpans\":[{\"spans\":[{"
        "\"traceId\":\"4bf92f3577b34da6a3ce929d0e0e4736\",\"spanId\":\"01020304050607ff\""
        ",\"name\":\"%s\",\"startTimeUnixNano\":\"1000\",\"endTimeUnixNano\":\"%llu\","
        "\"status\":{\"code\":%d}}]}]}]}",
        name, (unsigned long long)duration_nano + 1000, status);
    /* The batch views the body: this test's bodies outlive their use. */
    if (tk_wire_decode(TK_FORMAT_OTLP_JSON, TK_ENCODING_NONE, tk_str_from(body), NULL, 1 << 20,
                       batch, &rejected, &err) != TK_OK)
        fail_msg("%s", err.message);
    struct tk_batch *copy = tk_batch_new();
    struct tk_batch_map map;
    assert_int_equal(tk_batch_map_init(&map, batch), TK_OK);
    assert_int_equal(tk_batch_copy_span(copy, batch, 0, true, &map), TK_OK);
    tk_batch_map_release(&map);
    tk_batch_free(batch);
    return copy;
}

static void
assert_keeps(const char *rule, bool failed, bool slow, bool fine)
{
    static const uint64_t SECOND = 1000000000;
    struct tk_keep *keep;
    struct tk_store_thinning thinning;
    struct tk_batch *traces[] = {trace_of(1, 2, "a || b"), trace_of(SECOND + 1, 0, "x"),
                                 trace_of(SECOND, 0, "x")};
    const bool expected[] = {failed, slow, fine};
    if (make(rule, &keep, &thinning) != TK_OK)
        fail_msg("\"%s\" was refused", rule);
    assert_int_equal(thinning.step_count, 1);
    for (int i = 0; i < 3; i++) {
        struct tk_store_trace trace = {.id = traces[i]->trace_id[0], .spans = traces[i]};
        if (thinning.keep(thinning.arg, &trace) != expected[i])
            fail_msg("\"%s\" and trace %d", rule, i);
        tk_batch_free(traces[i]);
    }
    tk_keep_free(keep);
}

static void
a_rule_is_traceql_or_shorthand_whose_words_may_be_joined(void **state)
{
    (void)state;
    assert_keeps("error || duration > 1s", true, true, false);
    assert_keeps("error", true, false, false);
    assert_keeps("error||duration>=1s", true, true, true);
    assert_keeps("error duration>1s || service:shop name=x", false, true, true);
    assert_keeps("{ status = error } || { duration > 1s }", true, true, false);
    assert_keeps("({ status = error })", true, false, false);
    assert_keeps("name=\"a || b\"", true, false, false);
}

static void
what_is_no_rule_or_step_is_refused_with_the_place(void **state)
{
    static const char *const bad[] = {"",
                                      "  ",
                                      "error ||",
                                      "|| error",
                                      "error || || error",
                                      "{ status = }",
                                      "duration >",
                                      "error || { status ="};
    static const char *const steps[] = {"0.1@3d", "0.1"}, *const nine[9] = {
                                                              "0.1@3d", "0.1@3d", "0.1@3d",
                                                              "0.1@3d", "0.1@3d", "0.1@3d",
                                                              "0.1@3d", "0.1@3d", "0.1@3d"};
    struct tk_keep *keep = NULL;
    struct tk_store_thinning thinning;
    struct tk_error err = {0};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (make(bad[i], &keep, &thinning) != TK_ERR_INPUT)
            fail_msg("\"%s\" was taken", bad[i]);
    assert_int_equal(tk_keep_new(NULL, steps, 2, &keep, &thinning, &err), TK_ERR_INPUT);
    assert_non_null(strstr(err.message, "0.1@3d"));
    assert_int_equal(tk_keep_new(NULL, nine, 9, &keep, &thinning, &err), TK_ERR_INPUT);
    assert_int_equal(tk_keep_new("error", NULL, 0, &keep, &thinning, &err), TK_ERR_INPUT);
    assert_int_equal(tk_keep_new(NULL, nine, 8, &keep, &thinning, &err), TK_OK);
    assert_int_equal(thinning.step_count, 8);
    assert_null(thinning.keep);
    tk_keep_free(keep);
    assert_int_equal(tk_keep_new(NULL, NULL, 0, &keep, &thinning, &err), TK_OK);
    assert_int_equal(thinning.step_count, 0);
    tk_keep_free(keep);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rule_is_traceql_or_shorthand_whose_words_may_be_joined),
        cmocka_unit_test(what_is_no_rule_or_step_is_refused_with_the_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
