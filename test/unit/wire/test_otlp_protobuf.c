/* OTLP protobuf made by hand: what the corpus does not show, and what nobody should send. */
#include "expected.h"
#include "wire/value.h"

static struct tk_batch *batch;
static struct tk_rejected rejected;
static struct tk_error err;
static struct tk_buf body;

static int
begin(void **state)
{
    (void)state;
    batch = tk_batch_new();
    tk_buf_init(&body, 1 << 24);
    err = (struct tk_error){0};
    return 0;
}

static int
end(void **state)
{
    (void)state;
    tk_batch_free(batch);
    tk_buf_release(&body);
    return 0;
}

static enum tk_err
decode(void)
{
    assert_int_equal(body.status, TK_OK);
    return tk_otlp_protobuf_decode(tk_buf_str(&body), batch, &rejected, &err);
}

static void
decode_well(void)
{
    if (decode() != TK_OK)
        fail_msg("%s", err.message);
}

/* The messages around a span are open between open_scope() and close_scope(). */
static size_t resource_spans_begun, scope_spans_begun;

static void
open_scope(void)
{
    resource_spans_begun = tk_pb_begin(&body, 1);
    scope_spans_begun = tk_pb_begin(&body, 2);
}

static void
close_scope(void)
{
    tk_pb_end(&body, scope_spans_begun);
    tk_pb_end(&body, resource_spans_begun);
}

static size_t
open_span(void)
{
    size_t begun = tk_pb_begin(&body, 2);
    tk_pb_put_bytes(&body, 1, TK_STR("0123456789abcdef"));
    tk_pb_put_bytes(&body, 2, TK_STR("01234567"));
    tk_pb_put_bytes(&body, 5, TK_STR("GET /users"));
    tk_pb_put_fixed64(&body, 7, 1000);
    tk_pb_put_fixed64(&body, 8, 2000);
    return begun;
}

static void
put_raw(const char *bytes, size_t len)
{
    tk_buf_append(&body, (tk_str){bytes, len});
}

/* An attribute "k" of the open span whose AnyValue is `bytes`. */
static void
put_value(tk_str bytes)
{
    size_t pair = tk_pb_begin(&body, 9);
    tk_pb_put_bytes(&body, 1, TK_STR("k"));
    tk_pb_put_bytes(&body, 2, bytes);
    tk_pb_end(&body, pair);
}

static void
assert_attrs_of_first_span(const char *want)
{
    struct tk_buf out;
    struct tk_json_writer json;
    tk_buf_init(&out, 1 << 20);
    tk_json_writer_init(&json, &out);
    tk_json_object(&json);
    for (uint32_t i = 0; i < batch->attrs[0].count; i++) {
        uint32_t at = batch->attrs[0].begin + i;
        tk_json_key(&json, batch->keys.strings[batch->attr_key[at]]);
        tk_value_json(&json, batch->attr_value[at]);
    }
    tk_json_object_end(&json);
    tk_buf_append_char(&out, '\0');
    assert_string_equal(out.ptr, want);
    tk_buf_release(&out);
}

static void
an_empty_body_is_a_request_without_spans(void **state)
{
    (void)state;
    decode_well();
    assert_int_equal(batch->span_count, 0);
}

static void
a_resource_and_a_scope_may_come_behind_their_spans(void **state)
{
    (void)state;
    open_scope();
    tk_pb_end(&body, open_span());
    tk_pb_put_bytes(&body, 3, TK_STR("scope-url"));
    size_t scope = tk_pb_begin(&body, 1);
    tk_pb_put_bytes(&body, 1, TK_STR("lib"));
    tk_pb_end(&body, scope);
    tk_pb_end(&body, scope_spans_begun);
    size_t resource = tk_pb_begin(&body, 1);
    tk_key_value_put(&body, 1, TK_STR("service.name"),
                     (struct tk_value){.type = TK_VALUE_STRING, .len = 3, .ptr = "api"});
    tk_pb_end(&body, resource);
    tk_pb_end(&body, resource_spans_begun);
    decode_well();
    assert_int_equal(batch->span_count, 1);
    assert_text(tk_batch_service(batch, 0), "api");
    assert_text(batch->scopes[batch->scope[0]].name, "lib");
    assert_text(batch->scopes[batch->scope[0]].schema_url, "scope-url");
}

