/* Zipkin JSON v2, translated as OpenTelemetry's Zipkin specification says, read backwards. */
#include "expected.h"
#include "wire/zipkin.h"

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
    return tk_zipkin_json_decode(tk_str_from(text), batch, &rejected, &err);
}

static void
decode_well(const char *text)
{
    if (decode(text) != TK_OK)
        fail_msg("%s", err.message);
}

#define IDS "\"traceId\":\"d98121cbc4b2db3b\",\"id\":\"013569ed16f80f1a\""
#define SPAN(more) "[{" IDS ",\"timestamp\":1700000000000000,\"duration\":5" more "}]"

static void
assert_attrs(struct tk_range range, const char *want)
{
    struct tk_buf out;
    struct tk_json_writer json;
    tk_buf_init(&out, 1 << 16);
    tk_json_writer_init(&json, &out);
    tk_json_object(&json);
    for (uint32_t i = range.begin; i < range.begin + range.count; i++) {
        tk_json_key(&json, batch->keys.strings[batch->attr_key[i]]);
        tk_value_json(&json, batch->attr_value[i]);
    }
    tk_json_object_end(&json);
    tk_buf_append_char(&out, '\0');
    assert_string_equal(out.ptr, want);
    tk_buf_release(&out);
}

static void
a_span_becomes_what_the_table_says(void **state)
{
    (void)state;
    decode_well("[{\"annotations\":[{\"timestamp\":1700000000000001,\"value\":\"queued\"}],"
                "\"localEndpoint\":{\"serviceName\":\"shop\",\"ipv4\":\"127.0.0.1\","
                "\"port\":8080},\"traceId\":\"6b03a60425e8b2f8148a9e06aa601e67\","
                "\"id\":\"769d14bbbfbef23f\",\"parentId\":\"12a86b3f6a839677\",\"name\":\"SELECT\","
                "\"kind\":\"CLIENT\",\"timestamp\":1700000000000000,\"duration\":9,"
                "\"remoteEndpoint\":{\"serviceName\":\"postgres\",\"ipv6\":\"::1\",\"port\":5432},"
                "\"tags\":{\"http.path\":\"/orders/0\",\"empty\":\"\",\"n\":5},\"debug\":true}]");
    char trace_id[TK_TRACE_ID_HEX + 1];
    tk_trace_id_format(batch->trace_id[0], trace_id);
    assert_string_equal(trace_id, "6b03a60425e8b2f8148a9e06aa601e67");
    assert_true(batch->span_id[0] == 0x769d14bbbfbef23f);
    assert_true(batch->parent_id[0] == 0x12a86b3f6a839677);
    assert_text(batch->name[0], "SELECT");
    assert_int_equal(batch->kind[0], TK_KIND_CLIENT);
    assert_true(batch->start_nano[0] == 1700000000000000000u);
    assert_true(batch->end_nano[0] == 1700000000000009000u);
    assert_text(tk_batch_service(batch, 0), "shop");
    assert_attrs(batch->attrs[0], "{\"http.path\":\"/orders/0\",\"empty\":\"\",\"n\":\"5\","
                                  "\"network.local.address\":\"127.0.0.1\","
                                  "\"network.local.port\":8080,\"peer.service\":\"postgres\","
                                  "\"network.peer.address\":\"::1\",\"network.peer.port\":5432}");
    assert_int_equal(batch->events[0].count, 1);
    const struct tk_event *event = &batch->event[batch->events[0].begin];
    assert_text(event->name, "queued");
    assert_true(event->time_nano == 1700000000000001000u);
    assert_int_equal(batch->status[0], TK_STATUS_UNSET);
}

static void
short_trace_ids_are_padded_and_no_kind_is_internal(void **state)
{
    (void)state;
    decode_well(SPAN(""));
    assert_true(batch->trace_id[0].high == 0 && batch->trace_id[0].low == 0xd98121cbc4b2db3b);
    assert_int_equal(batch->kind[0], TK_KIND_INTERNAL);
    assert_true(batch->parent_id[0] == 0);
    assert_text(tk_batch_service(batch, 0), "unknown_service");
    decode_well(SPAN(",\"kind\":null,\"tags\":null,\"annotations\":null,\"localEndpoint\":null"));
    assert_int_equal(batch->span_count, 1);
}

static void
the_receivers_side_of_a_shared_span_is_a_span_of_its_own(void **state)
{
    (void)state;
    decode_well("[{" IDS ",\"kind\":\"CLIENT\",\"timestamp\":1,\"parentId\":\"00000000000000aa\"},"
                "{" IDS ",\"kind\":\"SERVER\",\"timestamp\":2,\"parentId\":\"00000000000000aa\","
                "\"shared\":true}]");
    assert_int_equal(batch->span_count, 2);
    assert_true(batch->parent_id[0] == 0xaa);
    assert_true(batch->parent_id[1] == batch->span_id[0]);
    assert_true(batch->span_id[1] != batch->span_id[0] && batch->span_id[1] != 0);
    tk_span_id made = batch->span_id[1];
    decode_well(SPAN(",\"shared\":true"));
    assert_true(batch->span_id[0] == made);
}

