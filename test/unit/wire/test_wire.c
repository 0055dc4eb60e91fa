#include "test.h"
#include "wire/compress.h"

static const char json[] =
    "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"traceId\":"
    "\"0102030405060708090a0b0c0d0e0f10\",\"spanId\":\"0102030405060708\",\"name\":\"GET\","
    "\"startTimeUnixNano\":1,\"endTimeUnixNano\":2}]}]}]}";

static char *
copy(const char *text)
{
    char *own = strdup(text);
    assert_non_null(own);
    return own;
}

static void
a_batch_owns_what_it_looks_into(void **state)
{
    struct tk_batch *batch = tk_batch_new();
    struct tk_rejected rejected;
    (void)state;
    for (int owned = 0; owned < 2; owned++) {
        char *body = copy(json);
        tk_str view = {body, sizeof json - 1};
        assert_int_equal(tk_wire_decode(TK_FORMAT_OTLP_JSON, TK_ENCODING_NONE, view,
                                        owned ? body : NULL, 1000, batch, &rejected, NULL),
                         TK_OK);
        if (!owned) {
            memset(body, 'x', view.len);
            free(body);
        }
        assert_text(batch->name[0], "GET");
        assert_int_equal(batch->shape[0], 0);
        assert_int_equal(batch->shape_count, 1);
        tk_batch_clear(batch);
    }
    tk_batch_free(batch);
}

static void
a_compressed_body_is_undone_and_given_back(void **state)
{
    struct tk_batch *batch = tk_batch_new();
    struct tk_rejected rejected;
    (void)state;
    for (int owned = 0; owned < 2; owned++) {
        char *packed;
        size_t len;
        assert_int_equal(tk_compress(TK_ENCODING_GZIP, 6, TK_STR(json), &packed, &len), TK_OK);
        assert_int_equal(tk_wire_decode(TK_FORMAT_OTLP_JSON, TK_ENCODING_GZIP,
                                        (tk_str){packed, len}, owned ? packed : NULL, 1000, batch,
                                        &rejected, NULL),
                         TK_OK);
        if (!owned)
            free(packed);
        assert_text(batch->name[0], "GET");
        tk_batch_clear(batch);
    }
    tk_batch_free(batch);
}

static void
a_failure_leaves_the_batch_empty_and_the_body_to_its_owner(void **state)
{
    struct tk_batch *batch = tk_batch_new();
    struct tk_rejected rejected;
    struct tk_error err;
    char *body = copy("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{}, 5]}]}]}");
    (void)state;
    assert_int_equal(tk_wire_decode(TK_FORMAT_OTLP_JSON, TK_ENCODING_NONE, tk_str_from(body), body,
                                    1000, batch, &rejected, &err),
                     TK_ERR_INPUT);
    assert_says(err.message, "spans[1]: an object is expected");
    assert_int_equal(batch->resource_count + batch->scope_count + batch->span_count, 0);
    assert_int_equal(tk_wire_decode(TK_FORMAT_OTLP_JSON, TK_ENCODING_NONE, tk_str_from(body), body,
                                    strlen(body) - 1, batch, &rejected, &err),
                     TK_ERR_LIMIT);
    assert_int_equal(tk_wire_decode(TK_FORMAT_OTLP_JSON, TK_ENCODING_ZSTD, tk_str_from(body), body,
                                    1000, batch, &rejected, &err),
                     TK_ERR_INPUT);
    free(body);
    tk_batch_free(batch);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_owns_what_it_looks_into),
        cmocka_unit_test(a_compressed_body_is_undone_and_given_back),
        cmocka_unit_test(a_failure_leaves_the_batch_empty_and_the_body_to_its_owner),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