static void
duplicate_fields_are_merged_as_protobuf_says(void **state)
{
    struct tk_value one = {.type = TK_VALUE_INT, .i = 1}, two = {.type = TK_VALUE_INT, .i = 2};
    (void)state;
    open_scope();
    size_t scope = tk_pb_begin(&body, 1);
    tk_pb_put_bytes(&body, 1, TK_STR("old"));
    tk_pb_put_bytes(&body, 2, TK_STR("kept"));
    tk_key_value_put(&body, 3, TK_STR("a"), one);
    tk_pb_end(&body, scope);
    size_t span = open_span();
    tk_key_value_put(&body, 9, TK_STR("a"), one);
    size_t event = tk_pb_begin(&body, 11);
    tk_key_value_put(&body, 3, TK_STR("of event"), one);
    tk_pb_end(&body, event);
    tk_key_value_put(&body, 9, TK_STR("b"), two);
    size_t status = tk_pb_begin(&body, 15);
    tk_pb_put_varint_unless_zero(&body, 3, 2);
    tk_pb_end(&body, status);
    tk_pb_put_bytes(&body, 5, TK_STR("last name"));
    status = tk_pb_begin(&body, 15);
    tk_pb_put_bytes(&body, 2, TK_STR("why"));
    tk_pb_end(&body, status);
    tk_pb_end(&body, tk_pb_begin(&body, 11));
    tk_pb_end(&body, span);
    scope = tk_pb_begin(&body, 1);
    tk_pb_put_bytes(&body, 1, TK_STR("new"));
    tk_key_value_put(&body, 3, TK_STR("b"), two);
    tk_pb_end(&body, scope);
    close_scope();
    decode_well();
    assert_text(batch->name[0], "last name");
    assert_int_equal(batch->status[0], TK_STATUS_ERROR);
    assert_text(batch->status_message[0], "why");
    assert_attrs_of_first_span("{\"a\":1,\"b\":2}");
    assert_int_equal(batch->events[0].count, 2);
    assert_int_equal(batch->event[batch->events[0].begin].attrs.count, 1);
    assert_int_equal(batch->scope_count, 1);
    assert_text(batch->scopes[0].name, "new");
    assert_text(batch->scopes[0].version, "kept");
    assert_int_equal(batch->scopes[0].attrs.count, 2);
}

/* ArrayValue of one string element. */
#define ARRAY_OF(letter) "\x2A\x05\x0A\x03\x0A\x01" letter

static void
values_that_come_twice_are_merged_at_every_depth(void **state)
{
    (void)state;
    open_scope();
    size_t span = open_span();
    put_value(TK_STR("\x0A\x01x\x18\x05"));                            /* "x", then 5 */
    put_value(TK_STR(ARRAY_OF("a") ARRAY_OF("b")));                    /* joined */
    put_value(TK_STR(ARRAY_OF("a") "\x18\x05" ARRAY_OF("b")));         /* not joined */
    put_value(TK_STR("\x2A\x10\x0A\x0E" ARRAY_OF("c") ARRAY_OF("d"))); /* joined inside */
    size_t pair = tk_pb_begin(&body, 9);                               /* across two `value`s */
    tk_pb_put_bytes(&body, 2, TK_STR(ARRAY_OF("e")));
    tk_pb_put_bytes(&body, 1, TK_STR("late"));
    tk_pb_put_bytes(&body, 2, TK_STR(ARRAY_OF("f")));
    tk_pb_put_bytes(&body, 1, TK_STR("key"));
    tk_pb_end(&body, pair);
    put_value(TK_STR("\x32\x07\x0A\x05\x0A\x01m\x12\x00\x32\x07\x0A\x05\x0A\x01n\x12\x00"));
    tk_pb_end(&body, span);
    close_scope();
    decode_well();
    assert_attrs_of_first_span("{\"k\":5,\"k\":[\"a\",\"b\"],\"k\":[\"b\"],\"k\":[[\"c\",\"d\"]],"
                               "\"key\":[\"e\",\"f\"],\"k\":{\"m\":null,\"n\":null}}");
}

