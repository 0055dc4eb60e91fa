/*
 * One message can be written in many ways.  The decoder takes the way encoders write it on a
 * shorter path than all others; here random spans are read in both, and must come out the same.
 */
#include "expected.h"
#include "wire/otlp_schema.h"

#include <stdlib.h>

enum { ROUNDS = 300, BODY_MAX = 1 << 24, PADDED_VARINT = 4 };

static uint64_t seed;

static uint32_t
below(uint32_t end)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((seed >> 33) % end);
}

/* Lengths around those where a varint gets one byte longer, and where eight bytes are one word. */
static tk_str
random_text(struct tk_batch *batch)
{
    static const uint32_t lengths[] = {0, 1, 3, 4, 7, 8, 9, 16, 36, 119, 120, 127, 128, 300};
    static const char *const letters[] = {"a", "Z", ".", "0", "\xc3\xa9", "\xe2\x82\xac"};
    struct tk_buf text;
    uint32_t len = below(50) == 0 ? 16380 + below(10) : lengths[below(14)];
    uint32_t kinds = below(4) == 0 ? 6 : 4; /* one in four is not only ASCII */
    tk_buf_init(&text, BODY_MAX);
    while (text.len < len)
        tk_buf_append(&text, tk_str_from(letters[below(kinds)]));
    tk_str copy = tk_arena_copy(&batch->arena, tk_buf_str(&text));
    tk_buf_release(&text);
    return copy;
}

static struct tk_value
random_value(struct tk_batch *batch)
{
    static const int64_t numbers[] = {0, 1, -1, 127, 128, 16383, 16384, INT64_MAX, INT64_MIN};
    tk_str text = random_text(batch);
    struct tk_value value = {.type = (uint8_t)below(TK_VALUE_BYTES + 1)};
    switch (value.type) {
    case TK_VALUE_STRING:
    case TK_VALUE_BYTES:
        value.ptr = text.ptr;
        value.len = (uint32_t)text.len;
        break;
    case TK_VALUE_BOOL:
        value.b = below(2) == 1;
        break;
    case TK_VALUE_INT:
        value.i = numbers[below(9)];
        break;
    case TK_VALUE_DOUBLE:
        value.d = (double)below(1000) / 7;
        break;
    default:
        break;
    }
    return value;
}

static struct tk_range
random_attrs(struct tk_batch *batch)
{
    static const char *const keys[] = {"",          "a",         "server.address",
                                       "http.host", "http.verb", "exception.stacktrace"};
    struct tk_range range = {batch->attr_count, below(8)};
    for (uint32_t i = 0; i < range.count; i++) {
        tk_str key = below(20) == 0 ? random_text(batch) : tk_str_from(keys[below(6)]);
        assert_int_equal(tk_batch_add_attr(batch, key, random_value(batch)), TK_OK);
    }
    return range;
}

static void
add_span(struct tk_batch *batch, uint32_t resource, uint32_t scope)
{
    uint32_t row, index;
    assert_int_equal(tk_batch_add_span(batch, &row), TK_OK);
    batch->trace_id[row] = (struct tk_trace_id){below(100) + 1, row};
    batch->span_id[row] = row + 1;
    batch->parent_id[row] = below(3);
    batch->start_nano[row] = 1 + below(1000);
    batch->end_nano[row] = batch->start_nano[row] + below(1000);
    batch->name[row] = random_text(batch);
    batch->kind[row] = (int32_t)below(300);
    batch->flags[row] = below(3) * 0x100;
    batch->status[row] = (int32_t)below(3);
    batch->dropped_attrs[row] = below(3) * 1000;
    batch->resource[row] = resource;
    batch->scope[row] = scope;
    batch->attrs[row] = random_attrs(batch);
    batch->events[row].begin = batch->event_count;
    for (batch->events[row].count = 0; below(3) == 0; batch->events[row].count++) {
        struct tk_range attrs = random_attrs(batch);
        assert_int_equal(tk_batch_add_event(batch, &index), TK_OK);
        batch->event[index] =
            (struct tk_event){.time_nano = below(9), .name = random_text(batch), .attrs = attrs};
    }
    batch->links[row].begin = batch->link_count;
    for (batch->links[row].count = 0; below(3) == 0; batch->links[row].count++) {
        struct tk_range attrs = random_attrs(batch);
        assert_int_equal(tk_batch_add_link(batch, &index), TK_OK);
        batch->link[index] = (struct tk_link){.span_id = below(3), .attrs = attrs};
    }
}

