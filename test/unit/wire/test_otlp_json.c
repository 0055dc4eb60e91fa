/* OTLP/JSON made by hand: the freedoms that protobuf's JSON mapping gives, and their ends. */
#include "expected.h"

static struct tk_batch *batch;
static struct tk_rejected rejected;
static struct tk_error err;

static int
begin(void **state)
{
    (void)state;
    batch = tk_batch_new();
    err = (struct tk_error){0};
    return 0;
}

static int
end(void **state)
{
    (void)state;
    tk_batch_free(batch);
    return 0;
}

static enum tk_err
decode(const char *text)
{
    tk_batch_clear(batch);
    return tk_otlp_json_decode(tk_str_from(text), batch, &rejected, &err);
}

static void
decode_well(const char *text)
{
    if (decode(text) != TK_OK)
        fail_msg("%s", err.message);
}

#define IDS "\"traceId\":\"0102030405060708090a0b0c0d0e0f10\",\"spanId\":\"0102030405060708\","
#define TIMES "\"startTimeUnixNano\":\"1000\",\"endTimeUnixNano\":\"2000\""
#define SPANS(spans) "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[" spans "]}]}]}"
#define SPAN(more) SPANS("{" IDS TIMES more "}")
#define SPAN_0 "resourceSpans[0].scopeSpans[0].spans[0]"
/* One span with one attribute "k" of this AnyValue. */
#define VALUE(any) SPAN(",\"attributes\":[{\"key\":\"k\",\"value\":" any "}]")

static struct tk_value
value_of(const char *text)
{
    decode_well(text);
    assert_int_equal(batch->attrs[0].count, 1);
    return batch->attr_value[batch->attrs[0].begin];
}

/* The value as the query API prints it. */
static void
assert_value(const char *text, const char *want)
{
    struct tk_buf out;
    struct tk_json_writer json;
    struct tk_value value = value_of(text);
    tk_buf_init(&out, 1 << 16);
    tk_json_writer_init(&json, &out);
    tk_value_json(&json, value);
    tk_buf_append_char(&out, '\0');
    assert_string_equal(out.ptr, want);
    tk_buf_release(&out);
}

static void
integers_may_be_numbers_or_strings_in_any_notation(void **state)
{
    static const struct {
        const char *text;
        int64_t want;
    } good[] = {
        {VALUE("{\"intValue\":\"9223372036854775807\"}"), INT64_MAX},
        {VALUE("{\"intValue\":9223372036854775807}"), INT64_MAX},
        {VALUE("{\"intValue\":-9223372036854775808}"), INT64_MIN},
        {VALUE("{\"intValue\":\"-5\"}"), -5},
        {VALUE("{\"intValue\":1e3}"), 1000},
        {VALUE("{\"intValue\":\"1.5E+1\"}"), 15},
        {VALUE("{\"intValue\":-120.00e-1}"), -12},
        {VALUE("{\"intValue\":3.0}"), 3},
        {VALUE("{\"intValue\":0e999999999999}"), 0},
        {VALUE("{\"int_value\":7}"), 7},
    };
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct tk_value value = value_of(good[i].text);
        assert_int_equal(value.type, TK_VALUE_INT);
        assert_true(value.i == good[i].want);
    }
    assert_int_equal(decode(VALUE("{\"intValue\":9223372036854775808}")), TK_ERR_INPUT);
    assert_int_equal(decode(VALUE("{\"intValue\":1.5}")), TK_ERR_INPUT);
    assert_int_equal(decode(VALUE("{\"intValue\":\"\"}")), TK_ERR_INPUT);
    assert_int_equal(decode(VALUE("{\"intValue\":\"1 \"}")), TK_ERR_INPUT);
    assert_int_equal(decode(VALUE("{\"intValue\":1e19}")), TK_ERR_INPUT);
    assert_int_equal(decode(VALUE("{\"intValue\":1e999999999999}")), TK_ERR_INPUT);
    assert_int_equal(decode(VALUE("{\"intValue\":true}")), TK_ERR_INPUT);
    assert_says(err.message, SPAN_0 ".attributes[0].value.intValue: an integer is expected");
}