static void
every_value_type_survives(void **state)
{
    (void)state;
    open_scope();
    size_t span = open_span();
    put_value(TK_STR(""));
    put_value(TK_STR("\x0A\x00"));
    put_value(TK_STR("\x10\x01"));
    put_value(TK_STR("\x18\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F"));
    put_value(TK_STR("\x18\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"));
    put_value(TK_STR("\x21\0\0\0\0\0\0\0\x80"));
    put_value(TK_STR("\x3A\x02\xFF\x00"));
    put_value(TK_STR("\x2A\x00"));
    put_value(TK_STR("\x32\x00"));
    tk_pb_end(&body, span);
    close_scope();
    decode_well();
    assert_attrs_of_first_span("{\"k\":null,\"k\":\"\",\"k\":true,\"k\":\"9223372036854775807\","
                               "\"k\":\"-9223372036854775808\",\"k\":-0.0,\"k\":\"/wA=\",\"k\":[],"
                               "\"k\":{}}");
    struct tk_buf again;
    tk_buf_init(&again, 1 << 16);
    tk_otlp_protobuf_encode(batch, (struct tk_range){0, 1}, &again);
    assert_non_null(memmem(again.ptr, again.len, "\x21\0\0\0\0\0\0\0\x80", 9));
    tk_buf_release(&again);
}

static void
unknown_fields_are_skipped_groups_too(void **state)
{
    (void)state;
    open_scope();
    size_t span = open_span();
    tk_pb_put_bytes(&body, 99, TK_STR("\xFF\xFF"));
    tk_pb_put_fixed64(&body, 98, 1);
    tk_pb_put_fixed32(&body, 97, 1);
    tk_pb_put_varint_unless_zero(&body, 96, UINT64_MAX);
    put_raw("\xA3\x06\xAB\x06\x08\x01\xAC\x06\x0A\x01x\xA4\x06", 13); /* group in a group */
    tk_pb_put_bytes(&body, 3, TK_STR("ot=th:0"));
    tk_pb_end(&body, span);
    close_scope();
    decode_well();
    assert_text(batch->trace_state[0], "ot=th:0");
}

/* A body whose only span ends with `bytes` is refused, and the message says `says`. */
static void
assert_span_refused(tk_str bytes, const char *says)
{
    tk_buf_clear(&body);
    tk_batch_clear(batch);
    open_scope();
    tk_pb_end(&body, open_span());
    size_t span = open_span();
    tk_buf_append(&body, bytes);
    tk_pb_end(&body, span);
    close_scope();
    assert_int_equal(decode(), TK_ERR_INPUT);
    assert_says(err.message, says);
}

#define SPAN_1 "resource_spans[0].scope_spans[0].spans[1]"

static void
a_known_field_with_a_wrong_wire_type_is_refused(void **state)
{
    (void)state;
    assert_span_refused(TK_STR("\x2D\0\0\0\0"), "byte 124: " SPAN_1 ".name: wrong wire type");
    assert_span_refused(TK_STR("\x38\x01"), SPAN_1 ".start_time_unix_nano: wrong wire type");
    assert_span_refused(TK_STR("\x32\x00"), SPAN_1 ".kind: wrong wire type");
    assert_span_refused(TK_STR("\x82\x01\x00"), SPAN_1 ".flags: wrong wire type");
}