static void
error_and_status_tags_become_the_status(void **state)
{
    static const struct {
        const char *tags;
        int32_t code;
        const char *message, *attrs;
    } cases[] = {
        {"{\"error\":\"timeout\"}", TK_STATUS_ERROR, "timeout", "{\"error\":\"timeout\"}"},
        {"{\"error\":\"\"}", TK_STATUS_ERROR, "", "{\"error\":\"\"}"},
        {"{\"error\":\"true\"}", TK_STATUS_ERROR, "", "{\"error\":\"true\"}"},
        {"{\"error\":\"false\"}", TK_STATUS_UNSET, "", "{\"error\":\"false\"}"},
        {"{\"error\":\"bad\",\"otel.status_code\":\"ERROR\"}", TK_STATUS_ERROR, "bad", "{}"},
        {"{\"otel.status_code\":\"OK\"}", TK_STATUS_OK, "", "{}"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[500];
        (void)snprintf(text, sizeof text, "[{" IDS ",\"timestamp\":1,\"tags\":%s}]", cases[i].tags);
        decode_well(text);
        assert_int_equal(batch->status[0], cases[i].code);
        assert_true(tk_str_eq(batch->status_message[0], tk_str_from(cases[i].message)));
        assert_attrs(batch->attrs[0], cases[i].attrs);
    }
}

static void
what_exporters_pack_into_tags_and_annotations_is_unpacked(void **state)
{
    (void)state;
    decode_well("[{" IDS ",\"timestamp\":1,\"tags\":{\"otel.scope.name\":\"lib\","
                "\"otel.scope.version\":\"2\",\"otel.dropped_attributes_count\":\"4\"},"
                "\"annotations\":[{\"timestamp\":2,\"value\":"
                "\"\\\"exception\\\": {\\\"type\\\":\\\"E\\\",\\\"n\\\":3,\\\"f\\\":0.5,"
                "\\\"ok\\\":true,\\\"list\\\":[1, 2]}\"},"
                "{\"timestamp\":3,\"value\":\"\\\"not closed: {\"}]},"
                "{" IDS ",\"timestamp\":1,\"tags\":{\"otel.library.name\":\"lib\","
                "\"otel.library.version\":\"2\"}}]");
    assert_int_equal(batch->scope_count, 1);
    assert_text(batch->scopes[0].name, "lib");
    assert_text(batch->scopes[0].version, "2");
    assert_int_equal(batch->dropped_attrs[0], 4);
    assert_int_equal(batch->events[0].count, 2);
    const struct tk_event *event = &batch->event[batch->events[0].begin];
    assert_text(event[0].name, "exception");
    assert_attrs(event[0].attrs,
                 "{\"type\":\"E\",\"n\":3,\"f\":0.5,\"ok\":true,\"list\":\"[1, 2]\"}");
    assert_text(event[1].name, "\"not closed: {");
    assert_int_equal(event[1].attrs.count, 0);
}

static void
spans_of_one_service_share_a_resource(void **state)
{
    (void)state;
    decode_well("[{" IDS ",\"timestamp\":1,\"localEndpoint\":{\"serviceName\":\"a\"}},"
                "{\"timestamp\":1,\"localEndpoint\":{\"serviceName\":\"c\"}},"
                "{" IDS ",\"timestamp\":1,\"localEndpoint\":{\"serviceName\":\"b\"}},"
                "{" IDS ",\"timestamp\":1,\"localEndpoint\":{\"serviceName\":\"a\"}}]");
    assert_int_equal(batch->span_count, 3);
    assert_int_equal(batch->resource_count, 2);
    assert_text(tk_batch_service(batch, 1), "b");
    assert_text(tk_batch_service(batch, 2), "a");
    assert_int_equal(rejected.span_count, 1);
    assert_says(rejected.reason, "[1]: traceId is not 16 to 32 hex digits");
}

static void
a_span_with_a_bad_id_or_bad_times_is_left_out_alone(void **state)
{
    static const struct {
        const char *text, *says;
    } bad[] = {
        {SPAN(",\"traceId\":\"0000000000000000\""), "traceId is all zero"},
        {SPAN(",\"traceId\":\"12\""), "traceId is not 16 to 32 hex digits"},
        {SPAN(",\"id\":\"0000000000000000\""), "id is all zero"},
        {SPAN(",\"id\":\"1\""), "id is not 16 hex digits"},
        {SPAN(",\"parentId\":\"1\""), "parentId is not 16 hex digits"},
        {SPAN(",\"timestamp\":0"), "the start time is 0"},
        {SPAN(",\"timestamp\":9223372036854776"), "a time is beyond 2^63-1 ns"},
        {SPAN(",\"duration\":18446744073709551615"), "a time is beyond 2^63-1 ns"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        decode_well(bad[i].text);
        assert_int_equal(batch->span_count, 0);
        assert_int_equal(rejected.span_count, 1);
        assert_says(rejected.reason, bad[i].says);
    }
}

static void
what_is_wrong_is_refused_with_byte_and_path(void **state)
{
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"{}", "byte 0: an array of spans is expected"},
        {"[1]", "byte 1: [0]: an object is expected"},
        {SPAN(",\"kind\":\"NEITHER\""), "[0].kind: CLIENT, SERVER, PRODUCER or CONSUMER"},
        {SPAN(",\"duration\":1.5"), "[0].duration: an integer of 64 bits is expected"},
        {SPAN(",\"annotations\":[5]"), "[0].annotations[0]: an object is expected"},
        {SPAN(",\"tags\":{\"a\":[]}"), "[0].tags.a: a string is expected"},
        {SPAN("") "]", "bytes behind the end"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(decode(bad[i].text), TK_ERR_INPUT);
        assert_says(err.message, bad[i].says);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_span_becomes_what_the_table_says),
        TEST(short_trace_ids_are_padded_and_no_kind_is_internal),
        TEST(the_receivers_side_of_a_shared_span_is_a_span_of_its_own),
        TEST(error_and_status_tags_become_the_status),
        TEST(what_exporters_pack_into_tags_and_annotations_is_unpacked),
        TEST(spans_of_one_service_share_a_resource),
        TEST(a_span_with_a_bad_id_or_bad_times_is_left_out_alone),
        TEST(what_is_wrong_is_refused_with_byte_and_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
