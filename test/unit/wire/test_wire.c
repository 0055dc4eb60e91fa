#include "test.h"
#include "wire/compress.h"
#include "wire/protobuf.h"
#include "wire/value.h"

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

static bool
no_element(void *arg, tk_str key, struct tk_value value)
{
    (void)arg;
    (void)key;
    (void)value;
    fail_msg("an element of nothing");
    return false;
}

static void
a_nested_value_without_bytes_is_whole_and_has_no_elements(void **state)
{
    (void)state;
    for (uint8_t type = TK_VALUE_ARRAY; type <= TK_VALUE_MAP; type++) {
        struct tk_value nested = {.type = type};
        assert_true(tk_value_is_whole(nested));
        tk_value_each(nested, no_element, NULL);
    }
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

/* The smallest span that can be kept, with `count` events of `size` bytes each in it, `spans`
   times. An event of 9 bytes says when it was. */
static tk_str
tiny_spans(struct tk_buf *body, uint32_t spans, uint32_t count, uint32_t size)
{
    static const char ids[] = "\x0a\x10"
                              "0123456789abcdef"
                              "\x12\x08"
                              "01234567";
    static const char event[] = "\x09"
                                "12345670";
    tk_buf_clear(body);
    size_t resource_spans = tk_pb_begin(body, 1), scope_spans = tk_pb_begin(body, 2);
    for (uint32_t i = 0; i < spans; i++) {
        size_t span = tk_pb_begin(body, 2);
        tk_buf_append(body, (tk_str){ids, sizeof ids - 1});
        tk_pb_put_fixed64(body, 7, 1);
        tk_pb_put_fixed64(body, 8, 2);
        for (uint32_t k = 0; k < count; k++)
            tk_pb_put_bytes(body, 11, (tk_str){event, size});
        tk_pb_end(body, span);
    }
    tk_pb_end(body, scope_spans);
    tk_pb_end(body, resource_spans);
    assert_int_equal(body->status, TK_OK);
    return tk_buf_str(body);
}

static void
a_body_of_next_to_nothing_costs_no_more_than_a_few_times_its_size(void **state)
{
    static const struct {
        uint32_t spans, events, event_size;
        enum tk_err code;
    } bodies[] = {
        {100000, 0, 0, TK_OK},        /* 48 bytes a span */
        {1, 500000, 9, TK_OK},        /* 11 bytes an event */
        {1, 500000, 0, TK_ERR_LIMIT}, /* 2 bytes an event */
        {1, 4000, 0, TK_OK},          /* the same, but little in all */
        {100, 5000, 0, TK_ERR_LIMIT},
    };
    struct tk_rejected rejected;
    struct tk_error err = {0};
    struct tk_buf body;
    (void)state;
    tk_buf_init(&body, 1 << 26);
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        tk_str plain = tiny_spans(&body, bodies[i].spans, bodies[i].events, bodies[i].event_size);
        for (int limited = 0; limited < 2; limited++) {
            struct tk_batch *batch = tk_batch_new();
            size_t limit = limited ? plain.len : TK_WIRE_UNLIMITED;
            enum tk_err code = tk_wire_decode(TK_FORMAT_OTLP_PROTOBUF, TK_ENCODING_NONE, plain,
                                              NULL, limit, batch, &rejected, &err);
            assert_int_equal(code, limited ? bodies[i].code : TK_OK);
            if (code == TK_ERR_LIMIT)
                assert_says(err.message, "than one body may hold");
            else
                assert_int_equal(batch->event_count, bodies[i].spans * bodies[i].events);
            tk_batch_free(batch);
        }
    }
    tk_buf_release(&body);
}

static void
a_scope_or_resource_without_spans_leaves_nothing_behind(void **state)
{
    struct tk_batch *batch = tk_batch_new();
    struct tk_rejected rejected;
    struct tk_error err = {0};
    struct tk_buf body;
    (void)state;
    tk_buf_init(&body, 1 << 26);
    struct tk_buf span;
    tk_buf_init(&span, 1 << 10);
    tk_str one = tiny_spans(&span, 1, 0, 0);
    tk_buf_append(&body, one);
    size_t resource_spans = tk_pb_begin(&body, 1);
    tk_pb_put_bytes(&body, 1, TK_STR("\x0a\x03\x0a\x01k"));
    for (uint32_t i = 0; i < 1000000; i++)
        tk_pb_put_bytes(&body, 2, TK_STR("\x0a\x03\x0a\x01s"));
    tk_pb_end(&body, resource_spans);
    for (uint32_t i = 0; i < 1000000; i++)
        tk_pb_put_bytes(&body, 1, TK_STR("\x12\x00"));
    tk_buf_append(&body, one);
    assert_int_equal(body.status, TK_OK);
    assert_int_equal(tk_wire_decode(TK_FORMAT_OTLP_PROTOBUF, TK_ENCODING_NONE, tk_buf_str(&body),
                                    NULL, body.len, batch, &rejected, &err),
                     TK_OK);
    assert_int_equal(batch->span_count, 2);
    assert_int_equal(batch->resource_count, 2);
    assert_int_equal(batch->scope_count, 2);
    assert_int_equal(batch->attr_count, 0);
    tk_batch_clear(batch);
    static const char json_empty[] =
        "{\"resourceSpans\":[{\"scopeSpans\":[{},{\"spans\":[]}]},{\"resource\":{}}]}";
    assert_int_equal(tk_wire_decode(TK_FORMAT_OTLP_JSON, TK_ENCODING_NONE, TK_STR(json_empty), NULL,
                                    1000, batch, &rejected, &err),
                     TK_OK);
    assert_int_equal(batch->resource_count + batch->scope_count + batch->span_count, 0);
    tk_buf_release(&span);
    tk_buf_release(&body);
    tk_batch_free(batch);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_owns_what_it_looks_into),
        cmocka_unit_test(a_nested_value_without_bytes_is_whole_and_has_no_elements),
        cmocka_unit_test(a_compressed_body_is_undone_and_given_back),
        cmocka_unit_test(a_failure_leaves_the_batch_empty_and_the_body_to_its_owner),
        cmocka_unit_test(a_body_of_next_to_nothing_costs_no_more_than_a_few_times_its_size),
        cmocka_unit_test(a_scope_or_resource_without_spans_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