static void
broken_bytes_are_refused_with_byte_and_path(void **state)
{
    (void)state;
    assert_span_refused(TK_STR("\x2A\x02\xC3("), "byte 126: " SPAN_1 ".name: invalid UTF-8");
    assert_span_refused(TK_STR("\x2A\x7F"), SPAN_1 ".name: length goes past the end");
    assert_span_refused(TK_STR("\x2A\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"),
                        SPAN_1 ".name: length goes past the end");
    assert_span_refused(TK_STR("\x30\x80"), SPAN_1 ".kind: varint cut short");
    assert_span_refused(TK_STR("\x30\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"),
                        SPAN_1 ".kind: varint beyond 64 bits");
    assert_span_refused(TK_STR("\x39\x01\x02"), SPAN_1 ".start_time_unix_nano: cut short");
    assert_span_refused(TK_STR("\x00\x01"), SPAN_1 ": field number out of range");
    assert_span_refused(TK_STR("\x06"), SPAN_1 ": field number out of range");
    assert_span_refused(TK_STR("\x9E\x06"), SPAN_1 ": unknown wire type");
    assert_span_refused(TK_STR("\x2B\x2C"), SPAN_1 ".name: wrong wire type");
    assert_span_refused(TK_STR("\x9B\x06"), SPAN_1 ": group without an end");
    assert_span_refused(TK_STR("\x9C\x06"), SPAN_1 ": end of a group that was not begun");
    assert_span_refused(TK_STR("\x9B\x06\xA4\x06"), SPAN_1 ": end of another group");
    assert_span_refused(TK_STR("\x4A\x05\x0A\x01\xFF\x12\x00"),
                        SPAN_1 ".attributes[0].key: invalid UTF-8");
    assert_span_refused(TK_STR("\x4A\x05\x12\x03\x0A\x01\xFF"),
                        SPAN_1 ".attributes[0].value.string_value: invalid UTF-8");
    assert_span_refused(TK_STR("\x4A\x09\x12\x07\x32\x05\x0A\x03\x0A\x01\xFF"),
                        SPAN_1 ".attributes[0].value.kvlist_value.values[0].key: invalid UTF-8");
    assert_span_refused(TK_STR("\x5A\x00\x5A\x02\x10\x01"), SPAN_1 ".events[1].name: wrong wire");
    assert_span_refused(TK_STR("\x6A\x03\x1A\x01\xFF"), SPAN_1 ".links[0].trace_state: invalid");
    assert_span_refused(TK_STR("\x7A\x02\x1A\x00"), SPAN_1 ".status.code: wrong wire type");
}

static void
nesting_is_taken_to_the_limit_and_no_further(void **state)
{
    struct tk_buf value, outer;
    (void)state;
    tk_buf_init(&value, 1 << 22);
    tk_buf_init(&outer, 1 << 22);
    for (int depth = 1; depth <= TK_VALUE_DEPTH_MAX + 1; depth++) {
        tk_buf_clear(&outer); /* AnyValue {array_value {values: what is in `value`}} */
        size_t array = tk_pb_begin(&outer, 5);
        if (depth > 1)
            tk_pb_put_bytes(&outer, 1, tk_buf_str(&value));
        tk_pb_end(&outer, array);
        struct tk_buf swap = value;
        value = outer;
        outer = swap;
        if (depth < TK_VALUE_DEPTH_MAX)
            continue;
        tk_buf_clear(&body);
        tk_batch_clear(batch);
        open_scope();
        size_t span = open_span();
        put_value(tk_buf_str(&value));
        tk_pb_end(&body, span);
        close_scope();
        enum tk_err code = decode();
        assert_int_equal(code, depth <= TK_VALUE_DEPTH_MAX ? TK_OK : TK_ERR_INPUT);
    }
    assert_says(err.message, "nested deeper than 64 levels");
    tk_buf_release(&value);
    tk_buf_release(&outer);
}

static void
a_hundred_thousand_levels_do_no_harm(void **state)
{
    enum { DEPTH = 100000, SIZE = 1 << 20 };
    char *bytes = malloc(SIZE), *at = bytes + SIZE;
    (void)state;
    for (int depth = 0; depth < DEPTH; depth++) { /* built from the inside out, backwards */
        struct tk_buf head;
        tk_buf_init(&head, 64);
        tk_pb_put_tag(&head, depth % 2 == 0 ? 5 : 1, TK_PB_LENGTH);
        tk_pb_put_varint(&head, (uint64_t)(bytes + SIZE - at));
        at -= head.len;
        memcpy(at, head.ptr, head.len);
        tk_buf_release(&head);
    }
    open_scope();
    size_t span = open_span();
    put_value((tk_str){at, (size_t)(bytes + SIZE - at)});
    tk_pb_end(&body, span);
    close_scope();
    assert_int_equal(decode(), TK_ERR_INPUT);

    tk_buf_clear(&body);
    tk_batch_clear(batch);
    for (int depth = 0; depth < DEPTH; depth++)
        put_raw("\xA3\x06", 2); /* groups */
    assert_int_equal(decode(), TK_ERR_INPUT);
    assert_says(err.message, "groups nested too deep");
    free(bytes);
}