static void
values_of_every_type_are_read(void **state)
{
    (void)state;
    assert_value(VALUE("{\"stringValue\":\"\"}"), "\"\"");
    assert_value(VALUE("{\"boolValue\":false}"), "false");
    assert_value(VALUE("{\"doubleValue\":-0.0}"), "-0.0");
    assert_value(VALUE("{\"doubleValue\":\"1e-3\"}"), "0.001");
    assert_value(VALUE("{\"doubleValue\":\"NaN\"}"), "\"NaN\"");
    assert_value(VALUE("{\"doubleValue\":\"-Infinity\"}"), "\"-Infinity\"");
    assert_value(VALUE("{\"doubleValue\":null}"), "null");
    assert_value(VALUE("{}"), "null");
    assert_value(VALUE("null"), "null");
    assert_value(VALUE("{\"bytesValue\":\"/+8=\"}"), "\"/+8=\"");
    assert_value(VALUE("{\"bytesValue\":\"_-8\"}"), "\"/+8=\"");
    assert_value(VALUE("{\"bytesValue\":\"\"}"), "\"\"");
    assert_value(VALUE("{\"arrayValue\":{}}"), "[]");
    assert_value(VALUE("{\"arrayValue\":{\"values\":null}}"), "[]");
    assert_value(VALUE("{\"kvlistValue\":{\"values\":[]}}"), "{}");
    assert_value(VALUE("{\"intValue\":9007199254740993}"), "\"9007199254740993\"");
    assert_int_equal(decode(VALUE("{\"doubleValue\":\"x\"}")), TK_ERR_INPUT);
    assert_int_equal(decode(VALUE("{\"doubleValue\":1e999}")), TK_ERR_INPUT);
    assert_int_equal(decode(VALUE("{\"bytesValue\":\"a\"}")), TK_ERR_INPUT);
    assert_int_equal(decode(VALUE("{\"bytesValue\":\"a*bc\"}")), TK_ERR_INPUT);
}

static void
nested_values_keep_order_types_and_late_keys(void **state)
{
    (void)state;
    assert_value(VALUE("{\"arrayValue\":{\"values\":[{\"intValue\":1},{},null,{\"arrayValue\":"
                       "{\"values\":[{\"stringValue\":\"x\"}]}}]}}"),
                 "[1,null,null,[\"x\"]]");
    assert_value(VALUE("{\"kvlistValue\":{\"values\":[{\"value\":{\"kvlistValue\":{\"values\":"
                       "[{\"key\":\"in\",\"value\":{\"boolValue\":true}}]}},\"key\":\"out\"},"
                       "{\"key\":\"bare\"}]}}"),
                 "{\"out\":{\"in\":true},\"bare\":null}");
}

static void
of_members_that_come_twice_the_last_one_counts(void **state)
{
    (void)state;
    assert_value(VALUE("{\"arrayValue\":{\"values\":[{\"intValue\":1}]},\"intValue\":2}"), "2");
    assert_value(VALUE("{\"kvlistValue\":{\"values\":[{\"value\":{\"intValue\":1},\"key\":\"a\","
                       "\"key\":\"b\",\"value\":{\"arrayValue\":{\"values\":[{}],\"values\":[]}}}]"
                       "}}"),
                 "{\"b\":[]}");
    decode_well(SPAN(",\"name\":\"a\",\"name\":\"b\",\"attributes\":[{\"key\":\"x\"}],"
                     "\"attributes\":[{\"key\":\"y\"},{\"key\":\"z\"}],\"events\":[{}],"
                     "\"events\":[]"));
    assert_text(batch->name[0], "b");
    assert_int_equal(batch->attrs[0].count, 2);
    assert_int_equal(batch->events[0].count, 0);
    decode_well("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{" IDS TIMES "},{}],"
                "\"spans\":[{" IDS TIMES ",\"name\":\"last\"}]}]}]}");
    assert_int_equal(batch->span_count, 1);
    assert_int_equal(rejected.span_count, 0);
    assert_text(batch->name[0], "last");
}