static struct tk_batch *
random_batch(void)
{
    struct tk_batch *batch = tk_batch_new();
    uint32_t resource, scope;
    assert_non_null(batch);
    for (uint32_t i = 0; i <= below(4); i++) {
        struct tk_range attrs = random_attrs(batch);
        assert_int_equal(tk_batch_add_resource(batch, &resource), TK_OK);
        batch->resources[resource].attrs = attrs;
        attrs = random_attrs(batch);
        assert_int_equal(tk_batch_add_scope(batch, &scope), TK_OK);
        batch->scopes[scope] = (struct tk_scope){.name = random_text(batch), .attrs = attrs};
        for (uint32_t n = below(20); n > 0; n--)
            add_span(batch, resource, scope);
    }
    return batch;
}

static void
put_padded_varint(struct tk_buf *out, uint64_t value)
{
    for (int i = 1; i < PADDED_VARINT; i++, value >>= 7)
        tk_buf_append_char(out, (char)(value | 0x80));
    tk_buf_append_char(out, (char)value);
}

static const struct tk_pb_message *
message_of(const struct tk_pb_message *parent, uint32_t number)
{
    const struct tk_pb_field *field = parent->fields;
    while (field->number != 0 && field->number != number)
        field++;
    /* What is nested in a value is kept as the bytes that it came as. */
    return parent == &tk_otlp_any_value ? NULL : field->message;
}

/* The same message with every length written longer than it needs to be. */
static void
put_padded(struct tk_buf *out, tk_str bytes, const struct tk_pb_message *message)
{
    struct tk_pb pb = tk_pb_reader(bytes);
    const char *end = bytes.ptr + bytes.len;
    uint32_t tag;
    tk_str inner;
    while (pb.at < end) {
        assert_true(tk_pb_read_tag(&pb, end, &tag));
        const char *value_at = pb.at;
        tk_pb_put_varint(out, tag);
        if ((tag & 7) != TK_PB_LENGTH) {
            assert_true(tk_pb_skip(&pb, end, tag));
            tk_buf_append(out, (tk_str){value_at, (size_t)(pb.at - value_at)});
            continue;
        }
        struct tk_buf padded;
        assert_true(tk_pb_read_bytes(&pb, end, &inner));
        tk_buf_init(&padded, BODY_MAX);
        if (message_of(message, tag >> 3) != NULL)
            put_padded(&padded, inner, message_of(message, tag >> 3));
        else
            tk_buf_append(&padded, inner);
        put_padded_varint(out, padded.len);
        tk_buf_append(out, tk_buf_str(&padded));
        tk_buf_release(&padded);
    }
}

/* Decoded from a block of exactly its size, and encoded again. */
static void
put_decoded(struct tk_buf *out, tk_str body)
{
    struct tk_batch *batch = tk_batch_new();
    struct tk_rejected rejected;
    struct tk_error err = {0};
    char *exact = malloc(body.len + 1);
    assert_non_null(exact);
    if (body.len > 0)
        memcpy(exact + 1, body.ptr, body.len);
    tk_str copy = {exact + 1, body.len};
    if (tk_otlp_protobuf_decode(copy, batch, &rejected, &err) != TK_OK)
        fail_msg("%s", err.message);
    assert_int_equal(rejected.span_count, 0);
    tk_otlp_protobuf_encode(batch, (struct tk_range){0, batch->span_count}, out);
    assert_int_equal(out->status, TK_OK);
    tk_batch_free(batch);
    free(exact);
}

static void
random_spans_are_read_the_same_in_every_form(void **state)
{
    (void)state;
    for (seed = 1; seed < ROUNDS;) {
        uint64_t round = seed;
        struct tk_batch *batch = random_batch();
        struct tk_buf plain, padded, from_plain, from_padded;
        struct tk_buf *all[] = {&plain, &padded, &from_plain, &from_padded};
        for (int i = 0; i < 4; i++)
            tk_buf_init(all[i], BODY_MAX);
        tk_otlp_protobuf_encode(batch, (struct tk_range){0, batch->span_count}, &plain);
        assert_int_equal(plain.status, TK_OK);
        put_padded(&padded, tk_buf_str(&plain), &tk_otlp_traces_data);
        put_decoded(&from_plain, tk_buf_str(&plain));
        put_decoded(&from_padded, tk_buf_str(&padded));
        if (!tk_str_eq(tk_buf_str(&plain), tk_buf_str(&from_plain)))
            fail_msg("round %llu: not read as written", (unsigned long long)round);
        if (!tk_str_eq(tk_buf_str(&plain), tk_buf_str(&from_padded)))
            fail_msg("round %llu: the padded form is another", (unsigned long long)round);
        for (int i = 0; i < 4; i++)
            tk_buf_release(all[i]);
        tk_batch_free(batch);
        seed = round + 1;
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_spans_are_read_the_same_in_every_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