static void
a_span_with_a_bad_id_or_bad_times_is_left_out_alone(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        const char *says;
    } bad[] = {
        {"\x0A\x00", 2, "trace_id is missing"},
        {"\x0A\x03xyz", 5, "trace_id is not 16 bytes long"},
        {"\x0A\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 18, "trace_id is all zero"},
        {"\x12\x00", 2, "span_id is missing"},
        {"\x12\x09"
         "123456789",
         11, "span_id is not 8 bytes long"},
        {"\x12\x08\0\0\0\0\0\0\0\0", 10, "span_id is all zero"},
        {"\x22\x07"
         "1234567",
         9, "parent_span_id is not 8 bytes long"},
        {"\x39\0\0\0\0\0\0\0\0", 9, "the start time is 0"},
        {"\x41\x01\0\0\0\0\0\0\0", 9, "the end time is before the start time"},
        {"\x41\0\0\0\0\0\0\0\x80", 9, "a time is beyond 2^63-1 ns"},
        {"\x6A\x03\x0A\x01x", 5, "the trace_id of a link is not 16 bytes long"},
        {"\x6A\x03\x12\x01x", 5, "the span_id of a link is not 8 bytes long"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        tk_buf_clear(&body);
        tk_batch_clear(batch);
        open_scope();
        tk_pb_end(&body, open_span());
        size_t span = open_span();
        put_value(TK_STR("\x18\x05"));
        put_raw(bad[i].bytes, bad[i].len);
        tk_pb_end(&body, span);
        tk_pb_end(&body, open_span());
        close_scope();
        decode_well();
        assert_int_equal(batch->span_count, 2);
        assert_int_equal(batch->attr_count, 0);
        assert_int_equal(batch->link_count, 0);
        assert_int_equal(rejected.span_count, 1);
        assert_says(rejected.reason, bad[i].says);
        assert_says(rejected.reason, SPAN_1);
        assert_says(rejected.reason, "GET /users");
    }
}

static void
zero_is_no_parent_and_a_link_may_point_nowhere(void **state)
{
    (void)state;
    open_scope();
    size_t span = open_span();
    put_raw("\x22\x08\0\0\0\0\0\0\0\0", 10);
    tk_pb_end(&body, tk_pb_begin(&body, 13));
    put_raw("\x30\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01", 11); /* kind -1 */
    tk_pb_end(&body, span);
    close_scope();
    decode_well();
    assert_int_equal(batch->span_count, 1);
    assert_true(batch->parent_id[0] == 0);
    assert_int_equal(batch->links[0].count, 1);
    assert_int_equal(batch->kind[0], -1);
}

static void
reasons_stay_utf8_when_a_long_name_is_cut(void **state)
{
    (void)state;
    open_scope();
    size_t span = open_span();
    size_t name = tk_pb_begin(&body, 5);
    for (int i = 0; i < 200; i++)
        tk_buf_append(&body, TK_STR("\xE2\x82\xAC"));
    tk_pb_end(&body, name);
    tk_pb_put_bytes(&body, 1, TK_STR("x"));
    tk_pb_end(&body, span);
    close_scope();
    decode_well();
    assert_true(tk_utf8_valid(tk_str_from(rejected.reason), NULL));
    assert_int_equal(rejected.span_count, 1);
}

static void
spans_are_encoded_by_resource_and_scope_in_order_of_first_sight(void **state)
{
    struct tk_buf out;
    uint32_t row, index;
    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(tk_batch_add_resource(batch, &index), TK_OK);
        assert_int_equal(tk_batch_add_scope(batch, &index), TK_OK);
    }
    for (uint32_t i = 0; i < 6; i++) {
        assert_int_equal(tk_batch_add_span(batch, &row), TK_OK);
        batch->trace_id[row].low = batch->span_id[row] = i + 1;
        batch->start_nano[row] = batch->end_nano[row] = 1;
        batch->resource[row] = 1 - i % 2;
        batch->scope[row] = i / 3;
    }
    tk_buf_init(&out, 1 << 16);
    tk_otlp_protobuf_encode(batch, (struct tk_range){0, 6}, &out);
    struct tk_batch *again = tk_batch_new();
    assert_int_equal(tk_otlp_protobuf_decode(tk_buf_str(&out), again, &rejected, &err), TK_OK);
    static const unsigned want[] = {1, 3, 5, 2, 4, 6};
    assert_int_equal(again->span_count, 6);
    assert_int_equal(again->resource_count, 2);
    assert_int_equal(again->scope_count, 4);
    for (uint32_t i = 0; i < 6; i++)
        assert_int_equal(again->span_id[i], want[i]);
    tk_batch_free(again);
    tk_buf_release(&out);
}