static void
members_may_be_snake_case_unknown_or_null(void **state)
{
    (void)state;
    decode_well(
        "{\"new\":[{\"a\":{}}],\"resource_spans\":[{\"schema_url\":\"u\",\"resource\":null,"
        "\"scope_spans\":[{\"scope\":{\"name\":null},\"spans\":[{\"trace_id\":"
        "\"0102030405060708090A0B0C0D0E0F10\",\"span_id\":\"0102030405060708\","
        "\"parent_span_id\":\"0000000000000000\",\"start_time_unix_nano\":1.7e18,"
        "\"end_time_unix_nano\":\"1700000000000000001\",\"kind\":\"SPAN_KIND_SERVER\","
        "\"status\":{\"code\":\"STATUS_CODE_ERROR\",\"message\":null},\"events\":null,"
        "\"links\":null,\"flags\":257,\"dropped_attributes_count\":3,\"entityRefs\":[]}]}]}]}");
    assert_int_equal(batch->span_count, 1);
    assert_true(batch->start_nano[0] == 1700000000000000000u);
    assert_true(batch->end_nano[0] == 1700000000000000001u);
    assert_true(batch->parent_id[0] == 0);
    assert_int_equal(batch->kind[0], TK_KIND_SERVER);
    assert_int_equal(batch->status[0], TK_STATUS_ERROR);
    assert_int_equal(batch->flags[0], 257);
    assert_int_equal(batch->dropped_attrs[0], 3);
    assert_text(batch->resources[0].schema_url, "u");
    decode_well("{}");
    decode_well("{\"resourceSpans\":null}");
    assert_int_equal(batch->span_count, 0);
}

static void
what_is_wrong_is_refused_with_byte_and_path(void **state)
{
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"", "byte 0: unexpected end"},
        {"[]", "byte 0: an object is expected"},
        {"{} x", "byte 3: bytes behind the end"},
        {"{\"resourceSpans\":{}}", "byte 17: resourceSpans: an array is expected"},
        {"{\"resourceSpans\":[{},null]}", "byte 21: resourceSpans[1]: an object is expected"},
        {SPAN(",\"name\":5"), SPAN_0 ".name: a string is expected"},
        {SPAN(",\"name\":\"\xFF\""), SPAN_0 ".name: invalid UTF-8"},
        {SPAN(",\"kind\":\"SERVER\""), SPAN_0 ".kind: unknown name"},
        {SPAN(",\"kind\":2147483648"), SPAN_0 ".kind: an integer of 32 bits is expected"},
        {SPAN(",\"flags\":-1"), SPAN_0 ".flags: a number below 0"},
        {SPAN(",\"endTimeUnixNano\":-1"), SPAN_0 ".endTimeUnixNano: a number below 0"},
        {SPAN(",\"droppedLinksCount\":4294967296"), SPAN_0 ".droppedLinksCount: an integer of 32"},
        {SPAN(",\"attributes\":{}"), SPAN_0 ".attributes: an array is expected"},
        {SPAN(",\"attributes\":[{\"key\":\"k\",\"value\":5}]"),
         SPAN_0 ".attributes[0].value: an object is expected"},
        {SPAN(",\"events\":[{},{\"name\":[]}]"), SPAN_0 ".events[1].name: a string is expected"},
        {SPAN(",\"status\":[]"), SPAN_0 ".status: an object is expected"},
        {SPANS("{\"name\":\"cut"), SPAN_0 ".name"},
        {"{\"resourceSpans\":[{},]}", "byte 21: resourceSpans[1]: a value is expected"},
        {SPANS("{},"), "[1]: a value is expected"},
        {SPAN(",\"attributes\":[{},]"), SPAN_0 ".attributes[1]: a value is expected"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(decode(bad[i].text), TK_ERR_INPUT);
        assert_says(err.message, bad[i].says);
        assert_true(strncmp(err.message, "byte ", 5) == 0);
    }
}