static void
a_resource_and_a_scope_are_read_alone_as_they_were_written(void **state)
{
    static const char *const keys[] = {"service.name", "a"};
    struct tk_buf resource, scope;
    uint32_t index;
    (void)state;
    assert_int_equal(tk_batch_add_resource(batch, &index), TK_OK);
    batch->resources[0].schema_url = TK_STR("https://schema");
    batch->resources[0].dropped_attrs = 7;
    for (int i = 0; i < 2; i++)
        assert_int_equal(tk_batch_add_attr(batch, tk_str_from(keys[i]),
                                           (struct tk_value){.type = TK_VALUE_INT, .i = i}),
                         TK_OK);
    batch->resources[0].attrs = (struct tk_range){0, 2};
    assert_int_equal(tk_batch_add_scope(batch, &index), TK_OK);
    batch->scopes[0].name = TK_STR("lib");
    batch->scopes[0].version = TK_STR("1.2");
    tk_buf_init(&resource, 1 << 16);
    tk_buf_init(&scope, 1 << 16);
    tk_otlp_resource_encode(batch, 0, &resource);
    tk_otlp_scope_encode(batch, 0, &scope);
    struct tk_batch *again = tk_batch_new();
    assert_int_equal(tk_otlp_resource_decode(tk_buf_str(&resource), again, &err), TK_OK);
    assert_int_equal(tk_otlp_scope_decode(tk_buf_str(&scope), again, &err), TK_OK);
    assert_int_equal(again->resource_count, 1);
    assert_int_equal(again->resources[0].dropped_attrs, 7);
    assert_int_equal(again->resources[0].attrs.count, 2);
    assert_true(tk_str_eq(again->resources[0].schema_url, TK_STR("https://schema")));
    assert_int_equal(again->scope_count, 1);
    assert_true(tk_str_eq(again->scopes[0].version, TK_STR("1.2")));
    assert_int_equal(tk_otlp_resource_decode(TK_STR(""), again, &err), TK_OK); /* of nothing */
    assert_int_equal(again->resource_count, 2);
    assert_int_equal(tk_otlp_scope_decode(TK_STR("\x0a\x05"), again, &err), TK_ERR_INPUT);
    tk_batch_free(again);
    tk_buf_release(&resource);
    tk_buf_release(&scope);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_empty_body_is_a_request_without_spans),
        TEST(a_resource_and_a_scope_may_come_behind_their_spans),
        TEST(duplicate_fields_are_merged_as_protobuf_says),
        TEST(values_that_come_twice_are_merged_at_every_depth),
        TEST(every_value_type_survives),
        TEST(unknown_fields_are_skipped_groups_too),
        TEST(a_known_field_with_a_wrong_wire_type_is_refused),
        TEST(broken_bytes_are_refused_with_byte_and_path),
        TEST(nesting_is_taken_to_the_limit_and_no_further),
        TEST(a_hundred_thousand_levels_do_no_harm),
        TEST(a_span_with_a_bad_id_or_bad_times_is_left_out_alone),
        TEST(zero_is_no_parent_and_a_link_may_point_nowhere),
        TEST(reasons_stay_utf8_when_a_long_name_is_cut),
        TEST(spans_are_encoded_by_resource_and_scope_in_order_of_first_sight),
        TEST(a_resource_and_a_scope_are_read_alone_as_they_were_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