static void
a_span_with_a_bad_id_or_bad_times_is_left_out_alone(void **state)
{
    static const struct {
        const char *text, *says;
    } bad[] = {
        {SPANS("{" TIMES "}"), "traceId is missing"},
        {SPAN(",\"traceId\":\"00000000000000000000000000000000\""), "traceId is all zero"},
        {SPAN(",\"traceId\":\"AQIDBAUGBwgJCgsMDQ4PEA==\""), "traceId is not 32 hex digits"},
        {SPAN(",\"traceId\":null"), "traceId is missing"},
        {SPAN(",\"spanId\":\"01\""), "spanId is not 16 hex digits"},
        {SPAN(",\"spanId\":\"0000000000000000\""), "spanId is all zero"},
        {SPAN(",\"parentSpanId\":\"xyz\""), "parentSpanId is not 16 hex digits"},
        {SPAN(",\"startTimeUnixNano\":0"), "the start time is 0"},
        {SPAN(",\"endTimeUnixNano\":999"), "the end time is before the start time"},
        {SPAN(",\"endTimeUnixNano\":9223372036854775808"), "a time is beyond 2^63-1 ns"},
        {SPAN(",\"links\":[{\"traceId\":\"12\"}]"), "the traceId of a link"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        decode_well(bad[i].text);
        assert_int_equal(batch->span_count, 0);
        assert_int_equal(rejected.span_count, 1);
        assert_says(rejected.reason, bad[i].says);
        assert_says(rejected.reason, SPAN_0);
    }
    decode_well(SPANS("{" IDS TIMES "},{\"name\":\"bad one\"},{" IDS TIMES "}"));
    assert_int_equal(batch->span_count, 2);
    assert_says(rejected.reason, "spans[1]: traceId is missing (span \"bad one\")");
}

static void
nesting_is_taken_to_the_limit_and_no_further(void **state)
{
    (void)state;
    static const int depths[] = {TK_VALUE_DEPTH_MAX, TK_VALUE_DEPTH_MAX + 1, 100000};
    for (size_t k = 0; k < sizeof depths / sizeof *depths; k++) {
        struct tk_buf text;
        tk_buf_init(&text, 1 << 24);
        tk_buf_append(&text, TK_STR("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{" IDS TIMES
                                    ",\"attributes\":[{\"key\":\"k\",\"value\":"));
        for (int i = 0; i < depths[k]; i++)
            tk_buf_append(&text, TK_STR("{\"arrayValue\":{\"values\":["));
        for (int i = 0; i < depths[k]; i++)
            tk_buf_append(&text, TK_STR("]}}"));
        tk_buf_append(&text, TK_STR("}]}]}]}]}\0"));
        enum tk_err code = decode(text.ptr);
        assert_int_equal(code, depths[k] == TK_VALUE_DEPTH_MAX ? TK_OK : TK_ERR_INPUT);
        assert_true(code == TK_OK || strstr(err.message, "nested") != NULL);
        tk_buf_release(&text);
    }
}

static void
an_error_answer_and_a_partial_success_say_what_they_must(void **state)
{
    struct tk_rejected some = {.span_count = 3, .reason = "span_id is all zero"};
    struct tk_rejected none = {0};
    struct tk_buf out;
    (void)state;
    tk_buf_init(&out, 1 << 12);
    tk_otlp_response_encode(TK_FORMAT_OTLP_JSON, &none, &out);
    assert_text(tk_buf_str(&out), "{}");
    tk_buf_clear(&out);
    tk_otlp_response_encode(TK_FORMAT_OTLP_PROTOBUF, &none, &out);
    assert_int_equal(out.len, 0);
    tk_otlp_response_encode(TK_FORMAT_OTLP_JSON, &some, &out);
    assert_text(tk_buf_str(&out), "{\"partialSuccess\":{\"rejectedSpans\":\"3\","
                                  "\"errorMessage\":\"span_id is all zero\"}}");
    tk_buf_clear(&out);
    tk_otlp_response_encode(TK_FORMAT_OTLP_PROTOBUF, &some, &out);
    assert_text(tk_buf_str(&out), "\x0A\x17\x08\x03\x12\x13span_id is all zero");
    tk_buf_clear(&out);
    tk_otlp_status_encode(TK_FORMAT_OTLP_JSON, 3, TK_STR("byte 1: x"), &out);
    assert_text(tk_buf_str(&out), "{\"code\":3,\"message\":\"byte 1: x\"}");
    tk_buf_clear(&out);
    tk_otlp_retry_status_encode(8, TK_STR("full"), 1500, &out);
    assert_text(tk_buf_str(&out), "\x08\x08\x12\x04"
                                  "full"
                                  "\x1A\x36"
                                  "\x0A\x28type.googleapis.com/google.rpc.RetryInfo"
                                  "\x12\x0A\x0A\x08\x08\x01\x10\x80\xCA\xB5\xEE\x01");
    tk_buf_release(&out);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(integers_may_be_numbers_or_strings_in_any_notation),
        TEST(values_of_every_type_are_read),
        TEST(nested_values_keep_order_types_and_late_keys),
        TEST(of_members_that_come_twice_the_last_one_counts),
        TEST(members_may_be_snake_case_unknown_or_null),
        TEST(what_is_wrong_is_refused_with_byte_and_path),
        TEST(a_span_with_a_bad_id_or_bad_times_is_left_out_alone),
        TEST(nesting_is_taken_to_the_limit_and_no_further),
        TEST(an_error_answer_and_a_partial_success_say_what_they_must),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
